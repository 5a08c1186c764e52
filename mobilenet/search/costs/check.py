"""How well sums of rows tell what networks take: on this machine, or on a device.

    python -m mobilenet.search.costs.check --network=mobilenet_v3_small --resolution=160

Networks of random widths are measured row by row and as wholes. For a device,
--wanted=phone.csv --files=phone writes what is to be measured there, and
--kind=csv --table=phone.csv says how it came out.
"""

import argparse
import os
import pathlib
import sys
import time

import numpy as np

from mobilenet.models import zoo
from mobilenet.models.rows import ModelError, Network, make_divisible
from mobilenet.search import channels, costs, wiring
from mobilenet.search.costs import correction
from mobilenet.training.errors import TrainingError, require

TIMED = ('milliseconds', 'tflite', 'csv')


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
    f'--kind={asked.kind}: what is checked are milliseconds, {", ".join(TIMED)}',
  )
  require(
    asked.networks >= correction.FEWEST,
    f'--networks={asked.networks}: a line needs {correction.FEWEST} or more',
  )
  start = zoo.create(asked.network, width=asked.width).network
  networks = random_widths(start, asked.networks, asked.seed)
  of = {'resolution': asked.resolution, 'num_classes': asked.num_classes}
  exact = costs.make('multiply_adds', **of)
  if asked.wanted:
    count = exact.write_wanted(networks, asked.wanted, networks, asked.files)
    return [f'{asked.wanted} has {count} lines to be measured']
  cost = costs.make(asked.kind, folder=asked.folder, table=asked.table, **of)
  load, began = _load(), time.perf_counter()
  sums = cost.sums(networks)
  seconds = time.perf_counter() - began
  measured = cost.measure(networks)
  lines = [
    f'{asked.network} at {asked.resolution} px, {asked.kind}: {len(networks)} networks '
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


def _load() -> str:
  """How many programs want a core of this machine, over the last minute."""
  return f'{os.getloadavg()[0]:.1f}' if hasattr(os, 'getloadavg') else 'unknown'


def parse(argv: list[str] | None = None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--kind', default='milliseconds', help=', '.join(TIMED))
  parser.add_argument('--network', default='mobilenet_v3_small')
  parser.add_argument('--width', type=float, default=1.0)
  parser.add_argument('--resolution', type=int, default=160, help='px')
  parser.add_argument('--num_classes', type=int, default=5)
  parser.add_argument('--networks', type=int, default=20, help='how many are made')
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument(
    '--folder',
    type=pathlib.Path,
    default=pathlib.Path('runs/costs'),
    help='of latency.csv and correction.json',
  )
  parser.add_argument('--table', type=pathlib.Path, help='of --kind=csv')
  parser.add_argument(
    '--wanted', type=pathlib.Path, help='only write a CSV to be filled on a device'
  )
  parser.add_argument(
    '--files', type=pathlib.Path, help='with --wanted: folder for their TFLite files'
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
