"""Segmentation heads on any trunk: LR-ASPP, R-ASPP and DeepLabV3.

V3's paper (1905.02244, section 6.4 and figure 10), DeepLabV3 (1706.05587) and
torchvision's two are the same few layers, put together otherwise: see `SEGMENTERS`.
"""

import dataclasses

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


@dataclasses.dataclass(frozen=True)
class LrAspp:
  """Lite R-ASPP: a 1x1 convolution, gated by the pooled map, plus a finer map.

  window: (kernel, (strides)) of an average pool, VALID, as V3's own model has it; None
  pools the whole map, which is the same for the images that it was trained on.
  bias: of the pooled branch. gate: its activation. low: what the finer map is taken
  from, the last row of stride 8: its 'depthwise' part, or '' for its output.
  """

  filters: int = 128
  window: tuple[int, tuple[int, int]] | None = None
  bias: bool = True
  gate: str = 'hard_sigmoid'
  low: str = 'depthwise'


@dataclasses.dataclass(frozen=True)
class Aspp:
  """Atrous spatial pyramid pooling; without `rates` it is R-ASPP.

  rates: of the dilated 3x3 convolutions. refined: a 3x3 convolution before the
  classifier. dropout: before it.
  """

  filters: int = 256
  rates: tuple[int, ...] = ()
  refined: bool = False
  dropout: float = 0.0


class Segmenter(nn.Module):
  """Images (N, H, W, 3) to logits (N, h, w, num_classes), float32, before enlarging.

  h and w are the image's by 8 (`LrAspp`) or by the trunk's stride. `resize` makes them
  those of the image. Static and hashable; `apply` is pure.
  """

  network: Network
  num_classes: int
  head: LrAspp | Aspp = LrAspp()
  frozen: int = 0

  def setup(self):
    self.taps = ()
    if isinstance(self.head, LrAspp):
      row = trunks.last_row(self.network, 8)
      self.taps = (Tap(row, self.head.low),)
    self.backbone = Backbone(self.network, frozen=self.frozen, taps=self.taps)
    kind = LrAsppModule if isinstance(self.head, LrAspp) else AsppModule
    self.segmentation = kind(self.head, self.network.style, self.num_classes)

  def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array:
    last, endpoints = self.backbone(
      images.astype(self.network.style.dtype), train=train
    )
    finer = [endpoints[tap] for tap in self.taps]
    return self.segmentation(last, *finer, train=train).astype(jnp.float32)

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


# Name -> trunk, what is done to its table, its stride, and the head.
SEGMENTERS = {
  'lraspp_mobilenet_v2': ('mobilenet_v2', 'cut', 16, LrAspp()),
  'lraspp_mobilenet_v3_large': ('mobilenet_v3_large', 'reduced', 16, LrAspp()),
  'lraspp_mobilenet_v3_small': ('mobilenet_v3_small', 'reduced', 16, LrAspp()),
  'raspp_mobilenet_v2': ('mobilenet_v2', 'cut', 16, Aspp()),
  'raspp_mobilenet_v3_large': ('mobilenet_v3_large', '', 16, Aspp()),
  'raspp_mobilenet_v3_large_reduced': ('mobilenet_v3_large', 'reduced', 16, Aspp()),
  'deeplab_mobilenet_v2': ('mobilenet_v2', 'cut', 16, Aspp(rates=(6, 12, 18))),
  'deeplab_mobilenet_v3_large': (
    'mobilenet_v3_large',
    '',
    16,
    Aspp(rates=(12, 24, 36), refined=True, dropout=0.5),
  ),
}


def create(
  name: str,
  *,
  num_classes: int,
  output_stride: int | None = None,
  filters: int | None = None,
  **options,
) -> Segmenter:
  """Makes a named segmenter: `create('lraspp_mobilenet_v3_large', num_classes=19)`.

  Args:
    name: a key of `SEGMENTERS`.
    num_classes: outputs for each pixel; a background is one of them.
    output_stride: of the trunk's last map, 8, 16 or 32; None as published.
    filters: of the head; None as published.
    **options: of the trunk, see `zoo.create`.

  Raises:
    ModelError: an unknown name (with the nearest ones), option or value.
  """
  _check(name)
  trunk, change, stride, head = SEGMENTERS[name]
  stride = output_stride or stride
  if stride not in (8, 16, 32):
    raise ModelError(f'model output_stride is {stride}: it must be 8, 16 or 32')
  made = zoo.create(trunk, **options)
  network = trunks.without_least_width(made.network)
  if change == 'reduced':
    network = trunks.reduced(network, from_expansion=True)
  elif change == 'cut':  # V2's 1,280 channels are the classifier's alone
    network = dataclasses.replace(network, rows=network.rows[:-1])
  network = trunks.dilated(network, stride)
  if filters is not None:
    head = dataclasses.replace(head, filters=filters)
  return Segmenter(network, num_classes, head, made.frozen)


def trunk(name: str) -> str:
  """The network that a named segmenter is put on: a key of `zoo.NETWORKS`.

  Raises:
    ModelError: there is no such segmenter.
  """
  _check(name)
  return SEGMENTERS[name][0]


def _check(name: str) -> None:
  if name not in SEGMENTERS:
    raise ModelError(
      f'segmenter {name!r} does not exist; {zoo.nearest(name, SEGMENTERS)}'
    )
