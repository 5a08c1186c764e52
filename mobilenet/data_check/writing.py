"""What a check of data leaves for programs, and the table that it prints."""

import json
import pathlib
from collections.abc import Sequence

import rich.console

from mobilenet.data_check.facts import Facts, counted, printable, some
from mobilenet.data_check.findings import NOTE, SERIOUS, Finding
from mobilenet.data_check.photo_facts import Photo
from mobilenet.reports import csv_file, terminal
from mobilenet.training import files

JSON_FILE, CSV_FILE, PAGE_FILE = 'check.json', 'check.csv', 'check.html'
_STYLES = {SERIOUS: 'bold red', NOTE: 'dim'}
# Columns of check.csv; those of the Photo by its names.
COLUMNS = (
  'name',
  'part',
  'class_name',
  'problem',
  'bytes',
  'format',
  'width',
  'height',
  'mode',
  'bits',
  'orientation',
  'camera',
  'frames',
  'transparent',
  'brightness',
  'contrast',
  'colour',
  'sharpness',
  'content',
)
LABEL_COLUMNS = ('label_confidence', 'likely_class', 'label_rank')


def print_findings(
  findings: Sequence[Finding],
  title: str,
  console: rich.console.Console | None = None,
) -> None:
  """Prints a table of what was found and what to do, the serious ones first."""
  table = terminal.make_table(title, [('', 'left'), ('found, and what to do', 'left')])
  for finding in findings:
    found = finding.found
    names = [*found.photos] or [f'{k} ({v})' for k, v in found.remarks.items()]
    if found.groups:
      names = [' = '.join(group[:2]) for group in found.groups]
    lines = [found.line, *([f'such as {some(names, 2)}'] if names else ())]
    terminal.add_row(
      table,
      finding.severity,
      printable('\n'.join([*lines, finding.advice])),
      style=_STYLES.get(finding.severity),
    )
    table.add_section()
  terminal.show(table, console)


def summary(findings: Sequence[Finding], photos: int) -> str:
  """'3,670 photos: 2 serious findings, 4 to look at, 1 note'."""
  number = {
    severity: sum(f.severity == severity for f in findings)
    for severity in (SERIOUS, 'look', NOTE)
  }
  return (
    f'{counted(photos, "photo")}: {counted(number[SERIOUS], "serious finding")}, '
    f'{number["look"]} to look at, {counted(number[NOTE], "note")}'
  )


def write_json(
  folder: pathlib.Path,
  facts: Facts,
  findings: Sequence[Finding],
  measured: dict[str, object],
  not_done: Sequence[str],
) -> pathlib.Path:
  """Writes check.json: every finding with the names of all its photos.

  Args:
    folder: where to.
    facts, findings: of the photos.
    measured: how well facts alone name the class, by fact.
    not_done: a line for each check that was left out.

  Raises:
    TrainingError: it cannot be written.
  """
  listing = facts.listing
  said = {
    'folder': str(listing.root),
    'photos': len(facts.photos),
    'unreadable': len(facts.photos) - len(facts.readable),
    'split_by_seed': listing.by_seed,
    'classes': {name: dict(listing.counts[name]) for name in listing.classes},
    'findings': [
      {
        'check': finding.check,
        'severity': finding.severity,
        'line': finding.found.line,
        'advice': finding.advice,
        'photos': list(finding.found.photos),
        'groups': [list(group) for group in finding.found.groups],
        'remarks': dict(finding.found.remarks),
      }
      for finding in findings
    ],
    'facts_that_name_the_class': measured,
    'left_out': list(not_done),
  }
  text = json.dumps(said, indent=2, ensure_ascii=False) + '\n'
  # What is no text becomes an escape, which JSON's readers turn back.
  return files.replace_file(
    folder / JSON_FILE, text.encode('utf-8', 'backslashreplace')
  )


def write_csv(folder: pathlib.Path, facts: Facts) -> pathlib.Path:
  """Writes check.csv: a row for each photo, with its facts and how sure its label is.

  Raises:
    TrainingError: it cannot be written.
  """
  judged = {}
  if doubts := facts.doubts:
    rows = zip(doubts.indexes.tolist(), doubts.confidence, doubts.likely, strict=True)
    judged = {
      index: (f'{confidence:.4f}', likely, rank)
      for rank, (index, confidence, likely) in enumerate(rows, 1)
    }
  rows = [
    [*(_cell(photo, column) for column in COLUMNS), *judged.get(n, (None,) * 3)]
    for n, photo in enumerate(facts.photos)
  ]
  return csv_file.write(folder / CSV_FILE, (*COLUMNS, *LABEL_COLUMNS), rows)


def _cell(photo: Photo, column: str):
  value = getattr(photo, column)
  if isinstance(value, float):
    return round(value, 2)
  return printable(value) if isinstance(value, str) else value
