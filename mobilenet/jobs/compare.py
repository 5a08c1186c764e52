"""Compares networks on the same photos, in one table.

    python main.py --job=compare --config=configs/compare.py --config.data.dir=photos
    python main.py --job=compare runs/a runs/b runs/c

With a config, the items of its sweep are trained first, as --job=sweep does: the same
command again skips finished items and resumes interrupted ones. Folders name finished
runs of one split, whatever trained them. --workdir is the folder of the comparison:
compare.html, compare.md, compare.csv, compare.json and compare.png.
docs/compare.md says what the table means and how to write a list of networks.
"""

import os
import pathlib
from collections.abc import Sequence

from mobilenet import config_files, experiment, trained
from mobilenet.command_line import Flag, Given
from mobilenet.comparison import finished, rows, writing
from mobilenet.reports import result
from mobilenet.runs import latency, run_data
from mobilenet.training import workdir
from mobilenet.training.errors import require

ARGUMENTS = 'RUN RUN ...'
FLAGS = (
  Flag('sweep', str, None, "Name of the sweep; the config's default if not given."),
  Flag('latency', bool, True, 'Time one image through each network on this machine.'),
)


def run(given: Given) -> int:
  require(
    not given.flags.multihost,
    '--multihost is for one run; a comparison trains its runs one after another',
  )
  require(
    not (given.config and given.arguments),
    'a config trains a list of networks, folders name finished runs: give one of both',
  )
  if given.arguments:
    folders = [workdir.local_path(folder) for folder in given.arguments]
    out = given.folder('compare')
    command = ['python', 'main.py', '--job=compare', *map(str, given.arguments)]
    compare(folders, out, command, latencies=given.flags.latency)
    return 0
  require(
    given.config is not None,
    'compare what? --config=configs/compare.py --config.data.dir=PHOTOS trains a list '
    'of networks, and folders name finished runs',
  )
  return _train_and_compare(given)


def _train_and_compare(given: Given) -> int:
  require(
    os.name == 'posix',
    '--job=compare with a config locks files as Linux and macOS do; here, train its '
    'items one by one and name their folders',
  )
  from mobilenet.sweeps import items as sweep_items
  from mobilenet.sweeps import runner

  name, pairs = config_files.load_sweep(given.argument, given.flags.sweep)
  _check_init(given, [overrides for _, overrides in pairs])
  title = f'{config_files.config_name(given.argument)}-{name}'
  folder = given.folder(title)
  items = sweep_items.make_items(
    given.argument,
    pairs,
    given.config,
    given.overrides,
    folder,
    complete=lambda config: trained.complete(config)[0],
  )
  command = runner.command(given.argument, name, given.overrides, folder, job='compare')
  code = runner.run(
    items,
    folder,
    title=title,
    command=command,
    given=given.overrides,
    ignore=experiment.HARMLESS,
  )
  standings = {
    item.folder: sweep_items.standing(item, experiment.HARMLESS).status
    for item in items
  }
  done = [path for path, status in standings.items() if status == 'done']
  if not {*standings.values()} <= {'done', 'failed'} or len(done) < 2:
    print('no comparison yet: it comes when no run is left and at least two are done')
    return code
  compare(done, folder, command, latencies=given.flags.latency)
  if failed := [path.name for path in standings if path not in done]:
    print(f'not compared, since failed: {", ".join(failed)}')
  return code


def _check_init(given: Given, items: Sequence[dict]) -> None:
  """Refuses weights of one network for several; each item names its own.

  Raises:
    TrainingError: --config.init is given, and the items are of several networks.
  """
  networks = {
    tuple(
      item.get(field, given.config.model[field.partition('.')[2]])
      for field in ('model.name', 'model.width')
    )
    for item in items
  }
  require(
    'init' not in given.overrides or len(networks) == 1,
    f'--config.init is one network, and these items are {len(networks)}: name the '
    'weights of each in the sweep; docs/compare.md shows how',
  )


def compare(
  folders: Sequence[pathlib.Path],
  out: pathlib.Path,
  command: Sequence[str],
  *,
  latencies: bool = True,
) -> list[rows.Row]:
  """Compares finished runs, prints the table and writes it.

  Args:
    folders: of the runs.
    out: where the comparison goes.
    command: what a person types to make it, which it says.
    latencies: whether to time the networks on this machine.

  Raises:
    TrainingError, ModelError: a run is not finished, or was trained or evaluated on
      other photos; the line names it.
  """
  require(
    len(set(folders)) == len(folders), 'a run is named twice: name each of them once'
  )
  runs = [finished.read(folder) for folder in folders]
  finished.check_comparable(runs)
  measured, machine = None, 'not measured'
  if latencies:
    print(f'timing one image through {len(runs)} networks')
    measured = dict(zip(folders, latency.measure(folders), strict=True))
    machine = _machine()
  compared = rows.compare(runs, measured)
  evaluation = runs[0].data.evaluation
  title = f'Comparison of {len(runs)} networks'
  page = writing.write(
    out,
    compared,
    title=title,
    command=command,
    machine=machine,
    data=run_data.described(evaluation, runs[0].data.origin),
  )
  writing.show(compared, title)
  print(f'comparison: {page}')
  return compared


def _machine() -> str:
  """'median of 31 interleaved rounds, ..., on cpu (2 cores), jax 0.10.2'."""
  here = result.environment()
  cores = f' ({here["cpu_count"]} cores)' if here['platform'] == 'cpu' else ''
  return (
    f'median of {latency.ROUNDS} interleaved rounds, batch 1, norms folded, on '
    f'{here["device_kind"]}{cores}, jax {here["jax"]}'
  )
