"""What a NetAdapt search tells: a line for each iteration, then a table and a page."""

import pathlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mobilenet.models import counting
from mobilenet.models.rows import Network
from mobilenet.reports import amounts, canvas, markdown, terminal
from mobilenet.search import search_folder
from mobilenet.search.strategies import netadapt_figure, netadapt_runs
from mobilenet.search.strategies.gauge import Gauge
from mobilenet.search.strategies.netadapt_iteration import NetAdapt
from mobilenet.search.strategies.netadapt_runs import START, TUNED, UNIFORM, Measured
from mobilenet.search.strategies.netadapt_state import State
from mobilenet.tasks import Metric
from mobilenet.tasks.classification import intervals
from mobilenet.training import files

MARKDOWN_FILE, FIGURE_FILE = 'search.md', 'netadapt.png'
_SHARE_OF_PHOTOS = 'top1'  # the metric that an interval is known of


class Row(NamedTuple):
  """A network of the final table. cost, predicted: in the unit of the search.

  metric: of the evaluation split; low, high: its 95 % interval, NaN if none is known.
  """

  name: str
  network: Network
  cost: float
  predicted: float
  parameters: int
  multiply_adds: int
  metric: float
  low: float
  high: float
  photos: int
  steps: int


def beginning(search: NetAdapt) -> list[str]:
  """What is told before the first iteration."""
  gauge, asked, photos = search.gauge, search.asked, search.photos
  how = 'measured here' if gauge.here else 'from its rows'
  held_out = min(photos.held_out.num_examples, photos.most_held_out)
  lines = [
    f'{search.start.name} of {search.start.folder}: {gauge.said(gauge.start_cost)}, '
    f'{how}; the budget is {gauge.said(search.target)}',
    f'short fine-tunes: {asked.steps} steps at rate {asked.learning_rate:.3g} on '
    f'{photos.learned.num_examples:,} photos, chosen by {held_out:,} others',
  ]
  if gauge.cost.known is None:
    lines.insert(1, gauge.cost.said())
  elif gauge.cost.note:
    lines.insert(1, gauge.cost.note)
  return lines


def iteration(
  search: NetAdapt, state: State, lines: Sequence[Mapping[str, Any]], seconds: float
) -> str:
  """What an iteration came to, in a line."""
  (line,) = (each for each in lines if each['accepted'])
  gauge, metric = search.gauge, search.photos.task.metric
  parts = [
    f'{state.iteration}: {line["group"]} {line["before"]} -> {line["after"]}',
    f'{gauge.said(state.cost)} ({state.cost / gauge.start_cost:.3f}x)',
    f'loss {line["loss"]:.4f}',
  ]
  if metric.name in line:
    parts.append(f'{metric.title} {amounts.number(line[metric.name], 1)} {metric.unit}')
  return f'{", ".join(parts)}; {len(lines)} scored, {seconds:.0f} s'


def short_of(search: NetAdapt, cost: float) -> str:
  """What is said of a search that does not come to its budget."""
  gauge = search.gauge
  return (
    f'no group of channels alone can save more: the search ends at {gauge.said(cost)} '
    f'({cost / gauge.start_cost:.3f}x), and the budget is {gauge.said(search.target)}'
  )


def write(
  folder: pathlib.Path,
  search: NetAdapt,
  ended: Mapping[str, Measured],
  command: Sequence[str],
) -> list[Row]:
  """Writes the page and the figure; prints the table and what may be typed next.

  Args:
    folder: of the search.
    search: itself, at its end.
    ended: what the start and the runs came to.
    command: what a person types for it.

  Raises:
    TrainingError: a file cannot be written, or a cost cannot be measured.
  """
  networks = {
    name: search.start.model.network
    if name == START
    else netadapt_runs.network_of(folder, search.start, name)
    for name in ended
  }
  rows = _rows(search, networks, ended)
  steps = search_folder.read_archive(folder)
  accepted = [each for each in steps if each['accepted']]
  metric = search.photos.task.metric
  canvas.save_png(
    netadapt_figure.draw(rows, accepted, search.gauge, metric), folder / FIGURE_FILE
  )
  text = _page(search, rows, accepted, ended, command)
  files.replace_file(folder / MARKDOWN_FILE, text.encode())
  heads = _heads(search.gauge, metric)
  shown = terminal.make_table(f'Search in {folder}', heads)
  for row in rows:
    terminal.add_row(shown, *_cells(row, rows[0], search.gauge))
  terminal.show(shown)
  for line in _verdict(search, rows, metric):
    print(line)
  print(f'report: {folder / MARKDOWN_FILE}')
  print('next:')
  for line in _next(folder, search, ended):
    print(f'  {line}')
  return rows


def _rows(search: NetAdapt, networks, ended) -> list[Row]:
  gauge, config = search.gauge, search.start.config
  distinct = list(dict.fromkeys(networks.values()))
  predicted = dict(zip(distinct, gauge.cost.predict(distinct), strict=True))
  costs = dict(zip(distinct, gauge.together(distinct), strict=True))
  rows, metric = [], search.photos.task.metric.name
  for name, network in networks.items():
    found = ended[name]
    size = counting.count(search.start.model_of(network), config.resolution)
    low, high = _interval(metric, found)
    rows.append(
      Row(
        name,
        network,
        costs[network],
        predicted[network],
        *size,
        found.metrics[metric],
        low,
        high,
        found.photos,
        found.steps,
      )
    )
  return rows


def _interval(metric: str, found: Measured) -> tuple[float, float]:
  if metric != _SHARE_OF_PHOTOS:
    return float('nan'), float('nan')
  right = round(found.metrics[metric] * found.photos / 100)
  return tuple(100 * float(end) for end in intervals.wilson(right, found.photos))


def _heads(gauge: Gauge, metric: Metric) -> list[tuple[str, str]]:
  numbers = [
    'measured' if gauge.here else 'cost',
    'of the start',
    *(['predicted'] if gauge.here else []),
    'M multiply-adds',
    'k parameters',
    f'{metric.title}, {metric.unit}',
    '95 % interval',
    'photos',
    'steps',
  ]
  return [('network', 'left'), *((head, 'right') for head in numbers)]


def _cells(row: Row, start: Row, gauge: Gauge) -> list[str]:
  interval = amounts.NOTHING
  if row.low == row.low:  # not NaN
    interval = f'{row.low:.1f} to {row.high:.1f}'
  return [
    f'{row.name}: {netadapt_runs.TITLES[row.name]}',
    gauge.said(row.cost),
    f'{row.cost / start.cost:.3f}x',
    *([gauge.said(row.predicted)] if gauge.here else []),
    f'{row.multiply_adds / 1e6:.1f}',
    f'{row.parameters / 1e3:,.0f}',
    amounts.number(row.metric, 2),
    interval,
    f'{row.photos:,}',
    f'{row.steps:,}' if row.steps else amounts.NOTHING,
  ]


def _verdict(search: NetAdapt, rows: Sequence[Row], metric: Metric) -> list[str]:
  """What the table says."""
  by_name = {row.name: row for row in rows}
  start, tuned = by_name[START], by_name[TUNED]
  lines = [
    f'what was found costs {tuned.cost / start.cost:.3f}x of the start, and its '
    f'{metric.title.lower()} changes by {_points(tuned.metric - start.metric, metric)}'
  ]
  if not search.gauge.here and tuned.cost > search.target:
    lines.insert(0, short_of(search, tuned.cost))
  if UNIFORM in by_name:
    uniform = by_name[UNIFORM]
    line = (
      f'against the family narrowed alike ({uniform.cost / start.cost:.3f}x) it is '
      f'{_points(tuned.metric - uniform.metric, metric)}'
    )
    if tuned.low <= uniform.high and uniform.low <= tuned.high:
      line += ', and the intervals overlap: another seed may turn that round'
    lines.append(line)
  return lines


def _points(difference: float, metric: Metric) -> str:
  return f'{difference:+.2f} {"points" if metric.unit == "%" else metric.unit}'.strip()


def _next(folder: pathlib.Path, search: NetAdapt, ended) -> list[str]:
  runs = [str(files.typed(folder) / name) for name in ended if name != START]
  commands = [
    ['--job=predict', f'--workdir={runs[0]}', 'photo.jpg'],
    ['--job=export', f'--workdir={runs[0]}', '--format=tflite'],
  ]
  if len(runs) > 1 and search.start.config.task == 'classification':
    commands.append(['--job=compare', *runs])
  return [shlex.join(['python', 'main.py', *each]) for each in commands]


def _page(search: NetAdapt, rows, accepted, ended, command: Sequence[str]) -> str:
  gauge, metric, start = search.gauge, search.photos.task.metric, search.start
  heads = [head for head, _ in _heads(gauge, metric)]
  steps = [
    (
      line['iteration'],
      line['group'],
      f'{line["before"]} -> {line["after"]}',
      gauge.said(_cost(gauge, line)),
      f'{_cost(gauge, line) / gauge.start_cost:.3f}x',
      f'{line["loss"]:.4f}',
      amounts.number(line.get(metric.name), 2),
    )
    for line in accepted
  ]
  seconds = [
    *search.clock.seconds.items(),
    *((name, found.seconds) for name, found in ended.items() if found.steps),
  ]
  parts = [
    f'# {start.name}, narrowed to {search.budget.text}',
    f'    {shlex.join(command)}',
    markdown.table(heads, [_cells(row, rows[0], gauge) for row in rows]),
    ' '.join(
      f'{line[:1].upper()}{line[1:]}.' for line in _verdict(search, rows, metric)
    ),
    f'![Cost, {metric.title.lower()} and channels]({FIGURE_FILE})',
    '## Iterations',
    f'{metric.title} and loss are those of photos that were held out of the training '
    'split, right after the short fine-tune; the table above is of the evaluation '
    'split, which the search has not seen.',
    markdown.table(
      ('', 'narrowed', 'channels', 'cost', 'of the start', 'loss', metric.title), steps
    ),
    '## How it was made',
    '\n'.join(f'- {line}' for line in beginning(search)),
    markdown.table(('part', 'seconds'), [(k, f'{v:,.0f}') for k, v in seconds]),
  ]
  return '\n\n'.join(parts) + '\n'


def _cost(gauge: Gauge, line: Mapping[str, Any]) -> float:
  """Of an accepted network."""
  return line.get(gauge.field('measured'), line[gauge.field('predicted')])
