"""Segmentation heads on any trunk: LR-ASPP, R-ASPP and DeepLabV3.

V3's paper (1905.02244, section 6.4 and figure 10), DeepLabV3 (1706.05587) and
torchvision's two are the same few layers, put together otherwise: see `SEGMENTERS`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models import trunks, zoo
from mobilenet.models.activations import hard_sigmoid
from mobilenet.models.classifier import Backbone
from mobilenet.models.layers import Conv, ConvNorm
from mobilenet.models.rows import ModelError, Network, Style
from mobilenet.models.trunks import Tap

_GATES = {'sigmoid': jax.nn.sigmoid, 'hard_sigmoid': hard_sigmoid}
# Which row of stride 8 a finer map is of.
_ROWS = {'first': trunks.first_row, 'last': trunks.last_row}


@dataclasses.dataclass(frozen=True)
class LrAspp:
  """Lite R-ASPP: a 1x1 convolution, gated by the pooled map, plus a finer map.

  window: (kernel, (strides)) of an average pool, VALID, as V3's own model has it; None
  pools the whole map, which is the same for the images that it was trained on.
  bias: of the pooled branch. gate: its activation. low: the finer map, of the row of
  stride 8 that is `low_row`, 'first' or 'last': its 'depthwise' part, or '' for its
  output. norm: (momentum, epsilon) of the norms here, where not the trunk's.
  """

  filters: int = 128
  window: tuple[int, tuple[int, int]] | None = None
  bias: bool = True
  gate: str = 'hard_sigmoid'
  low: str = 'depthwise'
  low_row: str = 'last'
  norm: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Aspp:
  """Atrous spatial pyramid pooling; without `rates` it is R-ASPP.

  rates: of the dilated 3x3 convolutions. refined: a 3x3 convolution before the
  classifier. dropout: before it. norm: see `LrAspp`.
  """

  filters: int = 256
  rates: tuple[int, ...] = ()
  refined: bool = False
  dropout: float = 0.0
  norm: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Auxiliary:
  """FCN's head (1411.4038), as torchvision has it, on the first row of stride 8.

  Only training uses it. It has a quarter of the channels that come in. dropout: before
  its classifier. norm: see `LrAspp`.
  """

  dropout: float = 0.1
  norm: tuple[float, float] | None = None


class Answer(NamedTuple):
  """Logits (N, h, w, num_classes), float32, and those of the auxiliary head.

  auxiliary: (N, H / 8, W / 8, num_classes).
  """

  logits: jax.Array
  auxiliary: jax.Array


class Segmenter(nn.Module):
  """Images (N, H, W, 3) to logits (N, h, w, num_classes), float32, before enlarging.

  h and w are the image's by 8 (`LrAspp`) or by the trunk's stride. `resize` makes them
  those of the image. With an auxiliary head, training gives an `Answer`. With
  `frozen_norms` the trunk keeps its running statistics, and normalises by them while it
  learns. Static and hashable; `apply` is pure.
  """

  network: Network
  num_classes: int
  head: LrAspp | Aspp = LrAspp()
  frozen: int = 0
  auxiliary: Auxiliary | None = None
  frozen_norms: bool = False

  def setup(self):
    self.low, self.early = (), ()
    if isinstance(self.head, LrAspp):
      row = _ROWS[self.head.low_row](self.network, 8)
      self.low = (Tap(row, self.head.low),)
    if self.auxiliary:
      self.early = (Tap(trunks.first_row(self.network, 8)),)
    taps = (*self.low, *self.early)
    self.backbone = Backbone(self.network, frozen=self.frozen, taps=taps)
    kind = LrAsppModule if isinstance(self.head, LrAspp) else AsppModule
    style = self.network.style
    self.segmentation = kind(self.head, _with_norm(style, self.head), self.num_classes)
    if self.auxiliary:
      self.fcn = AuxiliaryModule(
        self.auxiliary, _with_norm(style, self.auxiliary), self.num_classes
      )

  def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array | Answer:
    logits, maps = self._logits(images, train=train)
    if not self.auxiliary or not (train or self.is_initializing()):
      return logits
    answer = Answer(logits, *self._early(maps, train=train))
    return answer if train else logits

  @property
  def norm_epsilons(self) -> dict[str, float]:
    """Of the parts whose norms have another epsilon than the trunk's."""
    heads = {'segmentation': self.head, 'fcn': self.auxiliary}
    return {part: head.norm[1] for part, head in heads.items() if head and head.norm}

  def answer(self, images: jax.Array, *, train: bool = False) -> Answer:
    """The logits of both heads, for a segmenter that has two."""
    logits, maps = self._logits(images, train=train)
    return Answer(logits, *self._early(maps, train=train))

  def _logits(self, images, *, train):
    images = images.astype(self.network.style.dtype)
    last, maps = self.backbone(images, train=train and not self.frozen_norms)
    logits = self.segmentation(last, *(maps[tap] for tap in self.low), train=train)
    return logits.astype(jnp.float32), maps

  def _early(self, maps, *, train):
    return [self.fcn(maps[t], train=train).astype(jnp.float32) for t in self.early]

  @nn.nowrap
  def learns(self, path: tuple[str, ...]) -> bool:
    """Whether the variable below modules of these names learns."""
    return trunks.learns(self.network, self.frozen, path)


class LrAsppModule(nn.Module):
  """An `LrAspp`."""

  head: LrAspp
  style: Style
  num_classes: int

  @nn.compact
  def __call__(self, x: jax.Array, low: jax.Array, *, train: bool = False) -> jax.Array:
    head, style = self.head, self.style
    y = ConvNorm(head.filters, 1, style, 'relu', name='features')(x, train=train)
    gate = _pooled(x, head.window)
    gate = Conv(head.filters, 1, style, use_bias=head.bias, name='gate')(gate)
    y = y * resize(_GATES[head.gate](gate), y.shape[1:3])
    # A 1x1 convolution and enlarging may change places: this one is of fewer pixels.
    high = Conv(self.num_classes, 1, style, use_bias=True, name='high')(y)
    high = resize(high, low.shape[1:3])
    return high + Conv(self.num_classes, 1, style, use_bias=True, name='low')(low)


class AsppModule(nn.Module):
  """An `Aspp`."""

  head: Aspp
  style: Style
  num_classes: int

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    head, style = self.head, self.style

    def unit(name, kernel=1, dilation=1):
      return ConvNorm(head.filters, kernel, style, 'relu', dilation=dilation, name=name)

    branches = [unit('features')(x, train=train)]
    for n, rate in enumerate(head.rates):
      branches.append(unit(f'rate_{n}', 3, rate)(x, train=train))
    pooled = unit('pooled')(_pooled(x, None), train=train)
    branches.append(resize(pooled, x.shape[1:3]))
    y = unit('project')(jnp.concatenate(branches, axis=-1), train=train)
    y = nn.Dropout(head.dropout)(y, deterministic=not train)
    if head.refined:
      y = unit('refine', 3)(y, train=train)
    return Conv(self.num_classes, 1, style, use_bias=True, name='classifier')(y)


class AuxiliaryModule(nn.Module):
  """An `Auxiliary`."""

  head: Auxiliary
  style: Style
  num_classes: int

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    channels = x.shape[-1] // 4
    x = ConvNorm(channels, 3, self.style, 'relu', name='features')(x, train=train)
    x = nn.Dropout(self.head.dropout)(x, deterministic=not train)
    return Conv(self.num_classes, 1, self.style, use_bias=True, name='classifier')(x)


def _with_norm(style: Style, head: LrAspp | Aspp | Auxiliary) -> Style:
  if head.norm is None:
    return style
  momentum, epsilon = head.norm
  return dataclasses.replace(style, norm_momentum=momentum, norm_epsilon=epsilon)


def resize(x: jax.Array, size: tuple[int, int]) -> jax.Array:
  """Bilinear, with half-pixel centres and no antialiasing: (N, H, W, C) to `size`."""
  if x.shape[1:3] == tuple(size):
    return x
  shape = (x.shape[0], *size, x.shape[-1])
  return jax.image.resize(x, shape, 'bilinear', antialias=False)


def _pooled(x: jax.Array, window) -> jax.Array:
  if window is None or min(x.shape[1:3]) < window[0]:
    mean = jnp.mean(x.astype(jnp.float32), axis=(1, 2), keepdims=True)
    return mean.astype(x.dtype)
  kernel, strides = window
  return nn.avg_pool(x, (kernel, kernel), strides)


class Named(NamedTuple):
  """A segmenter of the table.

  trunk: a key of `zoo.NETWORKS`. change: what is done to its rows, see `create`.
  stride: of its last map. style: options of `zoo.create` that are its own; those of a
  caller go before them. at_once: see `trunks.dilated`.
  """

  trunk: str
  change: str
  stride: int
  head: LrAspp | Aspp
  style: Mapping[str, Any] = {}
  at_once: bool = False
  auxiliary: Auxiliary | None = None


# torchvision/models/segmentation. The trunk's norms are V3's there, those of the heads
# PyTorch's, whose momentum is 1 - ours.
_TORCHVISION = {'padding': 'torch', 'norm_momentum': 0.99, 'norm_epsilon': 1e-3}
_PYTORCH_NORM = (0.9, 1e-5)
_TORCHVISION_DEEPLAB = Aspp(
  rates=(12, 24, 36), refined=True, dropout=0.5, norm=_PYTORCH_NORM
)

SEGMENTERS = {
  'lraspp_mobilenet_v2': Named('mobilenet_v2', 'cut', 16, LrAspp()),
  'lraspp_mobilenet_v3_large': Named('mobilenet_v3_large', 'reduced', 16, LrAspp()),
  'lraspp_mobilenet_v3_small': Named('mobilenet_v3_small', 'reduced', 16, LrAspp()),
  'raspp_mobilenet_v2': Named('mobilenet_v2', 'cut', 16, Aspp()),
  'raspp_mobilenet_v3_large': Named('mobilenet_v3_large', '', 16, Aspp()),
  'raspp_mobilenet_v3_large_reduced': Named(
    'mobilenet_v3_large', 'reduced', 16, Aspp()
  ),
  'deeplab_mobilenet_v2': Named('mobilenet_v2', 'cut', 16, Aspp(rates=(6, 12, 18))),
  'deeplab_mobilenet_v3_large': Named(
    'mobilenet_v3_large',
    '',
    16,
    Aspp(rates=(12, 24, 36), refined=True, dropout=0.5),
  ),
  'lraspp_mobilenet_v3_large_torchvision': Named(
    'mobilenet_v3_large',
    '',
    16,
    LrAspp(bias=False, gate='sigmoid', low='', low_row='first', norm=_PYTORCH_NORM),
    _TORCHVISION,
    at_once=True,
  ),
  'deeplab_mobilenet_v3_large_torchvision': Named(
    *('mobilenet_v3_large', '', 16, _TORCHVISION_DEEPLAB, _TORCHVISION),
    at_once=True,
    auxiliary=Auxiliary(norm=_PYTORCH_NORM),
  ),
  # What torchvision calls aux_loss=False: its published file has the other.
  'deeplab_mobilenet_v3_large_torchvision_without_auxiliary': Named(
    *('mobilenet_v3_large', '', 16, _TORCHVISION_DEEPLAB, _TORCHVISION),
    at_once=True,
  ),
}


def create(
  name: str,
  *,
  num_classes: int,
  output_stride: int | None = None,
  filters: int | None = None,
  frozen_norms: bool = False,
  **options,
) -> Segmenter:
  """Makes a named segmenter: `create('lraspp_mobilenet_v3_large', num_classes=19)`.

  Args:
    name: a key of `SEGMENTERS`.
    num_classes: outputs for each pixel; a background is one of them.
    output_stride: of the trunk's last map, 8, 16 or 32; None as published.
    filters: of the head; None as published.
    frozen_norms: for small batches on a trunk that is loaded, see `Segmenter`.
    **options: of the trunk, see `zoo.create`.

  Raises:
    ModelError: an unknown name (with the nearest ones), option or value.
  """
  if name not in SEGMENTERS:
    raise ModelError(
      f'segmenter {name!r} does not exist; {zoo.nearest(name, SEGMENTERS)}'
    )
  row = SEGMENTERS[name]
  head, stride = row.head, output_stride or row.stride
  if stride not in (8, 16, 32):
    raise ModelError(f'model output_stride is {stride}: it must be 8, 16 or 32')
  made = zoo.create(row.trunk, **zoo.over(row.style, options))
  network = trunks.without_least_width(made.network)
  if row.change == 'reduced':
    network = trunks.reduced(network, from_expansion=True)
  elif row.change == 'cut':  # V2's 1,280 channels are the classifier's alone
    network = dataclasses.replace(network, rows=network.rows[:-1])
  network = trunks.dilated(network, stride, at_once=row.at_once)
  if filters is not None:
    head = dataclasses.replace(head, filters=filters)
  return Segmenter(network, num_classes, head, made.frozen, row.auxiliary, frozen_norms)
