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
from mobilenet.models.rows import Conv, Inverted, Network, Separable, make_divisible


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
      name='conv',
    )(x)
    x = nn.BatchNorm(
      use_running_average=not train,
      momentum=style.norm_momentum,
      epsilon=style.norm_epsilon,
      name='norm',
    )(x)
    return ACTIVATIONS[self.act](x)


class StockSqueezeExcite(nn.Module):
  ratio: float

  @nn.compact
  def __call__(self, x):
    s = jnp.mean(x, axis=(1, 2), keepdims=False)
    s = nn.relu(nn.Dense(make_divisible(x.shape[-1] * self.ratio), name='reduce')(s))
    s = hard_sigmoid(nn.Dense(x.shape[-1], name='expand')(s))
    return x * s[:, None, None, :]


class StockBlock(nn.Module):
  """A `Separable` or an `Inverted` row."""

  row: Separable | Inverted
  network: Network

  @nn.compact
  def __call__(self, x, *, train: bool = False):
    row, network, shortcut = self.row, self.network, x
    out, inner = network.scale(row.out), x.shape[-1]
    inverted = isinstance(row, Inverted)
    if inverted and row.expand > 1:
      inner = make_divisible(inner * row.expand)
      x = StockConvNorm(network, inner, 1, row.act, name='expand')(x, train=train)
    x = StockConvNorm(
      network,
      inner,
      row.kernel,
      row.act,
      stride=row.stride,
      groups=inner,
      name='depthwise',
    )(x, train=train)
    if inverted and row.se:
      x = StockSqueezeExcite(row.se, name='se')(x)
    last, act = ('project', 'linear') if inverted else ('pointwise', row.act)
    x = StockConvNorm(network, out, 1, act, name=last)(x, train=train)
    if inverted and row.stride == 1 and shortcut.shape == x.shape:
      x = x + shortcut
    return x


class StockBackbone(nn.Module):
  network: Network

  @nn.compact
  def __call__(self, x, *, train: bool = False):
    for n, row in enumerate(self.network.rows):
      name = 'stem' if n == 0 else f'block_{n - 1:02d}'
      if isinstance(row, Conv):
        block = StockConvNorm(
          self.network,
          self.network.scale(row.out, row.shrink),
          row.kernel,
          row.act,
          stride=row.stride,
          name=name,
        )
      else:
        block = StockBlock(row, self.network, name=name)
      x = block(x, train=train)
    return x


class StockClassifier(nn.Module):
  """`mobilenet.models.classifier.Classifier` without dropout, in stock layers."""

  network: Network
  num_classes: int

  def setup(self):
    self.backbone = StockBackbone(self.network)
    self.head = HeadModule(self.network, self.num_classes)

  def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array:
    return self.head(self.backbone(images, train=train), train=train)
