"""The state of a run at a step: all that a checkpoint holds and resuming needs."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from mobilenet.training import sharding
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


def restore(
  checkpointer: Checkpointer, new_state: Callable[[], TrainState], mesh: Mesh
) -> TrainState | None:
  """Reads a run's newest whole checkpoint, all of it onto every device of `mesh`.

  Args:
    checkpointer: of the run.
    new_state: () -> the state before the first step, for its structure and shapes.
    mesh: of the devices.

  Returns:
    The state, or None if there is no checkpoint yet. Its step is less than the newest
    checkpoint's where that is damaged.

  Raises:
    TrainingError: no checkpoint can be read, or it is of another model or optimizer.
  """
  if checkpointer.latest_step() is None:
    return None
  everywhere = sharding.replicated(mesh)
  return checkpointer.restore(
    jax.tree.map(
      lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=everywhere),
      jax.eval_shape(new_state),
    )
  )


def ema_decay_at(step: jax.Array, decay: float) -> jax.Array:
  """min(decay, (1 + t) / (10 + t)): TF's warm-up, so that the start is forgotten."""
  t = step.astype(jnp.float32)
  return jnp.minimum(decay, (1.0 + t) / (10.0 + t))
