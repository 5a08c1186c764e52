"""Weights & Biases and MLflow: what is sent, once, also over a resume.

The quick tests have small modules in the services' places, with the calls that are
used. The heavy ones run the packages themselves, without a network.
"""

import importlib
import importlib.util
import json
import struct
import sys
import threading
import time
import types

import pytest

from mobilenet.training import logs
from mobilenet.watching import mlflow as mlflow_file
from mobilenet.watching import weights_and_biases
from mobilenet.watching.mlflow import MLflow
from mobilenet.watching.watchers import Watchers
from mobilenet.watching.weights_and_biases import WeightsAndBiases

FIELDS = {'seed': 0, 'model.name': 'tiny', 'steps': None}


class FakeService:
  """Runs by id, with what was logged to them: {(key, step): [values]}."""

  def __init__(self):
    self.points, self.inits, self.ends = {}, [], []
    self.patience = threading.Event()
    self.patience.set()

  # Of wandb:
  Settings = dict

  def init(self, **options):
    self.inits.append(options)
    return types.SimpleNamespace(log=self.log, finish=self.finish)

  def log(self, metrics, step):
    for key, value in metrics.items():
      self.points.setdefault((key, step), []).append(value)

  def finish(self, exit_code):
    self.patience.wait(60)
    self.ends.append(exit_code)

  # Of mlflow:
  entities = types.SimpleNamespace(
    Metric=lambda *fields: fields, Param=lambda *fields: fields
  )

  def MlflowClient(self):
    return self

  def get_experiment_by_name(self, name):
    return None

  def create_experiment(self, name):
    return f'experiment {name}'

  def create_run(self, experiment, *, run_name, tags):
    self.inits.append({'experiment': experiment, 'name': run_name, 'config': {}})
    return types.SimpleNamespace(info=types.SimpleNamespace(run_id='run-1'))

  def update_run(self, run_id, status):
    assert (run_id, status) == ('run-1', 'RUNNING')

  def log_batch(self, run_id, metrics=(), params=()):
    assert run_id == 'run-1'
    assert len(params) <= 100
    self.inits[-1]['config'] |= dict(params)
    for key, value, _, step in metrics:
      self.points.setdefault((key, step), []).append(value)

  def set_terminated(self, run_id, status):
    assert run_id == 'run-1'
    self.ends.append({'FINISHED': 0, 'FAILED': 1}[status])


SERVICES = {'wandb': WeightsAndBiases, 'mlflow': MLflow}


@pytest.fixture
def service(monkeypatch):
  fake = FakeService()
  for name in SERVICES:
    monkeypatch.setitem(sys.modules, name, fake)
  for variable in ('WANDB_PROJECT', 'MLFLOW_EXPERIMENT_NAME'):
    monkeypatch.delenv(variable, raising=False)
  for variable, value in mlflow_file.PATIENCE.items():
    monkeypatch.setenv(variable, value)  # which it sets, and takes back here
  return fake


def train(name, folder, start_step, last_step, fields=FIELDS):
  watchers = Watchers({name: SERVICES[name](folder, fields)})
  with logs.Writer(folder, start_step=start_step, also=watchers) as writer:
    for step in range(start_step + 1, last_step + 1):
      writer.write(step, {'loss': 1 / step})
      if step % 2 == 0:
        writer.write(step, {'top1': 10.0 * step}, 'eval')


EXPECTED = {
  **{('train/loss', step): [1 / step] for step in range(1, 7)},
  **{('eval/top1', step): [10.0 * step] for step in (2, 4, 6)},
}


@pytest.mark.parametrize('name', SERVICES)
def test_a_killed_run_that_resumes_sends_each_line_once(name, tmp_path, service):
  # The checkpoints are those of steps 2 and 4; it is killed at 5, at 3 and at 6.
  folder = tmp_path / 'run'
  for start, end in ((0, 5), (2, 3), (2, 6), (4, 6)):
    train(name, folder, start, end)
  assert service.points == EXPECTED
  assert service.ends == [0, 0, 0, 0]


def test_wandb_gets_the_same_id_and_the_config(tmp_path, service):
  train('wandb', tmp_path / 'run', 0, 2)
  train('wandb', tmp_path / 'run', 2, 4)
  first, second = service.inits
  assert first['id'] == second['id']
  assert json.loads((tmp_path / 'run' / 'wandb.json').read_text())['id'] == first['id']
  assert first['config'] == FIELDS
  assert (first['name'], first['project']) == ('run', 'mobilenet')
  assert (first['resume'], first['dir']) == ('allow', str(tmp_path / 'run'))


def test_mlflow_gets_one_run_and_the_config_in_parts(tmp_path, service):
  fields = {f'field{n}': n for n in range(250)}
  train('mlflow', tmp_path / 'run', 0, 2, fields)
  train('mlflow', tmp_path / 'run', 2, 4, fields)
  assert service.inits == [
    {
      'experiment': 'experiment mobilenet',
      'name': 'run',
      'config': {f'field{n}': str(n) for n in range(250)},
    }
  ]


def test_an_upload_that_hangs_does_not_hold_the_report(
  tmp_path, service, monkeypatch, capsys
):
  monkeypatch.setattr(weights_and_biases, 'WAIT_AT_THE_END', 0.05)
  service.patience.clear()
  try:
    train('wandb', tmp_path, 0, 2)
  finally:
    service.patience.set()
  assert '--log_to=wandb failed' in (said := capsys.readouterr().out)
  assert 'did not take everything' in said


def real(name):
  """The package itself, or a skip that says what to install."""
  if importlib.util.find_spec(name) is None:
    pytest.skip(f'{name} is not installed: pip install -r requirements-watch.txt')
  return importlib.import_module(name)


def wandb_records(content):
  """The records of a .wandb file: a LevelDB log in blocks, after 7 bytes of its own."""
  at, parts = 7, []
  while at < len(content):
    left = 32768 - at % 32768
    if left < 7:  # no header fits: the block ends in zeros
      at += left
      continue
    _, length, kind = struct.unpack('<IHB', content[at : at + 7])
    parts.append(content[at + 7 : at + 7 + length])
    at += 7 + length
    if kind in (1, 4):  # whole, or the last part
      yield b''.join(parts)
      parts = []


# What their packages warn of is not ours to mend.
@pytest.mark.filterwarnings('ignore')
@pytest.mark.heavy
def test_wandb_itself_offline(tmp_path, monkeypatch):
  real('wandb')
  monkeypatch.setenv('WANDB_MODE', 'offline')
  for start, end in ((0, 5), (2, 6)):
    train('wandb', tmp_path / 'run', start, end)
    time.sleep(1.1)  # its folders are named by the second of their start
  from wandb.proto import wandb_internal_pb2

  found, ids = {}, set()
  for path in sorted((tmp_path / 'run' / 'wandb').glob('offline-run-*/*.wandb')):
    for data in wandb_records(path.read_bytes()):
      record = wandb_internal_pb2.Record.FromString(data)
      if record.HasField('run'):
        ids.add(record.run.run_id)
      step = record.history.step.num
      for item in record.history.item:
        key = item.key or '/'.join(item.nested_key)
        if not key.startswith('_'):
          found.setdefault((key, step), []).append(json.loads(item.value_json))
  assert found == EXPECTED
  assert ids == {json.loads((tmp_path / 'run' / 'wandb.json').read_text())['id']}


@pytest.mark.filterwarnings('ignore')
@pytest.mark.heavy
def test_mlflow_itself_with_sqlite(tmp_path, monkeypatch):
  mlflow = real('mlflow')
  monkeypatch.setenv('MLFLOW_TRACKING_URI', f'sqlite:///{tmp_path}/mlflow.db')
  for start, end in ((0, 5), (2, 6)):
    train('mlflow', tmp_path / 'run', start, end)
  client = mlflow.MlflowClient()
  experiment = client.get_experiment_by_name(mlflow_file.EXPERIMENT)
  (run,) = client.search_runs([experiment.experiment_id])
  assert run.info.status == 'FINISHED'
  assert run.data.params == {name: str(value) for name, value in FIELDS.items()}
  found = {}
  for key in run.data.metrics:
    for point in client.get_metric_history(run.info.run_id, key):
      found.setdefault((key, point.step), []).append(point.value)
  assert found == EXPECTED
