"""What a search in a space came to, in sentences, and what may be typed next."""

import dataclasses
import pathlib
import shlex
import statistics
from collections.abc import Collection, Sequence

from mobilenet.reports import amounts
from mobilenet.search import evolution, json_file, search_folder
from mobilenet.search.costs import budget
from mobilenet.search.strategies import finalists
from mobilenet.search.strategies.finalists import FAMILY, FOUND, RANDOM, Finalist
from mobilenet.training import files

NEAR = 0.05  # of the budget: a network that costs as much more or less has missed it


@dataclasses.dataclass(frozen=True)
class Reached:
  """A network and what it reached alone.

  metrics, losses: of the seeds that have ended, on the evaluation split.
  """

  network: Finalist
  metrics: tuple[float, ...]
  losses: tuple[float, ...]

  @property
  def metric(self) -> float | None:
    return statistics.fmean(self.metrics) if self.metrics else None

  @property
  def deviation(self) -> float | None:
    return statistics.stdev(self.metrics) if len(self.metrics) > 1 else None

  @property
  def spread(self) -> str:
    """'62.50 ± 0.71'."""
    text = amounts.number(self.metric, 2)
    return text if self.deviation is None else f'{text} ± {self.deviation:.2f}'


def against_family(reached: Sequence[Reached], metric: str, unit: str) -> list[str]:
  """Beside each hand-designed network a found and a random one that cost no more.

  That is the most expensive one: which is best would be known from the evaluation
  split, which chooses nothing.

  Args:
    reached: of all networks.
    metric: in words; in percent.
    unit: of the costs.
  """
  lines = []
  for hand in reached:
    if hand.network.group != FAMILY or not hand.metrics:
      continue
    for group in (FOUND, RANDOM):
      within = [
        each
        for each in reached
        if each.network.group == group
        and each.network.measured <= hand.network.measured
        and each.metrics
      ]
      if within:
        best = max(within, key=lambda each: each.network.measured)
        lines.append(
          f'- {best.network.name}, {_which(group, len(within))}, reaches '
          f'{best.spread} % {metric} at {_cost(best.network.measured, unit)}: '
          f'{_points(best.metric - hand.metric)} the base network at width '
          f'{hand.network.width:g}, which reaches {hand.spread} % at '
          f'{_cost(hand.network.measured, unit)}.'
        )
  if lines and max(len(each.metrics) for each in reached) == 1:
    lines.append('Each is one run: another seed may turn small differences round.')
  return lines


def _which(group: str, number: int) -> str:
  if number == 1:
    return f'the {group} network that costs no more'
  return f'the most expensive {group} network that costs no more'


def _points(difference: float) -> str:
  text = f'{abs(difference):.2f}'
  if float(text) == 0:
    return 'as much as'
  return f'{text} points {"more" if difference > 0 else "less"} than'


def against_budget(
  chosen: Sequence[Finalist], typed: str, target: float, unit: str, is_tunas: bool
) -> list[str]:
  """What share of the budget the found network costs, the largest one of several.

  Args:
    chosen: all networks.
    typed: the budget as a person typed it.
    target: what it is, in the unit of the costs.
    unit: of them.
    is_tunas: whether a network of just this cost was looked for.
  """
  largest = max(_of(chosen, FOUND), key=lambda each: each.measured)
  said, share = _cost(target, unit), largest.measured / target
  if budget.parse_budget(typed, unit).unit == budget.SHARE:
    said = f"{typed} of the base network's cost, {said}"
  which = "the controller's network" if is_tunas else 'the most expensive found one'
  lines = [
    f'The budget is {said}: {which}, {largest.name}, costs '
    f'{_cost(largest.measured, unit)}, which is {share:.1%} of it.'
  ]
  if share > 1 + NEAR or (is_tunas and share < 1 - NEAR):
    how = 'above' if share > 1 else 'below'
    lines.append(
      f'Warning: {largest.name} misses the budget: its cost is {abs(share - 1):.1%} '
      f'{how} it, so compare it with networks of its own cost.'
    )
  return lines


def random_costs(chosen: Sequence[Finalist]) -> list[str]:
  """How the costs of random networks differ from those of the found ones."""
  pairs = list(zip(_of(chosen, FOUND), _of(chosen, RANDOM), strict=False))
  shares = [drawn.measured / found.measured for found, drawn in pairs]
  if not pairs:
    return []
  if len(pairs) == 1:
    ((found, drawn),) = pairs
    return [f'{drawn.name} costs {shares[0]:.2f}x as much as {found.name}.']
  return [
    f'A random network costs {min(shares):.2f}x to {max(shares):.2f}x as much as the '
    'found one of the same number.'
  ]


def _of(chosen: Sequence[Finalist], group: str) -> list[Finalist]:
  return [each for each in chosen if each.group == group]


def with_shared_weights(folder: pathlib.Path, unit: str, is_tunas: bool) -> list[str]:
  """How the search did beside random networks, by the shared weights.

  Raises:
    TrainingError: the archive cannot be read.
  """
  field = budget.field('predicted', unit)
  number = json_file.NUMBER
  archive = search_folder.read_archive(
    folder, {'generation': str, 'loss': number, field: number}
  )
  points = {False: [], True: []}
  for line in archive:
    points[line['generation'] == RANDOM].append((line[field], line['loss']))
  if not all(points.values()):
    return []
  if is_tunas:
    cost, loss = points[False][-1]
    better = [one for one in points[True] if one[1] < loss]
    within = sum(price <= cost for price, _ in better)
    return [
      f"With the shared weights, the controller's network has a loss of {loss:.4f}. "
      f'Random networks that were scored: {len(points[True])}; with a lower loss: '
      f'{len(better)}; with a lower loss at no more cost: {within}.'
    ]
  everything = points[False] + points[True]
  worst = [1.001 * max(point[n] for point in everything) for n in (0, 1)]
  least = [min(point[n] for point in everything) for n in (0, 1)]
  whole = (worst[0] - least[0]) * (worst[1] - least[1])
  by_evolution, by_chance = (
    evolution.hypervolume(points[is_random], worst) / whole
    for is_random in (False, True)
  )
  return [
    f'Evolution scored {len(points[False])} networks and random search '
    f'{len(points[True])}, with the shared weights. Of the area between the least and '
    f'the largest cost and loss, {by_evolution:.1%} is dominated by the first and '
    f'{by_chance:.1%} by the second.'
  ]


def next_commands(
  folder: pathlib.Path,
  chosen: Sequence[Finalist],
  seeds: Sequence[int],
  ended: Collection[str],
  command: Sequence[str],
) -> list[str]:
  """What may be typed next, of the found network of the least shared loss.

  Args:
    folder: of the search.
    chosen: its networks, in their order: the last found one has the least loss.
    seeds: from which each is trained.
    ended: names of the runs that have ended; another network stands in for the best
      one until that has.
    command: what a person types for the search; its config is taken.
  """
  runs = [
    (each, name)
    for each in reversed(_of(chosen, FOUND))
    for seed in seeds
    if (name := finalists.item_name(each, seed)) in ended
  ]
  if not runs:
    return []
  shown = files.typed(folder)
  best, name = runs[0]
  run = f'--workdir={shown / finalists.RUNS / name}'
  own = ('--config.model.table=', '--config.model.width=')
  config = [typed for typed in command if typed.startswith('--config')]
  commands = [
    ['--job=predict', run, 'photo.jpg'],
    ['--job=export', run, '--format=tflite'],
    [
      *(each for each in config if not each.startswith(own)),
      f'{own[0]}{finalists.path_of(shown, best)}',
      f'{own[1]}1.0',
    ],
  ]
  return [shlex.join(['python', 'main.py', *each]) for each in commands]


def _cost(value: float, unit: str) -> str:
  shown, factor = budget.written(unit)
  return f'{value / factor:.4g} {shown}'
