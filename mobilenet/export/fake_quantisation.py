"""Rounding to what bytes can hold, in floats: where a file of integers will round.

A value x becomes scale * (clip(round(x / scale) + zero_point) - zero_point). Weights
are symmetric with a scale per output channel and 127 steps each way, values in between
have one scale and a zero point: the scheme of Jacob et al. (1712.05877) as TFLite has
it (https://ai.google.dev/edge/litert/models/quantization_spec).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

LOWEST, HIGHEST = -128, 127


class Scale(NamedTuple):
  """How a float tensor becomes bytes.

  scale: float32, () or (C,), above zero. zero_point: whole, () or zeros (C,): the byte
  of 0.0. axis: of the channels; None for one scale. narrow: whether -128 is left out.
  """

  scale: np.ndarray
  zero_point: np.ndarray
  axis: int | None = None
  narrow: bool = False


def of_kernel(kernel: np.ndarray) -> Scale:
  """One scale for each output channel, the last axis."""
  largest = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
  # A channel of zeros has any scale.
  scale = (np.maximum(largest, 1e-8) / HIGHEST).astype(np.float32)
  return Scale(scale, np.zeros(len(scale), np.int64), kernel.ndim - 1, narrow=True)


def of_range(low: float, high: float) -> Scale:
  """One scale for values from `low` to `high`; 0.0 is always a whole byte."""
  low, high = min(low, 0.0), max(high, 0.0)
  # Of nothing but zeros any scale will do.
  scale = np.float32(max(high - low, 1e-8) / (HIGHEST - LOWEST))
  return Scale(
    scale, np.int64(np.clip(np.round(LOWEST - low / scale), LOWEST, HIGHEST))
  )


def composite(x: jax.Array, how: Scale) -> jax.Array:
  """`rounded`, marked so that the TFLite converter makes a tensor of bytes of it."""
  given: dict[str, Any] = {'dtype': 'i8', 'narrow_range': how.narrow}
  if how.axis is not None:
    given['quantization_dimension'] = how.axis
  function = jax.lax.composite(lambda x, **_: rounded(x, how), 'quant.fake_quant')
  return function(
    x, scale=np.atleast_1d(how.scale), zero_point=np.atleast_1d(how.zero_point), **given
  )


def rounded(x: jax.Array, how: Scale) -> jax.Array:
  """x as bytes of this scale hold it."""
  scale, zero_point = how.scale, how.zero_point
  if how.axis is not None:
    shape = [-1 if axis == how.axis else 1 for axis in range(x.ndim)]
    scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
  steps = jnp.round(x / scale) + zero_point
  lowest = LOWEST + how.narrow
  return (jnp.clip(steps, lowest, HIGHEST) - zero_point).astype(x.dtype) * scale


def kernels(variables: dict[str, Any]) -> dict[str, Any]:
  """Variables whose kernels are rounded, each by its own scales, when they are read."""

  def read(array):
    return composite(jnp.asarray(array), of_kernel(array)) if array.ndim > 1 else array

  return jax.tree.map(read, variables)
