"""A network's convolutions by lowering: which there are, their times, the tables."""

import contextlib
import dataclasses
import statistics

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.bench import (
  lowering_report,
  lowerings,
  measure,
  page,
  run,
  shapes,
)
from mobilenet.bench.contenders import Model
from mobilenet.bench.processes import WorkerError
from mobilenet.models import convolution, lowering, rows, zoo
from tests.bench.test_run import read


@pytest.fixture
def short(monkeypatch):
  """A network of a stem and two blocks of equal shapes."""
  block = rows.Inverted(kernel=3, expand=2, out=16, stride=1)
  whole = zoo.NETWORKS['mobilenet_v3_small']
  network = dataclasses.replace(
    whole, rows=(rows.Conv(3, 16, 2), block, block), head=rows.Head()
  )
  monkeypatch.setitem(zoo.NETWORKS, 'short', network)
  monkeypatch.setattr(lowerings, 'keep_freed_memory', lambda: True)
  monkeypatch.setattr(lowering.kernels, 'is_built', lambda: False)
  return Model('short')


class InProcess(contextlib.AbstractContextManager):
  """A worker without a process."""

  module = lowerings

  def __init__(self, spec, settings):
    self.spec, self.gone_at = spec, None

  def __exit__(self, *_):
    pass

  def ask(self, do, **arguments):
    if do == 'prepare':
      assert self.spec['module'] == self.module.__name__
      self.prepared = self.module.prepare(self.spec)
      self.prepared.run()
      told = dataclasses.replace(
        self.prepared, run=None, device_memory=None, measure=None
      )
      return dataclasses.asdict(told)
    if arguments['number'] == self.gone_at:
      raise WorkerError('its process was killed by signal 9')
    return self.prepared.measure(**arguments)


def test_the_convolutions_of_a_network(short):
  model = zoo.create(short.name, dtype='bfloat16', num_classes=10)
  found = shapes.shapes_of(model, 32, 4)
  told = {
    (s.kind, s.height, s.channels, s.out, s.kernel, s.stride, s.groups, s.first): n
    for s, n in found.items()
  }
  assert told == {
    ('full', 32, 3, 16, 3, 2, 1, True): 1,
    ('pointwise', 16, 16, 32, 1, 1, 1, False): 2,
    ('depthwise', 16, 32, 32, 3, 1, 32, False): 2,
    ('pointwise', 16, 32, 16, 1, 1, 1, False): 2,
  }
  assert {(s.batch, s.dtype) for s in found} == {(4, 'bfloat16')}
  assert next(s.padding for s in found) == ((0, 1), (0, 1))


def test_grouped_convolutions_are_found():
  model = zoo.create('shufflenet_v1_g3')
  kinds = {s.kind for s in shapes.shapes_of(model, 64, 1)}
  assert kinds == {'full', 'pointwise', 'grouped', 'depthwise'}


def test_counted_work_is_that_of_the_formula():
  """Operations: two a tap of every output. Bytes: each array once."""
  shape = shapes.Shape(2, 8, 8, 16, 16, 3, 2, ((0, 1), (0, 1)), 16, 'float32', False)
  x, kernel, y = 2 * 8 * 8 * 16, 9 * 16, 2 * 4 * 4 * 16
  assert shapes.array_shapes(shape)[2] == (2, 4, 4, 16)
  assert shapes.work(shape, 'forward') == (2 * 9 * y, 4 * (x + kernel + y))
  assert shapes.work(shape, 'gradients') == (4 * 9 * y, 4 * (2 * (x + kernel) + y))
  half = dataclasses.replace(shape, dtype='bfloat16')
  assert shapes.work(half, 'kernel gradient') == (2 * 9 * y, 2 * (x + kernel + y))


@pytest.mark.parametrize('direction', shapes.DIRECTIONS)
def test_what_is_timed_is_the_convolution_and_its_gradients(direction):
  shape = shapes.Shape(2, 6, 6, 8, 8, 3, 1, ((1, 1), (1, 1)), 8, 'float32', False)
  generator = np.random.default_rng(0)
  arrays = [jnp.asarray(generator.normal(size=s)) for s in shapes.array_shapes(shape)]
  x, kernel, g = arrays

  def value(x, kernel):
    y = convolution.conv(x, kernel, padding=shape.padding, groups=8, lowering='native')
    return jnp.sum(y * g), y

  (dx, d_kernel), y = jax.grad(value, (0, 1), has_aux=True)(x, kernel)
  exact = {
    'forward': y,
    'input gradient': dx,
    'kernel gradient': d_kernel,
    'gradients': (dx, d_kernel),
  }[direction]
  arguments = arrays[:2] if direction == 'forward' else arrays
  timed, _, errors = lowerings.compile_all(shape, direction, arguments)
  assert errors == {}
  assert {'native', 'sliced'} <= set(timed)
  for program in timed.values():
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, 1e-4, 1e-4),
      program(*arguments),
      exact,
    )


def test_a_lowering_that_is_the_same_program_is_timed_once(monkeypatch):
  monkeypatch.setattr(lowering.kernels, 'is_built', lambda: False)
  full = shapes.Shape(1, 6, 6, 4, 8, 3, 1, ((1, 1), (1, 1)), 1, 'float32', False)
  x, kernel, _ = map(jnp.zeros, shapes.array_shapes(full))
  timed, programs, _ = lowerings.compile_all(full, 'forward', (x, kernel))
  assert list(timed) == ['native']
  assert programs == {'native': 'native', 'sliced': 'native', 'auto': 'native'}
  pointwise = dataclasses.replace(full, kernel=1, padding=((0, 0), (0, 0)))
  x, kernel, _ = map(jnp.zeros, shapes.array_shapes(pointwise))
  programs = lowerings.compile_all(pointwise, 'forward', (x, kernel))[1]
  assert programs == {'native': 'native', 'sliced': 'sliced', 'auto': 'sliced'}


def test_a_lowering_that_fails_leaves_the_others(monkeypatch):
  ours = convolution.conv

  def conv(*arguments, **options):
    if options['lowering'] == 'sliced':
      raise RuntimeError('no memory\nfor this')
    return ours(*arguments, **(options | {'lowering': 'native'}))

  monkeypatch.setattr(lowerings, 'conv', conv)
  monkeypatch.setattr(lowering.kernels, 'is_built', lambda: False)
  shape = shapes.Shape(1, 4, 4, 8, 8, 1, 1, ((0, 0), (0, 0)), 1, 'float32', False)
  told = lowerings.time_shape(shape, rounds=1)['forward']
  assert told['errors'] == {'sliced': 'RuntimeError: no memory for this'}
  assert set(told['ms']) == {'native', 'auto'}
  assert told['ms']['native'] == told['ms']['auto']
  record = lowering_report.make_record(Model('short'), PART, 'forward', told)
  assert record['sliced_ms'] is None
  assert record['native_ms'] > 0


def test_a_slow_lowering_has_fewer_rounds(monkeypatch):
  calls = []
  monkeypatch.setattr(lowerings, 'call_ms', lambda run, *_: calls.append(run) or run)
  times = lowerings.interleaved({'fast': 1.0, 'near': 3.0, 'slow': 9.0}, (), 7)
  assert {name: len(values) for name, values in times.items()} == {
    'fast': 7,
    'near': 7,
    'slow': lowerings.FEWER_ROUNDS,
  }
  counts = {value: calls.count(value) for value in (1.0, 3.0, 9.0)}
  assert counts == {1.0: 8, 3.0: 8, 9.0: 1 + lowerings.FEWER_ROUNDS}


# A depthwise convolution that occurs twice.
PART = {
  'shape': {
    'kind': 'depthwise',
    'batch': 4,
    'height': 56,
    'width': 56,
    'channels': 64,
    'out': 64,
    'kernel': 3,
    'stride': 2,
    'groups': 64,
    'dtype': 'float32',
  },
  'count': 2,
  'nothing_ms': 0.1,
}


def make_record(direction='forward', **ms):
  """Of the rounds of each lowering; `auto` is the first with the same times."""
  auto = next(name for name, values in ms.items() if values == ms['auto'])
  told = {
    'ms': ms,
    'programs': {name: name for name in ms} | {'auto': auto},
    'errors': {},
    'operations': 4_000_000,
    'bytes': 8_000_000,
  }
  return lowering_report.make_record(Model('short'), PART, direction, told)


@pytest.mark.parametrize(
  ('ms', 'fastest', 'behind'),
  [
    ({'native': [2.0, 2.2], 'sliced': [1.0, 1.0], 'auto': [1.0, 1.0]}, 'sliced', None),
    ({'native': [2.0, 2.2], 'sliced': [1.0, 1.0], 'auto': [2.0, 2.2]}, 'sliced', 2.1),
    ({'native': [2.1, 2.1], 'sliced': [2.0, 2.0], 'auto': [2.1, 2.1]}, 'sliced', None),
    # A lowering that is far slower has fewer rounds.
    ({'native': [9.0], 'sliced': [1.0, 1.0], 'auto': [9.0]}, 'sliced', 9.0),
    # The medians differ, and so do the rounds: it was the machine.
    (
      {
        'native': [1.3, 1.3, 1.3, 9.0],
        'sliced': [1.5, 1.0, 1.0, 1.0],
        'auto': [1.0, 1.4, 1.4, 0.9],
      },
      'sliced',
      None,
    ),
    # Too close to a call of nothing for a verdict.
    ({'native': [0.15], 'sliced': [0.12], 'auto': [0.15]}, 'sliced', None),
    ({'native': [1.0], 'auto': [1.0]}, 'native', None),
  ],
)
def test_auto_is_marked_where_another_is_faster(ms, fastest, behind):
  record = make_record(**ms)
  assert record['fastest'] == fastest
  least = statistics.median(ms[fastest])
  assert record['gflops'] == pytest.approx(4 / least)
  assert record['gigabytes'] == pytest.approx(8 / least)
  assert lowering_report.describe(record) == 'depthwise 3x3 /2, 56 px, 64'
  mark = lowering_report.rows([record])[0][-1]
  assert mark == ('' if behind is None else f'**auto takes {behind:.2f}×**')


def test_totals_count_what_occurs_more_than_once():
  records = [
    make_record('forward', native=[2.0], sliced=[1.0], auto=[2.0]),
    make_record('kernel gradient', native=[1.0], auto=[1.0]),
    make_record('gradients', native=[3.0], sliced=[5.0], auto=[3.0]),
  ]
  assert lowering_report.totals(records) == [
    ['depthwise', 'forward', '4', '2', '–', '4', '2', '2.00'],
    ['depthwise', 'kernel gradient', '2', '–', '–', '2', '2', '1.00'],
    ['depthwise', 'gradients', '6', '10', '–', '6', '6', '1.00'],
    ['depthwise', 'forward + gradients', '10', '12', '–', '10', '8', '1.25'],
  ]


def test_a_run_writes_the_lowerings(short, settings, tmp_path):
  out = tmp_path / 'out'
  settings = dataclasses.replace(settings, rounds=1)
  code = run.run([short], ['lowerings'], [], settings, out, start=InProcess, show=False)
  assert code == 0
  records = read(out / 'lowerings.csv')
  # Nobody asks for the gradient of the images.
  assert len(records) == 4 * len(shapes.DIRECTIONS) - 1
  assert [r['direction'] for r in records[:3]] == [
    'forward',
    'kernel gradient',
    'gradients',
  ]
  for record in records:
    assert float(record['native_ms']) > 0
    assert float(record['sliced_ms']) > 0
    assert record['compiled_ms'] == ''
    assert float(record['auto_over_fastest']) > 0
    assert 'sliced' in record['auto']
  text = (out / 'bench.md').read_text()
  assert '## short: convolutions by lowering, in all' in text
  assert '| depthwise 3x3, 16 px, 32 | 2 | kernel gradient |' in text
  assert 'jax ' in text
  assert not (out / 'bench.csv').exists()


def test_what_was_measured_before_a_worker_died_is_kept(short, settings, tmp_path):
  def start(spec, settings):
    worker = InProcess(spec, settings)
    worker.gone_at = 1
    return worker

  out = tmp_path / 'out'
  settings = dataclasses.replace(settings, rounds=1)
  code = run.run([short], ['lowerings'], [], settings, out, start=start, show=False)
  assert code == 1
  assert len(read(out / 'lowerings.csv')) == 3
  killed = 'short, lowerings: its process was killed by signal 9'
  assert f'- {killed}' in (out / 'bench.md').read_text()


def test_the_terminal_shows_the_totals(capsys):
  record = make_record(native=[2.0], sliced=[1.0], auto=[1.0])
  page.show([], lowering_report.sections([record], each=False))
  printed = capsys.readouterr().out
  assert 'short: convolutions by lowering, in all' in printed
  assert 'one by one' not in printed


def test_logs_have_the_name_of_what_was_run(specs, settings, monkeypatch):
  logs = []
  monkeypatch.setattr(measure, 'Worker', lambda spec, log, **_: logs.append(log.name))
  measure.start(specs('ours')['ours'], settings)
  cold = measure.make_spec('timm', Model('mobilenet_v2', 0.5), 'train', settings)
  measure.start(cold | {'cold': True}, settings)
  assert logs == [
    'ours-mobilenet_v3_small-train-4x32.log',
    'timm-mobilenet_v2_0.5-cold-4x32.log',
  ]
