"""The parts of a step beside their floors: traced, put together, written."""

import dataclasses

import pytest

from mobilenet.bench import (
  processes,
  roofline,
  roofline_report,
  run,
)
from mobilenet.bench.contenders import Model
from mobilenet.models import lowering, rows, zoo
from tests.bench.test_lowerings import InProcess
from tests.bench.test_run import read


def part(ms, *, megabytes=0.0, megaflops=0.0, kind='dot', direction='forward'):
  return {
    'name': kind,
    'ms': ms,
    'kind': kind,
    'layer': 'head',
    'direction': direction,
    'operations': megaflops * 1e6,
    'bytes': megabytes * 1e6,
  }


def records(*parts):
  told = {'whole_ms': 9.0, 'gigabytes': 10.0, 'gflops': 100.0}
  made = roofline_report.make_record
  return [made(Model('tiny'), 'train', each, told) for each in parts]


def test_a_floor_is_the_longer_of_two_times():
  by_memory, by_products = records(
    part(4.0, megabytes=20.0, megaflops=100.0),
    part(4.0, megabytes=1.0, megaflops=300.0),
  )
  assert (by_memory['floor_ms'], by_memory['bound']) == (2.0, 'memory')
  assert (by_products['floor_ms'], by_products['bound']) == (3.0, 'products')


def test_kinds_are_added_up_the_longest_first():
  own = records(
    part(1.0, megabytes=10.0),
    part(3.0, megabytes=10.0, kind='norm'),
    part(4.0, megabytes=10.0, kind='norm'),
    part(2.0, megabytes=10.0, direction='backward'),
  )
  table = roofline_report.by_kind(own)
  assert [row[:3] for row in table] == [
    ['norm', 'forward', '2'],
    ['dot', 'backward', '1'],
    ['dot', 'forward', '1'],
    ['all', '', '4'],
  ]
  assert table[0][3:] == ['7.00', '70%', '2.00', '3.5', '2.9', '0']
  assert [row[3] for row in roofline_report.longest(own)] == [
    '4.00',
    '3.00',
    '2.00',
    '1.00',
  ]


def test_times_of_a_call_are_the_median_over_calls():
  assert roofline.per_call([1.0, 2.0, 9.0], 3) == 2.0
  assert roofline.per_call([1.0, 2.0, 5.0, 1.0], 2) == 4.5  # twice a call: 3 and 6
  assert roofline.per_call([1.0, 2.0], 3) == 1.0


@pytest.fixture
def short(monkeypatch):
  """Two rows that compile quickly, and rates that are not measured."""
  network = dataclasses.replace(
    zoo.NETWORKS['mobilenet_v3_small'],
    rows=(rows.Conv(3, 8, 2), rows.Inverted(3, 1, 8, 1)),
    head=rows.Head(),
  )
  monkeypatch.setitem(zoo.NETWORKS, 'short', network)
  monkeypatch.setattr(roofline, 'keep_freed_memory', lambda: True)
  monkeypatch.setattr(lowering.kernels, 'is_built', lambda: False)
  monkeypatch.setattr(roofline, 'COPIED', 1 << 10)
  monkeypatch.setattr(roofline, 'PRODUCTS', ((8, 8, 8),))
  return Model('short')


class Worker(InProcess):
  module = roofline


def test_a_run_writes_what_it_found(short, settings, tmp_path):
  settings = dataclasses.replace(settings, rounds=2, batch=2, resolution=16)
  code = run.run(
    [short], ['roofline'], [], settings, tmp_path, start=Worker, show=False
  )
  assert code == 0
  page = (tmp_path / 'bench.md').read_text()
  assert 'short: a training step' in page
  assert 'short: inference of a batch' in page
  lines = read(tmp_path / 'roofline.csv')
  training = [line for line in lines if line['mode'] == 'train']
  assert {'forward', 'backward', 'other'} == {line['direction'] for line in training}
  assert {line['direction'] for line in lines if line['mode'] == 'infer'} == {'forward'}
  for line in lines:
    assert float(line['ms']) >= 0
    assert float(line['floor_ms']) >= 0
  assert any(float(line['megaflops']) > 0 for line in lines)


def test_a_worker_that_dies_is_told(settings, tmp_path):
  def start(spec, settings):
    raise processes.WorkerError('its process was killed by signal 9')

  found = roofline_report.measured(Model('short'), settings, start=start)
  assert found == ([], ['short, roofline: its process was killed by signal 9'], {})
