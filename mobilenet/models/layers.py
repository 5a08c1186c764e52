"""The layers that all rows are made of: convolution, norm, activation, squeeze."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models import lowering
from mobilenet.models.activations import hard_sigmoid
from mobilenet.models.conv_norm import Pending
from mobilenet.models.convolution import conv
from mobilenet.models.initializers import CONSTANTS, SCHEMES, TruncatedNormal
from mobilenet.models.norm import BatchNorm
from mobilenet.models.rows import PRELU, ModelError, Style, make_divisible
from mobilenet.models.window import is_smaller


class Conv(nn.Module):
  """A k x k convolution, full, grouped, depthwise or pointwise, in NHWC."""

  features: int
  kernel: int
  style: Style
  stride: int = 1
  groups: int = 1
  use_bias: bool = False
  padding: str | int | None = None  # the style's
  stddev: float | None = None  # of the initial kernel, where not the style's scheme
  bias_start: float = 0.0
  act: str = 'linear'
  dilation: int = 1

  @property
  def kernel_init(self):
    if self.stddev is not None:
      return TruncatedNormal(self.stddev)
    return SCHEMES[self.style.init][0](self.groups)

  @nn.compact
  def __call__(self, x: jax.Array, *, wait: bool = False) -> jax.Array | Pending:
    """The output; if a norm comes next that is to `wait` for, what it is made of.

    Raises:
      ModelError: the channels cannot be divided into the groups.
    """
    for channels in (x.shape[-1], self.features):
      if channels % self.groups:
        raise ModelError(
          f'a convolution in {self.groups} groups has {channels} channels, which are '
          'no multiple of that'
        )
    shape = (self.kernel, self.kernel, x.shape[-1] // self.groups, self.features)
    kernel = self.param('kernel', self.kernel_init, shape, jnp.float32)
    rule = self.style.padding if self.padding is None else self.padding
    if rule == 'keras_v1' and self.groups == 1:
      rule = 'tf'  # the first layer is padded as all else in TensorFlow
    pads = lowering.pads(x.shape[1:3], self.kernel, self.stride, rule, self.dilation)
    bias = None
    if self.use_bias:
      init = nn.initializers.constant(self.bias_start)
      bias = self.param('bias', init, (self.features,), jnp.float32)
    arrays = x.astype(self.style.dtype), kernel.astype(self.style.dtype)
    how = {
      'stride': self.stride,
      'padding': pads,
      'dilation': self.dilation,
      'groups': self.groups,
    }
    if wait:
      return Pending(*arrays, how, self.style.lowering)
    return conv(*arrays, bias=bias, act=self.act, **how, lowering=self.style.lowering)


class ConvNorm(nn.Module):
  """Convolution, batch norm, activation: the unit of every table.

  In a style without norms the convolution has a bias instead. A PReLU has parameters:
  it is a layer of its own, after what is fused where the others are.
  """

  features: int
  kernel: int
  style: Style
  act: str
  stride: int = 1
  groups: int = 1
  padding: str | int | None = None
  dilation: int = 1

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    act = 'linear' if self.act == PRELU else self.act
    x = Conv(
      self.features,
      self.kernel,
      self.style,
      stride=self.stride,
      groups=self.groups,
      use_bias=not self.style.norm,
      padding=self.padding,
      act='linear' if self.style.norm else act,
      dilation=self.dilation,
      name='conv',
    )(x, wait=self.style.norm and train)
    if self.style.norm:
      x = make_norm(self.style, act)(x, train=train)
    return PRelu(name='prelu')(x) if self.act == PRELU else x


def depthwise(
  x: jax.Array,
  kernel: int,
  style: Style,
  act: str,
  *,
  stride: int = 1,
  dilation: int = 1,
  name: str = 'depthwise',
  train: bool = False,
) -> jax.Array:
  """A depthwise `ConvNorm` of (N, H, W, C), made in the module that calls this."""
  channels = x.shape[-1]
  unit = ConvNorm(
    channels,
    kernel,
    style,
    act,
    stride=stride,
    groups=channels,
    dilation=dilation,
    name=name,
  )
  return unit(x, train=train)


def make_norm(style: Style, act: str = 'linear', name: str = 'norm') -> BatchNorm:
  """The batch norm of a style, and the activation after it."""
  return BatchNorm(
    style.norm_momentum,
    style.norm_epsilon,
    act,
    style.lowering,
    style.norm_group,
    name=name,
  )


def pool(
  x: jax.Array, kernel: int, stride: int, kind: str, padding: str | int
) -> jax.Array:
  """Pools (N, H, W, C) by 'max' or 'average'; padded pixels count for neither.

  Raises:
    ModelError: the map is smaller than the window.
  """
  pads = ((0, 0), *lowering.pads(x.shape[1:3], kernel, stride, padding), (0, 0))
  sizes = [n + sum(pad) for n, pad in zip(x.shape[1:3], pads[1:3], strict=True)]
  if is_smaller(sizes, kernel):
    raise ModelError(
      f'a map of {x.shape[1]} x {x.shape[2]} is too small for a {kernel} x {kernel} '
      'pool: this network needs larger images; raise the resolution'
    )
  window, strides = (1, kernel, kernel, 1), (1, stride, stride, 1)
  if kind == 'max':
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, pads)
  total = jax.lax.reduce_window(x, 0.0, jax.lax.add, window, strides, pads)
  ones = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
  return total / jax.lax.reduce_window(ones, 0.0, jax.lax.add, window, strides, pads)


class SqueezeExcite(nn.Module):
  """Squeeze-and-excite (1709.01507): pool, 1x1 with ReLU, 1x1 with a gate, both biased.

  In a style of 'v3' the squeezed width is `ratio` of the input's, rounded by the rule
  of all widths, and the gate a hard sigmoid (1905.02244 section 5.3). In MnasNet's it
  is `ratio` of what enters the block, cut off, and the gate a sigmoid (its authors'
  code).
  """

  ratio: float
  style: Style
  entering: int  # channels of what the block expands

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    dense = functools.partial(
      nn.Dense, kernel_init=SCHEMES[self.style.init][1], dtype=self.style.dtype
    )
    squeezed = squeezed_width(self.style, self.ratio, self.entering, x.shape[-1])
    gate = nn.sigmoid if self.style.squeeze == 'mnasnet' else hard_sigmoid
    s = jnp.mean(x.astype(jnp.float32), axis=(1, 2)).astype(self.style.dtype)
    s = nn.relu(dense(squeezed, name='reduce')(s))
    s = gate(dense(x.shape[-1], name='expand')(s))
    return x * s[:, None, None, :]


def squeezed_width(style: Style, ratio: float, entering: int, expanded: int) -> int:
  """Units of a squeeze in a block that makes `expanded` channels of those entering."""
  if style.squeeze == 'mnasnet':
    return max(1, int(entering * ratio))
  return make_divisible(expanded * ratio)


class LayerScale(nn.Module):
  """A learned factor per channel, tiny at first (2103.17239; 2404.10518)."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    init = nn.initializers.constant(CONSTANTS['layer_scale'])
    scale = self.param('layer_scale', init, (x.shape[-1],), jnp.float32)
    return x * scale.astype(x.dtype)


class PRelu(nn.Module):
  """A ReLU with a learned slope below 0, one for each channel (1502.01852)."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    init = nn.initializers.constant(CONSTANTS['slope'])
    slope = self.param('slope', init, (x.shape[-1],), jnp.float32)
    return jnp.maximum(x, 0) + slope.astype(x.dtype) * jnp.minimum(x, 0)


class StochasticDepth(nn.Module):
  """Drops a residual branch per example with probability `rate` (1603.09382)."""

  rate: float

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    if not train or self.rate == 0.0:
      return x
    keep = 1.0 - self.rate
    shape = (x.shape[0],) + (1,) * (x.ndim - 1)
    kept = jax.random.bernoulli(self.make_rng('dropout'), keep, shape)
    return jnp.where(kept, x / keep, 0.0).astype(x.dtype)
