"""Whether one measure of networks orders them as another does: Kendall's tau.

    found = compare({'shared weights': shared, 'multiply-adds': size}, alone)
    for line in said(found): print(line)

Papers report tau 0.9 for a super-network where others find less than 0: what was
sampled decides. So a rank report says how many networks there are, how far they differ
in size, what their size alone would say, and what a second seed of the very same
training says, which nothing can beat.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mobilenet.search.costs import budget
from mobilenet.search.kendall import tau
from mobilenet.training.errors import require

RESAMPLED = 2000  # draws of the bootstrap
SEED = 0
BAND = 0.1  # of the cost: networks that are equally large
FEWEST = 3  # networks that can be ordered in more than one way


class Tau(NamedTuple):
  """Kendall's tau-b, from -1 to 1, its 95 % interval, and of how many networks.

  NaN where all values of one of both are equal.
  """

  tau: float
  low: float
  high: float
  networks: int

  def __str__(self) -> str:
    return f'{self.tau:.2f} ({self.low:.2f} to {self.high:.2f}, n = {self.networks})'


class Ranks(NamedTuple):
  """How well each measure orders networks that were trained alone.

  by: of each measure. seeds: one seed against another; None without a second one.
  inside: of each measure, among pairs whose costs differ by at most `BAND` alone.
  costs: the least and the largest, and their unit.
  """

  by: dict[str, Tau]
  seeds: Tau | None
  inside: dict[str, Tau]
  costs: tuple[float, float, str]


def kendall(first: Sequence[float], second: Sequence[float], pairs=None) -> Tau:
  """`tau` with a bootstrap interval over the networks.

  Raises:
    TrainingError: fewer than three networks, or not as many of each.
  """
  first, second = np.asarray(first, float), np.asarray(second, float)
  require(
    len(first) == len(second) >= FEWEST,
    f'{len(first)} and {len(second)} values cannot be ordered in two ways: at least '
    f'{FEWEST} of each',
  )
  rng = np.random.default_rng(SEED)
  drawn = []
  for _ in range(RESAMPLED):
    chosen = rng.integers(0, len(first), len(first))
    # A network that is drawn twice makes no pair with itself.
    apart = np.not_equal.outer(chosen, chosen)
    kept = apart if pairs is None else apart & pairs[np.ix_(chosen, chosen)]
    drawn.append(tau(first[chosen], second[chosen], kept))
  drawn = np.array(drawn)[~np.isnan(drawn)]
  low, high = np.percentile(drawn, (2.5, 97.5)) if len(drawn) else (np.nan, np.nan)
  return Tau(tau(first, second, pairs), float(low), float(high), len(first))


def compare(
  measures: Mapping[str, Sequence[float]],
  alone: Sequence[Sequence[float]],
  costs: Sequence[float],
  unit: str,
) -> Ranks:
  """Measures of networks against what these reach when they are trained alone.

  Args:
    measures: name -> of each network; the larger the better, so that losses are given
      with a minus.
    alone: (seeds, networks), the metric of each.
    costs: of each network.
    unit: of the costs.

  Raises:
    TrainingError: fewer than three networks.
  """
  alone, costs = np.asarray(alone, float), np.asarray(costs, float)
  reached = alone.mean(axis=0)
  larger = np.maximum.outer(costs, costs)
  near = np.abs(np.subtract.outer(costs, costs)) <= BAND * larger
  return Ranks(
    by={name: kendall(values, reached) for name, values in measures.items()},
    seeds=kendall(alone[0], alone[1]) if len(alone) > 1 else None,
    inside={name: kendall(values, reached, near) for name, values in measures.items()},
    costs=(float(costs.min()), float(costs.max()), unit),
  )


def said(ranks: Ranks, shared: str, size: str) -> list[str]:
  """The report in lines.

  Args:
    ranks: from `compare`.
    shared: the measure that the shared weights gave.
    size: the measure that knows nothing but the size.
  """
  low, high, unit = ranks.costs
  unit, factor = budget.written(unit)
  number = ranks.by[shared].networks
  lines = [
    f'{number} networks of {low / factor:.3g} to {high / factor:.3g} {unit}, each '
    'trained alone: do others order them as that does? Kendall tau, 95 % interval:',
    *(f'- {name}: {found}' for name, found in ranks.by.items()),
  ]
  if ranks.seeds is None:
    lines.append('- one seed against another: not measured, there is one seed')
  else:
    lines.append(f'- one seed against another, which nothing can beat: {ranks.seeds}')
  lines += [
    f'- {name}, among networks within {BAND:.0%} of cost: {found}'
    for name, found in ranks.inside.items()
  ]
  if not ranks.by[shared].tau > ranks.by[size].tau:
    lines.append('The shared weights know no more than the size does.')
  elif ranks.by[shared].low <= ranks.by[size].tau:
    lines.append(
      f'The shared weights order {number} networks better than the size does, by less '
      'than chance would explain.'
    )
  if ranks.seeds is not None and ranks.seeds.low <= 0:
    lines.append(
      'Two seeds of the same training do not agree on the order: at this length of '
      'training the networks hardly differ, and none of these orders means much.'
    )
  return lines
