"""Searches for a network: makes a trained one faster, or smaller.

    python main.py --job=search --start=runs/flowers --budget=0.7x --workdir=runs/faster

--strategy=netadapt, the only one, narrows the network of a finished run, trained or
imported, step by step until it is within the budget: 0.7x of what it costs now, or
'5.2 ms', '150 M multiply-adds', '2.1 M parameters', '4 MB', in the unit of --cost. The
milliseconds are those of this machine; --cost=csv --table=phone.csv takes those of a
device. Then it trains what was found as the run was trained, and beside it the same
family narrowed everywhere alike.

Everything else is the run's: photos, preparation, optimizer, schedule. A config is not
taken, nor are its fields. The photos that the run is evaluated on choose nothing. The
same command again goes on after an interruption. docs/search.md says more.
"""

import os
import pathlib

from mobilenet import config_files
from mobilenet.command_line import Flag, Given
from mobilenet.training.errors import require, unknown_name

STRATEGIES = ('netadapt', 'supernet')
FLAGS = (
  Flag('strategy', str, 'netadapt', 'How to search: netadapt.'),
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
    "Of short fine-tunes; a tenth of the run's if not given.",
  ),
  Flag('seed', int, 0, 'Of the search: which photos choose, and their order.'),
  Flag('tune_epochs', float, None, "Of the long fine-tune; the run's if not given."),
  Flag('control', bool, True, 'Also train the family narrowed everywhere alike.'),
  Flag('scratch', bool, True, 'Also train what was found from drawn weights.'),
  Flag('data_dir', str, None, "The run's photos, if they are elsewhere now."),
  Flag('finalists', int, 8, 'Networks of the front that are trained alone.'),
  Flag('index', int, None, 'Of the runs at the end this one; 0 searches before.'),
)
INSTEAD = {'init': '--start', 'out': '--workdir'}


def run(given: Given) -> int:
  flags = given.flags
  if flags.strategy not in STRATEGIES:
    raise unknown_name('--strategy', flags.strategy, STRATEGIES)
  require(not flags.multihost, '--multihost: one process searches')
  if flags.strategy == 'supernet':
    return _in_a_space(given)
  raise NotImplementedError


def _in_a_space(given: Given) -> int:
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
    command=_command(flags),
    cost=flags.cost,
    table=flags.table and pathlib.Path(flags.table).expanduser(),
    budget=flags.budget,
    finalists=flags.finalists,
    index=flags.index,
  )
  return supernet.run(folder, request)


def _command(flags) -> list[str]:
  """What a person types for this search."""
  typed = ['python', 'main.py', '--job=search']
  for flag in FLAGS:
    value = getattr(flags, flag.name)
    if flag.kind is bool and value != flag.default:
      typed.append(f'--{"" if value else "no"}{flag.name}')
    elif value != flag.default and flag.name != 'index':
      typed.append(f'--{flag.name}={value}')
  return typed + ([f'--workdir={flags.workdir}'] if flags.workdir else [])
