"""Layer names of torchvision's detectors and segmenters, in our forward pass's order.

See `torch_names`, whose names of V3's rows these are, with others in front.
"""

from collections.abc import Iterator

from mobilenet.models import trunks
from mobilenet.models.rows import Network
from mobilenet.weights.torch_names import torchvision_mobilenet

MAPS = 6  # of SSD; four of them are added to the trunk's
# Our layers of a head -> those in torchvision's module `classifier`.
LRASPP = ('cbr.0', 'cbr.1', 'scale.1', 'high_classifier', 'low_classifier')
DEEPLAB = (
  *('0.convs.0.0', '0.convs.0.1'),  # 1x1
  *('0.convs.1.0', '0.convs.1.1', '0.convs.2.0', '0.convs.2.1'),  # the first two rates
  *('0.convs.3.0', '0.convs.3.1'),  # the third
  *('0.convs.4.1', '0.convs.4.2'),  # pooled
  *('0.project.0', '0.project.1', '1', '2', '4'),
)
AUXILIARY = ('0', '1', '4')


def ssdlite(network: Network) -> Iterator[str]:
  """torchvision/models/detection/ssdlite.py.

  It cuts the trunk in two after the expansion of the first row of stride 32: what
  comes before it keeps its number.
  """
  first = trunks.first_row(network, 32)
  for name in _rows(network):
    _, number, rest = name.split('.', 2)
    if int(number) < first:
      yield f'backbone.features.0.{number}.{rest}'
    elif int(number) > first:
      yield f'backbone.features.1.{int(number) - first}.{rest}'
    elif rest.startswith('block.0.'):
      yield f'backbone.features.0.{number}.{rest.removeprefix("block.0.")}'
    else:
      yield f'backbone.features.1.0.{rest.removeprefix("block.")}'
  for n in range(MAPS - 2):
    for step in range(3):  # 1x1, depthwise, 1x1
      yield from (f'backbone.extra.{n}.{step}.{part}' for part in (0, 1))
  for n in range(MAPS):
    for head in ('regression', 'classification'):
      at = f'head.{head}_head.module_list.{n}'
      yield from (f'{at}.0.0', f'{at}.0.1', f'{at}.1')


def lraspp(network: Network) -> Iterator[str]:
  """torchvision/models/segmentation/lraspp.py."""
  yield from _backbone(network)
  yield from (f'classifier.{name}' for name in LRASPP)


def deeplab(network: Network) -> Iterator[str]:
  """torchvision/models/segmentation/deeplabv3.py, without its auxiliary head."""
  yield from _backbone(network)
  yield from (f'classifier.{name}' for name in DEEPLAB)


def deeplab_with_auxiliary(network: Network) -> Iterator[str]:
  """`deeplab`, and the head of torchvision/models/segmentation/fcn.py."""
  yield from deeplab(network)
  yield from (f'aux_classifier.{name}' for name in AUXILIARY)


def _backbone(network: Network) -> Iterator[str]:
  for name in _rows(network):
    yield name.replace('features.', 'backbone.', 1)


def _rows(network: Network) -> Iterator[str]:
  names = torchvision_mobilenet(network)
  return (name for name in names if name.startswith('features.'))
