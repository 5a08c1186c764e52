"""Batch normalisation with its activation, in two passes forward and two backward."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from mobilenet.models import lowering
from mobilenet.models.accelerator import kernels
from mobilenet.models.activations import ACTIVATIONS


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def batch_norm(
  x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float, act: str = 'linear'
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Normalises (..., C) by its own statistics; returns (act(y), mean, variance).

  Statistics are float32 and biased, over every axis but the last: under `jax.jit` with
  a sharded batch that is the global batch. The returned statistics carry no gradient:
  they are for the running averages. The hand-written gradient reads each tensor twice
  where autodiff reads it several times more, and computes the activation's slope anew
  from x where autodiff would keep what went into it.
  """
  return _normalise(x, scale, bias, epsilon, act)[0]


def _normalise(x, scale, bias, epsilon, act):
  x32 = x.astype(jnp.float32)
  axes = tuple(range(x.ndim - 1))
  count = x.size // x.shape[-1]
  mean = jnp.sum(x32, axes) / count
  variance = jnp.maximum(jnp.sum(jnp.square(x32), axes) / count - jnp.square(mean), 0.0)
  inverse = jax.lax.rsqrt(variance + epsilon)
  factor = scale * inverse
  shift = bias - mean * factor
  y = ACTIVATIONS[act]((x32 * factor + shift).astype(x.dtype))
  return (y, mean, variance), (factor, shift, inverse)


def _forward(x, scale, bias, epsilon, act):
  outputs, affine = _normalise(x, scale, bias, epsilon, act)
  return outputs, (x, outputs[1], *affine)


def _backward(epsilon, act, residuals, cotangents):
  del epsilon
  x, mean, factor, shift, inverse = residuals
  x32 = x.astype(jnp.float32)
  _, slope_of = jax.vjp(ACTIVATIONS[act], (x32 * factor + shift).astype(x.dtype))
  g = slope_of(cotangents[0])[0].astype(jnp.float32)
  axes = tuple(range(x.ndim - 1))
  count = x.size // x.shape[-1]
  sum_g = jnp.sum(g, axes)
  d_scale = (jnp.sum(g * x32, axes) - mean * sum_g) * inverse
  slope = -factor * inverse * d_scale / count
  offset = -factor * sum_g / count - slope * mean
  return (g * factor + x32 * slope + offset).astype(x.dtype), d_scale, sum_g


batch_norm.defvjp(_forward, _backward)


class BatchNorm(nn.Module):
  """Batch normalisation over the last axis (Ioffe and Szegedy, 1502.03167), then `act`.

  `momentum` is TensorFlow's decay: running = momentum * running + (1 - momentum) * new
  (PyTorch's momentum is one minus it). As in both, the running variance takes the
  unbiased estimate. Parameters and statistics are float32; the output has the type of
  the input.
  """

  momentum: float = 0.99
  epsilon: float = 1e-3
  act: str = 'linear'
  lowering: str = 'auto'

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    features = (x.shape[-1],)
    scale = self.param('scale', nn.initializers.ones, features, jnp.float32)
    bias = self.param('bias', nn.initializers.zeros, features, jnp.float32)
    mean = self.variable('batch_stats', 'mean', jnp.zeros, features, jnp.float32)
    var = self.variable('batch_stats', 'var', jnp.ones, features, jnp.float32)
    if train:
      compiled = lowering.choose(self.lowering) == 'compiled'
      if compiled and kernels.has_norm(x, self.act):
        normalise = kernels.batch_norm
      else:
        normalise = batch_norm
      y, batch_mean, batch_var = normalise(x, scale, bias, self.epsilon, self.act)
      if not self.is_initializing():
        batch_mean, batch_var = map(lax.stop_gradient, (batch_mean, batch_var))
        count = x.size // x.shape[-1]
        unbiased = lax.mul(batch_var, count / max(count - 1, 1))
        mean.value = self._average(mean.value, batch_mean)
        var.value = self._average(var.value, unbiased)
      return y
    factor = scale * jax.lax.rsqrt(var.value + self.epsilon)
    shift = bias - mean.value * factor
    return ACTIVATIONS[self.act](
      (x.astype(jnp.float32) * factor + shift).astype(x.dtype)
    )

  def _average(self, old: jax.Array, new: jax.Array) -> jax.Array:
    # lax: JAX traces each of jax.numpy's operators anew, in all norms of a network.
    return lax.add(lax.mul(old, self.momentum), lax.mul(new, 1.0 - self.momentum))
