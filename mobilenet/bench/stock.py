"""The same networks in stock flax.linen layers, to measure the lowerings against.

Rows, names and variables are those of `mobilenet.models`; convolutions are
`flax.linen.Conv`, norms `flax.linen.BatchNorm`. From the same variables both give the
same numbers.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models.activations import ACTIVATIONS, hard_sigmoid
from mobilenet.models.heads import HeadModule
from mobilenet.models.lowering import pads
from mobilenet.models.rows import (
  Conv,
  Fused,
  Head,
  Inverted,
  Network,
  Separable,
  Universal,
  make_divisible,
)


class StockConvNorm(nn.Module):
  network: Network
  features: int
  kernel: int
  act: str
  stride: int = 1
  groups: int = 1

  @nn.compact
  def __call__(self, x, *, train: bool = False):
    style = self.network.style
    x = nn.Conv(
      self.features,
      (self.kernel, self.kernel),
      strides=self.stride,
      padding=pads(x.shape[1:3], self.kernel, self.stride, style.padding),
      feature_group_count=self.groups,
      use_bias=False,
      dtype=style.dtype,
      name='conv',
    )(x)
    x = nn.BatchNorm(
      use_running_average=not train,
      momentum=style.norm_momentum,
      epsilon=style.norm_epsilon,
      dtype=style.dtype,
      name='norm',
    )(x)
    return ACTIVATIONS[self.act](x)


class StockSqueezeExcite(nn.Module):
  ratio: float
  dtype: str

  @nn.compact
  def __call__(self, x):
    squeezed = make_divisible(x.shape[-1] * self.ratio)
    s = jnp.mean(x, axis=(1, 2), keepdims=False)
    s = nn.relu(nn.Dense(squeezed, dtype=self.dtype, name='reduce')(s))
    s = hard_sigmoid(nn.Dense(x.shape[-1], dtype=self.dtype, name='expand')(s))
    return x * s[:, None, None, :]


class StockBlock(nn.Module):
  """Any row of a block; layers that the row lacks are left out."""

  row: Separable | Inverted | Fused | Universal
  network: Network

  @nn.compact
  def __call__(self, x, *, train: bool = False):
    row, network, shortcut = self.row, self.network, x
    style, act = network.style, row.act

    def unit(x, name, features, kernel, act, stride=1):
      depthwise = name in ('start', 'depthwise')
      return StockConvNorm(
        network,
        features,
        kernel,
        act,
        stride=stride,
        groups=features if depthwise else 1,
        name=name,
      )(x, train=train)

    if isinstance(row, Separable):
      x = unit(x, 'depthwise', x.shape[-1], row.kernel, act, row.stride)
      return unit(x, 'pointwise', network.scale(row.out), 1, act)
    start, middle = 0, getattr(row, 'kernel', 0)
    if isinstance(row, Universal):
      start, middle = row.start, row.middle
    if start:
      x = unit(x, 'start', x.shape[-1], start, 'linear', 1 if middle else row.stride)
    inner = make_divisible(x.shape[-1] * row.expand, network.divisor)
    if isinstance(row, Fused):
      x = unit(x, 'expand', inner, row.kernel, act, row.stride)
    else:
      # An `Inverted` row whose expansion is 1 has no such layer.
      if isinstance(row, Universal) or inner > x.shape[-1]:
        x = unit(x, 'expand', inner, 1, act)
      if middle:
        x = unit(x, 'depthwise', inner, middle, act, row.stride)
    if isinstance(row, Inverted) and row.se:
      x = StockSqueezeExcite(row.se, style.dtype, name='se')(x)
    x = unit(x, 'project', network.scale(row.out), 1, 'linear')
    joined = getattr(row, 'residual', True) and shortcut.shape == x.shape
    return x + shortcut if joined else x


class StockBackbone(nn.Module):
  network: Network

  @nn.compact
  def __call__(self, x, *, train: bool = False):
    for n, row in enumerate(self.network.rows):
      name = 'stem' if n == 0 else f'block_{n - 1:02d}'
      if isinstance(row, Conv):
        block = StockConvNorm(
          self.network,
          row.exact or self.network.scale(row.out, row.shrink),
          row.kernel,
          row.act,
          stride=row.stride,
          groups=row.groups,
          name=name,
        )
      else:
        block = StockBlock(row, self.network, name=name)
      x = block(x, train=train)
    return x


class StockClassifier(nn.Module):
  """`mobilenet.models.classifier.Classifier` without dropout, in stock layers.

  For networks for which `why_not` is None.
  """

  network: Network
  num_classes: int

  def setup(self):
    self.backbone = StockBackbone(self.network)
    self.head = HeadModule(self.network, self.num_classes)

  def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array:
    images = images.astype(self.network.style.dtype)
    return self.head(self.backbone(images, train=train), train=train)


def why_not(network: Network) -> str | None:
  """The part of a network that has no stock twin, in a few words; None if all have."""
  for row in network.rows:
    kind = type(row).__name__
    if not isinstance(row, Conv | Separable | Inverted | Fused | Universal):
      return f'has no {kind} rows here'
    if getattr(row, 'layer_scale', False) or not getattr(row, 'between', True):
      return f'has no {kind} rows of that kind here'
    if getattr(row, 'padding', None) is not None:
      return 'has no padding of single layers here'
  squeezes = any(getattr(row, 'se', 0) for row in network.rows)
  if squeezes and network.style.squeeze != 'v3':
    return 'has no such squeeze-and-excite here'
  if not isinstance(network.head, Head) or not network.style.norm:
    return 'has no such head here'
  return None
