"""metrics.jsonl and TensorBoard events: round trip, resume, failures."""

import contextlib
import errno
import json
import math
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2
from tensorboard.compat.tensorflow_stub import errors, pywrap_tensorflow

from mobilenet.training import files, logs, retries
from mobilenet.training.errors import TrainingError


def events(workdir):
  """Events of a workdir, file after file, checksums verified by the reader."""
  found = []
  for path in sorted((workdir / logs.TENSORBOARD_FOLDER).iterdir()):
    reader = pywrap_tensorflow.PyRecordReader_New(str(path))
    with contextlib.suppress(errors.OutOfRangeError):
      while True:
        reader.GetNext()
        found.append(event_pb2.Event.FromString(reader.record()))
  return found


def test_metrics_round_trip(tmp_path):
  with logs.Writer(tmp_path, steps_per_epoch=8) as writer:
    writer.write(4, {'loss': np.float32(0.1), 'top1': jnp.float32(0.5), 'skipped': 0})
    writer.write(8, {'loss': jnp.bfloat16(1.5)}, 'eval')
  assert logs.read_metrics(tmp_path) == [
    {
      'step': 4,
      'kind': 'train',
      'epoch': 0.5,
      'loss': float(np.float32(0.1)),
      'top1': 0.5,
      'skipped': 0,
    },
    {'step': 8, 'kind': 'eval', 'epoch': 1.0, 'loss': 1.5},
  ]


def test_a_line_is_in_the_file_when_write_returns(tmp_path):
  with logs.Writer(tmp_path) as writer:
    writer.write(1, {'loss': 2.0})
    line = (tmp_path / logs.METRICS_FILE).read_bytes()
  assert line == b'{"step": 1, "kind": "train", "loss": 2.0}\n'


def test_non_finite_numbers_are_valid_json_and_come_back(tmp_path):
  values = {'nan': math.nan, 'up': np.float32(np.inf), 'down': -math.inf}
  with logs.Writer(tmp_path) as writer:
    writer.write(1, values)

  def refuse(name):
    raise AssertionError(f'{name} is not JSON')

  text = (tmp_path / logs.METRICS_FILE).read_text()
  assert json.loads(text, parse_constant=refuse)['up'] == 'Infinity'
  (record,) = logs.read_metrics(tmp_path)
  assert math.isnan(record['nan'])
  assert record['up'] == math.inf
  assert record['down'] == -math.inf


def test_resume_keeps_lines_up_to_the_step_byte_for_byte(tmp_path):
  path = tmp_path / logs.METRICS_FILE
  # Spacing and key order that this writer would not produce must survive too.
  kept = b'{"kind":"train",  "step":5, "loss":1}\n{"step": 10, "kind": "eval"}\n'
  path.write_bytes(kept + b'{"step": 11, "kind": "train", "loss": 3}\n{"step": 1')
  with logs.Writer(tmp_path, start_step=10) as writer:
    assert path.read_bytes() == kept
    writer.write(11, {'loss': 4.0})
  assert path.read_bytes() == kept + b'{"step": 11, "kind": "train", "loss": 4.0}\n'
  assert [p.name for p in tmp_path.glob('*.tmp')] == []


def test_starting_over_drops_all_lines(tmp_path):
  for _ in range(2):
    with logs.Writer(tmp_path) as writer:
      writer.write(0, {'top1': 0.1}, 'eval')
  assert len(logs.read_metrics(tmp_path)) == 1


def test_half_written_last_line_is_not_read_but_a_damaged_one_is_named(tmp_path):
  path = tmp_path / logs.METRICS_FILE
  path.write_bytes(b'{"step": 1, "kind": "train"}\n{"step": 2')
  assert len(logs.read_metrics(tmp_path)) == 1
  path.write_bytes(b'{"step": 1, "kind": "train"}\n\x00\x00\n{"step": 2}\n')
  with pytest.raises(TrainingError, match=r'metrics.jsonl, line 2 is not a line'):
    logs.Writer(tmp_path, start_step=2)
  assert path.read_bytes().endswith(b'{"step": 2}\n')


def test_no_file_means_no_metrics(tmp_path):
  assert logs.read_metrics(tmp_path) == []


def test_disabled_writer_touches_nothing(tmp_path):
  with logs.Writer(tmp_path / 'run', enabled=False) as writer:
    writer.write(1, {'loss': 1.0})
  assert list(tmp_path.iterdir()) == []


def test_tensorboard_scalars_and_restart_mark(tmp_path):
  with logs.Writer(tmp_path) as writer:
    writer.write(3, {'loss': 0.25})
    writer.write(4, {'ema_top1': 0.5}, 'eval')
  first = events(tmp_path)
  scalars = [(e.step, v.tag, v.simple_value) for e in first for v in e.summary.value]
  assert scalars == [(3, 'train/loss', 0.25), (4, 'eval/ema_top1', 0.5)]
  assert first[0].file_version == 'brain.Event:2'
  with logs.Writer(tmp_path, start_step=3):
    pass
  starts = [e.step for e in events(tmp_path) if e.HasField('session_log')]
  # TensorBoard drops what it has of these steps and later ones.
  assert starts == [1, 4]


class FullDisk:
  """A raw file that takes some bytes and then has no room."""

  def __init__(self, room):
    self.room, self.data = room, b''

  def write(self, data):
    if not self.room:
      raise OSError(errno.ENOSPC, 'No space left on device')
    taken = bytes(data[: self.room])
    self.room -= len(taken)
    self.data += taken
    return len(taken)

  def close(self):
    pass


@pytest.fixture
def waits(monkeypatch):
  """The seconds that would have been waited for."""
  waited = []
  monkeypatch.setattr(retries, 'sleep', waited.append)
  return waited


def test_full_disk_is_one_line(tmp_path, waits):
  writer = logs.Writer(tmp_path)
  writer._file.close()
  writer._file = FullDisk(10)
  with pytest.raises(TrainingError) as caught:
    writer.write(1, {'loss': 1.0})
  writer.close()
  message = str(caught.value)
  assert 'metrics.jsonl: No space left on device; free some space' in message
  assert '\n' not in message
  assert 50 < sum(waits) < 70


def test_a_disk_that_is_full_for_a_while_gets_every_byte_once(
  tmp_path, monkeypatch, capsys
):
  writer = logs.Writer(tmp_path)
  writer._file.close()
  writer._file = disk = FullDisk(10)
  waited = []

  def sleep(seconds):
    waited.append(seconds)
    disk.room = 1000 if len(waited) == 2 else 0

  monkeypatch.setattr(retries, 'sleep', sleep)
  writer.write(1, {'loss': 1.0})
  writer.close()
  assert json.loads(disk.data) == {'step': 1, 'kind': 'train', 'loss': 1.0}
  assert disk.data.count(b'\n') == 1
  assert len(waited) == 2
  lines = capsys.readouterr().out.splitlines()
  assert lines[0] == (
    f'note: cannot write {tmp_path}/metrics.jsonl: No space left on device; next '
    'attempt in 1 s'
  )
  assert len(lines) == 2


@pytest.mark.usefixtures('waits')
def test_full_disk_in_the_event_file_is_one_line(tmp_path):
  writer = logs.Writer(tmp_path)
  writer._events._file.close()
  writer._events._file = FullDisk(0)
  with pytest.raises(TrainingError, match=r'tfevents.*No space left'):
    writer.write(1, {'loss': 1.0})
  writer.close()
  assert len(logs.read_metrics(tmp_path)) == 1


def test_workdir_that_is_a_file_is_one_line(tmp_path):
  (tmp_path / 'run').write_text('')
  with pytest.raises(TrainingError) as caught:
    logs.Writer(tmp_path / 'run')
  assert str(caught.value) == (
    f'cannot write {tmp_path}/run: File exists; a file is where a folder must be: move '
    'it away, or choose another folder'
  )


def test_a_folder_of_the_name_of_the_metrics_is_one_line(tmp_path):
  (tmp_path / logs.METRICS_FILE).mkdir()
  for use in (logs.Writer, logs.read_metrics):
    with pytest.raises(TrainingError) as caught:
      use(tmp_path)
    assert str(caught.value) == (
      f'cannot read {tmp_path}/metrics.jsonl: Is a directory; a folder is where a file '
      'must be: move it away'
    )


def test_a_file_of_the_name_of_the_events_folder_is_one_line(tmp_path):
  (tmp_path / logs.TENSORBOARD_FOLDER).write_text('')
  with pytest.raises(TrainingError, match='tensorboard: File exists; a file is'):
    logs.Writer(tmp_path)


def test_a_workdir_that_may_not_be_written_is_one_line(tmp_path, monkeypatch):
  def refuse(*args, **kwargs):
    raise PermissionError(errno.EACCES, 'Permission denied')

  monkeypatch.setattr('builtins.open', refuse)
  for write in (logs.Writer, lambda path: files.replace_file(path / 'a.json', b'')):
    with pytest.raises(TrainingError, match='denied; choose a folder that can'):
      write(tmp_path)


def test_failed_replacement_keeps_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / 'result.json'
  files.replace_file(path, b'old')

  def full(_):
    raise OSError(errno.EROFS, 'Read-only file system')

  monkeypatch.setattr(files.os, 'fsync', full)
  with pytest.raises(TrainingError, match='choose a folder that can be written'):
    files.replace_file(path, b'new')
  assert path.read_bytes() == b'old'
  assert [p.name for p in tmp_path.iterdir()] == ['result.json']


def test_the_rest_of_a_short_write_is_written_too(tmp_path):
  class Slow(FullDisk):
    def write(self, data):
      self.room = 3
      return super().write(data)

  with logs.Writer(tmp_path) as writer:
    writer._file.close()
    writer._file = file = Slow(3)
    writer.write(1, {'loss': 1.0})
  assert json.loads(file.data) == {'step': 1, 'kind': 'train', 'loss': 1.0}


def test_writing_never_imports_tensorflow(tmp_path):
  code = (
    'import sys; from mobilenet.training import logs\n'
    f"with logs.Writer({str(tmp_path)!r}) as w: w.write(1, {{'loss': 1.0}})\n"
    "sys.exit('tensorflow' in sys.modules)"
  )
  done = subprocess.run(
    [sys.executable, '-W', 'error', '-c', code], capture_output=True, text=True
  )
  assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
