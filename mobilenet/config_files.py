"""Reading config files and setting their fields; a mistake becomes one line."""

import copy
import difflib
import importlib.util
import inspect
import pathlib
from collections.abc import Mapping

from ml_collections import ConfigDict

from mobilenet.training.errors import TrainingError, require


def load_config(argument: str) -> ConfigDict:
  """Runs `get_config` of 'path/to/config.py:arg'.

  Raises:
    ValueError: there is no such file, or the argument after the ':' is wrong.
  """
  return _load_module(argument).get_config(argument.partition(':')[2] or None)


def load_sweep(argument: str, name: str | None) -> tuple[str, list[tuple[str, dict]]]:
  """Runs `sweep` of a config file.

  Args:
    argument: 'path/to/config.py:arg'.
    name: which of the file's sweeps; None for the file's default.

  Returns:
    The sweep's name, and (item name, {dotted field: value}) of each item.

  Raises:
    TrainingError: the file has no sweep, or none of that name.
  """
  module = _load_module(argument)
  require(
    hasattr(module, 'sweep'),
    f'{config_file(argument)} has no sweep(name=...); docs/sweeps.md says how to '
    'write one',
  )
  if name is None:
    name = inspect.signature(module.sweep).parameters['name'].default
  try:
    return name, list(module.sweep(name))
  except ValueError as error:
    raise TrainingError(f'{config_file(argument)}: {one_line(error)}') from error


def override(config: ConfigDict, overrides: Mapping[str, object]) -> ConfigDict:
  """A copy of `config` with dotted fields set, as `--config.field=value` sets them.

  Raises:
    TrainingError: a field does not exist, is a section, or is of another type.
  """
  config = copy.deepcopy(config)
  for field, value in overrides.items():
    check_field(config, field)
    parent, name = _parent(config, field), field.rpartition('.')[2]
    try:
      parent[name] = value
    except TypeError:
      raise TrainingError(wrong_type(config, field, value)) from None
  return config


def override_flags(overrides: Mapping[str, object]) -> list[str]:
  """{'model.width': 0.5} -> ['--config.model.width=0.5']."""
  return [f'--config.{field}={value}' for field, value in overrides.items()]


def config_file(argument: str) -> str:
  """The file of 'path/to/config.py:arg'.

  Raises:
    ValueError: there is no such file.
  """
  path = argument.partition(':')[0]
  if not pathlib.Path(path).is_file():
    folders = {pathlib.Path(path).parent, pathlib.Path('configs')}
    known = {
      file.stem: str(file)
      for folder in sorted(folders)
      for file in sorted(folder.glob('[!_]*.py'))
    }
    stem = pathlib.Path(path).stem
    near = difflib.get_close_matches(stem, known, n=3, cutoff=0.6)
    close = [known[name] for name in near]
    hint = f'did you mean {" or ".join(close)}?' if close else 'see configs/'
    raise ValueError(f'config file {path!r} does not exist; {hint}')
  return path


def config_name(argument: str) -> str:
  """'configs/v1.py:width=0.5,quick' -> 'v1-width=0.5,quick', fit for a folder."""
  path, _, arg = argument.partition(':')
  return '-'.join(filter(None, (pathlib.Path(path).stem, arg.replace('/', '_'))))


def check_field(config: ConfigDict, field: str) -> None:
  """Checks that a dotted field exists and is not a section.

  Raises:
    TrainingError: it does not exist, with the nearest names, or it is a section.
  """
  fields = _fields(config)
  if field not in fields:
    close = difflib.get_close_matches(field, fields, n=3, cutoff=0.5)
    hint = f'did you mean {" or ".join(close)}?' if close else 'see configs/common.py'
    raise TrainingError(f'config field {field!r} does not exist; {hint}')
  require(
    not isinstance(fields[field], ConfigDict),
    f'config field {field!r} is a section: set one of its fields',
  )


def wrong_type(config: ConfigDict, field: str, value: object) -> str:
  """The error line for a field that is set to a value of another type."""
  kind = _parent(config, field).get_type(field.rpartition('.')[2])
  return f'config field {field} = {value!r} must be of type {kind.__name__}'


def one_line(error: Exception) -> str:
  """An error's text, or its name, without line breaks."""
  return ' '.join(str(error).split()) or type(error).__name__


def _load_module(argument: str):
  spec = importlib.util.spec_from_file_location(
    'config_to_explain', config_file(argument)
  )
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def _fields(config: ConfigDict, prefix: str = '') -> dict:
  fields = {}
  for name, value in config.items():
    fields[prefix + name] = value
    if isinstance(value, ConfigDict):
      fields |= _fields(value, f'{prefix}{name}.')
  return fields


def _parent(config: ConfigDict, field: str) -> ConfigDict:
  for name in field.split('.')[:-1]:
    config = config[name]
  return config
