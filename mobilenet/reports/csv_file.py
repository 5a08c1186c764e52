"""Tables as CSV, safe to open in a spreadsheet.

A spreadsheet computes a cell that begins with '=', '+', '-' or '@': a class or a photo
with such a name would be a formula, and a formula can run programs. So every CSV of
this project is written here, and text that begins like a formula gets an apostrophe in
front, as OWASP advises (https://owasp.org/www-community/attacks/CSV_Injection). A
program that reads names back takes them from the JSON next to the CSV, or removes the
apostrophe.
"""

import csv
import io
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mobilenet.training import files
from mobilenet.training.errors import TrainingError, require

_FORMULA = ('=', '+', '-', '@', '\t', '\r', '\n')


def write(
  path: str | os.PathLike, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> pathlib.Path:
  """Writes rows of text, numbers and None in UTF-8, whole or not at all.

  None is an empty cell.

  Raises:
    TrainingError: the file cannot be written.
  """
  text = io.StringIO(newline='')
  writer = csv.writer(text, lineterminator='\n')
  writer.writerows([_harmless(cell) for cell in row] for row in (columns, *rows))
  return files.replace_file(path, text.getvalue().encode())


def write_records(
  path: str | os.PathLike, records: Sequence[Mapping[str, Any]]
) -> pathlib.Path:
  """Writes one or more records; the first one names the columns."""
  columns = list(records[0])
  return write(path, columns, ([row[name] for name in columns] for row in records))


def _harmless(cell: Any) -> Any:
  is_text = isinstance(cell, str) and len(cell) > 1  # a dash alone is only a dash
  return f"'{cell}" if is_text and cell.startswith(_FORMULA) else cell


def read_records(path: str | os.PathLike) -> list[dict[str, str]]:
  """The rows of a table that `write` wrote, as text by column, as they were before.

  Raises:
    TrainingError: it cannot be read, or is no such table.
  """
  try:
    # A spreadsheet may have put a mark of UTF-8 in front.
    with open(path, encoding='utf-8-sig', newline='') as file:
      rows = list(csv.DictReader(file, strict=True))
  except OSError as error:
    raise files.read_error(path, error) from error
  except (csv.Error, UnicodeDecodeError) as error:
    raise TrainingError(f'{path} is no table in CSV: {error}') from error
  for number, row in enumerate(rows, 2):
    require(
      None not in row,
      f'{path}, line {number} has more cells than the first line has columns',
    )
  return [{_as_before(k): _as_before(cell) for k, cell in row.items()} for row in rows]


def _as_before(cell: str | None) -> str:
  cell = cell or ''
  return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
