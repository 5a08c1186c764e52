"""The layers that all rows are made of: convolution, norm, activation, squeeze."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models import lowering
from mobilenet.models.initializers import SCHEMES
from mobilenet.models.norm import BatchNorm
from mobilenet.models.rows import Style, make_divisible


def relu6(x: jax.Array) -> jax.Array:
  return jnp.clip(x, 0.0, 6.0)


def hard_sigmoid(x: jax.Array) -> jax.Array:
  """relu6(x + 3) / 6: V3's piecewise linear sigmoid (1905.02244, section 5.2)."""
  return relu6(x + 3.0) * (1.0 / 6.0)


def hard_swish(x: jax.Array) -> jax.Array:
  """x * relu6(x + 3) / 6 (1905.02244, section 5.2)."""
  return x * hard_sigmoid(x)


ACTIVATIONS = {
  'linear': lambda x: x,
  'relu': nn.relu,
  'relu6': relu6,
  'hard_swish': hard_swish,
}


class Conv(nn.Module):
  """A k x k convolution, full, grouped, depthwise or pointwise, in NHWC."""

  features: int
  kernel: int
  style: Style
  stride: int = 1
  groups: int = 1
  use_bias: bool = False

  @property
  def kernel_init(self):
    return SCHEMES[self.style.init][0](self.groups)

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (self.kernel, self.kernel, x.shape[-1] // self.groups, self.features)
    kernel = self.param('kernel', self.kernel_init, shape, jnp.float32)
    pads = lowering.pads(x.shape[1:3], self.kernel, self.stride, self.style.padding)
    y = lowering.conv(
      x.astype(self.style.dtype),
      kernel.astype(self.style.dtype),
      stride=self.stride,
      padding=pads,
      groups=self.groups,
      lowering=self.style.lowering,
    )
    if self.use_bias:
      bias = self.param('bias', nn.initializers.zeros, (self.features,), jnp.float32)
      y = y + bias.astype(self.style.dtype)
    return y


class ConvNorm(nn.Module):
  """Convolution, batch norm, activation: the unit of every MobileNet table."""

  features: int
  kernel: int
  style: Style
  act: str
  stride: int = 1
  groups: int = 1

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    x = Conv(
      self.features,
      self.kernel,
      self.style,
      stride=self.stride,
      groups=self.groups,
      name='conv',
    )(x)
    x = BatchNorm(self.style.norm_momentum, self.style.norm_epsilon, name='norm')(
      x, train=train
    )
    return ACTIVATIONS[self.act](x)


class SqueezeExcite(nn.Module):
  """Squeeze-and-excite as V3 has it: pool, 1x1 ReLU, 1x1 hard-sigmoid, both biased.

  The squeezed width is `ratio` of the input's, rounded by the rule of all widths
  (1709.01507; 1905.02244 section 5.3).
  """

  ratio: float
  style: Style

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    dense = functools.partial(
      nn.Dense, kernel_init=SCHEMES[self.style.init][1], dtype=self.style.dtype
    )
    squeezed = make_divisible(x.shape[-1] * self.ratio)
    s = jnp.mean(x.astype(jnp.float32), axis=(1, 2)).astype(self.style.dtype)
    s = nn.relu(dense(squeezed, name='reduce')(s))
    s = hard_sigmoid(dense(x.shape[-1], name='expand')(s))
    return x * s[:, None, None, :]


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
