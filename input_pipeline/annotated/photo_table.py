"""A CSV file that says something of each photo of a folder: tags, or a place.

    photo,split,latitude,longitude
    images/1.jpg,train,48.8584,2.2945

Commas, semicolons or tabs stand between the cells. What the other columns mean is known
to whoever reads them: `tag_folder`, `place_folder`.
"""

import os
from typing import NamedTuple

from input_pipeline import csv_rows, folder_layout
from input_pipeline.annotated import annotations, picture_index
from input_pipeline.annotated.annotations import Fault
from input_pipeline.errors import DataError, some

# Headings of the column that names the photo, and of the one that says its part.
PHOTO = ('photo', 'file', 'image', 'filename', 'file_name', 'path', 'name', 'image_id')
PART = ('split', 'part', 'set', 'subset')


class Row(NamedTuple):
  """What is said of a photo.

  name: its path relative to the folder. part: 'train', 'val' or 'test' where a column
  or a folder says so, else ''. cells: column -> what stands there, without blanks
  around it. line: of the file.
  """

  name: str
  part: str
  cells: dict[str, str]
  line: int


class Table(NamedTuple):
  """path: of the file. columns: all but the photo's and the part's. rows: of photos
  that are there, each once, in the order of their names.
  """

  path: str
  columns: tuple[str, ...]
  rows: tuple[Row, ...]
  faults: tuple[Fault, ...]

  def needs(self, *columns: str) -> None:
    """Raises a DataError unless it has these columns."""
    lacking = [name for name in columns if name not in self.columns]
    if lacking:
      raise DataError(
        f'{self.path} has no column {" and ".join(map(repr, lacking))}, only '
        f'{some(self.columns) or "that of the photos"}'
      )

  def where(self, row: Row) -> str:
    """For messages: the file and the line of a row."""
    return f'{self.path}, line {row.line}'


def find(root: str | os.PathLike, given: str = '') -> str:
  """The path of a folder's table: the one that is given, or the only .csv in it.

  Raises:
    DataError: there is none, or several.
  """
  if given:
    for path in (given, os.path.join(root, given)):
      path = os.path.expanduser(path)
      if os.path.isfile(path):
        return path
    raise DataError(f'{annotations.FIELD}={given}: no such file, nor in {root}')
  found = sorted(n for n in os.listdir(root) if n.lower().endswith('.csv'))
  if len(found) == 1:
    return os.path.join(root, found[0])
  if found:
    raise DataError(
      f'{root} has {some(found)}: which is it? {annotations.FIELD}=FILE.csv'
    )
  raise DataError(
    f'no .csv with a row for each photo in {root}: put it there, or name it with '
    f'{annotations.FIELD}=FILE.csv'
  )


def state(path: str, index: picture_index.Index) -> tuple:
  """What tells that a table or the files of its folder have changed."""
  about = os.stat(path)
  return about.st_mtime_ns, about.st_size, about.st_ino, tuple(index.files)


def read(root: str | os.PathLike, given: str = '') -> Table:
  """Reads the table of a folder of photos.

  The photo's column is the first that is headed as one (`PHOTO`), or else the first of
  all. A photo is named by its path below the folder, or by its file name if no other
  has that name. Photos that no row names are left out, and so are rows whose photo is
  not there; both are faults.

  Args:
    root: the folder.
    given: path of the file; '' takes the only .csv of the folder.

  Raises:
    DataError: it is not there, cannot be read, or says two things of a photo.
  """
  path = find(root, given)
  index = picture_index.Index(root)
  headings, lines = read_cells(path)
  photo = next((n for n, h in enumerate(headings) if h.lower() in PHOTO), 0)
  part = next((n for n, h in enumerate(headings) if h.lower() in PART), None)
  columns = [n for n in range(len(headings)) if n not in (photo, part)]
  rows: dict[str, Row] = {}
  faults = []
  for line, cells in lines:
    if len(cells) != len(headings):
      raise DataError(
        f'{path}, line {line}: {len(headings)} cells are expected, as in the '
        f'headings, not {len(cells)}: {",".join(cells)[:80]!r}'
      )
    name = index.find(cells[photo])
    if name is None:
      faults.append(Fault(path, 'no picture', f'line {line}: {cells[photo]}'))
      continue
    said = '' if part is None else _part(path, line, cells[part])
    row = Row(
      name,
      said or picture_index.folder_part(name),
      {headings[n]: cells[n] for n in columns},
      line,
    )
    before = rows.setdefault(name, row)
    if before[:3] != row[:3]:
      raise DataError(
        f'{path} says two things of {name}, in lines {before.line} and {line}: a photo '
        'has one row with all that is said of it; remove the other'
      )
  if not rows:
    first = faults[0].detail if faults else 'it has no rows'
    raise DataError(f'{path} names no photo that is in {root} ({first})')
  faults += [Fault(n, 'in no list') for n in index.beside(rows) if n not in rows]
  ordered = tuple(rows[name] for name in sorted(rows))
  return Table(path, tuple(headings[n] for n in columns), ordered, tuple(faults))


def _part(path, line, text):
  if not text:
    return ''
  for part, names in folder_layout.PARTS.items():
    if text.lower() in names:
      return part
  raise DataError(f'{path}, line {line}: {text!r} is no part: train, val or test')


def read_cells(path) -> tuple[list[str], list[tuple[int, list[str]]]]:
  """The headings, and (number of its line, cells) of each row that is not empty.

  Raises:
    DataError: the file cannot be read, is empty, or has two columns of one name.
  """
  rows = [
    (line, [cell.strip() for cell in row])
    for line, row in csv_rows.read(path)
    if any(row)
  ]
  if not rows:
    raise DataError(f'{path} is empty: its first line names the columns')
  headings = rows[0][1]
  twice = sorted({name for name in headings if headings.count(name) > 1})
  if twice:
    raise DataError(f'{path} has two columns that are called {some(twice)}')
  # Programs leave empty columns at the end of each line.
  while len(headings) > 1 and not headings[-1]:
    headings = headings[:-1]
  width = len(headings)
  return headings, [
    (n, cells[:width] if not any(cells[width:]) else cells) for n, cells in rows[1:]
  ]
