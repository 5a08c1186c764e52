"""What each kind of row is interpreted as."""

import flax.linen as nn
import jax

from mobilenet.models.layers import ConvNorm, SqueezeExcite, StochasticDepth
from mobilenet.models.rows import Conv, Inverted, Network, Separable, make_divisible


class ConvBlock(nn.Module):
  """A `Conv` row."""

  row: Conv
  network: Network
  drop_rate: float = 0.0  # no residual: nothing to drop

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    unit = ConvNorm(
      self.network.scale(self.row.out, self.row.shrink),
      self.row.kernel,
      self.network.style,
      self.row.act,
      stride=self.row.stride,
    )
    # The unit's conv and norm are the block's own: block/conv, not block/unit/conv.
    nn.share_scope(self, unit)
    return unit(x, train=train)


class SeparableBlock(nn.Module):
  """A `Separable` row: norm and activation after both (1704.04861, figure 3)."""

  row: Separable
  network: Network
  drop_rate: float = 0.0  # no residual: nothing to drop

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, style, channels = self.row, self.network.style, x.shape[-1]
    x = ConvNorm(
      channels,
      row.kernel,
      style,
      row.act,
      stride=row.stride,
      groups=channels,
      name='depthwise',
    )(x, train=train)
    out = self.network.scale(row.out)
    return ConvNorm(out, 1, style, row.act, name='pointwise')(x, train=train)


class InvertedBlock(nn.Module):
  """An `Inverted` row (1801.04381, section 3.3; with squeeze 1905.02244, fig. 4).

  Expansion 1 has no expanding convolution; the projection is linear; the residual joins
  what has stride 1 and equal widths. Squeeze-and-excite follows the activation.
  """

  row: Inverted
  network: Network
  drop_rate: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, style, shortcut = self.row, self.network.style, x
    inner = make_divisible(x.shape[-1] * row.expand, self.network.divisor)
    out = self.network.scale(row.out)
    if inner > x.shape[-1]:
      x = ConvNorm(inner, 1, style, row.act, name='expand')(x, train=train)
    x = ConvNorm(
      inner,
      row.kernel,
      style,
      row.act,
      stride=row.stride,
      groups=inner,
      name='depthwise',
    )(x, train=train)
    if row.se:
      x = SqueezeExcite(row.se, style, name='se')(x)
    x = ConvNorm(out, 1, style, 'linear', name='project')(x, train=train)
    if row.stride == 1 and shortcut.shape[-1] == out:
      x = shortcut + StochasticDepth(self.drop_rate)(x, train=train)
    return x


BLOCKS = {Conv: ConvBlock, Separable: SeparableBlock, Inverted: InvertedBlock}
