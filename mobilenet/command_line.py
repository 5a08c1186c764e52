"""Reading flags and configs so that a mistake is one clear line, not a traceback."""

import copy
import difflib
import importlib.util
import inspect
import itertools
import pathlib
import sys
from collections.abc import Mapping, Sequence

from absl import flags
from ml_collections import ConfigDict

from mobilenet.training.errors import TrainingError, require


def parse(argv: list[str]) -> list[str]:
  """Parses the command line; a mistake in it ends the program with exit code 2."""
  try:
    if any(argument.startswith(('--config=', '-config=')) for argument in argv):
      config_file(config_argument(argv))  # the flag itself would tell much later
    return flags.FLAGS(argv)
  except Exception as error:
    print(f'error: {explain(argv, error)}', file=sys.stderr)
    sys.exit(2)


def check_flags(job: str, job_flags: Mapping[str, Sequence[str]]) -> None:
  """Checks that `job` knows every flag that is given.

  Args:
    job: the one to be done.
    job_flags: job -> the flags that not every job knows and this one does.

  Raises:
    TrainingError: flags of other jobs are given; all of them are named.
  """
  wrong = []
  for name in dict.fromkeys(itertools.chain(*job_flags.values())):
    jobs = [known for known, names in job_flags.items() if name in names]
    if job not in jobs and flags.FLAGS[name].present:
      wrong.append(f'--{name} is of --job={" or ".join(jobs)}')
  require(not wrong, f'{", ".join(wrong)}; not of --job={job}')


def explain(argv: list[str], error: Exception) -> str:
  """One line on why a command line cannot be parsed."""
  try:
    config = load_config(config_argument(argv))
  except Exception as cause:
    return _one_line(cause)
  fields = _fields(config)
  for argument in argv[1:]:
    name, _, value = argument.lstrip('-').partition('=')
    if not argument.startswith('-') or not name.startswith('config.'):
      continue
    field = name.removeprefix('config.')
    if field not in fields:
      return _unknown_field(field, fields)
    if isinstance(fields[field], ConfigDict):
      return f'config field {field!r} is a section: set one of its fields'
    if f'--{name}={value}' in str(error):
      kind = _parent(config, field).get_type(field.rpartition('.')[2])
      return f'config field {field} = {value!r} must be of type {kind.__name__}'
  return _one_line(error)


def config_argument(argv: list[str]) -> str:
  """The value of --config in a command line.

  Raises:
    ValueError: there is none though one of its fields is set.
  """
  for n, argument in enumerate(argv):
    name, given, value = argument.lstrip('-').partition('=')
    if argument.startswith('-') and name == 'config':
      return value if given else ''.join(argv[n + 1 : n + 2])
  raise ValueError(
    'give a config: --config=configs/quickstart.py'
    if any(argument.startswith('--config.') for argument in argv)
    else 'the command line cannot be read; --help lists the flags'
  )


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
    TrainingError: the file has no sweep, or none of that name; one line.
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
    raise TrainingError(f'{config_file(argument)}: {_one_line(error)}') from error


def override(config: ConfigDict, overrides: dict[str, object]) -> ConfigDict:
  """A copy of `config` with dotted fields set, as `--config.field=value` sets them.

  Raises:
    TrainingError: a field does not exist, is a section, or is of another type.
  """
  config = copy.deepcopy(config)
  fields = _fields(config)
  for field, value in overrides.items():
    require(field in fields, _unknown_field(field, fields))
    require(
      not isinstance(fields[field], ConfigDict),
      f'config field {field!r} is a section: set one of its fields',
    )
    parent, name = _parent(config, field), field.rpartition('.')[2]
    try:
      parent[name] = value
    except TypeError:
      kind = parent.get_type(name).__name__
      raise TrainingError(
        f'config field {field} = {value!r} must be of type {kind}'
      ) from None
  return config


def override_flags(overrides: dict[str, object]) -> list[str]:
  """{'model.width': 0.5} -> ['--config.model.width=0.5'].

  Raises:
    TrainingError: a value is None, which no flag can say.
  """
  for field, value in overrides.items():
    require(
      value is not None,
      f'config field {field} cannot be set to None by a flag; leave it out',
    )
  return [f'--config.{field}={value}' for field, value in overrides.items()]


def _load_module(argument: str):
  spec = importlib.util.spec_from_file_location(
    'config_to_explain', config_file(argument)
  )
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def config_file(argument: str) -> str:
  """The file of 'path/to/config.py:arg'.

  Raises:
    ValueError: there is no such file.
  """
  path = argument.partition(':')[0]
  if not pathlib.Path(path).is_file():
    folder = pathlib.Path(path).parent
    known = sorted(str(file) for file in folder.glob('[!_]*.py'))
    close = difflib.get_close_matches(path, known, n=3, cutoff=0.5)
    hint = f'did you mean {" or ".join(close)}?' if close else 'see configs/'
    raise ValueError(f'config file {path!r} does not exist; {hint}')
  return path


def config_name(argument: str) -> str:
  """'configs/v1.py:width=0.5,quick' -> 'v1-width=0.5,quick', fit for a folder."""
  path, _, arg = argument.partition(':')
  return '-'.join(filter(None, (pathlib.Path(path).stem, arg.replace('/', '_'))))


def _unknown_field(field: str, fields: dict) -> str:
  close = difflib.get_close_matches(field, fields, n=3, cutoff=0.5)
  hint = f'did you mean {" or ".join(close)}?' if close else 'see configs/common.py'
  return f'config field {field!r} does not exist; {hint}'


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


def _one_line(error: Exception) -> str:
  return ' '.join(str(error).split()) or type(error).__name__
