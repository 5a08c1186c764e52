"""The command line: a job, its flags and a config; a mistake becomes one line."""

import dataclasses
import itertools
import pathlib
import shutil
import sys
import textwrap
import types
from collections.abc import Sequence
from typing import NamedTuple

from absl import flags
from ml_collections import ConfigDict, config_flags

from mobilenet import config_files, jobs
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.preemption import STOPPED

DEFAULT_JOB = 'train'


class Flag(NamedTuple):
  """A flag. kind: str, int, float or bool. default: None for a flag without one."""

  name: str
  kind: type
  default: object
  help: str


COMMON = (
  Flag('job', str, DEFAULT_JOB, 'The job; an unambiguous beginning is enough.'),
  Flag(
    'workdir',
    str,
    None,
    'Folder of the run, or s3:// or gs://; runs/<config name> by default.',
  ),
  Flag('multihost', bool, False, 'Run as one of several processes of a run.'),
  Flag('coordinator', str, None, 'host:port of process 0, if JAX cannot find it.'),
  Flag('num_processes', int, None, 'Number of processes, if JAX cannot find it.'),
  Flag('process_id', int, None, 'Number of this process, from 0, likewise.'),
)
CONFIG_HELP = (
  'The experiment: a file of configs/, with :arguments if it takes any. '
  '--config.FIELD=VALUE and --config.SECTION.FIELD=VALUE set any field; None gives it '
  'its default back.'
)
EXIT_CODES = {0: 'done', 1: 'error', 2: 'mistyped', STOPPED: 'stopped and saved'}
_DEFINE = {
  str: flags.DEFINE_string,
  int: flags.DEFINE_integer,
  float: flags.DEFINE_float,
  bool: flags.DEFINE_bool,
}


@dataclasses.dataclass(frozen=True)
class Given:
  """What a person typed.

  job: the full name.
  config: None where no --config is given.
  flags: by name, the common ones and the job's own.
  arguments: what is not a flag.
  overrides: the fields of the config that flags set, with their values.
  argument: the value of --config as typed, 'configs/v1.py:width=0.5', or ''.
  compiled: folder for compiled programs of runs; None keeps none.
  """

  job: str
  config: ConfigDict | None
  flags: types.SimpleNamespace
  arguments: tuple[str, ...] = ()
  overrides: dict[str, object] = dataclasses.field(default_factory=dict)
  argument: str = ''
  compiled: pathlib.Path | None = None

  def needed_config(self) -> ConfigDict:
    """The config.

    Raises:
      TrainingError: none is given.
    """
    require(
      self.config is not None,
      f'--job={self.job} needs an experiment: give a config, for example '
      '--config=configs/quickstart.py',
    )
    return self.config

  def folder(self, name: str) -> pathlib.Path:
    """--workdir, or a folder of this name in runs/."""
    return workdir.local_path(self.flags.workdir or pathlib.Path('runs') / name)

  def run_folder(self) -> pathlib.Path:
    """The folder of one run, which the config names where --workdir does not.

    Raises:
      TrainingError: neither is given.
    """
    require(
      bool(self.flags.workdir or self.argument),
      f'--job={self.job} needs a run: --workdir=runs/..., or the --config it was '
      'trained with',
    )
    return self.folder(config_files.config_name(self.argument))


def parse(argv: Sequence[str]) -> tuple[types.ModuleType, Given]:
  """The job and what was typed for it; prints the help and exits if asked to.

  Raises:
    TrainingError: a mistake in the command line, in one line.
  """
  argv = _config_first(argv)
  name = jobs.full_name(_value_of('job', argv) or DEFAULT_JOB)
  asked = any(a in ('-h', '--help', '--helpfull', '--helpshort') for a in argv[1:])
  if asked and _value_of('job', argv) is None:
    print(overview())
    sys.exit()
  job = jobs.load(name)
  if asked:
    print(help_of(name, job))
    sys.exit()
  _check_flags(name, job, argv)
  values = flags.FlagValues()
  for flag in (*COMMON, *job.FLAGS):
    _DEFINE[flag.kind](flag.name, flag.default, flag.help, flag_values=values)
  config_flags.DEFINE_config_file(
    'config',
    None,
    CONFIG_HELP,
    flag_values=values,
    sys_argv=[typed for typed in argv if not _sets_none(typed)],
  )
  try:
    argument = config_argument(argv)
    if argument:
      config_files.config_file(argument)  # the flag itself would fail much later
    # Flags of ml_collections cannot set None, which gives a field its default back.
    unset = {_field(typed): None for typed in argv[1:] if _sets_none(typed)}
    rest = [typed for typed in argv if not _sets_none(typed)]
    arguments = tuple(values(rest)[1:])
    config = values['config'].value
    if config is not None:
      config = config_files.override(config, unset)
  except Exception as error:
    raise TrainingError(explain(argv, error)) from error
  require(
    not arguments or hasattr(job, 'ARGUMENTS'),
    f'what is {arguments[0] if arguments else ""!r}? flags begin with --',
  )
  joining = [
    f for f in ('coordinator', 'num_processes', 'process_id') if values[f].present
  ]
  require(
    not joining or values['multihost'].value,
    f'--{", --".join(joining)}: only for several processes; add --multihost',
  )
  overrides = config_flags.get_override_values(values['config']) if config else {}
  overrides |= unset
  given = types.SimpleNamespace(
    **{flag.name: values[flag.name].value for flag in (*COMMON, *job.FLAGS)}
  )
  return job, Given(name, config, given, arguments, overrides, argument)


def overview() -> str:
  """The help of main.py: every job in a line, and the flags they share."""
  lines = ['usage: python main.py [--job=JOB] [--config=FILE] [FLAGS]', '', 'Jobs:']
  for name in jobs.names():
    default = ' (the default)' if name == DEFAULT_JOB else ''
    lines += _entry(f'{name}{default}', jobs.describe(name).summary)
  lines += ['', 'Flags of all jobs:', *_common_flags()]
  lines += [
    '',
    'A first run, which downloads nothing:',
    '  python main.py --config=configs/quickstart.py',
    '',
    'Flags of one job, and what it does: python main.py --job=predict --help',
  ]
  codes = ', '.join(f'{code} {meaning}' for code, meaning in EXIT_CODES.items())
  lines += _entry('Exit codes:', codes)
  return '\n'.join(lines)


def help_of(name: str, job: types.ModuleType) -> str:
  """The help of one job: its own flags first."""
  takes = f' {job.ARGUMENTS}' if hasattr(job, 'ARGUMENTS') else ''
  lines = [f'usage: python main.py --job={name} [FLAGS]{takes}', '']
  lines += [job.__doc__.strip(), '']
  if job.FLAGS:
    lines += [f'Flags of --job={name}:']
    for flag in job.FLAGS:
      lines += _entry(_spelled(flag), flag.help)
    lines += ['']
  return '\n'.join([*lines, 'Flags of all jobs:', *_common_flags()])


def _common_flags() -> list[str]:
  lines = _entry('--config=FILE', CONFIG_HELP)
  for flag in COMMON:
    lines += _entry(_spelled(flag), flag.help)
  return lines


def _spelled(flag: Flag) -> str:
  if flag.kind is bool:
    return f'--[no]{flag.name}' if flag.default else f'--{flag.name}'
  default = flag.kind.__name__.upper() if flag.default is None else flag.default
  return f'--{flag.name}={default}'


def _entry(term: str, text: str) -> list[str]:
  """A term and its explanation in two columns."""
  indent = ' ' * 26
  width = min(shutil.get_terminal_size((88, 24)).columns, 88)
  first = f'  {term:<24}' if len(term) < 24 else f'  {term}\n{indent}'
  return [first + textwrap.fill(text, width - 26).replace('\n', f'\n{indent}')]


def _config_first(argv: Sequence[str]) -> list[str]:
  """The command line with --config before the flags that set its fields.

  ml_collections takes them in this order alone.
  """
  for n, argument in enumerate(argv):
    if argument == '--':
      break
    if argument.startswith('-') and argument.lstrip('-').partition('=')[0] == 'config':
      end = n + 1 if '=' in argument else n + 2
      return [*argv[:1], *argv[n:end], *argv[1:n], *argv[end:]]
  return list(argv)


def _check_flags(name: str, job: types.ModuleType, argv: Sequence[str]) -> None:
  """Refuses flags that only other jobs have, and names all of them."""
  own = {flag.name for flag in (*COMMON, *job.FLAGS)}
  others = {other: jobs.describe(other).flags for other in jobs.names()}
  wrong = []
  for typed in dict.fromkeys(_flag_names(argv)):
    for flag in {typed, typed.removeprefix('no')} - own:
      if knowing := [other for other, known in others.items() if flag in known]:
        own_way = getattr(job, 'INSTEAD', {}).get(flag)
        belongs = f'--{flag} belongs to --job={" or ".join(knowing)}'
        wrong.append(f'{belongs} (here it is {own_way})' if own_way else belongs)
  require(not wrong, f'{", ".join(wrong)}; not to --job={name}')


def _flag_names(argv: Sequence[str]) -> list[str]:
  before = itertools.takewhile(lambda argument: argument != '--', argv[1:])
  return [a.lstrip('-').partition('=')[0] for a in before if a.startswith('-')]


def _value_of(name: str, argv: Sequence[str]) -> str | None:
  """The value of a flag in a command line, or None."""
  for n, argument in enumerate(argv):
    if argument.startswith('-') and argument.lstrip('-').partition('=')[0] == name:
      _, given, value = argument.partition('=')
      return value if given else ''.join(argv[n + 1 : n + 2])
  return None


def config_argument(argv: Sequence[str]) -> str:
  """The value of --config in a command line, or ''.

  Raises:
    TrainingError: there is none, but one of its fields is set.
  """
  argument = _value_of('config', argv)
  require(
    argument is not None or not any(a.startswith('--config.') for a in argv),
    'config fields are set without a config; give a config: --config=configs/...',
  )
  return argument or ''


def _sets_none(typed: str) -> bool:
  return typed.lstrip('-').startswith('config.') and typed.endswith('=None')


def _field(typed: str) -> str:
  """'--config.model.width=0.5' -> 'model.width'."""
  return typed.lstrip('-').partition('=')[0].removeprefix('config.')


def explain(argv: Sequence[str], error: Exception) -> str:
  """One line that says why a command line cannot be parsed."""
  argument = _value_of('config', argv)
  if argument is None:
    return config_files.one_line(error)
  try:
    config = config_files.load_config(argument)
  except Exception as cause:
    return config_files.one_line(cause)
  for typed in argv[1:]:
    name, _, value = typed.lstrip('-').partition('=')
    if typed.startswith('-') and name.startswith('config.'):
      try:
        config_files.check_field(config, _field(typed))
      except TrainingError as cause:
        return str(cause)
      if f'--{name}={value}' in str(error):
        return config_files.wrong_type(config, _field(typed), value)
  return config_files.one_line(error)
