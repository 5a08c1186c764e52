"""What came of a search in a space: search.md, networks.csv and figures.

All of it is read from files: of the search, and of the networks that were trained
alone, as far as they have ended.
"""

import dataclasses
import pathlib
import shlex
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from mobilenet.reports import amounts, canvas, csv_file, markdown
from mobilenet.search import evolution, json_file, ranks, search_folder
from mobilenet.search.costs import budget
from mobilenet.search.strategies import space_figures
from mobilenet.search.strategies.finalists import FAMILY, FOUND, RANDOM, Finalist
from mobilenet.training import files

MARKDOWN_FILE, CSV_FILE = 'search.md', 'ranks.csv'
PARETO_FILE, RANK_FILE = 'pareto.png', 'rank.png'
SHARED, SIZE = 'shared weights', 'multiply-adds'


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


def write(
  folder: pathlib.Path,
  chosen: Sequence[Finalist],
  results: Mapping[str, Sequence[Mapping[str, Any]]],
  *,
  seeds: int,
  unit: str,
  command: Sequence[str],
) -> list[str]:
  """Writes the page, the table and the figures; returns the lines that count.

  Args:
    folder: of the search.
    chosen: the networks that are trained alone.
    results: name -> what its runs came to, those that have ended.
    seeds: from which each is trained.
    unit: of the costs.
    command: what a person types for the search.

  Raises:
    TrainingError: a file cannot be written or read.
  """
  metric = next((r['metric'] for each in results.values() for r in each), 'top1')
  reached = [
    Reached(
      each,
      tuple(ended[metric] for ended in results.get(each.name, ())),
      tuple(ended['loss'] for ended in results.get(each.name, ())),
    )
    for each in chosen
  ]
  complete = [each for each in reached if len(each.metrics) == seeds]
  found = rank_reports(complete, metric, unit)
  csv_file.write_records(folder / CSV_FILE, _records(reached, metric, unit, seeds))
  canvas.save_png(space_figures.pareto(reached, metric, unit), folder / PARETO_FILE)
  inside = [each for each in complete if each.network.shared]
  if inside:
    canvas.save_png(space_figures.rank(inside), folder / RANK_FILE)
  lines = [*_against_family(reached, metric, unit), *found]
  text = _page(folder, reached, lines, bool(inside), metric, unit, seeds, command)
  files.replace_file(folder / MARKDOWN_FILE, text.encode())
  return lines


def rank_reports(complete: Sequence[Reached], metric: str, unit: str) -> list[str]:
  """Whether the shared weights order networks as training alone does, in lines."""
  lines = []
  inside = [each for each in complete if each.network.shared]
  groups = {'': inside, 'The random ones alone. ': _of(inside, RANDOM)}
  for name, some in groups.items():
    if len(some) < ranks.FEWEST:
      if not name:
        lines.append(
          f'No rank report: {len(some)} networks of the space are trained alone from '
          f'all seeds, and {ranks.FEWEST} are needed.'
        )
      continue
    costs = [each.network.measured for each in some]
    sizes = [each.network.multiply_adds for each in some]
    if not name or len(some) < len(inside):
      for title, shared, alone in (
        (
          _in_words(metric),
          [each.network.shared[metric] for each in some],
          [each.metrics for each in some],
        ),
        (
          'loss',
          [-each.network.shared['loss'] for each in some],
          [[-loss for loss in each.losses] for each in some],
        ),
      ):
        by_seed = list(zip(*alone, strict=True))
        measures = {SHARED: shared, SIZE: sizes}
        compared = ranks.compare(measures, by_seed, costs, unit)
        first, *rest = ranks.said(compared, SHARED, SIZE)
        lines += [f'{name}By {title}: {first}', *rest]
  return lines


def _of(reached, group):
  return [each for each in reached if each.network.group == group]


def _against_family(reached: Sequence[Reached], metric: str, unit: str) -> list[str]:
  """At each hand-designed network what was found that costs no more.

  That is the most expensive one: which is best would be known from the evaluation
  split, which chooses nothing.
  """
  lines = []
  shown, factor = budget.written(unit)
  for hand in _of(reached, FAMILY):
    for group in (FOUND, RANDOM):
      within = [
        each
        for each in _of(reached, group)
        if each.network.measured <= hand.network.measured and each.metrics
      ]
      if not within or not hand.metrics:
        continue
      best = max(within, key=lambda each: each.network.measured)
      lines.append(
        f'- {hand.network.name}, {hand.network.measured / factor:.4g} {shown}: '
        f'{_spread(hand)}; {best.network.name}, '
        f'{best.network.measured / factor:.4g} {shown}: {_spread(best)}, '
        f'{best.metric - hand.metric:+.2f}'
      )
  return lines


def _spread(reached: Reached) -> str:
  text = amounts.number(reached.metric, 2)
  if reached.deviation is not None:
    text += f' ± {reached.deviation:.2f}'
  return text


def _records(reached, metric, unit, seeds) -> list[dict[str, Any]]:
  records = []
  for each in reached:
    network = each.network
    record = {
      'network': network.name,
      'group': network.group,
      budget.field('predicted', unit): network.predicted,
      budget.field('measured', unit): network.measured,
      'multiply_adds_of_one_image': network.multiply_adds,
      'parameter_count': network.parameters,
      'shared_loss': network.shared.get('loss'),
      f'shared_{metric}': network.shared.get(metric),
    }
    for n in range(seeds):
      for name, values in ((metric, each.metrics), ('loss', each.losses)):
        record[f'alone_{name}_{n}'] = values[n] if n < len(values) else None
    records.append(record)
  return records


def _page(folder, reached, lines, ranked, metric, unit, seeds, command) -> str:
  done = sum(len(each.metrics) for each in reached)
  shown, factor = budget.written(unit)
  parts = [
    '# Search in a space',
    f'    {shlex.join(command)}',
    f'{done} of {seeds * len(reached)} runs are done.',
    *_of_search(folder, unit),
    f'![{_in_words(metric)} over cost]({PARETO_FILE})',
    '## Networks trained alone',
    markdown.table(
      [
        'network',
        f'predicted ({shown})',
        f'measured ({shown})',
        'M multiply-adds',
        'k parameters',
        'shared loss',
        f'shared {_in_words(metric)}',
        f'{_in_words(metric)} alone',
        'runs',
      ],
      [
        [
          each.network.name,
          amounts.number(each.network.predicted / factor, 3),
          amounts.number(each.network.measured / factor, 3),
          amounts.number(each.network.multiply_adds / 1e6, 2),
          amounts.number(each.network.parameters / 1e3, 1),
          amounts.number(each.network.shared.get('loss'), 4),
          amounts.number(each.network.shared.get(metric), 2),
          _spread(each),
          len(each.metrics),
        ]
        for each in reached
      ],
    ),
    'Shared is on the photos that choose, with the shared weights; alone is on the '
    'evaluation split, mean ± standard deviation over seeds. Found ones are those of '
    'evolution; random ones cost as much and were not chosen by anything else; the '
    'family is the base network at its widths. All are trained by one recipe, on the '
    'same photos, for as many steps.',
  ]
  parts += ['## What it comes to', '\n'.join(lines)]
  if ranked:
    parts.append(f'![shared against alone]({RANK_FILE})')
  return '\n\n'.join(parts) + '\n'


def _of_search(folder: pathlib.Path, unit: str) -> list[str]:
  """How evolution did beside as many random networks, by the shared weights."""
  field = budget.field('predicted', unit)
  number = json_file.NUMBER
  archive = search_folder.read_archive(
    folder, {'generation': str, 'loss': number, field: number}
  )
  points = {False: [], True: []}
  for line in archive:
    points[line['generation'] == 'random'].append((line[field], line['loss']))
  if not points[True]:
    return []
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


def _in_words(metric: str) -> str:
  from mobilenet.sweeps import scores

  return scores.in_words(metric)
