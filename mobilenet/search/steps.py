"""Training and scoring of networks inside of a larger one: three compiled programs.

    masked = Masked(model, task, tx, mesh, seed=0)
    state = masked.start(variables)
    state = masked.step(state, [choice], batch)
    metrics = masked.score(state.variables, choice, recalibration, held_out)

Which of the smaller networks is meant is an argument (`masks.choose`): nothing is
compiled twice.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh

from mobilenet.models.classifier import Classifier
from mobilenet.search import masks, wiring
from mobilenet.tasks.losses import distillation
from mobilenet.training import sharding
from mobilenet.training.step import DROPOUT, all_finite

Tree = dict[str, Any]
Batch = Mapping[str, np.ndarray | jax.Array]  # this process's, or on the devices
Batches = Sequence[Batch]


@flax.struct.dataclass
class State:
  """After `step` steps: arrays alone, so that a checkpoint holds all of it."""

  step: jax.Array
  variables: Tree
  opt_state: Any


class Masked:
  """The programs of one network; see above."""

  def __init__(
    self,
    model: Classifier,
    task,
    tx: optax.GradientTransformation,
    mesh: Mesh,
    *,
    seed: int,
  ):
    """
    Args:
      model: the larger network, all of which learns.
      task: whose loss it learns by.
      tx: the optimizer.
      mesh: over which batches are split.
      seed: of dropout.
    """
    assert not model.frozen, 'all of a network is searched'
    self.model, self.mesh, self._task, self._tx = model, mesh, task, tx
    self.wires = wiring.of(model.network)
    # Norms take over the statistics of a batch as they are, and nothing is dropped.
    style = dataclasses.replace(model.network.style, norm_momentum=0.0)
    self._measured = model.clone(
      network=dataclasses.replace(model.network, style=style),
      dropout=0.0,
      stochastic_depth=0.0,
    )
    self._seed = seed
    here, split = sharding.replicated(mesh), sharding.split(mesh)
    self._start = jax.jit(self._first_state, out_shardings=here)
    self._step = jax.jit(
      self._train_step, in_shardings=(here, here, split), donate_argnums=0
    )
    self._statistics = jax.jit(
      self._batch_statistics, in_shardings=(here, here, split), out_shardings=here
    )
    self._sums = jax.jit(
      self._eval_sums, in_shardings=(here, here, split), out_shardings=here
    )
    # Each one program: hundreds of small arrays, one by one, take longer than a batch.
    self._pool, self._total = jax.jit(_pooled), jax.jit(_summed)

  def start(self, variables: Tree) -> State:
    """The state before the first step, with a fresh optimizer; copies `variables`."""
    return self._start(variables)

  def step(self, state: State, choices: Sequence[Tree], batch) -> tuple[State, float]:
    """One step of the shared weights; the given state is donated.

    The first choice learns from the labels. The others learn from what the first one
    answers, as the sandwich rule has it (BigNAS, 2003.11142); the gradients add up. One
    program for each number of choices. A step with a loss or a gradient that is not
    finite leaves everything as it is.

    Args:
      state: before.
      choices: from `masks.choose`, at least one.
      batch: as training batches are.

    Returns:
      The state after, and the loss of the first choice.
    """
    stacked = jax.tree.map(lambda *each: np.stack(each), *choices)
    return self._step(state, stacked, sharding.put(self.mesh, batch))

  def score(
    self, variables: Tree, choice: Tree, recalibration: Batches, held_out: Batches
  ) -> dict[str, float]:
    """The metrics of a smaller network on held-out images.

    The statistics of its norms are measured anew: those of the larger network, or of
    weights before the last step, are of other maps.

    Args:
      variables: shared.
      choice: from `masks.choose`.
      recalibration: training batches of one size, at least one.
      held_out: as evaluation batches are.
    """
    variables = self.recalibrated(variables, choice, recalibration)
    sums = [
      self._sums(variables, choice, sharding.put(self.mesh, batch))
      for batch in held_out
    ]
    return self._task.metrics(jax.device_get(self._total(sums)))

  def recalibrated(self, variables: Tree, choice: Tree, batches: Batches) -> Tree:
    """The shared variables with the statistics of a smaller network's norms.

    The mean of the batches' means; the variance is the mean of their variances and of
    the squared distances of their means from it.
    """
    found = []
    for batch in batches:
      batch = sharding.put(self.mesh, {'image': batch['image']})
      found.append(self._statistics(variables, choice, batch))
    return {**variables, wiring.STATISTICS: self._pool(found)}

  def _first_state(self, variables):
    return State(
      jnp.zeros((), jnp.int32), variables, self._tx.init(variables['params'])
    )

  def _train_step(self, state: State, choices, batch):
    params = state.variables['params']
    others = {name: tree for name, tree in state.variables.items() if name != 'params'}
    key = jax.random.fold_in(jax.random.key(self._seed), DROPOUT)
    key = jax.random.fold_in(key, state.step)

    def loss_fn(params, choice, taught, is_first):
      variables = masks.masked(self.wires, {'params': params, **others}, choice)
      logits, updates = self.model.apply(
        variables,
        batch['image'],
        train=True,
        mutable=[wiring.STATISTICS],
        rngs={'dropout': key},
      )
      loss = self._task.loss(variables['params'], logits, batch)
      learned = jnp.mean(distillation(logits, taught, 1.0))
      return jnp.where(is_first, loss, learned), (logits, updates)

    def one(carried, each):
      total, taught, statistics, first_loss = carried
      choice, is_first = each
      (loss, (logits, updates)), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
        params, choice, taught, is_first
      )
      keep = lambda new, old: jax.tree.map(  # noqa: E731
        lambda a, b: jnp.where(is_first, a, b), new, old
      )
      total = jax.tree.map(lax.add, total, gradients)
      carried = (
        total,
        keep(logits, taught),
        keep(updates[wiring.STATISTICS], statistics),
        keep(loss, first_loss),
      )
      return carried, None

    number = len(jax.tree.leaves(choices)[0])
    outputs = jax.eval_shape(
      lambda: self.model.apply(state.variables, batch['image'], train=False)
    )
    none = jax.tree.map(jnp.zeros_like, params)
    start = (
      none,
      jnp.zeros(outputs.shape, outputs.dtype),
      others[wiring.STATISTICS],
      jnp.zeros(()),
    )
    if number == 1:  # a loop of one takes 1.7 times as long on a CPU
      carried, _ = one(start, (jax.tree.map(lambda leaf: leaf[0], choices), True))
    else:
      carried, _ = lax.scan(one, start, (choices, jnp.arange(number) == 0))
    gradients, _, statistics, loss = carried
    updates, opt_state = self._tx.update(gradients, state.opt_state, params)
    new = (
      {'params': optax.apply_updates(params, updates), wiring.STATISTICS: statistics},
      opt_state,
    )
    good = all_finite((loss, gradients))
    variables, opt_state = jax.tree.map(
      lambda a, b: jnp.where(good, a, b), new, (state.variables, state.opt_state)
    )
    return State(state.step + 1, variables, opt_state), loss

  def _batch_statistics(self, variables, choice, batch):
    masked = masks.masked(self.wires, variables, choice)
    _, updates = self._measured.apply(
      masked, batch['image'], train=True, mutable=[wiring.STATISTICS]
    )
    return updates[wiring.STATISTICS]

  def _eval_sums(self, variables, choice, batch):
    masked = masks.masked(self.wires, variables, choice)
    logits = self.model.apply(masked, batch['image'], train=False)
    return self._task.sums(logits, batch)


def _summed(found: list[Tree]) -> Tree:
  return jax.tree.map(lambda *each: sum(each), *found)


def _pooled(found: list[Tree]) -> Tree:
  """Of statistics of batches of one size: those of all of them together."""
  mean = _mean(found)
  if len(found) == 1:
    return mean
  away = [
    jax.tree.map(lambda one, all_: jnp.square(one - all_), each, mean) for each in found
  ]
  return _with_variances(mean, _mean(away))


def _mean(found: list[Tree]) -> Tree:
  return jax.tree.map(lambda total: total / len(found), _summed(found))


def _with_variances(mean: Tree, away: Tree) -> Tree:
  if 'var' in mean:
    return {'mean': mean['mean'], 'var': mean['var'] + away['mean']}
  return {name: _with_variances(each, away[name]) for name, each in mean.items()}
