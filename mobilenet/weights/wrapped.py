"""A network that is a part of somebody's own PyTorch module: its names there.

    self.backbone = mobilenet_v2().features     # 'backbone.0.0.weight'
    self.model = timm.create_model(...)         # 'model.conv_stem.weight'

Any prefix is found, since the names below it are those of a known network; that of its
`features` may be taken in their place.
"""

import re
from collections.abc import Collection, Iterator

import numpy as np

from mobilenet.weights.sources import Source

# Arrays of a training's loss, kept as its buffers: no part of a forward pass.
LOSS = re.compile(r'(.*_)?(loss|criterion)(_\w*)?\d*(\.|$)')


def without_loss(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
  """The arrays without those of a loss: 'criterion.weight'."""
  return {name: value for name, value in tensors.items() if not LOSS.match(name)}


def readings(source: Source, layers: Collection[str]) -> Iterator[tuple[str, dict]]:
  """Ways to read the layers of a file as a source's.

  Yields:
    (prefix, {a layer's name in the file: its name in the source}); layers outside the
    prefix keep their names. The first has no prefix and changes nothing.
  """
  body, _ = source.body_and_head()
  lead, known, found = _lead(body), set(body), []
  yield '', {name: name for name in layers}
  for cut in dict.fromkeys(('', lead)):
    stem = body[0].removeprefix(cut)
    for layer in layers:
      prefix = layer.removesuffix(stem)
      if prefix in (layer, cut) or (prefix and not prefix.endswith('.')):
        continue
      names = _renamed(layers, prefix, cut, known)
      network = {name for name, short in names.items() if short in known}
      if network not in found:  # 'model.features.' is what 'model.' is
        found.append(network)
        yield prefix, names


def _lead(body: list[str]) -> str:
  """'features.', where all of a body is in there."""
  first = body[0].partition('.')[0] + '.'
  return first if all(name.startswith(first) for name in body) else ''


def _renamed(layers, prefix: str, cut: str, body: set[str]) -> dict[str, str]:
  taken, result = set(layers), {}
  for name in layers:
    short = cut + name.removeprefix(prefix)
    # What stands beside the features has a name of its own, as has what stands outside.
    known = name.startswith(prefix) and (not cut or short in body)
    result[name] = short if known and short not in taken else name
  return result


def renamed(
  tensors: dict[str, np.ndarray], names: dict[str, str]
) -> dict[str, np.ndarray]:
  """The arrays under other names of their layers."""
  made = {}
  for name, value in tensors.items():
    layer, dot, array = name.rpartition('.')
    made[f'{names[layer]}{dot}{array}'] = value
  return made
