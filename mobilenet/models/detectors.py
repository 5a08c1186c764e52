"""SSD and SSDLite (1512.02325; 1801.04381, section 6.2) on any trunk of stride 32.

As TensorFlow's Object Detection API builds them: six maps, two of the trunk and four
more, each half as large as the one before; for every anchor of a map's cell a
correction of its box and a logit for each class and the background. torchvision's
SSDLite is the same with other anchors and another style.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models import anchors, trunks, zoo
from mobilenet.models.classifier import Backbone
from mobilenet.models.layers import Conv, ConvNorm, depthwise
from mobilenet.models.rows import ModelError, Network, Separable
from mobilenet.models.trunks import Tap

ACT = 'relu6'  # of all that is added, whatever the trunk has
MORE_MAPS = (512, 256, 256, 128)  # their channels, which the width multiplies
LEAST_CHANNELS = 16
BACKGROUND = 0  # the column of its logits
# Where the biases of classes start: a sigmoid of 0.01, since nearly all anchors find
# nothing (1708.02002, section 4.1). TensorFlow's configs ask for it as well, which its
# heads with depthwise convolutions forget.
RARE = math.log(0.01 / 0.99)


@dataclasses.dataclass(frozen=True)
class Ssd:
  """How a detector is put on a trunk.

  separable: SSDLite's depthwise separable convolutions in heads and added maps.
  kernel: of a head's convolution where it is not separable. anchors: a key of
  `anchors.ANCHORS`. taps: the two maps of the trunk; None takes the expansion that goes
  into the first convolution of stride 32, and the last map.
  """

  separable: bool = True
  kernel: int = 1
  anchors: str = 'tensorflow'
  taps: tuple[Tap, Tap] | None = None


class Boxes(NamedTuple):
  """What a detector says of images, for every anchor.

  codes: (N, A, 4) float32, see `boxes.decode`. logits: (N, A, 1 + num_classes) float32;
  column 0 is the background's. anchors: (A, 4) float32, the same for images of one
  size, see `anchors`.
  """

  codes: jax.Array
  logits: jax.Array
  anchors: jax.Array


class Detector(nn.Module):
  """Images (N, H, W, 3) to `Boxes`. Static and hashable; `apply` is pure.

  Class 0 of the data has column 1: nobody but the loss and the decoding knows. Of the
  first `frozen` rows of the trunk nothing trains (see `freezing`). With `frozen_norms`
  the trunk keeps its running statistics, and normalises by them while it learns.
  """

  network: Network
  num_classes: int
  ssd: Ssd = Ssd()
  frozen: int = 0
  frozen_norms: bool = False

  def setup(self):
    self.taps = self.ssd.taps or default_taps(self.network)
    self.backbone = Backbone(self.network, frozen=self.frozen, taps=self.taps)
    width, separable = self.network.width, self.ssd.separable
    for n, channels in enumerate(MORE_MAPS):
      setattr(
        self, f'map_{n}', MoreMap(self.network, _scaled(channels, width), separable)
      )
    for n, count in enumerate(anchors.PER_CELL[self.ssd.anchors]):
      for kind, values in (('boxes', 4), ('classes', 1 + self.num_classes)):
        start = RARE if kind == 'classes' else 0.0
        head = PredictionHead(self.network, count * values, self.ssd, start)
        setattr(self, f'{kind}_{n}', head)

  def __call__(self, images: jax.Array, *, train: bool = False) -> Boxes:
    found = {'boxes': [], 'classes': []}
    maps = self.maps(images, train=train)
    for n, x in enumerate(maps):
      for kind, values in (('boxes', 4), ('classes', 1 + self.num_classes)):
        y = getattr(self, f'{kind}_{n}')(x, train=train)
        found[kind].append(y.reshape(y.shape[0], -1, values))
    codes, logits = (
      jnp.concatenate(each, 1).astype(jnp.float32) for each in found.values()
    )
    grid = anchors.ANCHORS[self.ssd.anchors]([x.shape[1:3] for x in maps])
    return Boxes(codes, logits, jnp.asarray(grid))

  @nn.nowrap
  def learns(self, path: tuple[str, ...]) -> bool:
    """Whether the variable below modules of these names learns."""
    return trunks.learns(self.network, self.frozen, path)

  def maps(self, images: jax.Array, *, train: bool = False) -> list[jax.Array]:
    """The six feature maps, the finest first."""
    images = images.astype(self.network.style.dtype)
    _, endpoints = self.backbone(images, train=train and not self.frozen_norms)
    maps = [endpoints[tap] for tap in self.taps]
    for n in range(len(MORE_MAPS)):
      maps.append(getattr(self, f'map_{n}')(maps[-1], train=train))
    return maps


def scores(logits: jax.Array, kind: str) -> jax.Array:
  """Of logits (N, A, 1 + K) those of the classes, 0 to 1: (N, A, K).

  Args:
    logits: the first are the background's.
    kind: 'sigmoid', of each class by itself, or 'softmax' over all.
  """
  scale = {'sigmoid': jax.nn.sigmoid, 'softmax': jax.nn.softmax}[kind]
  return scale(logits)[..., BACKGROUND + 1 :]


class MoreMap(nn.Module):
  """A map of half the size: 1x1 to half of the channels, then 3x3 with stride 2."""

  network: Network
  channels: int
  separable: bool

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    style = self.network.style
    x = ConvNorm(_scaled(self.channels // 2), 1, style, ACT, name='reduce')(
      x, train=train
    )
    if not self.separable:
      return ConvNorm(self.channels, 3, style, ACT, stride=2, name='expand')(
        x, train=train
      )
    x = depthwise(x, 3, style, ACT, stride=2, train=train)
    return ConvNorm(self.channels, 1, style, ACT, name='expand')(x, train=train)


class PredictionHead(nn.Module):
  """Outputs for every cell of one map; the last convolution has a bias and no norm."""

  network: Network
  features: int
  ssd: Ssd
  bias_start: float

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    style, kernel = self.network.style, self.ssd.kernel
    if self.ssd.separable:
      x, kernel = depthwise(x, 3, style, ACT, train=train), 1
    return Conv(
      self.features,
      kernel,
      style,
      use_bias=True,
      bias_start=self.bias_start,
      name='predict',
    )(x)


def default_taps(network: Network) -> tuple[Tap, Tap]:
  """What goes into the first depthwise convolution of stride 32, and the last map."""
  first = trunks.first_row(network, 32)
  if isinstance(network.rows[first], Separable):
    before = Tap(first - 1)  # it has no expansion
  else:
    before = Tap(first, 'expand')
  return before, Tap(len(network.rows) - 1)


def _scaled(channels: int, width: float = 1.0) -> int:
  return max(int(channels * width), LEAST_CHANNELS)


class Named(NamedTuple):
  """A detector of the table.

  trunk: a key of `zoo.NETWORKS`. is_reduced: whether its tail is. style: options of
  `zoo.create` that are its own; those of a caller go before them. reading: how the
  outputs of its published weights are read, fields of a config's `detection` section.
  """

  trunk: str
  is_reduced: bool
  ssd: Ssd
  style: Mapping[str, Any] = {}
  reading: Mapping[str, Any] = {}


# torchvision/models/detection/ssdlite.py. PyTorch's momentum is 1 - ours.
_TORCHVISION = {
  'padding': 'torch',
  'norm_momentum': 0.97,
  'norm_epsilon': 1e-3,
  'init': 'ssdlite',
}
_READING = {'class_loss': 'hard_negatives', 'overlap': 0.55, 'least_score': 0.001}

DETECTORS = {
  'ssd_mobilenet_v1': Named('mobilenet_v1', False, Ssd(separable=False)),
  'ssdlite_mobilenet_v1': Named('mobilenet_v1', False, Ssd()),
  'ssd_mobilenet_v2': Named('mobilenet_v2', False, Ssd(separable=False)),
  'ssdlite_mobilenet_v2': Named('mobilenet_v2', False, Ssd()),
  'ssdlite_mnasnet_a1': Named('mnasnet_a1', False, Ssd()),
  'ssdlite_mobilenet_v3_large': Named('mobilenet_v3_large', False, Ssd()),
  'ssdlite_mobilenet_v3_large_reduced': Named('mobilenet_v3_large', True, Ssd()),
  'ssdlite_mobilenet_v3_small': Named('mobilenet_v3_small', False, Ssd()),
  'ssdlite_mobilenet_v3_small_reduced': Named('mobilenet_v3_small', True, Ssd()),
  'ssdlite_mobilenet_v4_conv_small': Named('mobilenet_v4_conv_small', False, Ssd()),
  'ssdlite_mobilenet_v4_conv_medium': Named('mobilenet_v4_conv_medium', False, Ssd()),
  'ssdlite_mobilenet_v3_large_torchvision': Named(
    *('mobilenet_v3_large', True, Ssd(anchors='torchvision'), _TORCHVISION),
    reading=_READING,
  ),
}


def create(
  name: str, *, num_classes: int, frozen_norms: bool = False, **options
) -> Detector:
  """Makes a named detector: `create('ssdlite_mobilenet_v2', num_classes=3)`.

  Args:
    name: a key of `DETECTORS`.
    num_classes: of objects; the background is not counted.
    frozen_norms: for small batches on a trunk that is loaded, see `Detector`.
    **options: of the trunk, see `zoo.create`.

  Raises:
    ModelError: an unknown name (with the nearest ones), option or value.
  """
  if name not in DETECTORS:
    raise ModelError(
      f'detector {name!r} does not exist; {zoo.nearest(name, DETECTORS)}'
    )
  trunk, is_reduced, ssd, style, _ = DETECTORS[name]
  made = zoo.create(trunk, **zoo.over(style, options))
  network = trunks.without_least_width(made.network)
  network = trunks.reduced(network) if is_reduced else network
  # Below the rows there is no classifier of its own to be frozen.
  frozen = min(made.frozen, len(network.rows))
  return Detector(network, num_classes, ssd, frozen, frozen_norms)
