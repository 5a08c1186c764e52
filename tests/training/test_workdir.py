"""The config beside a run: what is the same run, and how a difference reads."""

import json
import math
import os

import pytest

from mobilenet.training import logs, run_length, workdir
from mobilenet.training.errors import TrainingError
from mobilenet.training.later_fields import completed
from mobilenet.training.workdir import (
  Held,
  check_classes,
  check_config,
  holds_run,
  local_path,
  newest_step,
  read_classes,
  read_config,
  write_classes,
  write_config,
)

CONFIG = completed(
  {
    'name': 'v3_large',
    'optimizer': {'name': 'rmsprop_tf', 'eps': 0.001, 'clip_norm': None},
    'data': {'ops': ['flip', 'resize(224)'], 'workers': 4},
    'log_steps': 50,
    'empty': {},
  }
)


def changed(**values):
  config = json.loads(json.dumps(CONFIG))
  for field, value in values.items():
    *sections, last = field.split('__')
    section = config
    for name in sections:
      section = section[name]
    section[last] = value
  return config


def start(folder, config=CONFIG, step=5):
  """A run that has trained to a checkpoint."""
  write_config(folder, config)
  (folder / 'checkpoints' / str(step) / 'default').mkdir(parents=True)


def test_an_empty_workdir_holds_no_run(tmp_path):
  assert check_config(tmp_path / 'none', CONFIG) is Held.NOTHING
  assert not holds_run(tmp_path / 'none')
  assert read_config(tmp_path / 'none') is None
  assert not (tmp_path / 'none').exists()


def test_the_same_config_is_the_same_run(tmp_path):
  write_config(tmp_path / 'run', CONFIG)
  assert os.listdir(tmp_path / 'run') == ['config.json']
  assert read_config(tmp_path / 'run') == CONFIG
  start(tmp_path / 'run')
  assert check_config(tmp_path / 'run', CONFIG) is Held.THIS_RUN


@pytest.mark.parametrize(
  ('kept', 'holds'),
  [
    ('metrics.jsonl', True),
    ('result.json', True),
    ('weights.safetensors', True),
    ('checkpoints/12/default', True),
    ('checkpoints/12', False),
    ('classes.json', False),
    ('log.txt', False),
    ('tensorboard/events', False),
    ('checkpoints/12.orbax-checkpoint-tmp', False),
  ],
)
def test_a_folder_where_nothing_was_trained_is_free(kept, holds, tmp_path):
  write_config(tmp_path, CONFIG)
  write_classes(tmp_path, ['a', 'b'])
  (tmp_path / logs.METRICS_FILE).touch()  # as it is opened, before a line is written
  path = tmp_path / kept
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text('{"step": 1}\n')
  assert holds_run(tmp_path) is holds
  other = changed(optimizer__eps=1.0)
  if holds:
    with pytest.raises(TrainingError, match='holds a run of another config'):
      check_config(tmp_path, other)
    with pytest.raises(TrainingError, match='without a'):
      check_classes(tmp_path, ['b'], 'train')
  else:
    assert check_config(tmp_path, other) is Held.NOTHING
    check_classes(tmp_path, ['c'], 'train')
    write_config(tmp_path, other)
    assert read_config(tmp_path) == other


@pytest.mark.parametrize(
  ('before', 'after', 'text'),
  [
    (
      {'epochs': 2.0, 'steps': None},
      {'epochs': 3.0},
      '2 epochs becomes one of 3 epochs',
    ),
    ({'epochs': 2.0, 'steps': 1}, {'steps': 16}, '1 step becomes one of 16 steps'),
  ],
)
def test_a_run_can_be_lengthened(before, after, text, tmp_path):
  short, long = CONFIG | before, CONFIG | before | after
  start(tmp_path, short, step=12)
  (tmp_path / 'result.json').write_text('{"top1": 1}')
  assert check_config(tmp_path, long) is Held.SHORTER_RUN
  assert run_length.lengthened(
    short, long, step=12, total_steps=18, learning_rate=lambda step: 0.01 * step
  ) == (
    f'the run of {text}: it goes on at step 12 of 18, and the learning rate is from '
    'there on that of the longer run, 0.12 to begin with'
  )
  write_config(tmp_path, long)
  assert read_config(tmp_path) == long
  written = json.loads((tmp_path / 'config.json').read_text())
  assert written['lengths'] == [before | {'until_step': 12}]
  # The result was the shorter run's.
  assert not (tmp_path / 'result.json').exists()
  assert (tmp_path / 'result-12.json').read_text() == '{"top1": 1}'
  # From now on it is the longer run, which remembers.
  assert check_config(tmp_path, long) is Held.THIS_RUN
  write_config(tmp_path, long)
  assert json.loads((tmp_path / 'config.json').read_text()) == written
  with pytest.raises(TrainingError, match='it can be lengthened, but not shortened'):
    check_config(tmp_path, short)


def test_a_run_is_not_shortened_and_not_lengthened_with_other_changes(tmp_path):
  start(tmp_path, CONFIG | {'epochs': 3.0, 'steps': None})
  with pytest.raises(TrainingError) as caught:
    check_config(tmp_path, CONFIG | {'epochs': 2.5, 'steps': None})
  assert str(caught.value) == (
    f'{tmp_path} holds a run of 3 epochs: it can be lengthened, but not shortened to '
    '2.5 epochs; give as many or more, or choose another --workdir'
  )
  with pytest.raises(TrainingError) as caught:
    check_config(tmp_path, CONFIG | {'epochs': 4.0, 'steps': None, 'log_steps': 1})
  assert str(caught.value).splitlines()[1:] == ['  log_steps: 50 -> 1']
  with pytest.raises(TrainingError, match='steps: null -> 900'):
    check_config(tmp_path, CONFIG | {'epochs': 3.0, 'steps': 900})


def test_epochs_are_nothing_where_steps_are_set(tmp_path):
  start(tmp_path, CONFIG | {'epochs': 3.0, 'steps': 12})
  assert check_config(tmp_path, CONFIG | {'epochs': 2.0, 'steps': 12}) is Held.THIS_RUN


def test_the_newest_step(tmp_path):
  assert newest_step(tmp_path) is None
  for name in ('5', '10', '20.orbax-checkpoint-tmp', 'x'):
    (tmp_path / 'checkpoints' / name / 'default').mkdir(parents=True)
  assert newest_step(tmp_path) == 10


def test_what_json_changes_is_no_difference(tmp_path):
  config = changed(data__ops=('flip', 'resize(224)'), optimizer__eps=math.nan)
  start(tmp_path, config)
  assert check_config(tmp_path, config) is Held.THIS_RUN
  write_config(tmp_path, changed(optimizer__eps=1))
  assert check_config(tmp_path, changed(optimizer__eps=1.0)) is Held.THIS_RUN


def test_the_diff(tmp_path):
  start(tmp_path)
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
  start(tmp_path, changed(log_steps=1))
  with pytest.raises(TrainingError, match='log_steps: 1 -> true'):
    check_config(tmp_path, changed(log_steps=True))


def test_ignored_fields_and_sections_may_differ(tmp_path):
  start(tmp_path)
  other = changed(log_steps=10, data__workers=1, data__ops=[])
  held = check_config(tmp_path, other, ignore=('log_steps', 'data'))
  assert held is Held.THIS_RUN
  with pytest.raises(TrainingError) as caught:
    check_config(tmp_path, other, ignore=('log', 'data.workers'))
  assert 'log_steps' in str(caught.value)
  assert 'workers' not in str(caught.value)


def test_a_field_that_json_cannot_hold_is_named(tmp_path):
  with pytest.raises(TrainingError, match=r'config field data\.ops is set'):
    write_config(tmp_path, changed(data__ops={1}))
  assert not (tmp_path / 'config.json').exists()


def test_a_damaged_config_file_is_named(tmp_path):
  start(tmp_path)
  (tmp_path / 'config.json').write_text('{"name": ')
  with pytest.raises(TrainingError, match=r'config\.json is not the JSON of a config'):
    check_config(tmp_path, CONFIG)
  (tmp_path / 'config.json').write_text('[]')
  with pytest.raises(TrainingError, match='not an object'):
    read_config(tmp_path)


@pytest.mark.parametrize('name', ['config.json', 'classes.json'])
def test_a_folder_where_a_file_must_be_is_one_line(name, tmp_path):
  (tmp_path / name).mkdir()
  read, write = {
    'config.json': (read_config, lambda folder: write_config(folder, CONFIG)),
    'classes.json': (read_classes, lambda folder: write_classes(folder, ['a'])),
  }[name]
  remedy = 'Is a directory; a folder is where a file must be: move it away'
  with pytest.raises(TrainingError) as caught:
    read(tmp_path)
  assert str(caught.value) == f'cannot read {tmp_path}/{name}: {remedy}'
  with pytest.raises(TrainingError) as caught:
    write(tmp_path)
  assert str(caught.value) == f'cannot write {tmp_path}/{name}: {remedy}'
  assert os.listdir(tmp_path) == [name]


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
  start(tmp_path)
  write_classes(tmp_path, ('ash', 'birch', 'häsel'))
  check_classes(tmp_path, ['ash', 'birch', 'häsel'], 'test')
  for names, message in (
    (['ash', 'birch'], r"split 'test' are not .* without häsel; give"),
    (['ash', 'birch', 'häsel', 'oak'], 'with unknown oak'),
    (['birch', 'ash', 'häsel'], 'in another order'),
  ):
    with pytest.raises(TrainingError, match=message):
      check_classes(tmp_path, names, 'test')


def test_one_run_at_a_time_where_there_are_locks(tmp_path, monkeypatch):
  folder = tmp_path / 'new' / 'run'
  with workdir.alone(folder):
    assert folder.is_dir()
    with (
      pytest.raises(TrainingError, match='another process is training in'),
      workdir.alone(folder),
    ):
      pass
    monkeypatch.setattr(workdir, 'fcntl', None)  # Windows
    with workdir.alone(folder):
      pass
  monkeypatch.undo()
  with workdir.alone(folder):
    pass


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
  (tmp_path / 'file').touch()
  with (
    pytest.raises(TrainingError, match=r'cannot write .*file/run'),
    workdir.alone(tmp_path / 'file' / 'run'),
  ):
    pass


def test_edited_or_reordered_class_names_are_known(tmp_path):
  write_classes(tmp_path, ['ash', 'birch'])
  path = tmp_path / 'classes.json'
  for names in (['birch', 'ash'], ['ash'], ['ash', 'oak']):
    path.write_text(json.dumps(names))
    with pytest.raises(TrainingError, match='was changed since the run was made'):
      read_classes(tmp_path)
  path.write_text(json.dumps(['ash', 'birch'], indent=8))  # the same, written otherwise
  assert read_classes(tmp_path) == ('ash', 'birch')


def test_class_names_of_older_versions_have_no_hash(tmp_path):
  (tmp_path / 'classes.json').write_text('["ash"]')
  assert read_classes(tmp_path) == ('ash',)


def test_deleted_class_names_are_still_those_of_the_run(tmp_path):
  write_config(tmp_path, {'seed': 1})
  write_classes(tmp_path, ['ash', 'birch'])
  (tmp_path / 'checkpoints' / '7' / 'default').mkdir(parents=True)
  (tmp_path / 'classes.json').unlink()
  assert read_classes(tmp_path) is None
  check_classes(tmp_path, ['ash', 'birch'], 'train')
  with pytest.raises(TrainingError, match=r"split 'train' are not .* is missing"):
    check_classes(tmp_path, ['birch', 'ash'], 'train')
