"""result.json and the result table."""

import importlib.metadata
import io
import json
import math
import platform
import re

import jax
import numpy as np
import pytest
import rich.console

from mobilenet.reports import result as reports
from mobilenet.training.errors import TrainingError

RESULT = {
  'config': 'quickstart',
  'metric': 'top1',
  'top1': np.float32(97.31),
  'top5': 99.9,
  'loss': math.nan,
  'num_examples': 1000,
  'steps': 600,
  'epochs': 14.4,
  'train_seconds': 84.6,
  'images_per_second': 812.4,
  'parameters': 2542856,
  'multiply_adds': 56517920,
  'ema_top1': 97.5,
}


def test_result_file_round_trip(tmp_path):
  path = reports.write_result(tmp_path, RESULT)
  text = path.read_text()
  assert path == tmp_path / 'result.json'
  found = json.loads(text, parse_constant=pytest.fail)
  assert list(found) == sorted(found)
  assert found['loss'] == 'NaN'
  back = reports.read_result(tmp_path)
  assert math.isnan(back['loss'])
  assert {name: back[name] for name in RESULT if name != 'loss'} == {
    name: RESULT[name] for name in RESULT if name != 'loss'
  }
  assert set(reports.FIELDS) <= set(back)


def test_environment_is_that_of_this_process(tmp_path):
  found = reports.read_result(reports.write_result(tmp_path, RESULT).parent)
  environment = found['environment']
  assert environment['jax'] == jax.__version__
  assert environment['flax'] == importlib.metadata.version('flax')
  assert environment['optax'] == importlib.metadata.version('optax')
  assert environment['python'] == platform.python_version()
  assert environment['platform'] == jax.default_backend()
  assert environment['device_count'] == jax.device_count()
  assert environment['device_kind'] == jax.devices()[0].device_kind
  revision = environment['git_revision']
  assert revision is None or (len(revision) == 40 and int(revision, 16) >= 0)


def test_foreign_checkout_gives_no_revision(tmp_path, monkeypatch):
  def run(command, **_):
    # git works, but does not track this project's file there.
    assert command[3] == 'ls-files'
    return reports.subprocess.CompletedProcess(command, 0, stdout='', stderr='')

  monkeypatch.setattr(reports.subprocess, 'run', run)
  assert reports.git_state.__wrapped__() == (None, None)


def test_missing_git_gives_no_revision(monkeypatch):
  def run(*_, **__):
    raise FileNotFoundError('git')

  monkeypatch.setattr(reports.subprocess, 'run', run)
  assert reports.git_state.__wrapped__() == (None, None)


def test_missing_fields_are_named(tmp_path):
  partial = {name: 1 for name in RESULT if name not in ('loss', 'steps')}
  with pytest.raises(TrainingError, match='needs loss, steps; give None'):
    reports.write_result(tmp_path, partial)
  assert list(tmp_path.iterdir()) == []


def test_no_result_and_a_broken_result_are_one_line(tmp_path):
  with pytest.raises(TrainingError, match=r'no result.json in .*has not ended'):
    reports.read_result(tmp_path)
  (tmp_path / 'result.json').write_text('{')
  with pytest.raises(TrainingError, match=r'result.json is not JSON'):
    reports.read_result(tmp_path)


def test_a_folder_where_the_result_must_be_is_one_line(tmp_path):
  (tmp_path / 'result.json').mkdir()
  for use in (reports.read_result, lambda folder: reports.write_result(folder, RESULT)):
    with pytest.raises(TrainingError, match='Is a directory; a folder is where a file'):
      use(tmp_path)


def test_metrics_are_sorted_and_named_as_people_do():
  file = io.StringIO()
  table = RESULT | {
    'recall_at_10': 91.0,
    'recall_at_5': 82.0,
    'ema_map_at_r': 10.5,
    'tar_at_far_1e-02': 8.0,
    'auc': 0.79612,
    'median_km': 15950.2,
  }
  reports.print_result(table, console=rich.console.Console(file=file, width=20))
  lines = [re.split('  +', line.strip()) for line in file.getvalue().splitlines()]
  rows = [cells for cells in lines if len(cells) == 2]
  first = next(n for n, row in enumerate(rows) if row[0] == 'AUC')
  assert rows[first : first + 7] == [
    ['AUC', '0.7961'],
    ['ema MAP@R', '10.50 %'],
    ['ema top-1', '97.50 %'],
    ['median km', '15,950'],
    ['recall at 5', '82.00 %'],
    ['recall at 10', '91.00 %'],
    ['TAR at FAR 1e-02', '8.00 %'],
  ]


def test_result_table_in_a_log():
  file = io.StringIO()
  table = RESULT | {
    'top5': None,
    'environment': {
      'device_count': 1,
      'device_kind': 'cpu',
      'jax': '0.10.2',
      'git_revision': 'f' * 40,
      'git_modified': True,
    },
  }
  reports.print_result(table, console=rich.console.Console(file=file, width=20))
  lines = [re.split('  +', line.strip()) for line in file.getvalue().splitlines()]
  rows = {cells[0]: cells[1] for cells in lines if len(cells) == 2}
  assert rows == {
    'top-1': '97.31 %',
    'top-5': '–',
    'loss': 'NaN',
    'examples evaluated': '1,000',
    'steps': '600',
    'epochs': '14.4',
    'training time': '0:01:25',
    'images per second': '812',
    'parameters': '2,542,856',
    'multiply-adds': '56,517,920',
    'ema top-1': '97.50 %',
    'device': '1 × cpu',
    'versions': 'jax 0.10.2',
    'git revision': 'ffffffffff (modified)',
  }
  assert 'Result of quickstart' in file.getvalue()
  assert '\x1b' not in file.getvalue()
