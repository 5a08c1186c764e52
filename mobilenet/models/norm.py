"""Batch normalisation with its activation, in two passes forward and two backward."""

import math
from typing import Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.core import max_dim
from jax.interpreters import ad

from mobilenet.models import operations
from mobilenet.models.accelerator import kernels
from mobilenet.models.activations import ACTIVATIONS
from mobilenet.models.lowering import check, choose


def batch_norm(
  x: jax.Array,
  scale: jax.Array,
  bias: jax.Array,
  epsilon: float,
  act: str = 'linear',
  lowering: str = 'auto',
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Normalises (..., C) by its own statistics; returns (act(y), mean, variance).

  Statistics are float32 and biased, over every axis but the last: under `jax.jit` with
  a sharded batch that is the global batch. The returned statistics carry no gradient:
  they are for the running averages. The hand-written gradient reads each tensor twice
  where autodiff reads it several times more, and computes the activation's slope anew
  from x where autodiff would keep what went into it.

  Raises:
    ValueError: there is no such lowering.
    AcceleratorError: 'compiled' where the accelerator is not built.
  """
  how = {'epsilon': epsilon, 'act': act, 'lowering': check(lowering)}
  y, mean, variance = NORM.bind(*operations.alike(x, scale, bias), **how)
  return y, mean, variance


# ---- what a norm means and how it is written ----------------------------------------
#
# Its derivatives are given the statistics, which are there already. To differentiate
# them again, as their meaning does, the statistics have to be those of x.


def _norm(x, scale, bias, *, epsilon, act, lowering):
  del lowering
  mean, variance = statistics(x)
  factor, shift, _ = _affine(scale, bias, mean, variance, epsilon)
  y = _apply(x, factor, shift, act)
  return [y, *map(lax.stop_gradient, (mean, variance))]


def _tangent(x, scale, bias, mean, variance, *tangents, **how):
  del mean, variance
  y = lambda *arguments: _norm(*arguments, **how)[0]  # noqa: E731
  return jax.jvp(y, (x, scale, bias), tangents)[1]


def _gradients(x, scale, bias, mean, variance, g, *, lowering, **how):
  del mean, variance, lowering
  return _gradients_by_hand(x, scale, bias, *statistics(x), g, **how)


def statistics(x: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Mean and biased variance of (..., C), float32."""
  x32 = x.astype(jnp.float32)
  axes = tuple(range(x.ndim - 1))
  mean = jnp.sum(x32, axes) / _count(x)
  variance = jnp.sum(jnp.square(x32), axes) / _count(x) - jnp.square(mean)
  return mean, jnp.maximum(variance, 0.0)


def _count(x):
  return math.prod(x.shape[:-1])


def _affine(scale, bias, mean, variance, epsilon):
  """(factor, shift) of x, and the inverse of the standard deviation."""
  inverse = jax.lax.rsqrt(variance + epsilon)
  factor = scale * inverse
  return factor, bias - mean * factor, inverse


def _apply(x, factor, shift, act):
  return ACTIVATIONS[act]((x.astype(jnp.float32) * factor + shift).astype(x.dtype))


def _gradients_by_hand(x, scale, bias, mean, variance, g, *, epsilon, act):
  factor, shift, inverse = _affine(scale, bias, mean, variance, epsilon)
  x32 = x.astype(jnp.float32)
  _, slope_of = jax.vjp(ACTIVATIONS[act], (x32 * factor + shift).astype(x.dtype))
  g = slope_of(g)[0].astype(jnp.float32)
  axes = tuple(range(x.ndim - 1))
  sum_g = jnp.sum(g, axes)
  d_scale = (jnp.sum(g * x32, axes) - mean * sum_g) * inverse
  slope = -factor * inverse * d_scale / _count(x)
  offset = -factor * sum_g / _count(x) - slope * mean
  return [(g * factor + x32 * slope + offset).astype(x.dtype), d_scale, sum_g]


def _write_norm(target, x, *arrays, lowering, **how):
  if choose(lowering, target) == 'compiled' and kernels.has_norm(x, how['act']):
    return kernels.batch_norm(x, *arrays, **how)
  return _norm(x, *arrays, lowering=lowering, **how)


def _write_gradients(target, x, *arrays, lowering, **how):
  if choose(lowering, target) == 'compiled' and kernels.has_norm(x, how['act']):
    return kernels.norm_gradients(x, *arrays, **how)
  return _gradients_by_hand(x, *arrays, **how)


# ---- how it is differentiated -------------------------------------------------------


def _norm_jvp(primals, tangents, **how):
  y, mean, variance = NORM.bind(*primals, **how)
  tangents = map(ad.instantiate_zeros, tangents)
  tangent = TANGENT.bind(*primals, mean, variance, *tangents, **how)
  none = [operations.no_tangent(statistic) for statistic in (mean, variance)]
  return [y, mean, variance], [tangent, *none]


def _tangent_transpose(g, *arguments, **how):
  known, tangents = arguments[:5], arguments[5:]
  if any(map(ad.is_undefined_primal, known)):
    return operations.transpose(_tangent, g, *arguments, **how)
  found = GRADIENTS.bind(*known, g, **how)
  return [None] * 5 + [
    own if ad.is_undefined_primal(tangent) else None
    for own, tangent in zip(found, tangents, strict=True)
  ]


def _gradients_transpose(cotangents, *arguments, **how):
  *known, _ = arguments
  if any(map(ad.is_undefined_primal, known)):
    return operations.transpose(_gradients, cotangents, *arguments, **how)
  cotangents = map(ad.instantiate_zeros, cotangents)
  return [None] * 5 + [TANGENT.bind(*known, *cotangents, **how)]


NORM = operations.define('norm', _norm, _write_norm, several=True, jvp_rule=_norm_jvp)
TANGENT = operations.define('norm_tangent', _tangent, transpose_rule=_tangent_transpose)
GRADIENTS = operations.define(
  'norm_gradients',
  _gradients,
  _write_gradients,
  several=True,
  transpose_rule=_gradients_transpose,
)


class Waiting(Protocol):
  """What makes (..., C) and has not yet: `conv_norm.Pending`."""

  @property
  def shape(self) -> tuple[int, ...]: ...

  def now(self) -> jax.Array:
    """Makes it."""

  def normalized(
    self, scale: jax.Array, bias: jax.Array, epsilon: float, act: str
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Makes what `batch_norm` would make of it."""


class BatchNorm(nn.Module):
  """Batch normalisation over the last axis (Ioffe and Szegedy, 1502.03167), then `act`.

  `momentum` is TensorFlow's decay: running = momentum * running + (1 - momentum) * new
  (PyTorch's momentum is one minus it). As in both, the running variance takes the
  unbiased estimate. Parameters and statistics are float32; the output has the type of
  the input.

  The papers' replicas each normalised their own share of a batch. `group` is the size
  of such a share, whatever the number of devices: consecutive images of the (global)
  batch. The running statistics then take the mean of the groups' own. 0 is the whole
  batch.

  Raises:
    ValueError: a batch in training is no multiple of the group.
  """

  momentum: float = 0.99
  epsilon: float = 1e-3
  act: str = 'linear'
  lowering: str = 'auto'
  group: int = 0

  @nn.compact
  def __call__(self, x: jax.Array | Waiting, *, train: bool = False) -> jax.Array:
    features = (x.shape[-1],)
    scale = self.param('scale', nn.initializers.ones, features, jnp.float32)
    bias = self.param('bias', nn.initializers.zeros, features, jnp.float32)
    mean = self.variable('batch_stats', 'mean', jnp.zeros, features, jnp.float32)
    var = self.variable('batch_stats', 'var', jnp.ones, features, jnp.float32)
    if train:
      y, batch_mean, batch_var, count = self._normalized(x, scale, bias)
      if not self.is_initializing():
        unbiased = lax.mul(batch_var, count / max_dim(count - 1, 1))
        mean.value = self._average(mean.value, batch_mean)
        var.value = self._average(var.value, unbiased)
      return y
    if not isinstance(x, jax.Array):
      x = x.now()
    factor = scale * jax.lax.rsqrt(var.value + self.epsilon)
    shift = bias - mean.value * factor
    return ACTIVATIONS[self.act](
      (x.astype(jnp.float32) * factor + shift).astype(x.dtype)
    )

  def _normalized(self, x, scale, bias):
    """(activated, mean, variance, how many numbers these are of)."""
    how = (self.epsilon, self.act, self.lowering)
    group, size = self.group, x.shape[0]
    is_whole, waits = not group or group == size, not isinstance(x, jax.Array)
    if is_whole and waits:
      return *x.normalized(scale, bias, self.epsilon, self.act), _count(x)
    if is_whole:
      return *batch_norm(x, scale, bias, *how), _count(x)
    if waits:
      x = x.now()
    if size % group:
      raise ValueError(f'a batch of {size} cannot be normalised in groups of {group}')
    groups = x.reshape(-1, group, *x.shape[1:])
    norm = jax.vmap(lambda own: batch_norm(own, scale, bias, *how))
    y, *statistics = norm(groups)
    mean, variance = (jnp.mean(statistic, axis=0) for statistic in statistics)
    return y.reshape(x.shape), mean, variance, _count(groups[0])

  def _average(self, old: jax.Array, new: jax.Array) -> jax.Array:
    # lax: JAX traces each of jax.numpy's operators anew, in all norms of a network.
    return lax.add(lax.mul(old, self.momentum), lax.mul(new, 1.0 - self.momentum))
