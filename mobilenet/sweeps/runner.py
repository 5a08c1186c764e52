"""Runs the items of a sweep, each in its own process, and goes on after failures.

An item that crashes, aborts in C++ or runs out of memory must not stop the others, and
a process that ends gives its memory back. The sweep itself never touches the
accelerator: it would hold the memory that its items need.
"""

import contextlib
import datetime
import enum
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from mobilenet import config_files
from mobilenet.reports import terminal
from mobilenet.sweeps import items as sweep_items
from mobilenet.sweeps import leash, scores
from mobilenet.sweeps import table as sweep_table
from mobilenet.sweeps.items import Item
from mobilenet.training import files
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.preemption import STOPPED

# A lock may be held for a moment by a process that only reads the status, or by a run
# that is being killed after its sweep.
_LOCK_SECONDS = 3.0
_LAST_LINES = 20


def run(
  items: Sequence[Item],
  folder: pathlib.Path,
  *,
  title: str,
  command: Sequence[str],
  given: Collection[str] = (),
  index: int | None = None,
  ignore: Sequence[str] = (),
) -> int:
  """Runs the items that are not done, one after another, and collects a table.

  Each item's output goes to `<item>/log.txt`, a failure to `<item>/failure.json`; the
  tables and the figure in `folder` (see `sweeps.table`) are updated after every item.
  SIGTERM and SIGINT are passed on to the running item, which saves; then this returns.

  Args:
    items: the sweep.
    folder: where the tables go.
    title: of tables and figure.
    command: what a person types to run this sweep; kept in the table.
    given: fields that the command line sets; those the sweep sets too are noted.
    index: the only item to run, from 0; None for all.
    ignore: dotted fields of the config that may differ from a run in the folder.

  Returns:
    The exit code: `STOPPED` if this was stopped; else 1 if an item that it ran failed,
    `STOPPED` if one was stopped by others, and 0 otherwise.

  Raises:
    TrainingError: there is no such index, or `folder` cannot be written.
  """
  require(
    index is None or 0 <= index < len(items),
    f'--index={index} does not exist; the sweep has {len(items)} items, 0 to '
    f'{len(items) - 1}',
  )
  chosen = range(len(items)) if index is None else [index]
  failed, stopped, busy = [], [], []
  if twice := sorted(set(given) & set(sweep_table.swept_fields(items))):
    _say(f'note: the sweep itself sets {", ".join(twice)}; your value is not used')

  def collect():
    return sweep_table.write_tables(
      items, folder, title=title, command=command, ignore=ignore
    )

  with _Stop() as stop:
    for n in chosen:
      if stop.received:
        break
      item, label = items[n], f'[{n + 1}/{len(items)}] {items[n].name}'
      with contextlib.suppress(TrainingError):
        if (ended := sweep_items.finished(item, ignore)) is not None:
          _say(f'{label}: done already, {_accuracy(ended)}')
          continue
      with _item_lock(item) as descriptor:
        if descriptor is None:
          busy.append(item.name)
          _say(f'{label}: skipped, it is running elsewhere')
          continue
        how, message = _run_item(item, descriptor, stop, ignore, label)
      if how is _Ended.FAILED:
        failed.append(item.name)
        message = f'FAILED: {message}'
      elif how is _Ended.STOPPED:
        stopped.append(item.name)
      _say(f'{label}: {message}')
      if not stop.received:
        collect()
  rows = collect()
  if index is None or stop.received:
    sweep_table.show(rows, title, sweep_table.swept_fields(items))
  _say(f'table: {folder / sweep_table.MARKDOWN_FILE}')
  if stop.received:
    _say(f'{stop.received}: stopped; the same command goes on from there')
    return STOPPED
  if busy := [r['item'] for r in rows if r['item'] in busy and r['status'] != 'done']:
    _say(f'left to whoever runs them: {", ".join(busy)}')
  if failed:
    _say(f'failed: {", ".join(failed)}; the same command tries them again')
  if stopped:
    _say(f'stopped: {", ".join(stopped)}; the same command goes on from there')
  return 1 if failed else STOPPED if stopped else 0


def command(
  argument: str,
  name: str,
  given: dict[str, Any],
  folder: pathlib.Path,
  job: str = 'sweep',
) -> list[str]:
  """What a person types to run this sweep; folders below this one are relative."""
  return [
    *('python', 'main.py', f'--config={argument}', f'--job={job}', f'--sweep={name}'),
    *config_files.override_flags(given),
    f'--workdir={files.typed(folder)}',
  ]


def show_items(
  items: Sequence[Item], title: str, *, ignore: Sequence[str] = ()
) -> None:
  """Prints every item with its index, its overrides and its status."""
  table = terminal.make_table(
    f'{title}: {len(items)} items',
    [('', 'right'), ('item', 'left'), ('overrides', 'left'), ('status', 'left')],
  )
  for index, item in enumerate(items):
    flags = ' '.join(config_files.override_flags(item.overrides))
    status = sweep_items.standing(item, ignore).status
    terminal.add_row(table, index, item.name, flags, status)
  terminal.show(table)


class _Stop:
  """While entered, SIGTERM and SIGINT are noted and passed on to the running item."""

  def __init__(self):
    self.received: str | None = None
    self.process: subprocess.Popen | None = None
    self._previous = {}

  def __enter__(self) -> '_Stop':
    for number in (signal.SIGTERM, signal.SIGINT):
      self._previous[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *exception) -> None:
    for number, handler in self._previous.items():
      signal.signal(number, handler)

  def wait(self, process: subprocess.Popen) -> int:
    self.process = process
    if self.received:  # it came while the process was started
      process.terminate()
    code = process.wait()
    self.process = None
    return code

  def _note(self, number, frame) -> None:
    del frame
    self.received = signal.Signals(number).name
    if self.process is not None:
      self.process.send_signal(number)


class _Ended(enum.Enum):
  """How an item ended."""

  DONE, STOPPED, FAILED = 'done', 'stopped', 'failed'


def _run_item(
  item: Item, descriptor: int, stop: _Stop, ignore: Sequence[str], label: str
) -> tuple[_Ended, str]:
  """Runs one item, whose lock is held; returns how it ended, and a line on that."""
  try:
    if (ended := sweep_items.finished(item, ignore)) is not None:
      return _Ended.DONE, f'done meanwhile, {_accuracy(ended)}'
  except TrainingError as error:
    return _Ended.FAILED, str(error)
  (item.folder / sweep_items.FAILURE_FILE).unlink(missing_ok=True)
  _say(f'{label}: {shlex.join(item.command)}')
  attempt = _start(item, descriptor, stop)
  ended = sweep_items.finished(item, ignore)
  if ended is not None:
    note = f' (though {_ending(attempt.code)})' if attempt.code else ''
    took = sweep_table.duration(attempt.seconds)
    return _Ended.DONE, f'{_accuracy(ended)}, {took}{note}'
  if attempt.code == STOPPED:
    return _Ended.STOPPED, _last(attempt.lines) or 'stopped'
  if stop.received:
    return _Ended.STOPPED, f'{_ending(attempt.code)} before it could save'
  message = _reason(attempt)
  sweep_items.write_failure(
    item,
    {
      'message': message,
      'exit_code': attempt.code if attempt.code >= 0 else None,
      'signal': _signal_name(attempt.code) if attempt.code < 0 else None,
      'command': shlex.join(item.command),
      'seconds': round(attempt.seconds, 1),
      'time': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
      'last_lines': attempt.lines[-_LAST_LINES:],
    },
  )
  return _Ended.FAILED, f'{message}; see {item.folder / sweep_items.LOG_FILE}'


class _Attempt(NamedTuple):
  code: int  # negative: killed by that signal
  seconds: float
  lines: list[str]  # of output, the last ones


def _start(item: Item, descriptor: int, stop: _Stop) -> _Attempt:
  """Runs an item's command to its end, its output appended to the log."""
  path = item.folder / sweep_items.LOG_FILE
  now = datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
  begin = time.monotonic()
  try:
    with open(path, 'ab') as log:
      log.write(f'# {now}\n$ {shlex.join(item.command)}\n'.encode())
      log.flush()
      offset = log.tell()
      process = subprocess.Popen(
        [sys.executable, leash.__file__, str(os.getpid()), *item.command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=os.environ | {'PYTHONUNBUFFERED': '1'},
        pass_fds=(descriptor,),  # the lock is held until the run itself is gone
        # Ctrl-C goes to a terminal's whole process group. Passed on as well, it would
        # come twice, and the second one kills a run that is saving.
        start_new_session=True,
      )
      code = stop.wait(process)
    with open(path, 'rb') as log:
      log.seek(max(offset, os.path.getsize(path) - 65_536))
      lines = log.read().decode(errors='replace').splitlines()
  except OSError as error:
    raise files.write_error(path, error) from error
  return _Attempt(code, time.monotonic() - begin, [x for x in lines if x.strip()])


@contextlib.contextmanager
def _item_lock(item: Item):
  """The item's lock, see `sweep_items.locked`; waits for it for a moment."""
  path, deadline = item.folder / sweep_items.LOCK_FILE, time.monotonic() + _LOCK_SECONDS
  while True:
    with sweep_items.locked(path) as descriptor:
      if descriptor is not None or time.monotonic() > deadline:
        yield descriptor
        return
    time.sleep(0.1)


def _reason(attempt: _Attempt) -> str:
  """One line that says why a run ended without a result."""
  errors = [line for line in attempt.lines if line.startswith('error: ')]
  if errors:
    return errors[-1].removeprefix('error: ')
  last = _last(attempt.lines)
  return _ending(attempt.code) + (f': {last}' if last else '')


def _ending(code: int) -> str:
  if code == -signal.SIGKILL:
    return 'killed by SIGKILL (out of memory?)'
  if code < 0:
    return f'killed by {_signal_name(code)}'
  return f'ended with exit code {code}' + ('' if code else ' and no result')


def _signal_name(code: int) -> str:
  try:
    return signal.Signals(-code).name
  except ValueError:  # a real-time signal
    return f'signal {-code}'


def _last(lines: list[str]) -> str:
  return lines[-1].strip() if lines else ''


def _accuracy(ended: dict) -> str:
  metric = scores.metric_of([ended])
  value, name = ended.get(metric), scores.in_words(metric)
  return f'no {name}' if value is None else f'{name} {value:.2f} %'


def _say(line: str) -> None:
  print(line, flush=True)
