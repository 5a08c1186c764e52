"""The lines of a table that a person has to measure on a device."""

import pathlib
from collections.abc import Iterable

from mobilenet.reports import csv_file
from mobilenet.search.costs import programs
from mobilenet.search.costs.latency_table import KEY, MS, Key
from mobilenet.search.costs.parts import Part
from mobilenet.training import files


def write(
  parts: Iterable[Part], path: pathlib.Path, folder: pathlib.Path | None = None
) -> int:
  """Writes a line a distinct part, its milliseconds empty; returns how many.

  Args:
    parts: rows, heads or whole networks.
    path: of the CSV; without parts it is not written.
    folder: for a TFLite file of each, named in the column 'file'; None for none.

  Raises:
    TrainingError, ExportError: a file cannot be written.
  """
  distinct = {Key.of(part): part for part in parts}
  columns, lines = [*KEY, MS, *(['file'] if folder else [])], []
  for number, (key, part) in enumerate(distinct.items()):
    line = [*key, None]
    if folder:
      name = f'part_{number:04d}.tflite'
      files.replace_file(folder / name, programs.tflite_bytes(part))
      line.append(name)
    lines.append(line)
  if lines:
    csv_file.write(path, columns, lines)
  return len(lines)
