"""The lines of a table that a person has to measure on a device, and their files."""

import dataclasses
import pathlib
import shlex
from collections.abc import Iterable, Mapping

from mobilenet.models import table
from mobilenet.models.classifier import HEADS
from mobilenet.models.rows import ModelError
from mobilenet.reports import csv_file
from mobilenet.search.costs import latency_table, programs
from mobilenet.search.costs.latency_table import KEY, MS, Key
from mobilenet.search.costs.parts import Part
from mobilenet.training import array_sums, files
from mobilenet.training.errors import TrainingError

# Beside what is looked up: how the row is computed, and its TFLite file.
STYLE, FILE = 'style', 'file'
COLUMNS = (*KEY, MS, STYLE, FILE)
CHECK = 'python -m mobilenet.search.costs.check'


def command(*flags: str) -> str:
  """What a person types, for a message."""
  return f'`{CHECK} {shlex.join(flags)}`'


def records_of(parts: Iterable[Part]) -> dict[Key, dict[str, str]]:
  """A line for each distinct part, its milliseconds empty."""
  return {
    (key := Key.of(part)): {
      **dict(zip(KEY, map(str, key), strict=True)),
      MS: '',
      STYLE: table.style_text(part.network),
      FILE: '',
    }
    for part in parts
  }


def add(
  lines: Mapping[Key, Mapping[str, str]],
  path: pathlib.Path,
  folder: pathlib.Path | None = None,
) -> int:
  """Adds to a table the lines that it lacks; those that are there stay as they are.

  Args:
    lines: of `records_of` or `latency_table.records`.
    path: of the CSV; without a line it is not written.
    folder: for a TFLite file of each line that has no milliseconds yet, named in the
      column 'file'; None for none.

  Returns:
    How many lines of the table have no milliseconds yet.

  Raises:
    TrainingError, ExportError: a file cannot be read or written.
  """
  there = latency_table.records(path) if path.exists() else {}
  columns = dict.fromkeys([*next(iter(there.values()), ()), *COLUMNS])
  # The table's own lines come first, and count.
  merged = {
    key: {name: line.get(name, '') for name in columns}
    for key, line in ({**there, **lines} | there).items()
  }
  open_lines = [key for key, line in merged.items() if not line[MS].strip()]
  for key in open_lines if folder else ():
    line = merged[key]
    name = f'part_{array_sums.crc32_of([*key, line[STYLE]])}.tflite'
    if not (folder / name).exists():  # its name says what is in it
      files.replace_file(folder / name, programs.tflite_bytes(part_of(path, line)))
    line[FILE] = name
  if merged:
    csv_file.write(
      path, list(columns), ([line[n] for n in columns] for line in merged.values())
    )
  return len(open_lines)


def part_of(path: pathlib.Path, record: Mapping[str, str]) -> Part:
  """What a line is of.

  Raises:
    TrainingError: its row or style is none.
  """
  text = record['row']
  is_whole = table.SEPARATOR in text
  is_head = text.partition('(')[0] in {kind.__name__ for kind in HEADS}
  around = [record.get(STYLE, ''), 'Conv(1, 8)' if is_head else '', text]
  around += [] if is_head else ['Head()']
  try:
    network = table.from_text(
      text if is_whole else table.SEPARATOR.join(filter(None, around))
    )
  except ModelError as error:
    raise TrainingError(f'{path}: {error}') from error
  if is_head and not is_whole:
    network = dataclasses.replace(network, rows=())
  *shape, out = (int(record[name]) for name in KEY[1:])
  return Part(network, tuple(shape), out if is_whole or is_head else 0)
