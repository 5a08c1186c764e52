"""Workers: a process each, asked over a pipe, in turns."""

import dataclasses
import itertools
import sys
import types

import pytest

from mobilenet.bench import measure, worker
from mobilenet.bench.contenders import Model
from mobilenet.bench.processes import Worker, WorkerError

MODEL = Model('mobilenet_v3_small')
MISSING = 'a_framework_that_nobody_has'


def ask_all(worker):
  with worker:
    return (
      worker.ask('prepare'),
      worker.ask('time', repeats=4, lead=1),
      worker.ask('memory'),
    )


def test_a_worker_prepares_and_times_and_tells_its_memory(fake, specs, settings):
  start = fake(ours={'seconds': 0.01})
  prepared, times, memory = ask_all(start(specs('ours')['ours'], settings))
  assert prepared['parameters'] == 1000
  assert prepared['versions'] == {'fake': '1.0'}
  assert prepared['first_call_seconds'] > 0.2
  assert prepared['call_ms'] > 10
  assert len(times['ms']) == len(times['processor_ms']) == 4
  assert all(ms > 10 for ms in times['ms'])
  # It sleeps, which takes no processor.
  assert all(0 < ms < 10 for ms in times['processor_ms'])
  # Two calls prepare, one leads, four count.
  assert len(start.trace.read_text().split()) == 7
  if memory['whole_mib'] is not None:
    assert 1 < memory['running_mib'] <= memory['whole_mib']
  assert memory['device_mib'] is None
  # What a framework prints is no answer.
  assert 'prints what it likes' in (settings.logs / 'ours.log').read_text()


@pytest.mark.parametrize(
  ('behaviour', 'message', 'missing'),
  [
    ('raises', 'RuntimeError: no kernel for this', None),
    (
      'missing',
      "ModuleNotFoundError: No module named 'a_framework_that_nobody_has'",
      MISSING,
    ),
    ('says what is missing', 'ValueError: needs a framework', MISSING),
    ('dies', 'its process ended with code 3: out of memory', None),
  ],
)
def test_what_fails_is_one_line(fake, specs, settings, behaviour, message, missing):
  start = fake(ours={'behaviour': behaviour})
  with start(specs('ours')['ours'], settings) as process:
    with pytest.raises(WorkerError) as caught:
      process.ask('prepare')
    assert str(caught.value) == message
    assert caught.value.missing == missing


def test_a_worker_that_gives_no_answer_is_ended(fake, specs, settings):
  start = fake(ours={'behaviour': 'hangs'})
  with start(specs('ours')['ours'], settings) as process:
    with pytest.raises(WorkerError, match="gave no answer to 'prepare' in 2 s"):
      process.ask('prepare', limit_seconds=2)
    assert process.process.wait(5) != 0


def test_a_log_of_nothing_is_not_left_behind(tmp_path):
  says = (sys.executable, '-c', 'import sys; sys.stderr.write(sys.argv[1])')
  for spec, left in (('', []), ('a word', ['a.log'])):
    command = (*says, spec)
    Worker({}, tmp_path / 'a.log', command=command).close()
    assert [path.name for path in tmp_path.iterdir()] == left


def test_an_interpreter_that_is_not_there(specs, settings):
  settings.pythons['ours'] = '/nowhere/bin/python'
  with pytest.raises(WorkerError, match='cannot start /nowhere/bin/python: No such'):
    measure.start(specs('ours')['ours'], settings)


def test_the_cores_of_a_process_are_its_threads(monkeypatch):
  taken = []
  monkeypatch.setattr(
    worker.os, 'sched_getaffinity', lambda _: {5, 3, 7}, raising=False
  )
  monkeypatch.setattr(
    worker.os, 'sched_setaffinity', lambda _, cores: taken.extend(cores), raising=False
  )
  worker.keep_to(2)
  assert taken == [3, 5]


def test_a_long_error_is_cut():
  line = worker.one_line(ValueError('x' * 500 + '\nmore'))
  assert len(line) == 200
  assert line.startswith('ValueError: xxx')
  assert '\n' not in line


@pytest.mark.heavy
def test_rounds_are_interleaved_in_a_fixed_order_that_changes(fake, specs, settings):
  names = ('ours', 'stock', 'timm')
  settings = dataclasses.replace(settings, rounds=5)

  def order():
    start = fake(**{name: {'seconds': 0.02} for name in names})
    start.trace.write_text('')
    found = measure.interleaved(specs(*names), 'train', MODEL, settings, start=start)
    assert [m.contender for m in found] == list(names)
    assert all(len(m.values) == 5 and m.error is None for m in found)
    calls = start.trace.read_text().split()
    assert calls[:6] == ['ours', 'ours', 'stock', 'stock', 'timm', 'timm']
    # A contender that ends a round and begins the next shows as one turn.
    return [name for name, _ in itertools.groupby(calls[6:])]

  turns = order()
  assert set(turns) == set(names)
  assert 11 <= len(turns) <= 15
  assert turns[:3] != turns[3:6] or turns[:3] != turns[-3:]
  assert order() == turns


def test_the_mode_says_which_time_counts(fake, specs, settings):
  found = {}
  for mode in ('latency', 'processor'):
    own = specs('ours', mode=mode)
    assert own['ours']['batch'] == 1
    assert own['ours']['mode'] == 'infer'
    start = fake(ours={'seconds': 0.02})
    (found[mode],) = measure.interleaved(own, mode, MODEL, settings, start=start)
  assert all(ms > 20 for ms in found['latency'].values)
  assert all(0 < ms < 20 for ms in found['processor'].values)
  assert found['processor'].unit == 'ms'


def test_the_next_waits_until_threads_sleep(fake, specs, settings, monkeypatch):
  start, slept = fake(), []
  pauses = {'ours': 0.5, 'timm': 0.75}
  monkeypatch.setattr(measure, 'PAUSE_SECONDS', pauses)
  monkeypatch.setattr(measure, 'time', types.SimpleNamespace(sleep=slept.append))
  measure.interleaved(specs(*pauses), 'train', MODEL, settings, start=start)
  # Once after they are prepared, then once a round.
  assert slept[:2] == [0.5, 0.75]
  assert sorted(slept) == [0.5] * 4 + [0.75] * 4


def test_who_fails_leaves_and_the_rest_goes_on(fake, specs, settings):
  names = ('ours', 'stock', 'timm', 'keras_jax')
  start = fake(
    stock={'behaviour': 'raises'},
    timm={'behaviour': 'missing'},
    keras_jax={'behaviour': 'dies later'},
  )
  found = {
    m.contender: m
    for m in measure.interleaved(specs(*names), 'train', MODEL, settings, start=start)
  }
  assert len(found['ours'].values) == 3
  assert found['stock'].error == 'RuntimeError: no kernel for this'
  assert found['timm'].missing
  assert found['timm'].error == (
    'a_framework_that_nobody_has is not installed: '
    'pip install -r requirements-bench.txt'
  )
  assert found['keras_jax'].error.startswith('its process ended with code 3')
  assert not any(found[name].values for name in names[1:])


def test_a_tpu_is_left_before_the_next_takes_it(fake, specs, settings):
  tpu = {'platform': 'tpu', 'seconds': 0.05}
  start = fake(ours=tpu, stock=tpu)
  found = measure.interleaved(
    specs('ours', 'stock'), 'train', MODEL, settings, start=start
  )
  assert all(len(m.values) == 3 for m in found)
  calls = start.trace.read_text().split()
  assert calls == sorted(calls)


def test_compile_time_and_memory_are_of_new_processes(fake, settings):
  started = []
  begin = fake(ours={'seconds': 0.01}, stock={'behaviour': 'raises'})

  def start(spec, settings):
    started.append((spec['contender'], spec['cold']))
    return begin(spec, settings)

  found = {
    (m.mode, m.contender): m
    for m in measure.fresh(
      ['ours', 'stock'], ['compile', 'memory'], MODEL, settings, start=start
    )
  }
  assert started.count(('ours', True)) == 3
  assert started.count(('stock', True)) == 1  # it failed: not tried again
  assert found['compile', 'ours'].unit == 's'
  # The first call sleeps twenty times as long as the second.
  assert all(seconds > 0.05 for seconds in found['compile', 'ours'].values)
  assert found['memory', 'stock'].error
  memory = found['memory', 'ours']
  assert len(memory.values) == 3 or 'Linux' in memory.error


def test_a_cold_worker_has_no_compile_cache(monkeypatch, specs, settings):
  given = []
  monkeypatch.setattr(
    measure, 'Worker', lambda spec, log, **options: given.append(options)
  )
  measure.start(specs('keras_jax')['keras_jax'] | {'cold': True}, settings)
  measure.start(specs('ours')['ours'], settings)
  cold, warm = (options['environment'] for options in given)
  assert cold['JAX_ENABLE_COMPILATION_CACHE'] == 'false'
  assert cold['KERAS_BACKEND'] == 'jax'
  assert 'JAX_ENABLE_COMPILATION_CACHE' not in warm
  assert warm['XLA_PYTHON_CLIENT_PREALLOCATE'] == 'false'
