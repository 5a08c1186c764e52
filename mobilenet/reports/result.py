"""The result of a run: one file for programs, one table for people.

Its field 'metric' names the metric that counts for the task. 'weights' is 'raw' or
'ema': the weights that the numbers are of. Accuracies (top1, top5) are in percent, as
everywhere in a run's metrics.
"""

import datetime
import functools
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import subprocess
from collections.abc import Collection

import rich.console

from mobilenet.reports import amounts, terminal
from mobilenet.training import files, logs, workdir
from mobilenet.training.errors import TrainingError
from mobilenet.training.units import decimal, in_percent

RESULT_FILE = workdir.RESULT_FILE

# Every result has these, so that tables over many runs have no holes by accident;
# None says that a number does not apply.
FIELDS = (
  'config',
  'metric',
  'loss',
  'num_examples',
  'steps',
  'epochs',
  'train_seconds',
  'images_per_second',
  'parameters',
  'multiply_adds',
)

_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'numpy')


def write_result(workdir: str | os.PathLike, result: dict) -> pathlib.Path:
  """Writes `result.json` with sorted keys, whole or not at all.

  Args:
    workdir: folder of the run.
    result: at least the names in `FIELDS`, and whatever else is worth keeping
      (for example 'ema_top1'). `environment()` and the time are added unless given.

  Returns:
    The path written.

  Raises:
    TrainingError: a field is missing or the file cannot be written.
  """
  missing = [field for field in FIELDS if field not in result]
  if missing:
    raise TrainingError(
      f'a result needs {", ".join(missing)}; give None where a number does not apply'
    )
  now = datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
  result = {'environment': environment(), 'written': now} | dict(result)
  text = json.dumps(logs.to_json(result), indent=2, sort_keys=True, ensure_ascii=False)
  return files.replace_file(pathlib.Path(workdir) / RESULT_FILE, (text + '\n').encode())


def read_result(workdir: str | os.PathLike) -> dict:
  """What `write_result` wrote, non-finite numbers included.

  Raises:
    TrainingError: there is no readable result in the workdir.
  """
  path = pathlib.Path(workdir) / RESULT_FILE
  try:
    return logs.from_json(json.loads(path.read_text(encoding='utf-8')))
  except FileNotFoundError as error:
    raise TrainingError(
      f'no {RESULT_FILE} in {workdir}: the run has not ended; start it again'
    ) from error
  except OSError as error:
    raise files.read_error(path, error) from error
  except ValueError as error:
    raise TrainingError(f'{path} is not JSON: {error}') from error


def environment() -> dict:
  """Versions, devices and the git revision that a number was made with.

  `git_revision` is None outside a git checkout of this project; `git_modified` says
  whether tracked files differ from it.
  """
  import jax

  devices = jax.devices()
  revision, modified = git_state()
  return {
    **{package: importlib.metadata.version(package) for package in _PACKAGES},
    'python': platform.python_version(),
    'system': platform.platform(),
    'platform': jax.default_backend(),
    'device_kind': devices[0].device_kind,
    'device_count': len(devices),
    'process_count': jax.process_count(),
    'cpu_count': os.cpu_count(),
    'git_revision': revision,
    'git_modified': modified,
  }


@functools.cache
def git_state() -> tuple[str | None, bool | None]:
  """(commit of this project's checkout, whether tracked files differ); None outside."""
  here = pathlib.Path(__file__).resolve()

  def git(*arguments: str) -> str | None:
    command = ['git', '-C', str(here.parent), *arguments]
    try:
      done = subprocess.run(
        command, capture_output=True, text=True, timeout=20, check=False
      )
    except (OSError, subprocess.SubprocessError):
      return None
    return done.stdout.strip() if done.returncode == 0 else None

  # An installed copy may lie inside somebody else's checkout (a virtual environment
  # in a repository); that revision would say nothing about this code.
  if not git('ls-files', '.'):
    return None, None
  modified = git('status', '--porcelain', '--untracked-files=no')
  return git('rev-parse', 'HEAD'), None if modified is None else bool(modified)


def print_result(
  result: dict,
  *,
  unshown: Collection[str] = (),
  console: rich.console.Console | None = None,
) -> None:
  """Prints a result as a table of two columns; in a log as plain text.

  Left out are the names in `unshown`, and counts of what went wrong that are zero.
  """
  table = terminal.make_table(
    f'Result of {result.get("config") or "the run"}',
    [('', 'left'), ('', 'right')],
  )
  table.show_header = False
  rows = dict(result)
  where = rows.pop('environment', None)
  first = rows.pop('metric', None)
  for skipped in ('config', 'written'):
    rows.pop(skipped, None)
  order = [first, *FIELDS, *sorted(rows, key=_natural)]
  for name in dict.fromkeys(name for name in order if name in rows):
    if isinstance(rows[name], dict | list | tuple) or name in unshown:
      continue
    if name == 'unreadable_examples' and not rows[name]:
      continue
    terminal.add_row(table, *_describe(name, rows[name]))
  if where:
    device = f'{where.get("device_count")} × {where.get("device_kind")}'
    terminal.add_row(table, 'device', device)
    versions = [
      f'{name} {where[name]}' for name in ('jax', 'flax', 'optax') if name in where
    ]
    terminal.add_row(table, 'versions', ', '.join(versions))
    if where.get('git_revision'):
      mark = ' (modified)' if where.get('git_modified') else ''
      terminal.add_row(table, 'git revision', where['git_revision'][:10] + mark)
  terminal.show(table, console)


_LABELS = {
  'num_examples': 'examples evaluated',
  'train_seconds': 'training time',
  'images_per_second': 'images per second',
  'multiply_adds': 'multiply-adds',
  'waiting_share': 'waiting for data',
}


# Parts of names, as the field writes them.
_WORDS = {
  'top1': 'top-1',
  'top5': 'top-5',
  'auc': 'AUC',
  'map at r': 'MAP@R',
  'tar at far': 'TAR at FAR',
}


def label(name: str) -> str:
  """A metric's name for people: 'ema_top1' -> 'ema top-1'."""
  said = _LABELS.get(name, name.replace('_', ' '))
  for part, written in _WORDS.items():
    said = re.sub(rf'\b{part}\b', written, said)
  return said


def _natural(name: str) -> list[tuple[int, str]]:
  """Sorts 'recall_at_5' before 'recall_at_10'."""
  parts = re.split(r'(\d+)', name)
  return [(int(part), '') if part.isdigit() else (0, part) for part in parts]


def _describe(name: str, value) -> tuple[str, str]:
  said = label(name)
  if value is None:
    return said, amounts.NOTHING
  if isinstance(value, str | bool):
    return said, str(value)
  if in_percent(name):
    return said, f'{float(value):.2f} %'
  if name.endswith('_share'):
    return said, f'{100 * float(value):.1f} %'
  if name.endswith('seconds'):
    return said, str(datetime.timedelta(seconds=round(float(value))))
  if name == 'images_per_second':
    return said, f'{float(value):,.0f}'
  value = logs.to_json(value)
  return said, f'{value:,}' if isinstance(value, int) else _decimal(value)


def _decimal(value) -> str:
  return decimal(value, 4) if isinstance(value, float) else str(value)
