"""NetAdapt: what is proposed, what is accepted, and that every iteration can resume."""

import dataclasses
import itertools
import json
import pathlib
import types

import jax
import numpy as np
import pytest

from configs import common, v3_small
from mobilenet.models import table, zoo
from mobilenet.models.rows import Conv, Head, Inverted, Network
from mobilenet.search import channels, costs, masks, search_folder, wiring
from mobilenet.search.costs.budget import parse_budget
from mobilenet.search.costs.cost import Cost
from mobilenet.search.strategies import (
  choosing,
  ladders,
  netadapt,
  netadapt_iteration,
  netadapt_state,
  proposals,
)
from mobilenet.search.strategies.clock import Clock
from mobilenet.search.strategies.gauge import Gauge
from mobilenet.search.strategies.netadapt_iteration import Asked, NetAdapt, Stopped
from mobilenet.search.strategies.start import Start, sorted_by_norm
from mobilenet.tasks.classification import Classification
from mobilenet.training import sharding
from mobilenet.training.errors import TrainingError
from mobilenet.weights.contract import make_contract
from mobilenet.weights.own_file import Weights
from tests.search.conftest import CLASSES, IMAGES, NETWORKS, model_of, variables_of


def whole_of(network):
  return channels.resized(network, wiring.of(network).sizes)


NETWORK = whole_of(NETWORKS['inverted'])


def parameters(networks):
  """Numbers of the kernels, from the groups that they lie between: quick to tell."""
  return [
    sum(
      (at.channels_in * at.inner + at.inner * at.out)
      if at.inner
      else at.channels_in * at.out
      for at in wiring.of(network).rows
    )
    + wiring.of(network).sizes.get('hidden', 0) * 10
    for network in networks
  ]


# ---- ladders ------------------------------------------------------------------------


@pytest.mark.parametrize(
  'cost', [lambda n: n, lambda n: n**3, lambda n: 50 * (n > 40) + n, np.sqrt]
)
def test_the_highest_rung_within_is_found(cost):
  count, asked = 100, []

  def predict(rungs):
    asked.append(len(rungs))
    return [float(cost(rung)) for _, rung in rungs]

  targets = [cost(n) + 1e-9 for n in (0, 3, 40, 57, 99)]
  for target in targets:
    found = ladders.most_within(
      {'a': count, 'short': 2, 'none': 0},
      lambda name, rung: (name, rung),
      target,
      cost(count),
      predict,
    )
    expected = max(n for n in range(count) if cost(n) <= target)
    assert found['a'] == (expected, cost(expected))
    assert 'none' not in found
    assert found['short'][0] == min(expected, 1)
  assert len(asked) < len(targets) * 12


def test_a_ladder_whose_first_rung_is_too_dear_has_none():
  found = ladders.most_within(
    {'a': 5, 'b': 5},
    lambda name, rung: (name, rung),
    2.5,
    9.0,
    lambda rungs: [rung + 4 * (name == 'b') for name, rung in rungs],
  )
  assert found == {'a': (2, 2)}


def test_costs_that_wobble_are_within_all_the_same():
  """Measured ones may fall where channels are more."""
  rng = np.random.default_rng(0)
  wobbling = np.arange(40) + rng.uniform(-6, 6, 40)
  for target in (5, 12, 33):
    found = ladders.most_within(
      {'a': 40},
      lambda _, rung: rung,
      target,
      50,
      lambda rungs: [wobbling[rung] for rung in rungs],
    )
    assert all(cost <= target for _, cost in found.values())


# ---- proposals ----------------------------------------------------------------------


@pytest.mark.parametrize('kind', NETWORKS)
def test_each_group_is_narrowed_as_little_as_saves_enough(kind):
  network = whole_of(NETWORKS[kind])
  wires, (now,) = wiring.of(network), parameters([network])
  target = 0.93 * now
  found = proposals.propose(network, target, parameters)
  assert len(found) > 2
  for each in found:
    sizes = wiring.of(each.network).sizes
    changed = {
      group
      for group, size in sizes.items()
      if size != wires.sizes[group] and not group.endswith('/se')
    }
    assert changed == {each.group}
    assert (each.before, each.after) == (wires.sizes[each.group], sizes[each.group])
    assert each.after % 8 == 0
    assert each.cost == parameters([each.network])[0] <= target
    wider = each.after + 8
    if wider < each.before:
      more = proposals.narrowed(network, {each.group: wider})
      assert parameters([more])[0] > target


def test_rows_that_a_residual_joins_are_narrowed_together():
  found = proposals.propose(NETWORK, 0.95 * parameters([NETWORK])[0], parameters)
  (each,) = (one for one in found if one.group == 'block_01')
  outs = [row.out for row in each.network.rows]
  assert outs == [16, 16, 16, 16, 24, 48]
  assert [row.residual for row in each.network.rows[1:5]] == [True, False, True, False]


def test_an_expansion_stays_wider_than_what_comes_in():
  smallest = proposals.least(NETWORK)
  for at in wiring.of(smallest).rows:
    assert at.out == 8
    assert at.inner is None or at.inner > at.channels_in
  assert not proposals.propose(smallest, 1.0, parameters)


def widths(network):
  return [(at.inner, at.squeezed, at.out) for at in wiring.of(network).rows]


def test_a_family_is_narrowed_as_its_multiplier_does():
  """At half the width the ladder has the network that the zoo has, and it grows."""
  start = zoo.create('mobilenet_v3_small', num_classes=CLASSES).network
  whole = whole_of(start)
  ladder = proposals.uniform(start, whole)
  # Not by the names of groups: at half the width one residual more could join.
  half = widths(zoo.create('mobilenet_v3_small', width=0.5).network)
  assert half in [widths(network) for network in ladder]
  assert ladder[-1] == whole
  sizes = [wiring.of(network).sizes for network in ladder]
  assert all(own['hidden'] == 1024 for own in sizes)  # a multiplier leaves it
  for before, after in itertools.pairwise(sizes):
    assert all(before[group] <= after[group] for group in before)
    assert before != after
  choices = [masks.choose(whole, n.rows, n.head) for n in ladder[::20]]
  assert len(choices) > 3  # each is inside of the whole


def test_drawn_networks_lie_between_the_least_and_the_whole():
  found = proposals.scattered(NETWORK, 5, seed=0)
  assert found == proposals.scattered(NETWORK, 5, seed=0)
  assert found != proposals.scattered(NETWORK, 5, seed=1)
  low, high = parameters([proposals.least(NETWORK), NETWORK])
  own = parameters(found)
  assert all(low < each < high for each in own)
  assert max(own) > 2 * min(own)


def test_what_is_lost_is_set_against_what_is_saved():
  ratio, accuracy = choosing.CHOOSE
  assert choosing.rank(0.1, 2.0, ratio) < choosing.rank(0.1, 1.0, ratio)
  assert choosing.rank(0.2, 2.0, ratio) == choosing.rank(0.1, 1.0, ratio)
  # What loses nothing is better than what does, and better still if it saves more.
  assert choosing.rank(-0.1, 2.0, ratio) < choosing.rank(-0.1, 1.0, ratio) < 0
  assert choosing.rank(0.1, 9.0, accuracy) > choosing.rank(0.05, 1.0, accuracy)
  assert choosing.badness({'loss': 0.5, 'top1': 80.0}, 'loss') == 0.5
  assert choosing.badness({'loss': 0.5, 'top1': 80.0}, 'top1') == -80.0
  assert choosing.badness({'loss': float('nan')}, 'loss') == float('inf')


# ---- the gauge ----------------------------------------------------------------------


def timed(slower):
  """A cost in ms whose whole networks take 1.3 x their rows, and `slower()` of that."""

  def ms(parts_, first=None):
    return [1e-3 * sum(map(np.prod, shapes_of(part))) for part in parts_]

  def wholes(networks):
    factor = slower()
    return [
      factor * (1.3 * sum(ms(costs.parts.of(part.network, 32, CLASSES))) + 0.1)
      for part in networks
    ]

  return Cost('ms', 32, CLASSES, of_parts=ms, of_wholes=wholes)


def shapes_of(part):
  size = costs.parts.count(part)
  return [(size.parameters,), (len(size.layers),)]


def test_a_network_is_measured_beside_the_start():
  """A machine that is half as fast later changes nothing."""
  factors = iter([1.0, 2.0, 0.5])
  gauge = Gauge(timed(lambda: next(factors)), True, NETWORK, table.from_text)
  least = gauge.begin(proposals.least(NETWORK), seed=0)
  assert gauge.predict([NETWORK]) == pytest.approx([gauge.start_cost])
  assert gauge.predict([proposals.least(NETWORK)]) == pytest.approx([least], rel=1e-3)
  narrow = proposals.scattered(NETWORK, 3, seed=5)
  before = gauge.predict(narrow)
  assert [gauge.measure(narrow[n]) for n in (0, 1)] == pytest.approx(
    before[:2], rel=1e-3
  )
  again = Gauge(timed(lambda: 7.0), True, NETWORK, table.from_text)
  again.resume(gauge.start_cost, gauge.wholes)
  assert again.predict(narrow) == gauge.predict(narrow)


def test_costs_are_told_with_their_units():
  counted = costs.make('multiply_adds', 32, CLASSES)
  gauge = Gauge(counted, False, NETWORK, table.from_text)
  assert gauge.said(41_520_000) == '41.5 M multiply-adds'
  assert gauge.field('predicted') == 'predicted_multiply_adds'
  smallest = gauge.begin(proposals.least(NETWORK), seed=0)
  assert 0 < smallest < gauge.start_cost
  assert gauge.measure(NETWORK) == gauge.start_cost == gauge.predict([NETWORK])[0]


# ---- iterations ---------------------------------------------------------------------


class Photos:
  """Four images, in other orders and brightness from batch to batch."""

  def __init__(self):
    self.config = v3_small.get_config('quick')
    self.task = Classification()
    self.read = []

  def train_batches(self, start_step=0):
    while True:
      self.read.append(start_step)
      rng = np.random.default_rng(start_step)
      order = rng.permutation(len(IMAGES))
      images = IMAGES[order] * np.float32(rng.uniform(0.5, 1.5))
      yield {'image': images, 'label': order % CLASSES}
      start_step += 1

  def held_out_batches(self):
    return [
      {
        'image': IMAGES * 0.8,
        'label': np.arange(len(IMAGES)) % CLASSES,
        'mask': np.ones(len(IMAGES), np.float32),
        'index': np.arange(len(IMAGES)),
      }
    ]


ASKED = Asked(
  delta=0.08,
  steps=2,
  screen=2,
  choose='ratio',
  score='loss',
  learning_rate=1e-3,
  seed=0,
)
MESH = sharding.make_mesh(jax.devices()[:1])


# Three rows: what is compiled is compiled for long.
FEW = whole_of(
  Network(
    rows=(
      Conv(3, 32, 2, 'hard_swish'),
      Inverted(3, 2, 32, 1, 0.25, 'relu'),
      Conv(1, 48, 1, 'hard_swish'),
    ),
    head=Head(32, 'hard_swish'),
  )
)


@pytest.fixture(scope='module')
def start():
  model, variables = model_of(FEW), variables_of(FEW)
  return Start(
    folder=pathlib.Path('runs/start'),
    config=v3_small.get_config('quick'),
    model=model,
    named=FEW,
    variables=sorted_by_norm(model, variables),
    weights=Weights(
      origin='drawn',
      model={'name': 'few', 'width': 1.0, 'num_classes': CLASSES},
      variables=variables,
      contract=make_contract({'resolution': 24}),
      class_names=tuple('abcd'),
    ),
    data=types.SimpleNamespace(notes=[]),
  )


def search_of(start, folder, budget='0.6x', asked=ASKED, compiled=None):
  cost = costs.make('multiply_adds', 24, CLASSES)
  return NetAdapt(
    start,
    Photos(),
    Gauge(cost, False, FEW, start.like),
    parse_budget(budget, cost.unit),
    asked,
    MESH,
    Clock(folder),
    _compiled=compiled,
  )


@pytest.fixture(scope='module')
def went(start, tmp_path_factory):
  """(search, its states, the lines of each iteration): without an interruption."""
  search = search_of(start, tmp_path_factory.mktemp('whole'))
  states, lines = [search.first()], []
  while not states[-1].within:
    state, own = search.next(states[-1])
    states.append(state)
    lines.append(own)
  return search, states, lines


def same(one, other):
  jax.tree.map(np.testing.assert_array_equal, one.variables, other.variables)
  assert dataclasses.replace(one, variables={}) == dataclasses.replace(
    other, variables={}
  )


def test_it_ends_within_the_budget_and_each_iteration_saves(went):
  _, states, lines = went
  assert len(states) > 2  # of the start, and after two iterations or more
  costs_of = [state.cost for state in states]
  assert costs_of == sorted(costs_of, reverse=True)
  saved = -np.diff(costs_of)
  least = ASKED.delta * costs_of[0]
  assert all(saved[:-1] >= least)  # the last one saves what is left
  assert states[-1].cost <= 0.6 * costs_of[0] < states[-2].cost
  for own in lines:
    (line,) = (each for each in own if each['accepted'])
    tuned = [each for each in own if each['steps']]
    assert len(tuned) == ASKED.screen
    assert len(own) == len(tuned) or len(own) > 2 * len(tuned)  # scored before, or all
    assert line in tuned
    assert {'rows', 'seed', 'loss', 'top1', 'predicted_multiply_adds'} <= line.keys()
  assert states[-1].network == table.from_text(line['rows'])


def test_what_is_kept_computes_what_was_scored(start, went):
  """The accepted network alone has the loss that its mask had."""
  search, states, lines = went
  (line,) = (each for each in lines[-1] if each['accepted'])
  state = states[-1]
  batch = search.photos.held_out_batches()[0]
  model = start.model_of(state.network)
  run = jax.jit(
    lambda variables: model.apply(variables, batch['image'], train=False),
    compiler_options={'xla_backend_optimization_level': 0},
  )
  sums = search.photos.task.sums(run(state.variables), batch)
  metrics = search.photos.task.metrics(jax.device_get(sums))
  assert metrics['loss'] == pytest.approx(line['loss'], rel=1e-4)


def test_a_smaller_network_is_compiled_as_it_shrinks(went):
  _, states, _ = went
  compiled = [table.to_text(state.whole) for state in states]
  assert len(set(compiled)) > 1
  for before, after in itertools.pairwise(states):
    cut = after.cost <= 0.75 * before.whole_cost
    assert (after.whole == after.network) == cut
    assert after.whole_cost == (after.cost if cut else before.whole_cost)


def test_resumed_after_every_iteration_it_ends_the_same(start, went, tmp_path):
  search, states, lines = went
  compiled = search._compiled
  for number, state in enumerate(states):
    netadapt_state.save(tmp_path, state, start, 'found')
    assert len(list(tmp_path.glob('accepted_*'))) == 1
    read = netadapt_state.load(tmp_path, start)
    same(read, state)
    if state.within:
      break
    # Programs of the last whole network are at hand; others would compile for long.
    again = search_of(
      start, tmp_path, compiled=compiled if compiled[0] == state.whole else None
    )
    if compiled[0] != state.whole:
      continue
    again.gauge.resume(read.start_cost, read.wholes)
    after, own = again.next(read)
    same(after, states[number + 1])
    assert own == lines[number]


def test_stopped_within_an_iteration_nothing_is_kept(start, went, tmp_path):
  search, states, _ = went
  again = search_of(start, tmp_path, compiled=search._compiled)
  again.gauge.resume(states[-2].start_cost, states[-2].wholes)
  asked = iter([False, False, True])
  again.stop = lambda: next(asked)
  with pytest.raises(Stopped):
    again.next(states[-2])


def test_what_is_compiled_first_is_what_runs(start, tmp_path):
  search = search_of(start, tmp_path)
  state, batches = search.first(), search._batches(0)
  now = masks.choose(state.whole, state.network.rows, state.network.head)
  masked = search._program(state.whole, state.variables, now, batches)
  search._tuned(masked, state.variables, now, batches)
  assert masked._step._cache_size() == 1


def test_few_batches_are_kept_and_come_again(start, tmp_path, monkeypatch):
  again = search_of(start, tmp_path, asked=ASKED._replace(steps=20))
  assert len(again._batches(0)) == 20
  assert again.photos.read == list(range(20))
  expected = next(again.photos.train_batches(60))['image']
  np.testing.assert_array_equal(again._batches(3)[0]['image'], expected)
  monkeypatch.setattr(netadapt_iteration, 'MOST_BYTES', 3 * IMAGES.nbytes + 500)
  assert len(again._batches(0)) == 3


def test_a_network_within_the_budget_is_measured_twice(start, tmp_path):
  """Of many measurements one is low by chance, and would end the search."""
  search = search_of(start, tmp_path, '0.5x')
  for values, expected in (([7.0], 7.0), ([4.0, 7.0], 5.5), ([4.0, 5.0], 4.5)):
    left = list(values)
    cost = types.SimpleNamespace(
      measure=lambda networks, left=left: [10.0, left.pop(0)] * (len(networks) // 2),
      predict=lambda networks: [3.0] * len(networks),
      fit=lambda networks, measured: None,
    )
    gauge = Gauge(cost, True, FEW, like=lambda text: FEW, start_cost=10.0)
    gauge.wholes.append(('another', 9.0))
    search.gauge = gauge
    assert search._measured(FEW) == expected
    assert not left
    # What is predicted next is told by the very same number.
    assert gauge.predict([FEW]) == [expected]


def test_budgets_out_of_reach_are_refused(start, tmp_path):
  for budget, words in (
    ('0.01x', r"--budget='0.01x' cannot be reached: .* costs .* \(0\.\d+x\); ask for"),
    ('1x', 'which is within it already; ask for less'),
    ('90 M multiply-adds', 'which is within it already; ask for less'),
  ):
    with pytest.raises(TrainingError, match=words):
      search_of(start, tmp_path, budget).first()


def test_an_archive_is_read_as_it_was_written(tmp_path):
  lines = [{'iteration': 1, 'loss': 0.1 + 0.2}, {'iteration': 2, 'loss': 1e-30}]
  assert search_folder.read_archive(tmp_path) == []
  search_folder.write_archive(tmp_path, lines)
  assert search_folder.read_archive(tmp_path) == lines
  (tmp_path / search_folder.ARCHIVE_FILE).write_text('{"iter')
  with pytest.raises(TrainingError, match='is damaged'):
    search_folder.read_archive(tmp_path)


def test_a_folder_holds_one_search(tmp_path):
  asked = {'strategy': 'netadapt', 'budget': '0.7x', 'seed': 0, 'table': None}
  search_folder.claim(tmp_path, {**asked, 'budget': '0.1x'}, begun=False)  # refused
  search_folder.claim(tmp_path, asked, begun=False)
  assert json.loads((tmp_path / 'search.json').read_text()) == asked
  search_folder.claim(tmp_path, asked, begun=True)
  with pytest.raises(
    TrainingError, match=r'another search \(budget "0.7x" -> "0.5x", there -> here\)'
  ):
    search_folder.claim(tmp_path, {**asked, 'budget': '0.5x'}, begun=True)
  later = {**asked, 'of_a_later_version': 1}
  search_folder.claim(tmp_path, later, begun=True)
  search_folder.claim(
    tmp_path, {**asked, 'table': 'a.csv'}, begun=True, elsewhere=('table',)
  )
  with pytest.raises(TrainingError, match=r'^it is another$'):
    search_folder.claim(
      tmp_path, {**asked, 'seed': 1}, begun=True, changed={'seed': 'it is another'}
    )


@pytest.mark.parametrize(
  ('optimizer', 'own', 'expected'),
  [
    ('adamw', 0.003, 0.0003),
    ('adamw', 0.0005, 0.0003),
    ('adamw', 0.0001, 0.0001),
    ('adamw', 0.02, 0.002),
    ('sgd', 0.002, 0.0002),
  ],
)
def test_the_rate_of_short_fine_tunes(optimizer, own, expected):
  config = common.base()
  config.optimizer.name, config.schedule.learning_rate = optimizer, own
  assert netadapt._rate(config) == pytest.approx(expected)
