"""A comparison as compare.html, compare.md, compare.csv, compare.json and a figure."""

import dataclasses
import json
import pathlib
import shlex
from collections.abc import Sequence

from mobilenet.comparison import drawing, wording
from mobilenet.comparison.rows import Row
from mobilenet.reports import amounts, canvas, csv_file, page, terminal
from mobilenet.training import files

CSV_FILE, JSON_FILE = 'compare.csv', 'compare.json'
MARKDOWN_FILE, PAGE_FILE, FIGURE_FILE = 'compare.md', 'compare.html', 'compare.png'


def write(
  folder: pathlib.Path,
  rows: Sequence[Row],
  *,
  title: str,
  command: Sequence[str],
  machine: str,
  data: str,
) -> pathlib.Path:
  """Writes a comparison.

  Args:
    folder: where to; made if missing.
    rows: as `rows.compare` gives them.
    title: of the page.
    command: what a person types to make it.
    machine: on which latencies were measured, in words.
    data: what was evaluated, in words.

  Returns:
    The page.

  Raises:
    TrainingError: a file cannot be written.
  """
  records = [dataclasses.asdict(row) for row in rows]
  figure = drawing.draw(rows)
  said = {'command': shlex.join(command), 'machine': machine, 'data': data}
  text = json.dumps(said | {'rows': records}, indent=2, ensure_ascii=False) + '\n'
  files.replace_file(folder / JSON_FILE, text.encode('utf-8', 'backslashreplace'))
  csv_file.write_records(folder / CSV_FILE, records)
  canvas.save_png(figure, folder / FIGURE_FILE)
  markdown = _markdown(rows, title, said)
  files.replace_file(
    folder / MARKDOWN_FILE, markdown.encode('utf-8', 'backslashreplace')
  )
  return _page(rows, title, said, figure).write(folder / PAGE_FILE)


def show(rows: Sequence[Row], title: str) -> None:
  """Prints the table and what it says."""
  table = terminal.make_table(title, wording.COLUMNS)
  for row in rows:
    terminal.add_row(table, *wording.cells(row))
  terminal.show(table)
  for line in wording.verdict(rows):
    print(line)


def _markdown(rows, title, said) -> str:
  heads, sides = zip(*wording.COLUMNS, strict=True)
  rules = ['---' if side == 'left' else '---:' for side in sides]
  table = [heads, rules, *(wording.cells(row) for row in rows)]
  lines = (' | '.join(cell.replace('|', '¦') for cell in line) for line in table)
  parts = [
    f'# {title}',
    f'    {said["command"]}',
    f'{_upper(said["data"])}. Times of one image: {said["machine"]}.',
    ' '.join(wording.verdict(rows)),
    '\n'.join(f'| {line} |' for line in lines),
    f'![Accuracy over cost]({FIGURE_FILE})',
    '\n'.join(f'- {line}' for line in wording.cautions(rows)),
  ]
  return '\n\n'.join(parts) + '\n'


def _page(rows, title, said, figure) -> page.Page:
  made = page.Page(title, _upper(said['data']))
  best = rows[0]
  close = sum(not row.differs() for row in rows[1:])
  made.section(
    'In short',
    page.headline(
      (
        (str(len(rows)), 'networks'),
        (amounts.share(best.accuracy), f'the best: {best.run}'),
        (str(close), 'others that chance may explain'),
      )
    ),
    page.text(*wording.verdict(rows)),
  )
  for heading, places in (
    ('How good they are', wording.QUALITY),
    ('What they cost', wording.COST),
  ):
    heads = [wording.COLUMNS[place][0] for place in places]
    shown = [[wording.cells(row)[place] for place in places] for row in rows]
    made.section(heading, page.table(heads, shown))
  made.section(
    'Accuracy over cost',
    page.figure(figure, 'Accuracy over what a network costs.'),
  )
  made.section(
    'Against the best, photo by photo',
    page.table(
      ('run', 'the best alone is right', 'this alone is right', 'p', 'p, adjusted'),
      [
        (
          row.run,
          row.only_best,
          row.only_this,
          *map(wording.p_value, (row.p, row.p_holm)),
        )
        for row in rows[1:]
      ],
    ),
  )
  made.section('How to read this', page.items(wording.cautions(rows)))
  made.section(
    'How it was made',
    page.facts(
      (
        ('Command', said['command']),
        ('Times of one image', said['machine']),
        *((row.run, f'{row.network} x{row.width:g}, {row.folder}') for row in rows),
      )
    ),
  )
  return made


def _upper(text: str) -> str:
  return text[:1].upper() + text[1:]
