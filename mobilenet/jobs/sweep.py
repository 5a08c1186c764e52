"""Trains every variant of a config's sweep.

    python main.py --job=sweep --config=configs/v1.py --sweep=grid

Each variant runs in its own process. The same command again skips finished items,
resumes interrupted ones and retries failed ones. docs/sweeps.md says more.
"""

import os

from mobilenet import config_files, experiment, watching
from mobilenet.command_line import Flag, Given
from mobilenet.runs import teaching
from mobilenet.training.errors import require

FLAGS = (
  Flag('sweep', str, None, "Name of the sweep; the config's default if not given."),
  Flag('index', int, None, 'Run this item alone, counted from 0.'),
  Flag('log_to', str, None, 'As in --job=train, of every item.'),
  Flag('list', bool, False, 'Print the items and run nothing.'),
)


def run(given: Given) -> int:
  require(
    not given.flags.multihost,
    '--multihost is for one run; spread a sweep over machines with --index',
  )
  require(
    os.name == 'posix',
    '--job=sweep locks files as Linux and macOS do; here, train its items one by one',
  )
  from mobilenet.sweeps import items as sweep_items
  from mobilenet.sweeps import runner

  config = given.needed_config()
  name, pairs = config_files.load_sweep(given.argument, given.flags.sweep)
  log_to = watching.parse(given.flags.log_to)
  watching.check_installed(log_to)
  title = f'{config_files.config_name(given.argument)}-{name}'
  folder = given.folder(title)
  items = sweep_items.make_items(
    given.argument,
    pairs,
    config,
    given.overrides,
    folder,
    complete=teaching.completed,
    flags=[f'--log_to={",".join(log_to)}'] if log_to else [],
  )
  if given.flags.list:
    runner.show_items(items, title, ignore=experiment.HARMLESS)
    return 0
  return runner.run(
    items,
    folder,
    title=title,
    command=runner.command(given.argument, name, given.overrides, folder),
    given=given.overrides,
    index=given.flags.index,
    ignore=experiment.HARMLESS,
  )
