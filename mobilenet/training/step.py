"""One training step and one evaluation step, jitted over the mesh."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.sharding import Mesh

from mobilenet.training import parts, sharding
from mobilenet.training.accumulation import in_parts
from mobilenet.training.state import TrainState, ema_decay_at
from mobilenet.training.update import Learned, make_update

# What the seed of a config is folded with, so that no two uses share a stream.
DROPOUT = 1


def make_train_step(
  model: nn.Module,
  task,
  tx: optax.GradientTransformation,
  mesh: Mesh,
  *,
  seed: int,
  ema_decay: float | None,
  accumulate: int = 1,
  layout: Any = None,
) -> Callable[[TrainState, dict], tuple[TrainState, dict]]:
  """Jits (state, batch) -> (state, told); the given state is donated.

  `layout` is the state's sharding (`state.layout`), None if every device has all of it.
  A batch is computed in `accumulate` parts. Norms then know one part each, and the
  running statistics take the mean of what each of them would make of them.

  A donated state cannot be used afterwards. `told` can still be read once the next step
  has taken the new state: its two counters of skipped steps, 'total' and 'in_a_row',
  and 'loss', the objective of this batch before the step.

  A non-finite loss or gradient leaves no trace: parameters, optimizer, statistics and
  averages stay as they were and the step is counted as skipped.
  """

  update = make_update(tx, mesh)

  def train_step(state: TrainState, batch):
    # In here: outside, these would be operations of their own, compiled at every start.
    dropout_key = jax.random.fold_in(jax.random.key(seed), DROPOUT)

    learned, fixed = parts.split(model, state.variables)
    averaged, fixed_averages = parts.split(model, state.ema or {})

    whole, fixed_whole = sharding.gathered(mesh, (learned, fixed))

    def passes(batch, key):
      def loss_fn(params):
        variables = parts.join({**whole, 'params': params}, fixed_whole)
        outputs, updates = model.apply(
          variables,
          batch['image'],
          train=True,
          mutable=['batch_stats'],
          rngs={'dropout': key},
        )
        return task.loss(variables['params'], outputs, batch), (outputs, updates)

      (loss, (outputs, statistics)), gradients = jax.value_and_grad(
        loss_fn, has_aux=True
      )(whole['params'])
      sums = task.sums(outputs, batch)
      if accumulate == 1:
        return ((loss, gradients), statistics), (sums, 1.0)
      weight = jnp.asarray(task.weight(sums), jnp.float32)
      weighted = jax.tree.map(lambda x: lax.mul(x, weight), (loss, gradients))
      return (weighted, statistics), (sums, weight)

    key = jax.random.fold_in(dropout_key, state.step)
    found = in_parts(passes, batch, key, accumulate)
    ((loss, gradients), statistics), (sums, weight) = found
    if accumulate > 1:
      factor = accumulate / weight
      loss, gradients = jax.tree.map(lambda x: lax.mul(x, factor), (loss, gradients))
    gradients = sharding.cut(mesh, gradients)
    good = all_finite((loss, gradients))
    statistics, _ = parts.split(model, statistics)
    decay = None if ema_decay is None else ema_decay_at(state.step, ema_decay)
    before = Learned(learned, state.opt_state, averaged)
    after = update(before, gradients, statistics, good, decay)
    sums = jax.tree.map(
      lambda old, new: lax.select(good, old + new, old), state.sums, sums
    )
    bad = 1 - good.astype(jnp.int32)
    state = TrainState(
      step=state.step + 1,
      variables=parts.join(after.variables, fixed),
      opt_state=after.opt_state,
      ema=None if state.ema is None else parts.join(after.averages, fixed_averages),
      sums=sums,
      skipped=state.skipped + bad,
      skipped_in_a_row=(state.skipped_in_a_row + bad) * bad,
    )
    told = {'total': state.skipped, 'in_a_row': state.skipped_in_a_row, 'loss': loss}
    return state, told

  everywhere, over_devices = sharding.replicated(mesh), sharding.split(mesh)
  layout = everywhere if layout is None else layout
  # Data parallelism in one line: the batch is split, and the compiler sums gradients
  # and BatchNorm statistics over the global batch.
  return jax.jit(
    train_step,
    in_shardings=(layout, over_devices),
    out_shardings=(layout, everywhere),
    donate_argnums=0,
  )


def all_finite(tree) -> jax.Array:
  """Whether all entries of all arrays are finite, and the squares of their norms."""
  # `lax`, here and in the step: jax.numpy's operators are functions that JAX traces
  # anew for each of hundreds of arrays, which takes a quarter of the time to trace a
  # step.
  squares = [
    lax.reduce_sum(lax.square(x), tuple(range(x.ndim))) for x in jax.tree.leaves(tree)
  ]
  norms = jnp.sqrt(lax.concatenate([lax.reshape(s, (1,)) for s in squares], 0))
  # A product, which is computed once: XLA copies a chain of additions into every
  # kernel that uses its result, and compiling a step then takes three times as long.
  return jnp.isfinite(norms @ norms)


def make_eval_step(
  model: nn.Module, task, mesh: Mesh, layout: Any = None
) -> Callable[[dict, dict], tuple]:
  """Jits (variables, batch) -> (sums over the whole batch, what is kept per example).

  `layout` is the variables' sharding, None if every device has all of them.
  """

  def eval_step(variables, batch):
    variables = sharding.gathered(mesh, variables)
    outputs = model.apply(variables, batch['image'], train=False)
    sums = task.sums(outputs, batch)
    sums['seen'] = jnp.sum((batch['index'] >= 0).astype(jnp.float32))
    sums['read'] = jnp.sum(batch['mask'])
    return sums, task.kept(outputs, batch)

  everywhere, over_devices = sharding.replicated(mesh), sharding.split(mesh)
  return jax.jit(
    eval_step,
    in_shardings=(everywhere if layout is None else layout, over_devices),
    out_shardings=(everywhere, over_devices),
  )


def first_non_finite(model: nn.Module, task, variables, batch, *, seed: int) -> str:
  """Names where a batch's first non-finite number arises, for an error message.

  Looks at the layers' outputs in the order of the forward pass, then at the loss and
  the gradients, deepest layer first, as backpropagation meets them.
  """
  if not bool(jnp.all(jnp.isfinite(batch['image']))):
    return 'the images of the batch'
  names = []

  def forward(params):
    names.clear()
    finite = []

    def watch(next_call, args, kwargs, context):
      outputs = next_call(*args, **kwargs)
      if context.method_name == '__call__' and isinstance(outputs, jax.Array):
        names.append('/'.join(context.module.path) or 'the outputs')
        finite.append(jnp.all(jnp.isfinite(outputs)))
      return outputs

    with nn.intercept_methods(watch):
      outputs, _ = model.apply(
        {**variables, 'params': params},
        batch['image'],
        train=True,
        mutable=['batch_stats'],
        rngs={'dropout': jax.random.key(seed)},
      )
    return task.loss(params, outputs, batch), finite

  (loss, finite), gradients = jax.jit(jax.value_and_grad(forward, has_aux=True))(
    variables['params']
  )
  for name, is_finite in zip(names, finite, strict=True):
    if not bool(is_finite):
      return f'the output of {name}'
  if not bool(jnp.isfinite(loss)):
    return 'the loss'
  for path, gradient in reversed(jax.tree_util.tree_leaves_with_path(gradients)):
    if not bool(jnp.all(jnp.isfinite(gradient))):
      return f'the gradient of {jax.tree_util.keystr(path, simple=True, separator="/")}'
  return 'no layer: the numbers are finite when the step is repeated'
