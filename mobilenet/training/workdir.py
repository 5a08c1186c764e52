"""A run's folder and the config that it belongs to.

`config.json` in the workdir is the config that the run was started with. The same
command again finds it equal and resumes; another config is refused, since its
checkpoints and metrics would be mixed with those of the first.
"""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from mobilenet.training import files
from mobilenet.training.errors import TrainingError, require

CONFIG_FILE = 'config.json'
CLASSES_FILE = 'classes.json'
_ABSENT = '(absent)'


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


def write_config(workdir: str | os.PathLike, config: Mapping[str, Any]) -> None:
  """Writes `config` (of strings, numbers, booleans, None, lists and dicts).

  Done by process 0 alone; a file that was there is replaced as a whole or not at all.

  Raises:
    TrainingError: it cannot be written, or a field is of no such type (named).
  """
  config = _as_json(config)
  if jax.process_index() == 0:
    text = json.dumps(config, indent=2) + '\n'
    files.replace_file(local_path(workdir) / CONFIG_FILE, text.encode())


def read_config(workdir: str | os.PathLike) -> dict[str, Any] | None:
  """Returns the config of the run in `workdir`; None where it holds no run.

  Raises:
    TrainingError: the file is there and cannot be read.
  """
  path = local_path(workdir) / CONFIG_FILE
  try:
    config = json.loads(path.read_text())
    require(isinstance(config, dict), 'not an object')
  except FileNotFoundError:
    return None
  except OSError as error:
    raise TrainingError(f'cannot read {path}: {error.strerror}') from error
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
) -> bool:
  """Checks that `workdir` holds this config's run, or none.

  Args:
    workdir: the run's folder.
    config: the config of the run that is about to start.
    ignore: dotted fields that may differ ('log_steps', 'data.workers'); a section
      stands for every field in it.

  Returns:
    Whether the workdir holds a run already.

  Raises:
    TrainingError: it holds another config; after a first line, one line per field
      that differs: what is there -> what is here.
  """
  stored = read_config(workdir)
  if stored is None:
    return False
  there, here = _flatten(stored), _flatten(_as_json(config))
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
  return True


def write_classes(workdir: str | os.PathLike, names: Sequence[str]) -> None:
  """Writes the class names in the order of the labels; process 0 alone.

  Raises:
    TrainingError: they cannot be written.
  """
  if jax.process_index() == 0:
    text = json.dumps(list(names), indent=0, ensure_ascii=False) + '\n'
    files.replace_file(local_path(workdir) / CLASSES_FILE, text.encode())


def read_classes(workdir: str | os.PathLike) -> tuple[str, ...] | None:
  """The class names of the run in `workdir`; None where it has none.

  Raises:
    TrainingError: the file is there and cannot be read.
  """
  path = local_path(workdir) / CLASSES_FILE
  try:
    return tuple(json.loads(path.read_text(encoding='utf-8')))
  except FileNotFoundError:
    return None
  except OSError as error:
    raise TrainingError(f'cannot read {path}: {error.strerror}') from error
  except (ValueError, TypeError) as error:
    raise TrainingError(f'{path} is not a list of class names ({error})') from error


def check_classes(workdir: str | os.PathLike, names: Sequence[str], split: str) -> None:
  """Checks that a split has the classes, in the order, that the workdir's run has.

  Raises:
    TrainingError: it has others; those that are missing or unknown are named.
  """
  known = read_classes(workdir)
  if known is None:
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
