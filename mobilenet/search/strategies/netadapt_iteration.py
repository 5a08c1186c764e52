"""An iteration of NetAdapt: proposals, short fine-tunes, and what is accepted."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from mobilenet import experiment
from mobilenet.models import table
from mobilenet.models.rows import Network
from mobilenet.search import channels, masks, wiring
from mobilenet.search.costs.budget import Budget
from mobilenet.search.data import SearchData
from mobilenet.search.steps import Masked
from mobilenet.search.strategies import choosing, proposals
from mobilenet.search.strategies.clock import Clock
from mobilenet.search.strategies.gauge import Gauge
from mobilenet.search.strategies.netadapt_state import State
from mobilenet.search.strategies.proposals import Proposal
from mobilenet.search.strategies.start import Start, sorted_by_norm
from mobilenet.training import sharding
from mobilenet.training.errors import require

Tree = dict[str, Any]
Batches = list[dict[str, np.ndarray]]
Metrics = dict[str, float]

# When so little of the cost of the compiled network is left, a smaller one is compiled.
RECUT_SHARE = 0.75
RECALIBRATION = 8  # batches by which norms are measured anew before a score
# Of an iteration's batches that are kept in memory; more steps go through them again.
MOST_BYTES = 1 << 30
_HALVINGS = 6  # of delta, where no group alone can save so much


class Stopped(Exception):
  """A signal came in the middle of an iteration, of which nothing is kept."""


class Exhausted(Exception):
  """No group of channels alone can save more."""


class Asked(NamedTuple):
  """How proposals are made and chosen; see the flags of `jobs.search`."""

  delta: float
  steps: int
  screen: int
  choose: str
  score: str
  learning_rate: float
  seed: int


@dataclasses.dataclass
class NetAdapt:
  """A search: each state is a function of the one before, of `asked` and the photos.

  photos: to learn from and to choose by. budget: as it was typed. stop: whether to
  stop, asked between two proposals.
  """

  start: Start
  photos: SearchData
  gauge: Gauge
  budget: Budget
  asked: Asked
  mesh: Mesh
  clock: Clock
  stop: Callable[[], bool] = lambda: False
  _compiled: tuple[Network, Masked] | None = None
  _held_out: Batches | None = None

  @property
  def target(self) -> float:
    """The budget, in the unit of the cost."""
    return self.budget.of(self.gauge.start_cost)

  def first(self) -> State:
    """The state before the first iteration.

    Raises:
      TrainingError: the budget cannot be reached, or the start is within it.
    """
    network, gauge = self.start.model.network, self.gauge
    with self.clock.part('costs'):
      least = gauge.begin(proposals.least(network), self.asked.seed)
    now, text = gauge.start_cost, self.budget.text
    require(
      self.target < now,
      f'--budget={text!r}: {self.start.folder} costs {gauge.said(now)}, which is '
      'within it already; ask for less',
    )
    require(
      least <= self.target,
      f'--budget={text!r} cannot be reached: with the fewest channels this network '
      f'costs {gauge.said(least)} of {gauge.said(now)} ({least / now:.3f}x); ask for '
      'more',
    )
    return self._state(
      iteration=0,
      network=network,
      variables=self.start.variables,
      cost=now,
      whole=network,
      whole_cost=now,
    )

  def next(self, state: State) -> tuple[State, list[dict[str, Any]]]:
    """The state after one more iteration, and the lines of the networks it scored.

    Raises:
      Stopped: as `stop` said.
      Exhausted: no group alone can save more.
      TrainingError: no proposal has a finite loss.
    """
    batches = self._batches(state.iteration)
    variables = channels.padded(wiring.of(state.whole), state.variables)
    now = masks.choose(state.whole, state.network.rows, state.network.head)
    masked = self._program(state.whole, variables, now, batches)
    with self.clock.part('costs'):
      found = self._proposed(state)
    lines = []
    if self.asked.screen and len(found) > self.asked.screen:
      before, ranks = self._score(masked, variables, now, batches), []
      for each in found:
        metrics = self._score(masked, variables, _choice(state, each), batches)
        lines.append(self._line(state, each, 0, metrics))
        ranks.append(self._rank(state, each, metrics, before))
      best_first = np.argsort(ranks, kind='stable')[: self.asked.screen]
      found = [found[n] for n in sorted(best_first)]
    # Also what is not cut learns in these steps: only what a cut loses counts.
    _, before = self._tuned(masked, variables, now, batches)
    accepted = None
    for each in found:
      tuned, metrics = self._tuned(masked, variables, _choice(state, each), batches)
      lines.append(self._line(state, each, self.asked.steps, metrics))
      rank = self._rank(state, each, metrics, before)
      if accepted is None or rank < accepted[0]:
        accepted = rank, each, tuned, lines[-1]
    rank, each, tuned, line = accepted
    require(
      np.isfinite(rank),
      f'the loss of every proposal of iteration {state.iteration + 1} is no finite '
      f'number: lower --learning_rate={self.asked.learning_rate:g}',
    )
    line['accepted'] = True
    tuned = masked.recalibrated(tuned, _choice(state, each), batches[:RECALIBRATION])
    sizes = wiring.of(each.network).sizes
    kept = channels.first(masked.wires, jax.device_get(tuned), sizes)
    with self.clock.part('costs'):
      cost = self._measured(each.network)
    if self.gauge.here:
      line[self.gauge.field('measured')] = cost
    recut = cost <= RECUT_SHARE * state.whole_cost
    return self._state(
      iteration=state.iteration + 1,
      network=each.network,
      variables=sorted_by_norm(self.start.model_of(each.network), kept),
      cost=cost,
      whole=each.network if recut else state.whole,
      whole_cost=cost if recut else state.whole_cost,
    ), lines

  def _state(self, cost: float, **fields) -> State:
    return State(
      cost=cost,
      start_cost=self.gauge.start_cost,
      wholes=tuple(self.gauge.wholes),
      within=cost <= self.target,
      **fields,
    )

  def _proposed(self, state: State) -> list[Proposal]:
    saved = self.asked.delta * self.gauge.start_cost
    for _ in range(_HALVINGS):
      # The last step saves what is left to save.
      target = max(state.cost - saved, self.target)
      if found := proposals.propose(state.network, target, self.gauge.predict):
        return found
      saved /= 2
    raise Exhausted

  def _measured(self, network: Network) -> float:
    """The cost of a network that is accepted: rows that were timed too fast add up."""
    cost = self.gauge.measure(network)
    if cost <= self.target and self.gauge.here:
      # One of many measurements is low by chance: the mean of two.
      cost = self.gauge.measure(network)
    return cost

  def _rank(self, state, each: Proposal, metrics: Metrics, before: Metrics) -> float:
    after, now = (choosing.badness(m, self.asked.score) for m in (metrics, before))
    return choosing.rank(after - now, state.cost - each.cost, self.asked.choose)

  def _batches(self, iteration: int) -> Batches:
    """Those of an iteration, in memory."""
    with self.clock.part('photos'):
      endless = self.photos.train_batches(iteration * self.asked.steps)
      first = next(endless)
      room = MOST_BYTES // sum(array.nbytes for array in first.values())
      number = min(max(self.asked.steps, RECALIBRATION), max(room, 1))
      others = itertools.islice(endless, number - 1)
      return sharding.put_all(self.mesh, [first, *others])

  def _program(self, whole: Network, variables, choice, batches: Batches) -> Masked:
    """The compiled programs of a network."""
    if self._held_out is None:
      with self.clock.part('photos'):
        self._held_out = self.photos.held_out_batches()
    if self._compiled is None or self._compiled[0] != whole:
      self._compiled = None  # frees the memory of the one before
      model = self.start.model_of(whole)
      schedule = optax.constant_schedule(self.asked.learning_rate)
      tx = experiment.make_optimizer(self.photos.config, model, schedule)
      masked = Masked(model, self.photos.task, tx, self.mesh, seed=self.asked.seed)
      with self.clock.part('compiling'):  # at once, so that its time is known
        masked.step(masked.start(variables), [choice], batches[0])
        masked.score(variables, choice, batches[:1], self._held_out[:1])
      self._compiled = whole, masked
    return self._compiled[1]

  def _score(self, masked: Masked, variables, choice, batches: Batches) -> Metrics:
    if self.stop():
      raise Stopped
    with self.clock.part('scores'):
      return masked.score(variables, choice, batches[:RECALIBRATION], self._held_out)

  def _tuned(self, masked, variables, choice, batches) -> tuple[Tree, Metrics]:
    """Variables after a short fine-tune, and their score."""
    with self.clock.part('short fine-tunes'):
      state = masked.start(variables)
      for batch in itertools.islice(itertools.cycle(batches), self.asked.steps):
        state, _ = masked.step(state, [choice], batch)
      jax.block_until_ready(state)
    return state.variables, self._score(masked, state.variables, choice, batches)

  def _line(self, state: State, each: Proposal, steps: int, metrics: Metrics):
    return {
      'iteration': state.iteration + 1,
      'group': each.group,
      'before': each.before,
      'after': each.after,
      'rows': table.to_text(each.network),
      'seed': self.asked.seed,
      'steps': steps,
      self.gauge.field('predicted'): each.cost,
      **metrics,
      'accepted': False,
    }


def _choice(state: State, each: Proposal) -> Tree:
  return masks.choose(state.whole, each.network.rows, each.network.head)
