"""A run's folder and the config that it belongs to.

`config.json` in the workdir is the config that the run was started with. The same
command again finds it equal and resumes; more epochs or steps lengthen the run; another
config is refused, since its checkpoints and metrics would be mixed with those of the
first. If nothing was trained yet (the data was not found, the memory too small), the
folder is free. The files in it show whether something was trained, not the config, so
that folders of older versions are free as well.
"""

import contextlib
import enum
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax

try:
  import fcntl
except ModuleNotFoundError:  # Windows
  fcntl = None

from mobilenet.training import files, later_fields, logs, run_length, step_folders
from mobilenet.training.errors import TrainingError, require

CONFIG_FILE = 'config.json'
CLASSES_FILE = 'classes.json'
CLASSES_SUM_FILE = (
  'classes.blake2b'  # of the names in their order, as they were trained
)
CHECKPOINTS_FOLDER = 'checkpoints'
RESULT_FILE = 'result.json'
WEIGHTS_FILE = 'weights.safetensors'  # in a workdir that holds imported weights
LENGTHS = 'lengths'  # in config.json, of a run that was lengthened
_ABSENT = '(absent)'


class Held(enum.Enum):
  """What a workdir holds, for a run that is about to start."""

  NOTHING = 'nothing that was trained'
  THIS_RUN = 'this run'
  SHORTER_RUN = 'this run, with fewer epochs or steps'


@contextlib.contextmanager
def alone(folder: str | os.PathLike) -> Iterator[None]:
  """Makes a run's folder and keeps other runs out of it meanwhile; process 0 does.

  Where the system or the folder's file system has no locks, nobody is kept out.

  Raises:
    TrainingError: another process is training there, or the folder cannot be made.
  """
  if jax.process_index():
    yield
    return
  taken = f'another process is training in {folder}: wait for it or stop it, or choose '
  with locked(folder, f'{taken}another --workdir'):
    yield


@contextlib.contextmanager
def locked(folder: str | os.PathLike, taken: str) -> Iterator[None]:
  """Makes a folder and holds its lock meanwhile, where the system has locks.

  Raises:
    TrainingError: another process holds it, as `taken` says; or the folder cannot be
      made.
  """
  try:
    os.makedirs(folder, exist_ok=True)
    descriptor = None if fcntl is None else os.open(folder, os.O_RDONLY)
  except OSError as error:
    raise files.write_error(folder, error) from error
  if descriptor is None:
    yield
    return
  try:
    try:
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise TrainingError(taken) from None
    except OSError:
      pass
    yield
  finally:
    os.close(descriptor)


def local_path(workdir: str | os.PathLike) -> pathlib.Path:
  """Returns the absolute path of `workdir`.

  Raises:
    TrainingError: it is a URL such as gs://, of which a folder 'gs:' would be made.
  """
  require(
    '://' not in os.fspath(workdir),
    f'workdir {os.fspath(workdir)} is not a path on this machine; give a local or '
    'mounted folder',
  )
  return pathlib.Path(os.path.abspath(os.path.expanduser(workdir)))


def newest_step(workdir: str | os.PathLike) -> int | None:
  """The step of the newest checkpoint, by the names of the folders."""
  folder = local_path(workdir) / CHECKPOINTS_FOLDER
  return max(step_folders.steps(folder), default=None)


def holds_run(workdir: str | os.PathLike) -> bool:
  """Whether `workdir` has a config with which something was trained or imported.

  That leaves a checkpoint, a line of metrics, a result or weights.
  """
  folder = local_path(workdir)
  kept = (logs.METRICS_FILE, RESULT_FILE, WEIGHTS_FILE)
  return _has_content(folder / CONFIG_FILE) and (
    newest_step(workdir) is not None or any(_has_content(folder / k) for k in kept)
  )


def write_config(workdir: str | os.PathLike, config: Mapping[str, Any]) -> None:
  """Writes `config` (of strings, numbers, booleans, None, lists and dicts).

  If it lengthens a run, the file keeps under 'lengths' how long the run was planned to
  be before, and until which step. The result of the shorter run is set aside as
  `result-<step>.json`.

  Done by process 0 alone; a file that was there is replaced as a whole or not at all.

  Raises:
    TrainingError: it cannot be written, or a field is of no such type (named).
  """
  config = _as_json(config)
  if jax.process_index() != 0:
    return
  folder = local_path(workdir)
  stored = _read(folder) if holds_run(folder) else None
  lengths = list(stored.get(LENGTHS, ())) if stored else []
  if stored and (run_length.growth(stored, config) or 0) > 0:
    step = newest_step(folder) or 0
    old = {field: stored.get(field) for field in run_length.FIELDS}
    lengths.append({**old, 'until_step': step})
    _set_aside(folder / RESULT_FILE, folder / f'result-{step}.json')
  written = {**config, LENGTHS: lengths} if lengths else config
  text = json.dumps(written, indent=2) + '\n'
  files.replace_file(folder / CONFIG_FILE, text.encode())


def read_config(workdir: str | os.PathLike) -> dict[str, Any] | None:
  """Returns the config of the run in `workdir`; None where it holds no run.

  It is complete, whatever version of the project began the run (see `later_fields`).

  Raises:
    TrainingError: the file is there and cannot be read.
  """
  config = _read(workdir)
  if config is None:
    return None
  config.pop(LENGTHS, None)
  return later_fields.completed(config)


def _read(workdir: str | os.PathLike) -> dict[str, Any] | None:
  """The contents of the file."""
  path = local_path(workdir) / CONFIG_FILE
  try:
    config = json.loads(path.read_text())
    require(isinstance(config, dict), 'not an object')
  except FileNotFoundError:
    return None
  except OSError as error:
    raise files.read_error(path, error) from error
  except ValueError as error:
    raise TrainingError(
      f'{path} is not the JSON of a config ({error}); repair it, or choose another '
      '--workdir'
    ) from error
  return config


def check_config(
  workdir: str | os.PathLike,
  config: Mapping[str, Any],
  *,
  ignore: Sequence[str] = (),
) -> Held:
  """Checks that `workdir` holds this config's run, or none.

  Epochs, or steps if they are set, may be more than those of the run.

  Args:
    workdir: the run's folder.
    config: the config of the run that is about to start.
    ignore: dotted fields that may differ ('log_steps', 'data.workers'); a section
      stands for every field in it.

  Raises:
    TrainingError: it holds a longer run, or one of another config. In that case, after
      a first line, there is one line per field that differs: there -> here.
  """
  if not holds_run(workdir):
    return Held.NOTHING
  stored, config = read_config(workdir), later_fields.completed(_as_json(config))
  growth = run_length.growth(stored, config)
  if growth is not None:
    ignore = (*ignore, *run_length.FIELDS)
  there, here = _flatten(stored), _flatten(config)
  differing = [
    f'  {field}: {_show(there, field)} -> {_show(here, field)}'
    for field in sorted(there.keys() | here.keys())
    if not _same(there, here, field)
    and not any(field == i or field.startswith(f'{i}.') for i in ignore)
  ]
  count = f'{len(differing)} field{"s" if len(differing) > 1 else ""}'
  require(
    not differing,
    f'{local_path(workdir)} holds a run of another config ({count} differ, there -> '
    'here); choose another --workdir, or take these back:\n' + '\n'.join(differing),
  )
  if not growth:
    return Held.THIS_RUN
  require(
    growth > 0,
    f'{local_path(workdir)} holds a run of {run_length.described(stored)}: it can be '
    f'lengthened, but not shortened to {run_length.described(config)}; give as many or '
    'more, or choose another --workdir',
  )
  return Held.SHORTER_RUN


def write_classes(workdir: str | os.PathLike, names: Sequence[str]) -> None:
  """Writes the class names in the order of the labels; process 0 alone.

  A hash of them is written beside, by which `read_classes` knows names that were edited
  or reordered since: every answer of the network would be called by another's name.

  Raises:
    TrainingError: they cannot be written.
  """
  if jax.process_index() == 0:
    text = json.dumps(list(names), indent=0, ensure_ascii=False) + '\n'
    files.replace_file(local_path(workdir) / CLASSES_FILE, text.encode())
    said = _names_sum(names) + '\n'
    files.replace_file(local_path(workdir) / CLASSES_SUM_FILE, said.encode())


def read_classes(workdir: str | os.PathLike) -> tuple[str, ...] | None:
  """The class names of the run in `workdir`; None where it has none.

  Raises:
    TrainingError: the file is there and cannot be read, or holds other names than the
      run was trained with. Runs of older versions have no hash to tell that by.
  """
  path = local_path(workdir) / CLASSES_FILE
  try:
    names = tuple(json.loads(path.read_text(encoding='utf-8')))
  except FileNotFoundError:
    return None
  except OSError as error:
    raise files.read_error(path, error) from error
  except (ValueError, TypeError) as error:
    raise TrainingError(f'{path} is not a list of class names ({error})') from error
  known = _known_sum(workdir)
  require(
    known in (None, _names_sum(names)),
    f'{path} was changed since the run was made, and what the network answers would be '
    'called by wrong names: give it back as it was (of a trained run, delete it, and '
    'the training command writes it anew)',
  )
  return names


def _names_sum(names: Sequence[str]) -> str:
  text = json.dumps([str(name) for name in names]).encode()
  return hashlib.blake2b(text, digest_size=16).hexdigest()


def _known_sum(workdir: str | os.PathLike) -> str | None:
  path = local_path(workdir) / CLASSES_SUM_FILE
  try:
    return path.read_text(encoding='ascii').strip()
  except FileNotFoundError:
    return None  # of an older version
  except (OSError, ValueError) as error:
    raise TrainingError(f'cannot read {path}: {error}; remove it') from error


def check_classes(workdir: str | os.PathLike, names: Sequence[str], split: str) -> None:
  """Checks that a split has the classes, in the order, that the workdir's run has.

  Raises:
    TrainingError: it has others; those that are missing or unknown are named.
  """
  if not holds_run(workdir):
    return
  known = read_classes(workdir)
  if known is None:  # deleted: the hash still knows whether they are the same
    require(
      _known_sum(workdir) in (None, _names_sum(names)),
      f'the classes of split {split!r} are not those of {workdir}, whose '
      f'{CLASSES_FILE} is missing; give the data it was trained on',
    )
    return
  missing = [name for name in known if name not in names]
  unknown = [name for name in names if name not in known]
  differences = [
    f'{what} {", ".join(some[:5])}{" ..." if len(some) > 5 else ""}'
    for what, some in (('without', missing), ('with unknown', unknown))
    if some
  ]
  require(
    known == tuple(names),
    f'the classes of split {split!r} are not those of {workdir}: '
    f'{" and ".join(differences) or "in another order"}; give the data it was trained '
    'on',
  )


def _has_content(path: pathlib.Path) -> bool:
  try:
    return path.stat().st_size > 0
  except OSError:
    return False


def _set_aside(path: pathlib.Path, aside: pathlib.Path) -> None:
  try:
    if path.exists():
      os.replace(path, aside)
  except OSError as error:
    raise files.write_error(aside, error) from error


def fields(config: Mapping[str, Any]) -> dict[str, Any]:
  """Dotted field -> value of a config, as `config.json` holds it."""
  return _flatten(_as_json(config))


def _as_json(config: Mapping[str, Any]) -> dict[str, Any]:
  """What reading the written config gives: tuples are lists, keys are strings."""
  for field, value in _flatten(config).items():
    try:
      json.dumps(value)
    except TypeError as error:
      raise TrainingError(
        f'config field {field} is {type(value).__name__}, which JSON cannot hold; a '
        'config is made of strings, numbers, booleans, None, lists and sections'
      ) from error
  return json.loads(json.dumps(config))


def _flatten(config: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
  """Nested sections -> dotted fields; an empty section is a field of its own."""
  fields = {}
  for name, value in config.items():
    if isinstance(value, Mapping) and value:
      fields |= _flatten(value, f'{prefix}{name}.')
    else:
      fields[f'{prefix}{name}'] = value
  return fields


def _same(there: dict[str, Any], here: dict[str, Any], field: str) -> bool:
  if _show(there, field) == _show(here, field):
    return True  # NaN too
  if field not in there or field not in here:
    return False
  old, new = there[field], here[field]
  return old == new and isinstance(old, bool) == isinstance(new, bool)


def _show(fields: dict[str, Any], field: str) -> str:
  return json.dumps(fields[field]) if field in fields else _ABSENT
