"""The protocol of timing, the table that it fills, and what is told from it."""

import csv
import dataclasses

import numpy as np
import pytest

from mobilenet.models import zoo
from mobilenet.reports import csv_file
from mobilenet.search import costs
from mobilenet.search.costs import correction, latency_table, measured, parts, rounds
from mobilenet.search.costs.cost import Cost
from mobilenet.search.costs.latency_table import Key
from mobilenet.search.costs.programs import Runtime
from mobilenet.search.costs.rounds import Timing
from mobilenet.training.errors import TrainingError
from tests.search.conftest import NETWORKS

SIDE, CLASSES = 32, 4
FIRST = NETWORKS['inverted']
OTHER = dataclasses.replace(
  FIRST, rows=(*FIRST.rows[:-1], dataclasses.replace(FIRST.rows[-1], out=64))
)


class Clock:
  """Seconds that pass only while programs run."""

  def __init__(self):
    self.now, self.order = 0.0, []

  def __call__(self):
    return self.now

  def program(self, name, ms):
    """One that takes `ms(number of its call)`."""
    calls = 0

    def run():
      nonlocal calls
      self.order.append(name)
      self.now += 1e-3 * ms(calls)
      calls += 1

    return run


def test_a_call_that_was_disturbed_counts_for_nothing():
  """4 ms a call, 5 calls a turn, one in three of them slow."""
  clock = Clock()
  program = clock.program('a', lambda n: 9.0 if n % 3 else 4.0)
  (found,) = rounds.interleaved([program], rounds=9, clock=clock)
  assert found == pytest.approx((4.0, 4.0))


def test_all_programs_take_turns_in_orders_that_differ():
  clock = Clock()
  durations = {'a': 10.0, 'b': 20.0, 'c': 5.0, 'd': 40.0}
  programs = [
    clock.program(name, lambda n, ms=ms: ms) for name, ms in durations.items()
  ]
  found = rounds.interleaved(programs, rounds=6, clock=clock)
  assert [each.median_ms for each in found] == pytest.approx(list(durations.values()))
  before = len(programs) * (1 + 3)  # compiled, and how long they take
  calls = {'a': 4 * 2, 'b': 1, 'c': 4, 'd': 1}  # for 20 ms, the reference four times
  number = sum(calls.values())
  timed, orders = clock.order[before:], set()
  assert len(timed) == 6 * number
  for n in range(0, len(timed), number):
    one = timed[n : n + number]
    assert {name: one.count(name) for name in one} == calls
    orders.add(tuple(one))
  assert len(orders) > 3


def test_programs_are_told_at_the_pace_of_the_reference():
  """A machine that becomes slower and slower, by more than there is between programs.

  What the reference took is the median of its rounds; the others keep their ratio.
  """
  clock = Clock()
  now = lambda: 1.0 + clock.now  # noqa: E731
  programs = [
    clock.program('a', lambda n: 10 * now()),
    clock.program('b', lambda n: 15 * now()),
  ]
  first, second = rounds.interleaved(programs, rounds=9, clock=clock)
  assert now() > 2
  assert second.median_ms / first.median_ms == pytest.approx(1.5, rel=0.1)
  assert first.min_ms < first.median_ms
  assert second.min_ms < second.median_ms


def machine_ms(part):
  dispatch = 0.01 * (len(part.network.rows) or 1)
  return dispatch + 1e-6 * parts.count(part).multiply_adds


class Machine:
  """Parts take what `machine_ms` says, times how slow the machine is just now."""

  def __init__(self, device='made CPU'):
    self.slow, self.batches = 1.0, []
    self.runtime = Runtime(lambda part: lambda: part, device, 'made 1.0')

  def interleaved(self, calls):
    self.batches.append([call() for call in calls])
    return [Timing(self.slow * machine_ms(call()), 0.5) for call in calls]

  def cost(self, folder, lowering='sliced', side=SIDE):
    own = measured.Measured(
      folder, self.runtime, lowering, lambda line: None, self.interleaved
    )
    return Cost(
      'ms', side, CLASSES, own.of_parts, own.of_wholes, folder=folder,
      belongs=own.belongs,
    )  # fmt: skip


def test_only_what_is_lacking_is_timed_and_all_of_it_at_once(tmp_path):
  machine = Machine()
  cost = machine.cost(tmp_path)
  found = cost.predict([FIRST, OTHER])
  (batch,) = machine.batches
  assert batch[0] == parts.whole(FIRST, SIDE, CLASSES)  # the reference
  own, others = (parts.of(each, SIDE, CLASSES) for each in (FIRST, OTHER))
  assert batch[1:] == list(dict.fromkeys([*own, *others]))
  expected = [sum(map(machine_ms, each)) for each in (own, others)]
  assert found == pytest.approx(expected, abs=1e-5)
  assert cost.predict([OTHER, FIRST]) == found[::-1]
  assert len(machine.batches) == 1


def test_the_table_is_read_back_to_the_last_digit(tmp_path):
  found = Machine().cost(tmp_path).predict([FIRST, OTHER])
  machine = Machine()
  assert machine.cost(tmp_path).predict([FIRST, OTHER]) == found
  assert not machine.batches
  with open(tmp_path / 'latency.csv', newline='') as file:
    records = list(csv.DictReader(file))
  assert tuple(records[0]) == latency_table.COLUMNS
  row = next(each for each in records if each['row'].startswith('Inverted(5, 3, 24'))
  shapes = ('height', 'width', 'channels_in', 'channels_out')
  assert [row[name] for name in shapes] == ['8', '8', '24', '24']
  assert row['device'] == 'made CPU'
  assert row['lowering'] == 'sliced'
  assert row['style'] == 'padding tf, float32, divisor 8'
  assert row['reference_ms'] == records[0]['median_ms']


def test_a_batch_is_told_at_the_pace_of_the_first(tmp_path):
  """The machine is half as fast when the second network is asked for, and later."""
  machine = Machine()
  first = machine.cost(tmp_path).predict([FIRST])
  machine.slow = 2.0
  later = machine.cost(tmp_path)
  assert later.predict([FIRST]) == first
  (found,) = later.predict([OTHER])
  own = parts.of(OTHER, SIDE, CLASSES)
  assert found == pytest.approx(sum(map(machine_ms, own)), abs=1e-5)
  assert machine.batches[1][0] == machine.batches[0][0]  # the same reference
  wholes = [parts.whole(each, SIDE, CLASSES) for each in (OTHER, FIRST)]
  expected = [machine_ms(whole) for whole in wholes]
  assert later.measure([OTHER, FIRST]) == pytest.approx(expected, abs=1e-5)
  assert machine.batches[2] == [machine.batches[0][0], *wholes]


def test_many_are_several_batches_each_with_the_reference(tmp_path, monkeypatch):
  monkeypatch.setattr(measured, 'MOST_AT_ONCE', 4)
  machine = Machine()
  found = machine.cost(tmp_path).predict([FIRST])
  number = len(set(parts.of(FIRST, SIDE, CLASSES)))
  assert [len(batch) for batch in machine.batches] == [5, number - 4 + 1]
  assert len({batch[0] for batch in machine.batches}) == 1
  assert found == Machine().cost(tmp_path / 'other').predict([FIRST])
  wholes = machine.cost(tmp_path).measure([FIRST] * 5)
  assert len(wholes) == 5


def test_lines_of_another_process_stay(tmp_path):
  """All have read the table before any has written."""
  one, two, three = Machine(), Machine(), Machine()
  costs_of = [machine.cost(tmp_path) for machine in (one, two, three)]
  first = costs_of[0].predict([FIRST])
  two.slow = 3.0
  found = costs_of[1].predict([FIRST, OTHER])
  kept = latency_table.read(tmp_path / 'latency.csv')
  for network in (FIRST, OTHER):
    assert all(Key.of(part) in kept for part in parts.of(network, SIDE, CLASSES))
  assert found[0] == first[0]
  assert Machine().cost(tmp_path).predict([FIRST, OTHER]) == found
  expected = sum(map(machine_ms, parts.of(OTHER, SIDE, CLASSES)))
  assert found[1] == pytest.approx(expected, abs=1e-5)
  with pytest.raises(TrainingError, match='another process has begun'):
    costs_of[2].predict([OTHER])


def test_a_correction_is_fitted_kept_and_used(tmp_path):
  machine = Machine()
  cost = machine.cost(tmp_path)
  networks = [
    dataclasses.replace(FIRST, rows=(*FIRST.rows[:-1], last))
    for last in (dataclasses.replace(FIRST.rows[-1], out=n) for n in (48, 64, 96, 160))
  ]
  bare = cost.predict(networks)
  found = cost.fit(networks)
  wholes = [machine_ms(parts.whole(each, SIDE, CLASSES)) for each in networks]
  assert cost.predict(networks) == pytest.approx(wholes, rel=1e-3)
  assert cost.sums(networks) == bare
  assert found.tau == 1
  again = Machine().cost(tmp_path)
  assert again.correction == found
  assert again.predict(networks) == cost.predict(networks)
  batches = len(machine.batches)
  assert cost.fit(networks, [2 * each for each in bare]).a == pytest.approx(2)
  assert len(machine.batches) == batches
  (tmp_path / 'latency.csv').unlink()
  with pytest.raises(TrainingError, match='fitted to another table'):
    Machine().cost(tmp_path)


@pytest.mark.parametrize(
  ('other', 'said'),
  [
    (lambda folder: Machine('another').cost(folder), "device 'made CPU'"),
    (lambda folder: Machine().cost(folder, 'compiled'), "lowering 'sliced'"),
  ],
)
def test_a_table_of_another_machine_or_way_is_refused(tmp_path, other, said):
  Machine().cost(tmp_path).predict([FIRST])
  with pytest.raises(TrainingError) as found:
    other(tmp_path)
  assert said in str(found.value)
  assert 'latency.csv' in str(found.value)
  assert 'give another folder' in str(found.value)
  assert '\n' not in str(found.value)


def test_a_table_of_other_threads_is_refused(tmp_path, monkeypatch):
  Machine().cost(tmp_path).predict([FIRST])
  now = measured.machine.cores()
  monkeypatch.setattr(measured.machine, 'cores', lambda: now + 1)
  with pytest.raises(TrainingError, match=f"threads '{now}', and this is '{now + 1}'"):
    Machine().cost(tmp_path)


def test_a_network_of_another_style_is_refused(tmp_path):
  style = dataclasses.replace(FIRST.style, padding='torch')
  other = dataclasses.replace(FIRST, style=style)
  with pytest.raises(TrainingError, match='padding torch'):
    Machine().cost(tmp_path).predict([FIRST, other])
  Machine().cost(tmp_path).predict([FIRST])
  for ask in ('predict', 'measure'):
    with pytest.raises(TrainingError, match='padding torch'):
      getattr(Machine().cost(tmp_path), ask)([other])


def test_our_programs_give_what_the_network_gives(tmp_path):
  """Run once each, in order, they are the network; the norms are folded."""
  from mobilenet.search.costs import programs

  network = NETWORKS['separable']
  x = None
  for part in parts.of(network, SIDE, CLASSES):
    folded, variables, drawn = programs.folded(part)
    assert not folded.network.style.norm
    x = np.asarray(folded.apply(variables, drawn if x is None else x))
  assert x.shape == (1, CLASSES)
  whole, variables, drawn = programs.folded(parts.whole(network, SIDE, CLASSES))
  # Each kernel is drawn by its name: what is compared are shapes, and that both run.
  assert whole.apply(variables, drawn).shape == x.shape


def test_this_machine(tmp_path, monkeypatch):
  """Really timed, briefly; that times are positive is all that can be said of them."""
  monkeypatch.setattr(rounds.interleaved, '__defaults__', (1, rounds.time.perf_counter))
  network = NETWORKS['separable']
  cost = costs.make(
    'milliseconds', SIDE, CLASSES, folder=tmp_path, say=lambda line: None
  )
  (found,) = cost.predict([network])
  assert found > 0
  assert cost.measure([network])[0] > 0
  again = costs.make('milliseconds', SIDE, CLASSES, folder=tmp_path)
  assert again.predict([network]) == [found]
  with pytest.raises(TrainingError, match=r"lowering .* and this is 'native'"):
    costs.make('milliseconds', SIDE, CLASSES, folder=tmp_path, lowering='native')


def test_tflite_files_of_rows_alone(tmp_path):
  """They answer as our own programs do."""
  pytest.importorskip('litert_converter', reason='requirements-export.txt')
  interpreters = pytest.importorskip('ai_edge_litert.interpreter')
  from mobilenet.search.costs import programs

  network = zoo.create('mobilenet_v3_small', width=0.5).network
  row, head = (parts.of(network, SIDE, CLASSES)[n] for n in (1, -1))
  for part in (row, head):
    folded, variables, drawn = programs.folded(part)
    interpreter = interpreters.Interpreter(model_content=programs.tflite_bytes(part))
    found = interpreter.get_signature_runner('serving_default')(images=drawn)
    np.testing.assert_allclose(
      found['output'], folded.apply(variables, drawn), rtol=1e-4, atol=1e-4
    )
  call = programs.litert().call_of(row)
  call()


def test_without_the_packages_tflite_says_what_to_install(tmp_path, monkeypatch):
  from mobilenet.search.costs import programs

  monkeypatch.setattr(programs.importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(ValueError, match=r'pip install -r requirements-export\.txt'):
    costs.make('tflite', SIDE, CLASSES, folder=tmp_path)


def test_corrections_belong_to_a_pace(tmp_path):
  cost = Machine().cost(tmp_path)
  cost.predict([FIRST])
  assert cost.belongs()['pace_ms'] == cost.measure([FIRST])[0]
  assert correction.load(tmp_path, cost.belongs()) is None


@pytest.mark.parametrize(
  'damage',
  [
    lambda records: records.pop(0),
    lambda records: records[0].update(row='Head()'),
    lambda records: records[0].update(median_ms='1000'),
    lambda records: records[0].update(median_ms=''),
  ],
)
def test_a_table_without_its_reference_is_refused(tmp_path, damage):
  """All of its lines would be told at another pace."""
  Machine().cost(tmp_path).predict([FIRST])
  path = tmp_path / 'latency.csv'
  records = csv_file.read_records(path)
  damage(records)
  csv_file.write_records(path, records)
  with pytest.raises(TrainingError, match=r'line 2: .* is no whole network') as found:
    Machine().cost(tmp_path)
  assert '\n' not in str(found.value)
