"""A benchmark's results: Markdown and terminal for people, CSV for programs."""

import itertools
from collections.abc import Iterable, Sequence

import rich.console

from mobilenet.bench.comparison import Line, Spread
from mobilenet.bench.contenders import CONTENDERS
from mobilenet.reports import terminal

TITLES = {
  'train': 'Training step',
  'infer': 'Inference of a batch',
  'latency': 'Latency of one image',
  'processor': 'Processor time of one image',
  'compile': 'Compiling a training step, without a cache',
  'memory': 'Peak memory of training',
}
KINDS = {'classification': '{}', 'detection': 'Detection: {}'}
_NEEDS = ('processor', 'memory')  # of them a contender needs less; else it is faster


def columns(line: Line) -> list[tuple[str, str]]:
  """(heading, 'left' or 'right') of the table that a line is in."""
  mode, unit = line.measurement.mode, line.measurement.unit
  who = CONTENDERS[line.against].title
  better = 'needs less' if mode in _NEEDS else 'is faster'
  return [
    ('model', 'left'),
    ('', 'left'),
    (f'median {unit}', 'right'),
    ('quartiles', 'right'),
    ('images/s', 'right'),
    (f'{who} / this (below 1: {who} {better})', 'right'),
    ('quartiles', 'right'),
    (f'this / {who}', 'right'),
  ]


def cells(line: Line) -> list[str]:
  """A row of a mode's table."""
  m = line.measurement
  row = [m.model, CONTENDERS[m.contender].title]
  if line.spread is None:
    return [*row, 'not installed' if m.missing else 'failed', *[''] * 5]
  rate = line.images_per_second
  row += [number(line.spread.median), between(line.spread)]
  row.append('' if rate is None else number(rate))
  if line.ratio is None:
    return [*row, '', '', '']
  inverse = f'{1 / line.ratio.median:.2f}'
  return [*row, f'{line.ratio.median:.2f}', between(line.ratio, 2), inverse]


def number(value: float) -> str:
  """Three digits or more: 12345 -> '12,345', 12.345 -> '12.3', .5 -> '0.50'."""
  return f'{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}'


def between(spread: Spread, digits: int | None = None) -> str:
  """The quartiles."""
  ends = (spread.low, spread.high)
  return '–'.join(number(e) if digits is None else f'{e:.{digits}f}' for e in ends)


def by_section(lines: Sequence[Line]) -> dict[str, list[Line]]:
  """Title -> lines of one mode and kind of network, detectors below classifiers."""
  found = {}
  for kind, (mode, title) in itertools.product(KINDS, TITLES.items()):
    own = [
      line
      for line in lines
      if (line.measurement.kind, line.measurement.mode) == (kind, mode)
    ]
    if own:
      found[KINDS[kind].format(title)] = own
  return found


def show(
  lines: Sequence[Line],
  sections: Sequence[tuple[str, Sequence, Sequence]] = (),
  console: rich.console.Console | None = None,
) -> None:
  """Prints the tables, then the sections as `markdown` takes them."""
  tables = [
    (title, columns(rows[0]), map(cells, rows))
    for title, rows in by_section(lines).items()
  ]
  for title, heads, rows in (*tables, *sections):
    table = terminal.make_table(title, heads)
    for row in rows:
      terminal.add_row(table, *row)
    terminal.show(table, console)


def markdown(
  lines: Sequence[Line],
  remarks: Sequence[str],
  environment: dict[str, str],
  *,
  sections: Sequence[tuple[str, Sequence, Sequence]] = (),
  grown: Sequence[str] = (),
) -> str:
  """The page: where and how it was measured, a table per section, remarks.

  Args:
    sections: further tables: title, columns as `columns` has them, rows of text.
    grown: names of figures of how a step's time grows.
  """
  text = ['# Benchmark', '', '    ' + environment['command'], '']
  text += [f'- {what}: {value}' for what, value in environment.items() if value]
  if lines:
    text += [
      '',
      'A number is the median of the rounds, quartiles beside it. The ratio is the',
      'median of the ratios within each round, so it may differ a little from that of',
      'the medians.',
    ]
  for title, rows in by_section(lines).items():
    text += _table(title, columns(rows[0]), map(cells, rows))
  for section in sections:
    text += _table(*section)
  if remarks:
    text += ['', '## Remarks', '', *(f'- {remark}' for remark in remarks)]
  if lines:
    text += ['', '![Medians and quartiles](bench.png)']
  text += itertools.chain.from_iterable(
    ('', f'![How the time of a training step grows]({name})') for name in grown
  )
  return '\n'.join(text) + '\n'


def _table(title: str, heads: Sequence, rows: Iterable[Sequence[str]]) -> list[str]:
  """Lines of a table in Markdown, with its heading."""
  rules = {'left': '---', 'right': '--:'}
  return [
    *('', f'## {title}', ''),
    '| ' + ' | '.join(heading for heading, _ in heads) + ' |',
    '|' + '|'.join(rules[justify] for _, justify in heads) + '|',
    *('| ' + ' | '.join(row) + ' |' for row in rows),
  ]


def record(line: Line, environment: dict[str, str]) -> dict:
  """A line of bench.csv: exact numbers, None where there is none."""
  m, ratio = line.measurement, line.ratio
  return {
    'mode': m.mode,
    'model': m.model,
    'contender': m.contender,
    'unit': m.unit,
    **{
      name: getattr(line.spread, name, None)
      for name in ('median', 'low', 'high', 'least', 'most')
    },
    'rounds': len(m.values),
    'images': m.images,
    'images_per_second': line.images_per_second,
    f'{line.against}_over_this': ratio and ratio.median,
    f'{line.against}_over_this_low': ratio and ratio.low,
    f'{line.against}_over_this_high': ratio and ratio.high,
    f'this_over_{line.against}': ratio and 1 / ratio.median,
    **{
      name: m.prepared.get(name)
      for name in (
        'parameters',
        'import_seconds',
        'init_seconds',
        'first_call_seconds',
        'platform',
        'device',
      )
    },
    **{name: m.memory.get(name) for name in ('running_mib', 'whole_mib', 'device_mib')},
    'versions': versions(m.prepared),
    'notes': '; '.join(line.notes),
    'error': m.error,
    **environment,
  }


def versions(prepared: dict) -> str:
  """'python 3.11.7, jax 0.10.2, ...' of a contender."""
  return ', '.join(f'{k} {v}' for k, v in prepared.get('versions', {}).items())


def rounds(lines: Sequence[Line]) -> list[dict]:
  """Lines of rounds.csv: every number that was measured."""
  return [
    {
      'mode': line.measurement.mode,
      'model': line.measurement.model,
      'contender': line.measurement.contender,
      'round': n,
      'unit': line.measurement.unit,
      'value': value,
    }
    for line in lines
    for n, value in enumerate(line.measurement.values)
  ]
