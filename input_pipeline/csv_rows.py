"""The rows of a CSV file as programs of all kinds write it."""

import csv
import os

from input_pipeline.errors import DataError


def read(path: str | os.PathLike, said: str = '') -> list[tuple[int, list[str]]]:
  """(number of its line, cells) of each row that has cells, the headings first.

  Commas, semicolons or tabs stand between the cells: what the first line has.

  Args:
    path: of the file.
    said: what a message calls it; '' for its path.

  Raises:
    DataError: it cannot be read.
  """
  try:
    with open(path, encoding='utf-8-sig', newline='') as file:
      first = file.readline()
      file.seek(0)
      separator = next((letter for letter in ',;\t' if letter in first), ',')
      reader = csv.reader(file, delimiter=separator)
      return [(reader.line_num, row) for row in reader if row]
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    reason = getattr(error, 'strerror', None) or error
    raise DataError(f'{said or path} cannot be read: {reason}') from error
