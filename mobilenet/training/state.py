"""The state of a run at a step: all that a checkpoint holds and resuming needs."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from mobilenet.training import optimizer_layout, parts, sharding
from mobilenet.training.checkpoints import Checkpointer


@flax.struct.dataclass
class TrainState:
  """A run after `step` steps. All leaves are arrays; there is no data state.

  variables: {'params', 'batch_stats'}.
  opt_state: of the optimizer.
  ema: averages of `variables`, statistics included, or None.
  sums: metric sums over the steps since the last log line; kept here so that a resumed
    run logs what the uninterrupted one would have logged.
  skipped: number of steps left out because of a non-finite loss or gradient.
  skipped_in_a_row: the same, since the last good step.
  """

  step: jax.Array
  variables: dict[str, Any]
  opt_state: Any
  ema: dict[str, Any] | None
  sums: dict[str, jax.Array]
  skipped: jax.Array
  skipped_in_a_row: jax.Array


def create(
  variables: dict[str, Any],
  tx: optax.GradientTransformation,
  sums: dict[str, jax.Array],
  *,
  ema: bool,
) -> TrainState:
  """The state before the first step."""
  zero = jnp.zeros((), jnp.int32)
  return TrainState(
    step=zero,
    variables=variables,
    opt_state=tx.init(variables['params']),
    # A copy: the step donates its state, and a buffer cannot be donated twice.
    ema=jax.tree.map(jnp.copy, variables) if ema else None,
    sums=sums,
    skipped=zero,
    skipped_in_a_row=zero,
  )


def described(new_state: Callable[[], TrainState], mesh: Mesh) -> TrainState:
  """The shape, type and sharding of each array of a state on the devices of `mesh`."""
  shapes = jax.eval_shape(new_state)
  layout = sharding.of_state(mesh, shapes)
  # Sums are read on the host after every log line.
  layout = layout.replace(
    sums=jax.tree.map(lambda _: sharding.replicated(mesh), shapes.sums)
  )
  return jax.tree.map(_described, shapes, layout)


def _described(leaf, where) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where)


def layout(like: TrainState) -> TrainState:
  """The sharding of each array of what `described` returns."""
  return jax.tree.map(lambda leaf: leaf.sharding, like)


def restore(
  checkpointer: Checkpointer, like: TrainState, model: nn.Module, mesh: Mesh
) -> TrainState | None:
  """Reads a run's newest whole checkpoint, whatever number of devices wrote it.

  Args:
    checkpointer: of the run.
    like: from `described`; with either form of the optimizer's state.
    model: whose state it is.
    mesh: of the devices.

  Returns:
    The state, or None if there is no checkpoint yet. Its step is less than the newest
    checkpoint's where that is damaged.

  Raises:
    TrainingError: no checkpoint can be read, or it is of another model or optimizer.
  """
  if checkpointer.latest_step() is None:
    return None
  learned = parts.split(model, like.variables)[0].get('params', {})

  def swap(opt_state):
    return optimizer_layout.swapped(opt_state, learned)

  other = jax.eval_shape(swap, like.opt_state)
  other = jax.tree.map(lambda leaf: _described(leaf, sharding.replicated(mesh)), other)
  state = checkpointer.restore(like, like.replace(opt_state=other))
  if jax.tree.structure(state) != jax.tree.structure(like):
    swap = jax.jit(swap, out_shardings=layout(like).opt_state)
    state = state.replace(opt_state=swap(state.opt_state))
  return state


def ema_decay_at(step: jax.Array, decay: float) -> jax.Array:
  """min(decay, (1 + t) / (10 + t)): TF's warm-up, so that the start is forgotten."""
  t = step.astype(jnp.float32)
  return jnp.minimum(decay, (1.0 + t) / (10.0 + t))
