"""Scopes of TF-slim's MobileNets in forward order.

As research/slim/nets of tensorflow/models builds them: V1 numbers every row; V2 and
later let TensorFlow count, so that the first of a kind has no number ('expanded_conv',
'expanded_conv_1', ...) and plain convolutions are counted apart from blocks.
"""

from collections.abc import Iterator

from mobilenet.models.rows import Conv, Fused, Inverted, Network, Separable
from mobilenet.models.zoo import nearest
from mobilenet.weights.weight_file import WeightsError

# The outermost scope of each network; Large, Small and the minimalistic ones share one.
SCOPES = {
  'mobilenet_v1': 'MobilenetV1',
  'mobilenet_v2': 'MobilenetV2',
  'mobilenet_v3_large': 'MobilenetV3',
  'mobilenet_v3_small': 'MobilenetV3',
  'mobilenet_v3_large_minimalistic': 'MobilenetV3',
  'mobilenet_v3_small_minimalistic': 'MobilenetV3',
  'mobilenet_edgetpu': 'MobilenetEdgeTPU',
}
CLASSIFIER = 'Logits/Conv2d_1c_1x1'


def names(network_name: str, network: Network) -> list[str]:
  """The scope of every layer, in the order in which `counting.layers` lists ours.

  A convolution (or what is a 1x1 convolution there and a dense layer here) is named by
  its scope, 'MobilenetV2/expanded_conv_1/expand', its norm by '<scope>/BatchNorm'.

  Args:
    network_name: a key of `SCOPES`.
    network: its rows; every width has the same names.

  Raises:
    WeightsError: slim has no such network.
  """
  if network_name not in SCOPES:
    raise WeightsError(
      f'TF-slim has no released {network_name!r}; {nearest(network_name, SCOPES)}'
    )
  inside = _numbered if network_name == 'mobilenet_v1' else _counted
  return [f'{SCOPES[network_name]}/{name}' for name in inside(network)]


def _unit(scope: str) -> tuple[str, str]:
  return scope, f'{scope}/BatchNorm'


def _numbered(network: Network) -> Iterator[str]:
  """V1's layers: the number is the row's."""
  for n, row in enumerate(network.rows):
    if isinstance(row, Separable):
      yield from _unit(f'Conv2d_{n}_depthwise')
      yield from _unit(f'Conv2d_{n}_pointwise')
    else:
      yield from _unit(f'Conv2d_{n}')
  yield CLASSIFIER


def _counted(network: Network) -> Iterator[str]:
  """V2's, V3's and EdgeTPU's layers: convolutions and blocks are counted apart."""
  convs = blocks = 0
  for row in network.rows:
    # EdgeTPU's first block expands by one: of it only the linear projection is left.
    if isinstance(row, Conv) and row.act != 'linear':
      yield from _unit(_nth('Conv', convs))
      convs += 1
      continue
    block = _nth('expanded_conv', blocks)
    blocks += 1
    if isinstance(row, (Fused, Inverted)) and row.expand > 1:
      yield from _unit(f'{block}/expand')
    if isinstance(row, Inverted):
      yield from _unit(f'{block}/depthwise')
      if row.se:
        yield f'{block}/squeeze_excite/Conv'
        yield f'{block}/squeeze_excite/Conv_1'
    yield from _unit(f'{block}/project')
  if network.head.hidden:
    yield _nth('Conv', convs)
  yield CLASSIFIER


def _nth(name: str, n: int) -> str:
  return f'{name}_{n}' if n else name
