"""Boxes of YOLO's text files: a line `class x y width height` a box, in shares.

x and y are those of the centre. A line with more numbers is a polygon, whose box is
taken.
"""

import pathlib
import posixpath

from input_pipeline.annotated import picture_index
from input_pipeline.annotated.annotations import Annotations, Fault, make_picture
from input_pipeline.annotated.picture_index import Index
from input_pipeline.errors import DataError

NAMES = ('classes.txt', 'obj.names', 'data.yaml', 'dataset.yaml')
_LISTS = ('train.txt', 'val.txt', 'valid.txt', 'test.txt', 'README.txt')


def find(index: Index, files: list[str]) -> list[str]:
  """Text files that may hold boxes: of a picture's stem, or in folders labels/."""
  stems = {posixpath.splitext(name)[0] for name in index.pictures}
  bases = {posixpath.basename(stem) for stem in stems}
  found = []
  for name in files:
    stem, ending = posixpath.splitext(name)
    base = posixpath.basename(name)
    if ending != '.txt' or base in (*NAMES, *_LISTS):
      continue
    if stem in stems or (
      'labels' in name.split('/')[:-1] or posixpath.basename(stem) in bases
    ):
      found.append(name)
  return found


def class_names_of(index: Index) -> tuple[str, ...] | None:
  """The names in classes.txt, obj.names or data.yaml; None where none is there.

  Raises:
    DataError: the file says no names.
  """
  found = [
    name for ending in NAMES for name in index.files
    if posixpath.basename(name) == ending and name.count('/') <= 1
  ]  # fmt: skip
  if not found:
    return None
  path = index.path(found[0])
  try:
    text = pathlib.Path(path).read_text(encoding='utf-8-sig')
  except (OSError, UnicodeDecodeError) as error:
    raise DataError(f'cannot read {path}: {error}') from error
  if not path.endswith('.yaml'):
    names = [line.strip() for line in text.splitlines() if line.strip()]
  else:
    names = _of_yaml(path, text)
  if not names:
    raise DataError(f'{path} names no classes')
  return tuple(map(str, names))


def _of_yaml(path, text):
  import yaml  # not for the other formats

  try:
    names = (yaml.safe_load(text) or {}).get('names')
  except (yaml.YAMLError, AttributeError) as error:
    raise DataError(f'{path} is not YAML: {" ".join(str(error).split())}') from error
  if isinstance(names, dict):
    if sorted(names) != list(range(len(names))):
      raise DataError(f'{path}: names must be numbered from 0 without gaps')
    names = [names[number] for number in range(len(names))]
  return names


def read(index: Index, files: list[str], class_names) -> Annotations:
  """Boxes of all the files.

  A picture without a file has no objects, and is told.

  Args:
    index: of the pictures.
    files: text files, relative to its root.
    class_names: from `class_names_of`; None numbers the classes that are met.

  Raises:
    DataError: a line is something else; the message has the file and the line.
  """
  found, faults = {}, []
  for file in files:
    stem = posixpath.splitext(posixpath.basename(file))[0]
    own = posixpath.dirname(file)
    with_images = '/'.join('images' if n == 'labels' else n for n in own.split('/'))
    name = index.of_stem(stem, (own, with_images))
    if name is None:
      faults.append(Fault(file, 'no picture', stem))
    else:
      found[name] = file, list(_lines(index.path(file)))
  if class_names is None:
    most = max((row[0] for _, rows in found.values() for row in rows), default=0)
    class_names = tuple(str(number) for number in range(most + 1))
  parts, pictures = picture_index.listed(index), []
  for name in index.beside(found):
    file, lines = found.get(name, (name, []))
    if name not in found:
      faults.append(Fault(name, 'no labels file'))
    rows = [
      (*corners, label if 0 <= label < len(class_names) else None, False)
      for label, corners in lines
    ]
    part = picture_index.folder_part(name)
    if parts:
      part = parts.get(posixpath.splitext(posixpath.basename(name))[0], '')
      if not part:
        faults.append(Fault(name, 'in no list'))
        continue
    pictures.append(make_picture(name, file, rows, part, faults))
  return Annotations('YOLO', tuple(pictures), tuple(class_names), tuple(faults))


def _lines(path):
  """(class, (top, left, bottom, right)) of each line."""
  try:
    lines = pathlib.Path(path).read_text(encoding='utf-8-sig').splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise DataError(f'cannot read {path}: {error}') from error
  for number, line in enumerate(lines, 1):
    words = line.split()
    if not words:
      continue
    try:
      label, *values = int(float(words[0])), *map(float, words[1:])
    except ValueError:
      label, values = 0, []
    if len(values) == 4:
      x, y, width, height = values
      corners = y - height / 2, x - width / 2, y + height / 2, x + width / 2
    elif len(values) >= 6 and len(values) % 2 == 0:
      across, down = values[::2], values[1::2]
      corners = min(down), min(across), max(down), max(across)
    else:
      raise DataError(
        f'{path}, line {number}: {line[:60]!r} is not class x y width height'
      )
    yield label, corners
