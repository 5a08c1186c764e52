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
