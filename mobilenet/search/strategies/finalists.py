"""Networks that are trained alone: found ones, random ones, and the base's family.

Each is an ordinary run with the same data, recipe, steps and seeds, an item as a
sweep's are: in a folder and a process of its own, resumed by the same command.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from mobilenet.models import table
from mobilenet.models.rows import Network
from mobilenet.runs import teaching
from mobilenet.search import costs, evolution, json_file
from mobilenet.search import space as spaces
from mobilenet.search.costs import budget
from mobilenet.search.costs.cost import Cost
from mobilenet.search.space import Arch
from mobilenet.search.strategies import shared
from mobilenet.search.strategies.scoring import Scores
from mobilenet.search.strategies.shared import Setup
from mobilenet.training.errors import require
from mobilenet.weights import searched
from mobilenet.weights.searched import Searched

FOUND, RANDOM, FAMILY = 'found', 'random', 'family'
GROUPS = (FOUND, RANDOM, FAMILY)
NETWORKS, RUNS = 'networks', 'alone'  # folders of a search


@dataclasses.dataclass(frozen=True)
class Finalist:
  """A network that is trained alone, as JSON holds it.

  group: of GROUPS. width: of the base, for the family. arch: of the others, encoded.
  predicted, measured: costs in the unit of the search. shared: metrics with the shared
  weights, on the photos that choose; {} for the family.
  """

  name: str
  group: str
  rows: str
  predicted: float
  measured: float
  multiply_adds: int
  parameters: int
  width: float | None = None
  arch: str | None = None
  shared: Mapping[str, float] = dataclasses.field(default_factory=dict)


_SHAPE = {
  'name': str,
  'group': GROUPS,
  'rows': str,
  'predicted': json_file.NUMBER,
  'measured': json_file.NUMBER,
  'multiply_adds': int,
  'parameters': int,
  'width': json_file.NUMBER | None,
  'arch': str | None,
  'shared': {str: json_file.NUMBER},
}
# Of the file that `choose` makes, as `json_file.check` takes it.
SHAPE = {
  'unit': tuple(budget.EXAMPLES),
  'target': json_file.NUMBER | None,
  'networks': [_SHAPE],
}


def finalist_of(said: Mapping[str, Any]) -> Finalist:
  """From an entry of that file."""
  return Finalist(**{name: said[name] for name in _SHAPE})


def front(scored: Mapping[Arch, tuple[float, float]]) -> list[Arch]:
  """The networks that no other dominates, the cheapest first; of (cost, loss)."""
  archs = list(scored)
  points = np.array([scored[arch] for arch in archs])
  chosen = np.flatnonzero(evolution.fronts(points) == 0)
  return sorted((archs[n] for n in chosen), key=lambda arch: (scored[arch], arch))


def spread(
  archs: Sequence[Arch], costs: Mapping[Arch, float], count: int
) -> list[Arch]:
  """So many networks, or fewer, evenly over the logarithm of the cost."""
  left = sorted(archs, key=lambda arch: (costs[arch], arch))
  if len(left) <= count:
    return left
  wanted = np.geomspace(costs[left[0]], costs[left[-1]], count)
  return _nearest(left, costs, wanted)


def alike(
  archs: Sequence[Arch], costs: Mapping[Arch, float], wanted: Sequence[float]
) -> list[Arch]:
  """For each cost that is wanted a network that costs nearly as much."""
  return _nearest(list(archs), costs, wanted)


def _nearest(left: list[Arch], costs, wanted) -> list[Arch]:
  chosen = []
  for cost in wanted:
    if left:
      chosen.append(min(left, key=lambda arch: abs(np.log(costs[arch] / cost))))
      left = [arch for arch in left if arch != chosen[-1]]
  return chosen


def family(
  setup: Setup, predict: Callable, lowest: float, highest: float
) -> dict[float, Network]:
  """The base at those widths whose cost is between two, and at the next ones outside.

  Raises:
    ModelError: the base has no such width.
  """
  found = shared.family(setup)
  costs = dict(zip(found, predict([*found.values()]), strict=True))
  widths = [*found]
  kept = [width for width in widths if lowest <= costs[width] <= highest]
  below = [width for width in widths if costs[width] < lowest][-1:]
  above = [width for width in widths if costs[width] > highest][:1]
  return {width: found[width] for width in (*below, *kept, *above)}


def write_networks(folder: pathlib.Path, finalists: Sequence[Finalist], found: dict):
  """Writes a missing searched.json of each that has no name in the tables."""
  for each in finalists:
    if each.group != FAMILY and not path_of(folder, each).exists():
      about = found | {'group': each.group, 'arch': each.arch}
      about |= {'predicted': each.predicted, 'measured': each.measured}
      network = Searched(each.name, table.from_text(each.rows), about)
      searched.write(path_of(folder, each), network)


def path_of(folder: pathlib.Path, finalist: Finalist) -> pathlib.Path:
  return folder / NETWORKS / f'{finalist.name}.json'


def choose(
  folder: pathlib.Path,
  setup: Setup,
  cost: Cost,
  scores: Scores,
  by_search: Mapping[Arch, float],
  by_chance: Mapping[Arch, float],
  *,
  count: int,
  strategy: str,
  target: float | None,
) -> dict[str, Any]:
  """The networks that are trained alone, measured whole; writes their files.

  Args:
    folder: of the search.
    setup, cost, scores: of the search.
    by_search, by_chance: the cost of each network that was found, and drawn.
    count: how many of the front, at most.
    strategy: its name, for the files.
    target: the budget in the unit of the cost, for the report.

  Returns:
    {'unit', 'target', 'networks': the fields of each `Finalist`}.
  """
  points = {arch: (price, scores.of(arch)['loss']) for arch, price in by_search.items()}
  chosen = spread(front(points), by_search, count)
  wanted = [by_search[arch] for arch in chosen]
  others = {arch: price for arch, price in by_chance.items() if arch not in chosen}
  drawn = alike(list(others), others, wanted)
  own = family(setup, cost.predict, min(wanted), max(wanted))
  named = [
    *((f'{FOUND}_{n:02d}', FOUND, arch) for n, arch in enumerate(chosen)),
    *((f'{RANDOM}_{n:02d}', RANDOM, arch) for n, arch in enumerate(drawn)),
  ]
  networks = [spaces.network_of(setup.space, arch) for _, _, arch in named]
  networks += own.values()
  measured = cost.measure(networks)
  # Not anew: a table of a device may have these very networks, and be fitted to them.
  told = {**by_chance, **by_search}
  predicted = [told[arch] for _, _, arch in named] + cost.predict([*own.values()])
  counts = [
    costs.make(kind, setup.config.resolution, len(setup.photos.outputs)).measure(
      networks
    )
    for kind in ('multiply_adds', 'parameters')
  ]
  numbers = [
    {
      'predicted': float(p),
      'measured': float(m),
      'multiply_adds': int(a),
      'parameters': int(n),
    }
    for p, m, a, n in zip(predicted, measured, *counts, strict=True)
  ]
  found = [
    Finalist(
      name,
      group,
      table.to_text(network),
      **number,
      arch=spaces.encode(arch),
      shared=scores.of(arch),
    )
    for (name, group, arch), network, number in zip(
      named, networks, numbers, strict=False
    )
  ]
  found += [
    Finalist(f'{FAMILY}_{width:g}', FAMILY, '', **number, width=width)
    for width, number in zip(own, numbers[len(named) :], strict=True)
  ]
  about = {'strategy': strategy, 'unit': cost.unit, 'seed': setup.config.seed}
  write_networks(folder, found, about)
  best = found[len(chosen) - 1]  # the front's most expensive one has the least loss
  searched.write(
    folder / searched.FILE,
    Searched(
      f'{setup.config.model.name}_{strategy}',
      table.from_text(best.rows),
      about
      | {'finalist': best.name, 'predicted': best.predicted, 'measured': best.measured},
    ),
  )
  return {
    'unit': cost.unit,
    'target': target,
    'networks': [dataclasses.asdict(each) for each in found],
  }


def pairs_of(
  folder: pathlib.Path, finalists: Sequence[Finalist], seeds: Sequence[int]
) -> list[tuple[str, dict[str, Any]]]:
  """(item name, overrides), as a config's `sweep` yields them; seeds outermost."""
  pairs = []
  for seed in seeds:
    for each in finalists:
      if each.group == FAMILY:
        fields = {'model.width': each.width}
      else:
        fields = {'model.table': str(path_of(folder, each)), 'model.width': 1.0}
      pairs.append((item_name(each, seed), {**fields, 'seed': seed}))
  return pairs


def item_name(finalist: Finalist, seed: int) -> str:
  return f'{finalist.name}_seed{seed}'


def items_of(
  folder: pathlib.Path,
  finalists: Sequence[Finalist],
  seeds: Sequence[int],
  config: ConfigDict,
  argument: str,
  overrides: dict[str, Any],
) -> list:
  """The runs, as a sweep's items."""
  from mobilenet.sweeps import items

  require(len(seeds) > 0, '--config.search.seeds=0: networks are trained once at least')
  return items.make_items(
    argument,
    pairs_of(folder, finalists, seeds),
    config,
    overrides,
    folder / RUNS,
    complete=teaching.completed,
  )
