"""A finished table: for people as Markdown and in the terminal, for programs as CSV."""

import dataclasses
import itertools

import rich.console

from mobilenet.reports import terminal


@dataclasses.dataclass(frozen=True)
class Sheet:
  """Cells as people read them, and records with exact numbers for programs."""

  name: str
  title: str
  source: str
  columns: tuple[tuple[str, str], ...]  # (heading, 'left' or 'right')
  rows: tuple[tuple[str, ...], ...]
  records: tuple[dict, ...]
  remarks: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()  # numbered from 1


def file_stem(name: str) -> str:
  """'v1/6' -> 'v1-6', fit for a file."""
  return name.replace('/', '-')


def markdown(sheet: Sheet) -> str:
  """A page: title, source, picture, table, notes."""
  lines = [
    f'# {sheet.name}: {sheet.title}',
    '',
    f'Source of what is published: {sheet.source}.',
    '',
  ]
  lines += itertools.chain.from_iterable((remark, '') for remark in sheet.remarks)
  lines.append('| ' + ' | '.join(h.replace('\n', ' ') for h, _ in sheet.columns) + ' |')
  rules = {'left': '---', 'right': '--:'}
  lines.append('|' + '|'.join(rules[justify] for _, justify in sheet.columns) + '|')
  for row in sheet.rows:
    lines.append('| ' + ' | '.join(cell.replace('|', '\\|') for cell in row) + ' |')
  if sheet.notes:
    lines += ['', *(f'{n}. {text}' for n, text in enumerate(sheet.notes, 1))]
  lines += ['', f'![{sheet.title}]({file_stem(sheet.name)}.png)', '']
  return '\n'.join(lines)


def show(sheet: Sheet, console: rich.console.Console | None = None) -> None:
  """Prints the table and its notes."""
  console = console or rich.console.Console()
  # Columns that are empty throughout only make it wider.
  filled = [
    n for n in range(len(sheet.columns)) if any(row[n] for row in sheet.rows) or n == 0
  ]
  table = terminal.make_table(
    f'{sheet.name}: {sheet.title} ({sheet.source})',
    [sheet.columns[n] for n in filled],
  )
  for row in sheet.rows:
    terminal.add_row(table, *(row[n] for n in filled))
  terminal.show(table, console)
  for text in (*sheet.remarks, *(f'{n}. {t}' for n, t in enumerate(sheet.notes, 1))):
    console.print(text, markup=False, highlight=False, soft_wrap=True)
