"""One item of a sweep: what it runs, and its status, read from its folder."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from mobilenet import config_files
from mobilenet.reports import result
from mobilenet.training import files, workdir
from mobilenet.training.errors import TrainingError, require

FAILURE_FILE = 'failure.json'
LOG_FILE = 'log.txt'
LOCK_FILE = '.lock'


class Item(NamedTuple):
  """One run of a sweep.

  `config` is the whole config of the run as nested dicts, `overrides` the dotted
  fields in which the sweep set it, `command` what trains it in `folder`.
  """

  name: str
  overrides: dict[str, Any]
  config: dict[str, Any]
  folder: pathlib.Path
  command: list[str]


class Standing(NamedTuple):
  """One of `STATUSES`, the reason in words, and the result if it is done."""

  status: str
  reason: str = ''
  result: dict | None = None


# Fields that repeat an experiment: runs that differ by them alone are averaged.
REPEATS = ('seed', 'data.fold')
STATUSES = ('done', 'failed', 'running', 'unfinished', 'not started')


def make_items(
  argument: str,
  pairs: Sequence[tuple[str, dict[str, Any]]],
  config: ConfigDict,
  given: dict[str, Any],
  folder: pathlib.Path,
  complete: Callable[[ConfigDict], ConfigDict] = lambda config: config,
  flags: Sequence[str] = (),
) -> list[Item]:
  """The items of a sweep, checked before any of them runs.

  Args:
    argument: the value of --config.
    pairs: (item name, overrides), as the config's `sweep` yields them.
    config: the config with `given` in it.
    given: dotted fields that the command line sets; the sweep's own values win.
    folder: of the sweep; each item has a folder of its own in it.
    complete: a run's config -> the config that the run stores.
    flags: of the training of an item, as typed, besides the fields.

  Raises:
    TrainingError: a name cannot be a folder or occurs twice, or a field is wrong.
  """
  _check_names([name for name, _ in pairs])
  items = []
  for name, overrides in pairs:
    both = given | overrides
    command = [sys.executable, sys.argv[0], f'--config={argument}', '--job=train']
    command += [*config_files.override_flags(both), *flags]
    items.append(
      Item(
        name,
        overrides,
        complete(config_files.override(config, overrides)).to_dict(),
        folder / name,
        [*command, f'--workdir={folder / name}'],
      )
    )
  return items


def _check_names(names: Sequence[str]) -> None:
  """Checks that items can be folders.

  Raises:
    TrainingError: there are none, two are equal, or one cannot be a folder.
  """
  require(len(names) > 0, 'the sweep has no items')
  for n, name in enumerate(names):
    require(
      re.fullmatch(r'\w[\w.=+-]*', name) is not None,
      f'sweep item {name!r} is no name for a folder; use letters, digits and _ . = + -',
    )
    require(name not in names[:n], f'sweep item {name!r} comes twice; rename one')


def finished(item: Item, ignore: Sequence[str] = ()) -> dict | None:
  """The result of an item that has ended; None for one that has not.

  Args:
    item: the item.
    ignore: dotted fields of the config that may differ from the run in the folder.

  Raises:
    TrainingError: the folder holds a run of another config; see
      `workdir.check_config`.
  """
  held = workdir.check_config(item.folder, item.config, ignore=ignore)
  if held is workdir.Held.THIS_RUN:
    with contextlib.suppress(TrainingError):  # missing, or damaged: the item runs again
      return result.read_result(item.folder)
  return None


def standing(item: Item, ignore: Sequence[str] = ()) -> Standing:
  """Reads the status of an item, `ignore` as in `finished`; writes nothing."""
  try:
    ended = finished(item, ignore)
  except TrainingError as error:
    return Standing('failed', str(error))
  if ended is not None:
    return Standing('done', '', ended)
  if _is_locked(item.folder):
    return Standing('running')
  failure = read_failure(item.folder)
  if failure is not None:
    return Standing('failed', failure['message'])
  if (item.folder / LOG_FILE).exists() or (item.folder / workdir.CONFIG_FILE).exists():
    step = workdir.newest_step(item.folder)
    return Standing('unfinished', f'saved at step {step:,}' if step else '')
  return Standing('not started')


def write_failure(item: Item, failure: dict) -> None:
  text = json.dumps(failure, indent=2, ensure_ascii=False) + '\n'
  files.replace_file(item.folder / FAILURE_FILE, text.encode())


def read_failure(folder: pathlib.Path) -> dict | None:
  try:
    failure = json.loads((folder / FAILURE_FILE).read_text(encoding='utf-8'))
  except FileNotFoundError:
    return None
  except (OSError, ValueError) as error:
    return {'message': f'{FAILURE_FILE} cannot be read: {error}'}
  return failure


@contextlib.contextmanager
def locked(path: pathlib.Path, *, wait: bool = False) -> Iterator[int | None]:
  """Holds an exclusive lock on a file, made if missing; yields its descriptor.

  Yields None where another process holds it and `wait` is false. A child that inherits
  the descriptor holds the lock too, so that it is free only when both are gone.

  Raises:
    TrainingError: the file cannot be made or locked.
  """
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
  except OSError as error:
    raise files.write_error(path, error) from error
  try:
    try:
      fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
      yield None
      return
    except OSError as error:
      raise TrainingError(
        f'cannot lock {path}: {error.strerror}; choose a --workdir on a file system '
        'with locks'
      ) from error
    yield descriptor
  finally:
    os.close(descriptor)


def _is_locked(folder: pathlib.Path) -> bool:
  try:
    descriptor = os.open(folder / LOCK_FILE, os.O_RDONLY)
  except OSError:
    return False
  try:
    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except OSError:
    return True
  finally:
    os.close(descriptor)
  return False
