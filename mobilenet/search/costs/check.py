"""How well sums of rows tell what networks take: on this machine, or on a device.

    python -m mobilenet.search.costs.check --network=mobilenet_v3_small --resolution=160

Networks of random widths are measured row by row and as wholes; --start=runs/flowers
takes those of a run in place of a network of the tables. For a device,
--wanted=phone.csv --files=phone writes what is to be measured there,
--lacking=runs/faster/wanted.csv adds what a search lacked, and --kind=csv
--table=phone.csv says how it came out. docs/search_costs.md says more.
"""

import argparse
import os
import pathlib
import sys
import time
from typing import NamedTuple

import numpy as np

from mobilenet.models import zoo
from mobilenet.models.rows import ModelError, Network, make_divisible
from mobilenet.search import channels, costs, wiring
from mobilenet.search.costs import correction, latency_table, wanted
from mobilenet.search.strategies import proposals
from mobilenet.search.strategies import start as starts
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError, require

TIMED = ('milliseconds', 'tflite', 'csv')
# Flags that a run says by itself -> (type, default without a run, help).
OF_RUN = {
  'network': (str, 'mobilenet_v3_small', 'a name of the tables'),
  'width': (float, 1.0, 'its width multiplier'),
  'resolution': (int, 160, 'px'),
  'num_classes': (int, 5, 'of its classifier'),
}


class Subject(NamedTuple):
  """What networks are made from.

  name: for people. network: as the tables have it. flags: by which it was asked for.
  """

  name: str
  network: Network
  resolution: int
  num_classes: int
  flags: list[str]


def subject(asked: argparse.Namespace) -> Subject:
  """The network of a run, or of the tables.

  Raises:
    TrainingError, ModelError: there is none, or a search cannot change it.
  """
  given = {n: getattr(asked, n) for n in OF_RUN if getattr(asked, n) is not None}
  if asked.start:
    require(
      not given,
      f'--start={asked.start} says what {", ".join(f"--{n}" for n in given)} would: '
      'give the run alone',
    )
    run = starts.opened(workdir.local_path(asked.start))
    sizes = run.config.resolution, run.model.num_classes
    return Subject(asked.start, run.model.network, *sizes, [f'--start={asked.start}'])
  said = {n: given.get(n, default) for n, (_, default, _) in OF_RUN.items()}
  return Subject(
    said['network'],
    zoo.create(said['network'], width=said['width']).network,
    said['resolution'],
    said['num_classes'],
    [f'--{name}={value}' for name, value in said.items()],
  )


def first_asked(network: Network) -> list[Network]:
  """The networks that a search from this one asks for before all others."""
  whole = channels.resized(network, wiring.of(network).sizes)
  return [whole, proposals.least(whole)]


def random_widths(network: Network, count: int, seed: int) -> list[Network]:
  """Networks like one, each group of channels 0.3 to 1.25 times as wide.

  Each network has a width of its own, about which its groups vary by a quarter, so that
  small and large ones are among them.

  Raises:
    ModelError: it has rows that a search cannot change.
  """
  generator, sizes, found = np.random.default_rng(seed), wiring.of(network).sizes, []
  for _ in range(100 * count):
    factors = generator.uniform(0.4, 1.0) * generator.uniform(0.75, 1.25, len(sizes))
    drawn = {
      name: make_divisible(size * factor, network.divisor, minimum=8)
      for (name, size), factor in zip(sizes.items(), factors, strict=True)
    }
    try:
      found.append(channels.resized(network, drawn))
    except ModelError:  # an expansion that vanishes: drawn again
      continue
    if len(found) == count:
      return found
  raise ModelError('this network can hardly be narrower')


def check(asked: argparse.Namespace) -> list[str]:
  """Measures, and returns lines for people.

  Raises:
    TrainingError, ModelError: see `costs.make`.
  """
  require(
    asked.kind in TIMED,
    f'--kind={asked.kind}: only costs that are measured can be checked, '
    f'{", ".join(TIMED)}; others are counted or computed',
  )
  require(
    asked.networks >= correction.FEWEST,
    f'--networks={asked.networks}: a line needs {correction.FEWEST} or more',
  )
  require(
    bool(asked.wanted) or not (asked.files or asked.lacking),
    '--files and --lacking belong to a table that is to be filled: --wanted=phone.csv',
  )
  if asked.lacking:
    lines = latency_table.records(asked.lacking)
    return [_to_measure(asked, wanted.add(lines, asked.wanted, asked.files))]
  of = subject(asked)
  networks = random_widths(of.network, asked.networks, asked.seed)
  sizes = {'resolution': of.resolution, 'num_classes': of.num_classes}
  exact = costs.make('multiply_adds', **sizes)
  if asked.wanted:
    rows = [*first_asked(of.network), *networks]
    count = exact.write_wanted(rows, asked.wanted, networks, asked.files)
    return [_to_measure(asked, count)]
  folder = None if asked.kind == 'csv' else asked.folder
  cost = costs.make(
    asked.kind, folder=folder, table=asked.table, networks=of.flags, **sizes
  )
  load, began = _load(), time.perf_counter()
  sums = cost.sums(networks)
  seconds = time.perf_counter() - began
  measured = cost.measure(networks)
  lines = [
    f'{of.name} at {of.resolution} px, {asked.kind}: {len(networks)} networks '
    f'of random widths, {min(measured):.3g} to {max(measured):.3g} ms; load {load}',
    f'sums of rows: {seconds:.0f} s; on the mean '
    f'{100 * (np.array(sums) / measured - 1).mean():+.1f} % of what was measured',
    f'with a line: {cost.fit(networks, measured).said(cost.unit)}',
  ]
  counted = correction.fit(exact.predict(networks), measured)
  lines.append(
    f'multiply-adds with a line: {counted.mean_error:.1f} % off on one left out, '
    f'{counted.max_error:.1f} % at most; Kendall tau {counted.tau:.2f}'
  )
  if asked.kind != 'csv':
    off = 100 * np.abs(np.array(cost.measure(networks)) / measured - 1)
    lines.append(
      f'measured again: {off.mean():.1f} % off, {off.max():.1f} % at most; load then '
      f'{_load()}'
    )
  return lines


def _to_measure(asked: argparse.Namespace, count: int) -> str:
  made = f', and {asked.files} has their TFLite files' if asked.files and count else ''
  return f'{asked.wanted} has {count} lines to be measured{made}'


def _load() -> str:
  """How many programs want a core of this machine, over the last minute."""
  return f'{os.getloadavg()[0]:.1f}' if hasattr(os, 'getloadavg') else 'unknown'


def parse(argv: list[str] | None = None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    prog=wanted.CHECK,
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )

  def flag(name, said, default=None, kind=str):
    said += '' if default is None else f' (default: {default})'
    parser.add_argument(f'--{name}', type=kind, help=said)
    parser.set_defaults(**{name: None if name in OF_RUN else default})

  flag(
    'kind',
    f'which of the costs that are measured: {", ".join(TIMED)}; the others of '
    '--job=search are counted or computed, and there is nothing to check',
    'milliseconds',
  )
  flag('start', 'a finished run, which says the next four by itself')
  for name, (kind, default, said) in OF_RUN.items():
    flag(name, said, default, kind)
  flag('networks', 'how many of random widths are made', 20, int)
  flag('seed', 'of the random widths', 0, int)
  path = pathlib.Path
  flag('folder', 'of what is measured here, and of its line', path('runs/costs'), path)
  flag('table', 'with --kind=csv: the filled table', kind=path)
  flag(
    'wanted',
    'only write this CSV, to be filled on a device; lines that it has already stay',
    kind=path,
  )
  flag(
    'lacking',
    'with --wanted: add the lines of this CSV, the wanted.csv of a search, instead',
    kind=path,
  )
  flag(
    'files',
    'with --wanted: folder for the TFLite files of lines without milliseconds',
    kind=path,
  )
  return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
  try:
    print('\n'.join(check(parse(argv))))
  except (TrainingError, ModelError) as error:
    print(f'error: {error}', file=sys.stderr)
    return 1
  return 0


if __name__ == '__main__':
  sys.exit(main())
