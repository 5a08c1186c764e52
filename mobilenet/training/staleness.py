"""Gradients that are applied late, as those of asynchronous workers are.

MobileNetV1 was trained with asynchronous gradient descent (1704.04861, section 3.2),
and MobileNetV2 by 16 asynchronous workers (1801.04381, section 6.1). Each of W workers
reads the parameters, computes a gradient and sends it. Meanwhile the others send
theirs. If all are equally fast and take turns, W - 1 updates come between reading and
applying: a gradient is applied W - 1 updates late. A queue of W - 1 gradients does the
same with one worker. Real workers are not equally fast: there the delay varies around
this number.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from mobilenet.training.errors import require


class Delayed(NamedTuple):
  """The state of `delayed`.

  inner: of the optimizer.
  gradients: those that wait, (steps, number of parameters), or a tree of (steps, ...);
    the one of update n is in row n mod steps.
  count: updates so far, those included that applied nothing.
  """

  inner: optax.OptState
  gradients: jax.Array
  count: jax.Array


def delayed(
  tx: optax.GradientTransformation, steps: int, *, flat: bool = True
) -> optax.GradientTransformation:
  """`tx`, whose update n gets the gradient that was given to update n - `steps`.

  The first `steps` updates are zeros and leave the state of `tx` as it is, so that `tx`
  counts the gradients that were applied. Those that still wait at the end never are.

  Args:
    tx: an optimizer; all its gradients have one dtype.
    steps: 0 gives `tx` itself.
    flat: whether what waits is one array for all parameters.

  Raises:
    TrainingError: `steps` is no whole number from 0.
  """
  require(
    isinstance(steps, int) and not isinstance(steps, bool) and steps >= 0,
    f'optimizer.stale_steps = {steps!r} must be a whole number from 0',
  )
  if not steps:
    return tx

  def as_kept(tree):
    return ravel_pytree(tree) if flat else (tree, lambda same: same)

  def init(params):
    waiting = jax.tree.map(
      lambda p: jnp.zeros((steps, *p.shape), p.dtype), as_kept(params)[0]
    )
    return Delayed(tx.init(params), waiting, jnp.zeros((), jnp.int32))

  def update(gradients, state, params=None):
    new, as_tree = as_kept(gradients)
    # The newest takes the row of the oldest; only that one is written.
    row = state.count % steps
    old = as_tree(jax.tree.map(lambda kept: kept[row], state.gradients))
    updates, inner = jax.lax.cond(
      state.count >= steps,
      lambda: tx.update(old, state.inner, params),
      lambda: (jax.tree.map(jnp.zeros_like, gradients), state.inner),
    )
    waiting = jax.tree.map(lambda kept, g: kept.at[row].set(g), state.gradients, new)
    return updates, Delayed(inner, waiting, state.count + 1)

  return optax.GradientTransformation(init, update)


def delayed_schedule(schedule: optax.Schedule, steps: int) -> optax.Schedule:
  """Step -> the learning rate of what it applies, where that is delayed by `steps`."""
  if not steps:
    return schedule
  return lambda step: schedule(jnp.maximum(step - steps, 0))
