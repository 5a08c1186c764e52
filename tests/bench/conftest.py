"""A contender that computes nothing, in a process like any other's."""

import dataclasses
import pathlib

import pytest

from mobilenet.bench import contenders, measure
from mobilenet.bench.processes import Worker

ROOT = pathlib.Path(__file__).parents[2]
FAKE = """
import os, sys, time
from mobilenet.bench.worker import Prepared

def prepare(spec):
  behaviour = spec.get('behaviour', 'fine')
  print('a framework prints what it likes')
  if behaviour == 'raises':
    raise RuntimeError('no kernel\\nfor this')
  if behaviour == 'missing':
    import a_framework_that_nobody_has
  if behaviour == 'says what is missing':
    try:
      import a_framework_that_nobody_has
    except ImportError as error:
      raise ValueError('needs a framework') from error
  if behaviour == 'dies':
    print('out of memory', file=sys.stderr, flush=True)
    os._exit(3)
  calls = [0]
  def run():
    calls[0] += 1
    if behaviour == 'dies later' and calls[0] > 4:
      os._exit(3)
    if behaviour == 'hangs':
      time.sleep(60)
    with open(spec['trace'], 'a') as file:
      file.write(spec['contender'] + '\\n')
    time.sleep(spec['seconds'] * (20 if calls[0] == 1 else 1))
  return Prepared(
    run=run, parameters=spec.get('parameters', 1000), init_seconds=0.5,
    platform=spec.get('platform', 'cpu'), device=spec.get('device', 'cpu'),
    versions={'fake': '1.0'}, notes=tuple(spec.get('notes', ())),
  )
"""


@pytest.fixture
def settings(tmp_path):
  """Of a small run that says nothing."""
  (tmp_path / 'workers').mkdir()
  return measure.Settings(
    batch=4,
    resolution=32,
    dtype='float32',
    threads=1,
    rounds=3,
    logs=tmp_path / 'workers',
    say=lambda line: None,
  )


@pytest.fixture
def fake(tmp_path, monkeypatch):
  """(how each contender behaves) -> a function that starts workers as `start` does."""
  at_once = dict.fromkeys(contenders.CONTENDERS, 0.0)
  monkeypatch.setattr(measure, 'PAUSE_SECONDS', at_once)
  (tmp_path / 'fake_contender.py').write_text(FAKE)
  trace = tmp_path / 'trace'
  trace.touch()

  def start_as(**behaviours):
    def start(spec, settings):
      name = spec['contender']
      own = {'module': 'fake_contender', 'trace': str(trace), 'seconds': 0.002}
      return Worker(
        spec | own | behaviours.get(name, {}),
        settings.logs / f'{name}.log',
        environment={'PYTHONPATH': f'{tmp_path}:{ROOT}'},
      )

    start.trace = trace
    return start

  return start_as


@pytest.fixture
def specs(settings):
  """What the workers of some contenders are told, but for how they behave."""

  def make(*names, mode='train'):
    model = contenders.Model('mobilenet_v3_small')
    return {name: measure.make_spec(name, model, mode, settings) for name in names}

  return make


@pytest.fixture
def measured():
  """A made measurement."""

  def make(contender='ours', values=(10.0, 12.0, 11.0), **fields):
    defaults = measure.Measurement(
      mode='train',
      model='mobilenet_v2',
      contender=contender,
      unit='ms',
      images=16,
      values=values,
      prepared={
        'platform': 'cpu',
        'parameters': 1000,
        'versions': {contender: '1.0'},
        'notes': [],
      },
    )
    return dataclasses.replace(defaults, **fields)

  return make
