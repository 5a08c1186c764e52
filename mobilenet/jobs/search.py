"""Searches for a network: makes a trained one faster, or finds one in a space.

    python main.py --job=search --start=runs/flowers --budget=0.7x --workdir=runs/faster
    python main.py --job=search --strategy=supernet --config=configs/search_v3_small.py

--strategy=netadapt narrows the network of a finished run, trained or imported, step by
step until it is within the budget: 0.7x of what it costs now, or '5.2 ms', '150 M
multiply-adds', '2.1 M parameters', '4 MB', in the unit of --cost. The milliseconds are
those of this machine; --cost=csv --table=phone.csv takes those of a device. Then it
trains what was found as the run was trained, and beside it the same family narrowed
everywhere alike. Everything but the flags is the run's: a config is not taken.

--strategy=supernet trains shared weights for all networks of a config's space, looks by
evolution for those with the least loss at each cost, and trains these, as many random
ones and the base network at its widths alone. --strategy=tunas has a controller choose
what the shared weights are trained for, and ends with one network of the budget's cost.

The photos that runs are evaluated on choose nothing. The same command again goes on
after an interruption. docs/search.md says more.
"""

import os
import pathlib

from mobilenet import config_files
from mobilenet.command_line import Flag, Given
from mobilenet.training import workdir
from mobilenet.training.errors import require, unknown_name

FLAGS = (
  Flag('strategy', str, 'netadapt', 'How to search: netadapt, supernet or tunas.'),
  Flag('start', str, None, 'The finished run to start from.'),
  Flag('budget', str, None, "What the network may cost: 0.7x, '5.2 ms', '4 MB', ..."),
  Flag(
    'cost',
    str,
    'milliseconds',
    'What is counted: milliseconds or tflite, measured here; csv; multiply_adds, '
    'parameters or bytes; roofline:NAME.',
  ),
  Flag('table', str, None, 'With --cost=csv: milliseconds of rows on a device.'),
  Flag('delta', float, 0.03, 'Share of the cost that a step saves; V3 took 0.01.'),
  Flag('steps', int, 40, 'Training steps of a short fine-tune; V3 took 10,000.'),
  Flag(
    'screen', int, 8, 'Proposals that are fine-tuned, of all scored; 0: all, as V3.'
  ),
  Flag('choose', str, 'ratio', 'ratio, the least loss for what is saved; or accuracy.'),
  Flag('score', str, 'loss', 'What proposals are judged by: loss, or top1.'),
  Flag(
    'learning_rate',
    float,
    None,
    "Of short fine-tunes; a tenth of the run's if not given, and of AdamW 0.0003 at "
    'least.',
  ),
  Flag('seed', int, 0, 'Of the search: which photos choose, and their order.'),
  Flag('tune_epochs', float, None, "Of the long fine-tune; the run's if not given."),
  Flag('control', bool, True, 'Also train the family narrowed everywhere alike.'),
  Flag('scratch', bool, True, 'Also train what was found from drawn weights.'),
  Flag('data_dir', str, None, "The run's photos, if they are elsewhere now."),
  Flag('finalists', int, 8, 'Networks of the front that are trained alone.'),
  Flag('index', int, None, 'Of the runs at the end this one; 0 searches before.'),
)
# Flags that one strategy alone reads.
OWN = {
  'netadapt': (
    'start',
    'delta',
    'steps',
    'screen',
    'choose',
    'score',
    'learning_rate',
    'seed',
    'tune_epochs',
    'control',
    'scratch',
    'data_dir',
  ),
  'supernet': ('finalists',),
  'tunas': (),
}
INSTEAD = {'init': '--start', 'out': '--workdir'}


def run(given: Given) -> int:
  flags = given.flags
  if flags.strategy not in OWN:
    raise unknown_name('--strategy', flags.strategy, OWN)
  require(not flags.multihost, '--multihost: one process searches')
  defaults = {flag.name: flag.default for flag in FLAGS}
  for other, names in OWN.items():
    for name in names:
      require(
        name in OWN[flags.strategy] or getattr(flags, name) == defaults[name],
        f'--{name} is of --strategy={other}, not of {flags.strategy}',
      )
  return STRATEGIES[flags.strategy](given)


def _narrow(given: Given) -> int:
  """NetAdapt."""
  flags = given.flags
  require(
    given.config is None,
    '--job=search takes no --config: everything but its flags is as in --start; to '
    'change a field, train that run with it first',
  )
  require(bool(flags.start), 'name the run to start from: --start=runs/...')
  require(
    bool(flags.budget),
    "say what the network may cost: --budget=0.7x, or --budget='5.2 ms'",
  )
  from mobilenet.search.strategies import netadapt

  start = workdir.local_path(flags.start)
  folder = given.folder(f'{start.name}-{flags.strategy}')
  require(
    folder != start,
    f'--workdir={flags.workdir} is the run to start from: name a folder for the search',
  )
  request = netadapt.Request(
    start=start,
    budget=flags.budget,
    cost=flags.cost,
    asked=netadapt.Asked(
      delta=flags.delta,
      steps=flags.steps,
      screen=flags.screen,
      choose=flags.choose,
      score=flags.score,
      learning_rate=flags.learning_rate,
      seed=flags.seed,
    ),
    table=flags.table and pathlib.Path(flags.table).expanduser(),
    data_dir=flags.data_dir,
    tune_epochs=flags.tune_epochs,
    control=flags.control,
    scratch=flags.scratch,
    index=flags.index,
  )
  return netadapt.run(
    folder,
    request,
    compiled=given.compiled and given.compiled / 'programs',
    command=_command(given),
  )


def _in_a_space(given: Given) -> int:
  """Shared weights of a space."""
  flags = given.flags
  require(
    os.name == 'posix',
    f'--strategy={flags.strategy} locks files as Linux and macOS do',
  )
  from mobilenet.search.strategies import supernet

  config = given.needed_config()
  folder = given.folder(f'{config_files.config_name(given.argument)}-{flags.strategy}')
  request = supernet.Request(
    config=config,
    argument=given.argument,
    overrides=given.overrides,
    command=_command(given),
    strategy=flags.strategy,
    cost=flags.cost,
    table=flags.table and pathlib.Path(flags.table).expanduser(),
    budget=flags.budget,
    finalists=flags.finalists,
    index=flags.index,
  )
  return supernet.run(folder, request)


STRATEGIES = {'netadapt': _narrow, 'supernet': _in_a_space, 'tunas': _in_a_space}


def _command(given: Given) -> list[str]:
  """What a person types for this search."""
  flags, typed = given.flags, ['python', 'main.py', '--job=search']
  for flag in FLAGS:
    value = getattr(flags, flag.name)
    if flag.kind is bool and value != flag.default:
      typed.append(f'--{"" if value else "no"}{flag.name}')
    elif value != flag.default and flag.name != 'index':
      typed.append(f'--{flag.name}={value}')
  if given.argument:
    typed.append(f'--config={given.argument}')
  typed += config_files.override_flags(given.overrides)
  return typed + ([f'--workdir={flags.workdir}'] if flags.workdir else [])
