"""What a run measured: JSON lines for programs, TensorBoard events for people.

`metrics.jsonl` has one object a line: `step`, `kind` ('train' or 'eval'), `epoch`
where the writer knows the length of one, then the metrics. JSON has no NaN, so the
three non-finite numbers are the strings "NaN", "Infinity" and "-Infinity", which
Python's `float`, pandas and `read_metrics` turn back into numbers.
"""

import collections.abc
import io
import itertools
import json
import math
import os
import pathlib
import socket
import time
from typing import Any

import numpy as np

from mobilenet.training import files, retries
from mobilenet.training.errors import TrainingError

METRICS_FILE = 'metrics.jsonl'
TENSORBOARD_FOLDER = 'tensorboard'
_NON_FINITE = {'NaN': math.nan, 'Infinity': math.inf, '-Infinity': -math.inf}


def to_json(value):
  """`value` as what JSON can hold; NumPy and JAX scalars become Python numbers.

  Dicts, lists and tuples are walked; non-finite floats become strings.
  """
  if isinstance(value, collections.abc.Mapping):
    return {str(key): to_json(entry) for key, entry in value.items()}
  if isinstance(value, list | tuple):
    return [to_json(entry) for entry in value]
  if value is None or isinstance(value, str | bool | int):
    return value
  array = np.asarray(value)
  if array.ndim:
    return to_json(array.tolist())
  value = array.item()
  # bfloat16 and its kin come out of `item` as Python floats already.
  if not isinstance(value, float):
    return value
  if math.isnan(value):
    return 'NaN'
  if math.isinf(value):
    return 'Infinity' if value > 0 else '-Infinity'
  return value


def from_json(value):
  """The inverse of `to_json` for non-finite floats, in place of their strings."""
  if isinstance(value, dict):
    return {key: from_json(entry) for key, entry in value.items()}
  if isinstance(value, list):
    return [from_json(entry) for entry in value]
  return _NON_FINITE.get(value, value) if isinstance(value, str) else value


class Writer:
  """Appends metrics to `metrics.jsonl` and to TensorBoard events in a workdir.

  Every line is on its way to the disk when `write` returns. A run that resumes at
  `start_step` produces everything after that step again, so lines beyond it, and a
  last line cut off by a kill, are removed first; the lines up to it stay byte for
  byte. At `start_step` 0 nothing has been done yet and no line stays. TensorBoard
  gets a session-start event and drops its points beyond that step.

  Args:
    workdir: folder of the run; made if missing.
    start_step: steps already done.
    steps_per_epoch: when given, every line says its `epoch`.
    enabled: False on all processes but the first: nothing is touched.
    also: told of every line after the files have it, as `watching.Watchers` is; None
      where nobody else is to know.

  Raises:
    TrainingError: a file cannot be written (disk full, read-only), or a line of
      `metrics.jsonl` other than the last is damaged.
  """

  def __init__(
    self,
    workdir: str | os.PathLike,
    *,
    start_step: int = 0,
    steps_per_epoch: float | None = None,
    enabled: bool = True,
    also: Any = None,
  ):
    self._enabled, self._also = enabled, also
    self._steps_per_epoch = steps_per_epoch
    if not enabled:
      return
    self._path = pathlib.Path(workdir) / METRICS_FILE
    try:
      self._path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
      raise files.write_error(workdir, error) from error
    _truncate(self._path, start_step)
    try:
      self._file = open(self._path, 'ab', buffering=0)  # noqa: SIM115 (see close)
    except OSError as error:
      raise files.write_error(self._path, error) from error
    try:
      self._events = _Events(self._path.parent / TENSORBOARD_FOLDER, start_step)
    except BaseException:
      self._file.close()
      raise
    if also is not None:
      also.open(start_step)

  def write(
    self, step: int, metrics: collections.abc.Mapping, kind: str = 'train'
  ) -> None:
    """Writes the scalars of `metrics` as of `step` (the number of steps done)."""
    if not self._enabled:
      return
    record = {'step': int(step), 'kind': kind}
    if self._steps_per_epoch:
      record['epoch'] = round(int(step) / self._steps_per_epoch, 4)
    record |= to_json(metrics)
    line = json.dumps(record, ensure_ascii=False, allow_nan=False) + '\n'
    _append(self._path, self._file, line.encode())
    self._events.scalars(
      {f'{kind}/{name}': value for name, value in metrics.items()}, int(step)
    )
    if self._also is not None:
      self._also.write(int(step), metrics, kind)

  def close(self, *, failed: bool = False) -> None:
    if self._enabled:
      self._file.close()
      self._events.close()
      if self._also is not None:
        self._also.close(failed)

  def __enter__(self):
    return self

  def __exit__(self, kind, *exception):
    self.close(failed=kind is not None)


class _Events:
  """One TensorBoard event file.

  TensorBoard's own writer is not used: it imports TensorFlow where that is installed
  (13 s, and this package does without it) and writes from a thread, where a full disk
  would end the thread and not the run. Its protocol buffers and framing are used.
  """

  def __init__(self, folder: pathlib.Path, start_step: int):
    from tensorboard.compat.proto import event_pb2, summary_pb2

    self._event, self._summary = event_pb2.Event, summary_pb2.Summary
    stem = f'events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}'
    try:
      folder.mkdir(parents=True, exist_ok=True)
      for count in itertools.count():
        self._path = folder / f'{stem}.{os.getpid()}.{count}'
        try:
          self._file = open(self._path, 'xb', buffering=0)  # noqa: SIM115
          break
        except FileExistsError:
          continue
    except OSError as error:
      raise files.write_error(folder, error) from error
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    try:
      self._add(
        [
          self._event(wall_time=time.time(), file_version='brain.Event:2'),
          self._event(wall_time=time.time(), step=start_step + 1, session_log=start),
        ]
      )
    except BaseException:
      self._file.close()
      raise

  def scalars(self, values: dict, step: int) -> None:
    value = self._summary.Value
    summary = self._summary(
      value=[value(tag=tag, simple_value=float(v)) for tag, v in values.items()]
    )
    self._add([self._event(wall_time=time.time(), step=step, summary=summary)])

  def _add(self, events) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer = io.BytesIO()
    for event in events:
      RecordWriter(buffer).write(event.SerializeToString())
    _append(self._path, self._file, buffer.getvalue())

  def close(self) -> None:
    self._file.close()


def _append(path: pathlib.Path, file, data: bytes) -> None:
  """Appends all of `data`, of which a full disk may take a part before it fails."""
  rest = memoryview(data)

  def attempt() -> None:
    nonlocal rest
    try:
      while rest:
        rest = rest[file.write(rest) :]
    except OSError as error:
      raise files.write_error(path, error) from error

  retries.write(attempt)


def read_metrics(workdir: str | os.PathLike) -> list[dict]:
  """The lines of a workdir's `metrics.jsonl` as dicts, in the order written.

  A last line that is still being written (or was cut off by a kill) is left out.
  No file means no lines.

  Raises:
    TrainingError: another line is not a JSON object with a step, or the file cannot be
      read.
  """
  path = pathlib.Path(workdir) / METRICS_FILE
  return [from_json(record) for _, record in _lines(path)]


def _lines(path: pathlib.Path) -> list[tuple[bytes, dict]]:
  """(bytes with the newline, parsed object) of every whole line."""
  try:
    lines = path.read_bytes().splitlines(keepends=True)
  except FileNotFoundError:
    return []
  except OSError as error:
    raise files.read_error(path, error) from error
  parsed = []
  for number, line in enumerate(lines, start=1):
    try:
      record = json.loads(line)
      whole = line.endswith(b'\n') and isinstance(record['step'], int)
    except (ValueError, TypeError, KeyError):
      whole = False
    if whole:
      parsed.append((line, record))
    elif number < len(lines):
      raise TrainingError(
        f'{path}, line {number} is not a line of metrics: {line[:40]!r}; '
        'repair or remove that line'
      )
  return parsed


def _truncate(path: pathlib.Path, start_step: int) -> None:
  """Removes what a run that has done `start_step` steps will write again."""
  lines = _lines(path)
  kept = b''.join(
    line for line, record in lines if start_step > 0 and record['step'] <= start_step
  )
  if path.exists() and kept != path.read_bytes():
    files.replace_file(path, kept)
