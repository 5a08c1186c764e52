"""The config beside a run: what is the same run, and how a difference reads."""

import json
import math
import os

import pytest

from mobilenet.training.errors import TrainingError
from mobilenet.training.workdir import (
  check_classes,
  check_config,
  local_path,
  read_config,
  write_classes,
  write_config,
)

CONFIG = {
  'name': 'v3_large',
  'optimizer': {'name': 'rmsprop_tf', 'eps': 0.001, 'clip_norm': None},
  'data': {'ops': ['flip', 'resize(224)'], 'workers': 4},
  'log_steps': 50,
  'empty': {},
}


def changed(**values):
  config = json.loads(json.dumps(CONFIG))
  for field, value in values.items():
    *sections, last = field.split('__')
    section = config
    for name in sections:
      section = section[name]
    section[last] = value
  return config


def test_an_empty_workdir_holds_no_run(tmp_path):
  assert check_config(tmp_path / 'none', CONFIG) is False
  assert read_config(tmp_path / 'none') is None
  assert not (tmp_path / 'none').exists()


def test_the_same_config_is_the_same_run(tmp_path):
  write_config(tmp_path / 'run', CONFIG)
  assert check_config(tmp_path / 'run', CONFIG) is True
  assert read_config(tmp_path / 'run') == CONFIG
  assert os.listdir(tmp_path / 'run') == ['config.json']


def test_what_json_changes_is_no_difference(tmp_path):
  config = changed(data__ops=('flip', 'resize(224)'), optimizer__eps=math.nan)
  write_config(tmp_path, config)
  assert check_config(tmp_path, config)
  write_config(tmp_path, changed(optimizer__eps=1))
  assert check_config(tmp_path, changed(optimizer__eps=1.0))


def test_the_diff(tmp_path):
  write_config(tmp_path, CONFIG)
  other = changed(optimizer__eps=1.0, optimizer__nesterov=True, data__ops=['flip'])
  del other['log_steps']
  with pytest.raises(TrainingError) as caught:
    check_config(tmp_path, other)
  first, *rest = str(caught.value).split('\n')
  assert first == (
    f'{tmp_path} holds a run of another config (4 fields differ, there -> here); '
    'choose another --workdir, or take these back:'
  )
  assert rest == [
    '  data.ops: ["flip", "resize(224)"] -> ["flip"]',
    '  log_steps: 50 -> (absent)',
    '  optimizer.eps: 0.001 -> 1.0',
    '  optimizer.nesterov: (absent) -> true',
  ]


def test_true_is_not_one(tmp_path):
  write_config(tmp_path, changed(log_steps=1))
  with pytest.raises(TrainingError, match='log_steps: 1 -> true'):
    check_config(tmp_path, changed(log_steps=True))


def test_ignored_fields_and_sections_may_differ(tmp_path):
  write_config(tmp_path, CONFIG)
  other = changed(log_steps=10, data__workers=1, data__ops=[])
  assert check_config(tmp_path, other, ignore=('log_steps', 'data'))
  with pytest.raises(TrainingError) as caught:
    check_config(tmp_path, other, ignore=('log', 'data.workers'))
  assert 'log_steps' in str(caught.value)
  assert 'workers' not in str(caught.value)


def test_a_field_that_json_cannot_hold_is_named(tmp_path):
  with pytest.raises(TrainingError, match=r'config field data\.ops is set'):
    write_config(tmp_path, changed(data__ops={1}))
  assert not (tmp_path / 'config.json').exists()


def test_a_damaged_config_file_is_named(tmp_path):
  (tmp_path / 'config.json').write_text('{"name": ')
  with pytest.raises(TrainingError, match=r'config\.json is not the JSON of a config'):
    check_config(tmp_path, CONFIG)
  (tmp_path / 'config.json').write_text('[]')
  with pytest.raises(TrainingError, match='not an object'):
    read_config(tmp_path)


def test_a_failed_write_leaves_the_old_config(tmp_path, monkeypatch):
  write_config(tmp_path, CONFIG)

  def refuse(*args):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'fsync', refuse)
  with pytest.raises(TrainingError, match='No space left on device'):
    write_config(tmp_path, changed(log_steps=1))
  assert read_config(tmp_path) == CONFIG
  assert os.listdir(tmp_path) == ['config.json']


def test_a_workdir_that_cannot_be_made(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(TrainingError, match='cannot write'):
    write_config(tmp_path / 'file' / 'run', CONFIG)


def test_a_url_is_no_workdir():
  with pytest.raises(TrainingError, match='not a path on this machine'):
    local_path('gs://bucket/run')


def test_only_process_0_writes(tmp_path, monkeypatch):
  monkeypatch.setattr('jax.process_index', lambda: 1)
  write_config(tmp_path, CONFIG)
  assert os.listdir(tmp_path) == []


def test_classes_are_checked_by_name_and_order(tmp_path):
  check_classes(tmp_path, ['a', 'b'], 'train')  # nothing to compare with yet
  write_classes(tmp_path, ('ash', 'birch', 'häsel'))
  check_classes(tmp_path, ['ash', 'birch', 'häsel'], 'test')
  for names, message in (
    (['ash', 'birch'], r"split 'test' are not .* without häsel; give"),
    (['ash', 'birch', 'häsel', 'oak'], 'with unknown oak'),
    (['birch', 'ash', 'häsel'], 'in another order'),
  ):
    with pytest.raises(TrainingError, match=message):
      check_classes(tmp_path, names, 'test')
