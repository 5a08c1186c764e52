"""A batch computed in parts, one after the other, which takes less memory."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def in_parts(
  compute: Callable[[Any, jax.Array], tuple[Any, Any]],
  batch: Any,
  key: jax.Array,
  parts: int,
) -> tuple[Any, Any]:
  """What is computed of a batch: means over its parts, and sums over them.

  Example n is in part n % parts: each device computes examples of its own in all parts,
  and which examples are together doesn't depend on the number of devices.

  Args:
    compute: (part of the batch, key) -> (arrays to average, arrays to add).
    batch: arrays whose first axis is a multiple of `parts`.
    key: for random numbers; every part has one of its own.
    parts: 1 computes the batch at once, with `key` itself.
  """
  if parts == 1:
    return compute(batch, key)

  def rows(values):
    return values.reshape(-1, parts, *values.shape[1:]).swapaxes(0, 1)

  def add(total, numbered):
    number, part = numbered
    found = compute(part, jax.random.fold_in(key, number))
    return jax.tree.map(lax.add, total, found), None

  cut = jax.tree.map(rows, batch)
  found = jax.eval_shape(compute, jax.tree.map(lambda values: values[0], cut), key)
  nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), found)
  (totals, sums), _ = lax.scan(add, nothing, (jnp.arange(parts), cut))
  return jax.tree.map(lambda total: total / parts, totals), sums
