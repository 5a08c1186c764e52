"""The papers' tables: what is published next to what is counted and trained here."""

import pathlib
from collections.abc import Sequence

from mobilenet.reports import canvas, csv_file
from mobilenet.tables import (
  architecture,
  drawing,
  our_runs,
  results,
  sheet,
  sizes,
)
from mobilenet.tables.catalogue import TABLES
from mobilenet.tables.rows import Architecture, Table
from mobilenet.training import files
from mobilenet.training.errors import unknown_name

INDEX = 'README.md'


def chosen(text: str) -> list[str]:
  """'v1/6, v2/4' -> these names, each once; 'all' or nothing -> all."""
  names = list(dict.fromkeys(filter(None, map(str.strip, text.split(',')))))
  return list(TABLES) if names in ([], ['all']) else names


def write_tables(
  names: Sequence[str],
  out: pathlib.Path,
  *,
  runs_folder: pathlib.Path | None = None,
  measure: bool = False,
  show: bool = True,
) -> list[pathlib.Path]:
  """Writes tables as Markdown, CSV and a figure, and an index of those in the folder.

  Args:
    names: keys of `catalogue.TABLES`, 'v1/6' for Table 6 of the V1 paper.
    out: folder, made if missing; 'v1/6' becomes v1-6.md, .csv and .png.
    runs_folder: searched for finished runs, the only source of what is ours; None
      for none.
    measure: whether to time a batch of one image on this device.
    show: whether to print the tables.

  Returns:
    The paths written.

  Raises:
    TrainingError: an unknown name, no such folder of runs, or a failed write.
  """
  for name in names:
    if name not in TABLES:
      raise unknown_name('table', name, TABLES)
  runs, unread = our_runs.find(runs_folder)
  for line in unread:
    print(line)
  sizes.count_all(
    sizes.of_row(row)
    for name in names
    if isinstance(TABLES[name], Table)
    for row in TABLES[name].rows
    if row.model is not None
  )
  written = []
  for name in names:
    table = TABLES[name]
    if isinstance(table, Architecture):
      page = architecture.make_sheet(name, table)
      figure = drawing.shares(name, table.title, architecture.parts(table))
    else:
      filled = results.fill(table, runs, measure=measure)
      page = results.make_sheet(name, table, filled)
      figure = drawing.accuracy(name, table, filled)
    stem = out / sheet.file_stem(name)
    written += [
      files.replace_file(stem.with_suffix('.md'), sheet.markdown(page).encode()),
      csv_file.write_records(stem.with_suffix('.csv'), page.records),
      canvas.save_png(figure, stem.with_suffix('.png')),
    ]
    if show:
      sheet.show(page)
  written.append(files.replace_file(out / INDEX, index(out).encode()))
  return written


def index(out: pathlib.Path) -> str:
  """The page that lists the tables in a folder."""
  lines = [
    '# Tables of the papers',
    '',
    'Published numbers beside counts, and beside results of runs where there are any.',
    '',
    '| table | title | published in | files |',
    '|---|---|---|---|',
  ]
  for name, table in TABLES.items():
    stem = sheet.file_stem(name)
    if (out / f'{stem}.md').exists():
      files_ = ', '.join(f'[{end}]({stem}.{end})' for end in ('csv', 'png'))
      lines.append(
        f'| [{name}]({stem}.md) | {table.title} | {table.source} | {files_} |'
      )
  return '\n'.join(lines) + '\n'
