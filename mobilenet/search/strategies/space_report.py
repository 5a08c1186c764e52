"""What came of a search in a space: search.md, networks.csv and figures.

All of it is read from files: of the search, and of the networks that were trained
alone, as far as they have ended.
"""

import pathlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from mobilenet.reports import amounts, canvas, csv_file, markdown
from mobilenet.search import ranks
from mobilenet.search.costs import budget as costs
from mobilenet.search.strategies import space_figures, space_verdict
from mobilenet.search.strategies.finalists import RANDOM, Finalist
from mobilenet.search.strategies.space_verdict import Reached
from mobilenet.training import files

MARKDOWN_FILE, CSV_FILE = 'search.md', 'ranks.csv'
PARETO_FILE, RANK_FILE = 'pareto.png', 'rank.png'
SHARED, SIZE = 'shared weights', 'multiply-adds'
# Strategy -> what the networks of the table are.
_GROUPS = {
  'supernet': 'Found ones are the front of evolution; random ones are those of the '
  'drawn ones that cost nearly as much, and were chosen by nothing else',
  'tunas': 'The found one is the likeliest network of the controller; the random one '
  'is that of the drawn ones whose cost is nearest, and was chosen by nothing else',
}


def write(
  folder: pathlib.Path,
  chosen: Sequence[Finalist],
  results: Mapping[str, Sequence[Mapping[str, Any]]],
  *,
  strategy: str,
  seeds: int,
  unit: str,
  budget: tuple[str, float] | None,
  command: Sequence[str],
) -> list[str]:
  """Writes the page, the table and the figures; returns the lines that count.

  Args:
    folder: of the search.
    chosen: the networks that are trained alone.
    results: name -> what its runs came to, those that have ended.
    strategy: that found them, supernet or tunas.
    seeds: from how many each is trained.
    unit: of the costs.
    budget: as it was typed, and in the unit of the costs; None without one.
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
  has_ranks = len(inside) >= ranks.FEWEST
  if has_ranks:
    canvas.save_png(space_figures.rank(inside), folder / RANK_FILE)
  is_tunas = strategy == 'tunas'
  lines = space_verdict.random_costs(chosen)
  if budget is not None:
    lines[:0] = space_verdict.against_budget(chosen, *budget, unit, is_tunas)
  lines += space_verdict.against_family(reached, _in_words(metric), unit)
  lines += found
  searched = space_verdict.with_shared_weights(folder, unit, is_tunas)
  parts = _page(reached, strategy, searched, lines, metric, unit, seeds, command)
  if has_ranks:
    parts.append(f'![shared against alone]({RANK_FILE})')
  text = '\n\n'.join(parts) + '\n'
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


def _records(reached, metric, unit, seeds) -> list[dict[str, Any]]:
  records = []
  for each in reached:
    network = each.network
    record = {
      'network': network.name,
      'group': network.group,
      costs.field('predicted', unit): network.predicted,
      costs.field('measured', unit): network.measured,
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


def _page(
  reached, strategy, searched, lines, metric, unit, seeds, command
) -> list[str]:
  done = sum(len(each.metrics) for each in reached)
  shown, factor = costs.written(unit)
  return [
    '# Search in a space',
    f'    {shlex.join(command)}',
    f'{done} of {seeds * len(reached)} runs are done.',
    *searched,
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
          each.spread,
          len(each.metrics),
        ]
        for each in reached
      ],
    ),
    'Shared is on the photos that choose, with the shared weights; alone is on the '
    f'evaluation split, mean ± standard deviation over seeds. {_GROUPS[strategy]}; the '
    'family is the base network at its widths. All are trained by one recipe, on the '
    'same photos, for as many steps.',
    '## What it comes to',
    _in_markdown(lines),
  ]


def _in_markdown(lines: Sequence[str]) -> str:
  """Lines of a terminal: what is no item of a list becomes a paragraph of its own."""
  blocks: list[list[str]] = []
  for line in lines:
    if line.startswith('- ') and blocks and blocks[-1][-1].startswith('- '):
      blocks[-1].append(line)
    else:
      blocks.append([line])
  return '\n\n'.join('\n'.join(block) for block in blocks)


def _in_words(metric: str) -> str:
  from mobilenet.sweeps import scores

  return scores.in_words(metric)
