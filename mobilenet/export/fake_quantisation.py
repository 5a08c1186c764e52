"""Rounding to what bytes can hold, in floats: where a file of integers will round.

A value x becomes scale * (clip(round(x / scale) + zero_point) - zero_point). Weights
are symmetric with a scale per output channel and 127 steps each way, values in between
have one scale and a zero point: the scheme of Jacob et al. (1712.05877) as TFLite has
it (https://ai.google.dev/edge/litert/models/quantization_spec).

Scales are computed in float32 and by products, with NumPy or, where ranges are traced,
with jax.numpy (`xp`): XLA makes a product of a division by a number, and both are to
give the same scale to the bit.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = np.ndarray | jax.Array
LOWEST, HIGHEST = -128, 127
# A step as a share of a range, rounded down: a range that ends at 6 must not reach
# beyond, or onnxruntime keeps the ReLU6 in front of it, which the bytes do anyway.
STEP = np.nextafter(np.float32(1 / (HIGHEST - LOWEST)), np.float32(0))
LEAST = 1e-8  # of nothing but zeros any scale will do


class Scale(NamedTuple):
  """How a float tensor becomes bytes.

  scale: float32, () or (C,), above zero. zero_point: int32, () or zeros (C,): the byte
  of 0.0. axis: of the channels; None for one scale. narrow: whether -128 is left out.
  """

  scale: Array
  zero_point: Array
  axis: int | None = None
  narrow: bool = False


def of_kernel(kernel: Array, xp=np) -> Scale:
  """One scale for each output channel, the last axis."""
  largest = xp.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
  scale = xp.maximum(largest, LEAST) * np.float32(1 / HIGHEST)
  zeros = np.zeros(kernel.shape[-1], np.int32)
  return Scale(scale, zeros, kernel.ndim - 1, narrow=True)


def of_whole_kernel(kernel: Array, xp=np) -> Scale:
  """One scale for all channels, as integer hardware without others wants it."""
  scale = xp.maximum(xp.abs(kernel).max(), LEAST) * np.float32(1 / HIGHEST)
  return Scale(scale, np.int32(0), narrow=True)


def of_range(low: float, high: float, xp=np) -> Scale:
  """One scale for values from `low` to `high`; 0.0 is always a whole byte."""
  low = xp.minimum(xp.float32(low), 0)
  high = xp.maximum(xp.float32(high), 0)
  scale = xp.maximum(high - low, LEAST) * STEP
  zero_point = xp.clip(xp.round(LOWEST - low / scale), LOWEST, HIGHEST)
  return Scale(scale, zero_point.astype(np.int32))


def of_values(values: Array, xp=np) -> Scale:
  """One scale for all that an array holds."""
  return of_range(values.min(), values.max(), xp)


def composite(x: jax.Array, how: Scale) -> jax.Array:
  """`rounded`, marked so that the TFLite converter makes a tensor of bytes of it."""
  given: dict[str, Any] = {'dtype': 'i8', 'narrow_range': how.narrow}
  if how.axis is not None:
    given['quantization_dimension'] = how.axis
  function = jax.lax.composite(lambda x, **_: rounded(x, how), 'quant.fake_quant')
  zero_point = np.atleast_1d(how.zero_point).astype(np.int64)
  return function(x, scale=np.atleast_1d(how.scale), zero_point=zero_point, **given)


def rounded(x: jax.Array, how: Scale) -> jax.Array:
  """x as bytes of this scale hold it."""
  steps, scale, zero_point = _steps(x, how)
  lowest = LOWEST + how.narrow
  return (jnp.clip(steps, lowest, HIGHEST) - zero_point).astype(x.dtype) * scale


def straight_through(x: jax.Array, how: Scale) -> jax.Array:
  """`rounded`, for training: a value in the range has the gradient of its bytes.

  One that is clipped has none, nor has the scale (1712.05877, section 3).
  """
  how = how._replace(scale=jax.lax.stop_gradient(how.scale))
  steps, _, _ = _steps(x, how)
  inside = (steps >= LOWEST + how.narrow) & (steps <= HIGHEST)
  nothing = x - jax.lax.stop_gradient(x)  # zero, with the gradient of x
  return jax.lax.stop_gradient(rounded(x, how)) + jnp.where(inside, nothing, 0)


def _steps(x, how: Scale):
  """(bytes that are not clipped yet, scale, zero point), to be combined with x."""
  scale, zero_point = how.scale, how.zero_point
  if how.axis is not None:
    shape = [-1 if axis == how.axis else 1 for axis in range(x.ndim)]
    scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
  return jnp.round(x / scale) + zero_point, scale, zero_point
