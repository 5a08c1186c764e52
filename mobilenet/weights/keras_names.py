"""Layer names of keras.applications' MobileNets, in forward order.

The spelling is Keras 3's. Keras 2 wrote V3's names with slashes and capitals
('expanded_conv_3/squeeze_excite/Conv', 'Conv/BatchNorm') and, in its first versions,
V2's classifier as 'Logits'; `spelling` brings them to this one.
"""

import collections
import difflib
from collections.abc import Iterable

from mobilenet.models import mobilenet_v1, mobilenet_v2, mobilenet_v3
from mobilenet.models.rows import Network
from mobilenet.weights.weight_file import WeightsError


def names(network_name: str, network: Network) -> list[str]:
  """Keras's layer of each of our layers, as `counting.layers` lists ours.

  Its classifier is the last one; `network` is the named one at any width.

  Raises:
    WeightsError: keras.applications has no such network.
  """
  if network_name not in FAMILIES:
    near = difflib.get_close_matches(network_name, FAMILIES, n=3) or list(FAMILIES)
    raise WeightsError(
      f'keras.applications has no {network_name}; it has {", ".join(near)}'
    )
  return FAMILIES[network_name](network)


def unnamed(layers: Iterable[str]) -> list[str]:
  """The same layers as class and number: 'conv2d:0', 'batch_normalization:0', ...

  That is how files without layer names are read: a number counts the layers of its
  class in the order of the model.
  """
  return numbered(_class(layer) for layer in layers)


def numbered(classes: Iterable[str]) -> list[str]:
  """Classes with the number of each among its like."""
  counts = collections.Counter()
  result = []
  for name in classes:
    result.append(f'{name}:{counts[name]}')
    counts[name] += 1
  return result


def spelling(stored: Iterable[str]) -> dict[str, str]:
  """What the layer names of a file, of any version of Keras, are called here.

  The norm of the stem tells which network it is, and most layers must be that one's:
  otherwise nothing is in it. Layers of a new head are not.
  """
  simple = {name: simplified(name) for name in stored}
  for stem, spelled in SPELLINGS.items():
    if stem in simple.values():
      known = {name: spelled[key] for name, key in simple.items() if key in spelled}
      return known if 2 * len(known) > len(simple) else {}
  return {}


def simplified(name: str) -> str:
  """A name without what differs between versions: case, slashes, the norm's suffix."""
  return name.lower().replace('/', '_').replace('batchnorm', 'bn')


def is_known(name: str) -> bool:
  """Whether some MobileNet of some version of Keras has a layer of that name."""
  return any(simplified(name) in spelled for spelled in SPELLINGS.values())


def _v1(network: Network) -> list[str]:
  result = ['conv1', 'conv1_bn']
  for n in range(1, len(network.rows)):
    result += [
      f'conv_{part}_{n}{norm}' for part in ('dw', 'pw') for norm in ('', '_bn')
    ]
  return [*result, 'conv_preds']


def _v2(network: Network) -> list[str]:
  result = ['Conv1', 'bn_Conv1']
  for n, row in enumerate(network.rows[1:-1]):
    # Only the first block has no expansion, and no number.
    prefix = f'block_{n}' if n else 'expanded_conv'
    for part in ('expand', 'depthwise', 'project')[row.expand == 1 :]:
      result += [f'{prefix}_{part}', f'{prefix}_{part}_BN']
  return [*result, 'Conv_1', 'Conv_1_bn', 'predictions']


def _v3(network: Network) -> list[str]:
  result = ['conv', 'conv_bn']
  for n, row in enumerate(network.rows[1:-1]):
    prefix = f'expanded_conv_{n}' if n else 'expanded_conv'
    for part in ('expand', 'depthwise', 'project')[row.expand == 1 :]:
      if part == 'project' and row.se:
        squeeze = f'{prefix}_squeeze_excite_conv'
        result += [squeeze, f'{squeeze}_1']
      result += [f'{prefix}_{part}', f'{prefix}_{part}_bn']
  return [*result, 'conv_1', 'conv_1_bn', 'conv_2', 'logits']


def _class(name: str) -> str:
  name = name.lower()
  if name.endswith('_bn') or name.startswith('bn_'):
    return 'batch_normalization'
  if name.endswith('depthwise') or name.startswith('conv_dw'):
    return 'depthwise_conv2d'
  return 'dense' if name == 'predictions' else 'conv2d'


FAMILIES = {
  'fd_mobilenet': _v1,
  'mobilenet_v1': _v1,
  'mobilenet_v2': _v2,
  'mobilenet_v3_large': _v3,
  'mobilenet_v3_small': _v3,
  'mobilenet_v3_large_minimalistic': _v3,
  'mobilenet_v3_small_minimalistic': _v3,
}


def _spelled(layers: Iterable[str]) -> dict[str, str]:
  return {simplified(name): name for name in layers}


# The stem's norm -> simplified name -> Keras 3's.
SPELLINGS = {
  'conv1_bn': _spelled(_v1(mobilenet_v1.V1)),
  'bn_conv1': {**_spelled(_v2(mobilenet_v2.V2)), 'logits': 'predictions'},
  'conv_bn': _spelled(_v3(mobilenet_v3.LARGE) + _v3(mobilenet_v3.SMALL)),
}
