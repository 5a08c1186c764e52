"""What each kind of row is interpreted as."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models import rows
from mobilenet.models.layers import (
  Conv,
  ConvNorm,
  LayerScale,
  SqueezeExcite,
  StochasticDepth,
  depthwise,
  make_norm,
  pool,
)
from mobilenet.models.rows import Network, make_divisible


class Tapped(NamedTuple):
  """A row's output, and the map inside of it that its `tap` names."""

  output: jax.Array
  inside: jax.Array


class ConvBlock(nn.Module):
  """A `Conv` row."""

  row: rows.Conv
  network: Network
  drop_rate: float = 0.0  # no residual: nothing to drop

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    unit = ConvNorm(
      self.row.exact or self.network.scale(self.row.out, self.row.shrink),
      self.row.kernel,
      self.network.style,
      self.row.act,
      stride=self.row.stride,
      groups=self.row.groups,
      padding=self.row.padding,
    )
    # The unit's conv and norm are the block's own: block/conv, not block/unit/conv.
    nn.share_scope(self, unit)
    return unit(x, train=train)


class PoolBlock(nn.Module):
  """A `Pool` row."""

  row: rows.Pool
  network: Network
  drop_rate: float = 0.0  # no residual: nothing to drop

  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, rule = self.row, self.row.padding
    rule = self.network.style.padding if rule is None else rule
    return pool(x, row.kernel, row.stride, row.kind, rule)


class SeparableBlock(nn.Module):
  """A `Separable` row: V1's figure 3, or without norm and activation in between."""

  row: rows.Separable
  network: Network
  drop_rate: float = 0.0  # no residual: nothing to drop

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, style, channels = self.row, self.network.style, x.shape[-1]
    if row.between:
      how = {'stride': row.stride, 'dilation': row.dilation, 'train': train}
      x = depthwise(x, row.kernel, style, row.act, **how)
    else:
      x = Conv(
        channels,
        row.kernel,
        style,
        stride=row.stride,
        groups=channels,
        dilation=row.dilation,
        name='depthwise',
      )(x)
    out = self.network.scale(row.out)
    return ConvNorm(out, 1, style, row.act, name='pointwise')(x, train=train)


class InvertedBlock(nn.Module):
  """An `Inverted` row (1801.04381, section 3.3; with squeeze 1905.02244, fig. 4).

  Expansion 1 has no expanding convolution; the projection is linear; the residual joins
  what has stride 1 and equal widths. Squeeze-and-excite follows the activation.
  """

  row: rows.Inverted
  network: Network
  drop_rate: float = 0.0
  tap: str = ''

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array | Tapped:
    row, style, shortcut, parts = self.row, self.network.style, x, {}
    inner = make_divisible(x.shape[-1] * row.expand, self.network.divisor)
    out = self.network.scale(row.out)
    if inner > x.shape[-1]:
      x = ConvNorm(inner, 1, style, row.act, name='expand')(x, train=train)
    parts['expand'] = x
    how = {'stride': row.stride, 'dilation': row.dilation, 'train': train}
    x = depthwise(x, row.kernel, style, row.act, **how)
    parts['depthwise'] = x
    if row.se:
      x = SqueezeExcite(row.se, style, shortcut.shape[-1], name='se')(x)
    x = ConvNorm(out, 1, style, 'linear', name='project')(x, train=train)
    if row.residual:
      x = add_shortcut(shortcut, x, self.drop_rate, train=train)
    return Tapped(x, parts[self.tap]) if self.tap else x


def add_shortcut(
  shortcut: jax.Array, branch: jax.Array, drop_rate: float, *, train: bool = False
) -> jax.Array:
  """shortcut + branch where the shapes agree (stride 1, equal widths), else branch."""
  if shortcut.shape != branch.shape:
    return branch
  return shortcut + StochasticDepth(drop_rate)(branch, train=train)


class FusedBlock(nn.Module):
  """A `Fused` row: k x k convolution to the expanded width, then a linear 1x1."""

  row: rows.Fused
  network: Network
  drop_rate: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, style, shortcut = self.row, self.network.style, x
    inner = make_divisible(x.shape[-1] * row.expand, self.network.divisor)
    x = ConvNorm(inner, row.kernel, style, row.act, stride=row.stride, name='expand')(
      x, train=train
    )
    out = self.network.scale(row.out)
    x = ConvNorm(out, 1, style, 'linear', name='project')(x, train=train)
    if row.residual:
      x = add_shortcut(shortcut, x, self.drop_rate, train=train)
    return x


class UniversalBlock(nn.Module):
  """A `Universal` row (2404.10518, section 3 and figure 3).

  The start convolution has no activation; the middle one carries the stride, or the
  start one where there is no other.

  A super-network turns single convolutions off by the collection 'gates', {'start',
  'middle'} -> bool (): what is off hands on what it is given. No value of a parameter
  does that, since a norm in training normalises whatever comes.
  """

  row: rows.Universal
  network: Network
  drop_rate: float = 0.0
  tap: str = ''

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array | Tapped:
    row, style, shortcut, parts = self.row, self.network.style, x, {}
    how = {'dilation': row.dilation, 'train': train}
    if row.start:
      stride = 1 if row.middle else row.stride
      started = depthwise(
        x, row.start, style, 'linear', stride=stride, name='start', **how
      )
      x = self._gated('start', x, started)
    inner = make_divisible(x.shape[-1] * row.expand, self.network.divisor)
    x = ConvNorm(inner, 1, style, row.act, name='expand')(x, train=train)
    parts['expand'] = x
    if row.middle:
      moved = depthwise(x, row.middle, style, row.act, stride=row.stride, **how)
      x = self._gated('middle', x, moved)
    parts['depthwise'] = x
    out = self.network.scale(row.out)
    x = ConvNorm(out, 1, style, 'linear', name='project')(x, train=train)
    if row.layer_scale:
      x = LayerScale(name='scale')(x)
    if row.residual:
      x = add_shortcut(shortcut, x, self.drop_rate, train=train)
    return Tapped(x, parts[self.tap]) if self.tap else x

  def _gated(self, name: str, x: jax.Array, convolved: jax.Array) -> jax.Array:
    if not self.has_variable('gates', name):
      return convolved
    return jnp.where(self.get_variable('gates', name), convolved, x)


class AttentionBlock(nn.Module):
  """An `Attention` row (2404.10518, section 4): norm, attention, layer scale, residual.

  Queries are 1x1 convolutions of every pixel; the one key and value are of the map
  shrunk by a strided 3x3 depthwise convolution with norm. No position is encoded.
  """

  row: rows.Attention
  network: Network
  drop_rate: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, style, shortcut = self.row, self.network.style, x
    batch, height, width, channels = x.shape
    x = make_norm(style)(x, train=train)

    def shrunk(name):
      y = x
      if row.kv_stride > 1:
        shrink = f'{name}_depthwise'
        y = depthwise(
          y, 3, style, 'linear', stride=row.kv_stride, name=shrink, train=train
        )
      y = Conv(row.width, 1, style, name=name)(y)
      return y.reshape(batch, -1, row.width)

    query = Conv(row.heads * row.width, 1, style, name='query')(x)
    query = query.reshape(batch, height * width, row.heads, row.width)
    mixed = MultiQuery(name='mix')(query, shrunk('key'), shrunk('value'))
    mixed = mixed.reshape(batch, height, width, -1)
    x = Conv(channels, 1, style, name='project')(mixed)
    if row.layer_scale:
      x = LayerScale(name='scale')(x)
    return add_shortcut(shortcut, x, self.drop_rate, train=train)


class MultiQuery(nn.Module):
  """Attention of (N, Q, heads, d) queries to one (N, K, d) key and value (1911.02150).

  A module without parameters, so that its multiply-adds can be counted by name.
  """

  @nn.compact
  def __call__(self, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    scores = jnp.einsum('nqhd,nkd->nhqk', query, key).astype(jnp.float32)
    weights = jax.nn.softmax(scores * query.shape[-1] ** -0.5, axis=-1)
    return jnp.einsum('nhqk,nkd->nqhd', weights.astype(value.dtype), value)

  @staticmethod
  def multiply_adds(query_shape, key_shape) -> int:
    """Of both products, for one image."""
    _, queries, heads, width = query_shape
    return 2 * queries * heads * width * key_shape[1]
