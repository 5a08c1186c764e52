"""Boxes of YOLO's text files: a line `class x y width height` a box, in shares.

x and y are those of the centre. A line with more numbers is a polygon, whose box is
taken, and told.
"""

import json
import pathlib
import posixpath

import numpy as np

from input_pipeline.annotated import picture_index
from input_pipeline.annotated.annotations import (
  Annotations,
  Box,
  Fault,
  broken,
  make_picture,
)
from input_pipeline.annotated.picture_index import Index
from input_pipeline.errors import DataError

NAMES = ('classes.txt', 'classes.json', 'obj.names', 'data.yaml', 'dataset.yaml')
MOST_CLASSES = 10_000  # a larger number is no class, where no list says so
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


def of_boxes(index: Index, files: list[str]) -> list[str]:
  """The first of files with a line, if each of its lines is a box; else none."""
  for file in files:
    try:
      if list(_lines(index.path(file), no_list=False)):
        return [file]
    except DataError:
      return []
  return []


def class_names_of(index: Index, files=NAMES) -> tuple[str, ...] | None:
  """The names in the first of `files` that is there; None where none is.

  Raises:
    DataError: the file says no names.
  """
  found = [
    name for ending in files for name in index.files
    if posixpath.basename(name) == ending and name.count('/') <= 1
  ]  # fmt: skip
  if not found:
    return None
  path = index.path(found[0])
  try:
    text = pathlib.Path(path).read_text(encoding='utf-8-sig')
  except (OSError, UnicodeDecodeError) as error:
    raise DataError(f'cannot read {path}: {error}') from error
  if path.endswith('.yaml'):
    names = _listed(path, _of_yaml(path, text))
  elif path.endswith('.json'):
    names = _listed(path, _of_json(path, text))
  else:
    names = [line.strip() for line in text.splitlines() if line.strip()]
  if not names:
    raise DataError(f'{path} names no classes')
  return tuple(names)


def _of_yaml(path, text):
  import yaml  # not for the other formats

  try:
    content = yaml.safe_load(text)
  except (yaml.YAMLError, RecursionError) as error:
    raise DataError(f'{path} is not YAML: {" ".join(str(error).split())}') from error
  return content.get('names') if isinstance(content, dict) else content


def _of_json(path, text):
  try:
    content = json.loads(text)
  except (ValueError, RecursionError) as error:
    raise DataError(f'{path} is not JSON: {error}') from error
  if isinstance(content, dict) and all(map(str.isdecimal, content)):
    return {int(number): name for number, name in content.items()}
  return content


def _listed(path, names):
  """The names of a list, or of a mapping from their numbers."""
  if isinstance(names, dict):
    if set(names) != set(range(len(names))):
      raise DataError(f'{path}: names must be numbered from 0 without gaps')
    names = [names[number] for number in range(len(names))]
  if not isinstance(names, list):
    raise DataError(f'{path}: names must be a list such as [cat, dog]')
  for number, name in enumerate(names):
    if isinstance(name, bool) or not isinstance(name, str | int | float):
      raise DataError(
        f'{path}: name {number} is no text; put it in quotes, such as "no"'
      )
  return [str(name) for name in names]


def read(
  index: Index, files: list[str], class_names, go_on: bool = False
) -> Annotations:
  """Boxes of all the files.

  A picture without a file has no objects, and is told. Shares are those of the upright
  picture: no file says otherwise.

  Args:
    index: of the pictures.
    files: text files, relative to its root.
    class_names: from `class_names_of`; None numbers the classes that are met.
    go_on: make a fault of a file that is broken, and read the others.

  Raises:
    DataError: a line is something else; the message has the file and the line.
  """
  found, faults, broken_ones = {}, [], set()
  for file in files:
    stem = posixpath.splitext(posixpath.basename(file))[0]
    own = posixpath.dirname(file)
    with_images = '/'.join('images' if n == 'labels' else n for n in own.split('/'))
    name = index.of_stem(stem, (own, with_images))
    if name is None:
      faults.append(Fault(file, 'no picture', stem))
      continue
    if name in found:
      faults.append(Fault(file, 'twice', name))
      continue
    lines = None
    with broken(file, faults, go_on):
      lines = list(_lines(index.path(file), class_names is None))
    if lines is None:
      broken_ones.add(name)
    else:
      found[name] = file, lines
  if class_names is None:
    most = max((row[0] for _, rows in found.values() for row in rows), default=0)
    class_names = tuple(str(number) for number in range(most + 1))
  parts, pictures = picture_index.listed(index), []
  for name in index.beside(found):
    if name in broken_ones:
      continue
    file, lines = found.get(name, (name, []))
    if name not in found:
      faults.append(Fault(name, 'no labels file'))
    part = picture_index.folder_part(name)
    if parts:
      part = parts.get(posixpath.splitext(posixpath.basename(name))[0], '')
      if not part:
        faults.append(Fault(name, 'in no list'))
        continue
    faults += [Fault(file, 'polygon', said) for *_, polygon, said in lines if polygon]
    rows = [
      Box(*corners, label if 0 <= label < len(class_names) else None, said=said)
      for label, corners, _, said in lines
    ]
    pictures.append(make_picture(name, file, rows, part, faults))
  return Annotations('YOLO', tuple(pictures), tuple(class_names), tuple(faults))


def _lines(path, no_list):
  """(class, (top, left, bottom, right), whether a polygon, words) of each line."""
  try:
    lines = pathlib.Path(path).read_text(encoding='utf-8-sig').splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise DataError(f'cannot read {path}: {error}') from error
  for number, line in enumerate(lines, 1):
    words = line.split()
    if not words:
      continue
    try:
      label, values = _class(words[0]), [float(word) for word in words[1:]]
    except ValueError:
      label, values = 0, []
    polygon = len(values) >= 6 and len(values) % 2 == 0
    if len(values) == 4:
      x, y, width, height = values
      corners = y - height / 2, x - width / 2, y + height / 2, x + width / 2
    elif polygon:
      # Python's min and max pass over what is no number, NumPy's do not.
      across, down = np.array(values[::2]), np.array(values[1::2])
      corners = down.min(), across.min(), down.max(), across.max()
    else:
      raise DataError(
        f'{path}, line {number}: "{line[:60]}" is not class x y width height'
      )
    if no_list and label >= MOST_CLASSES:
      raise DataError(
        f'{path}, line {number}: {words[0][:20]} is no class: without a classes.txt '
        f'they go up to {MOST_CLASSES - 1:,}'
      )
    yield label, corners, polygon, f'line {number}: {line.strip()[:60]}'


def _class(word):
  """A class's number, also where it is written as 3.0."""
  value = float(word)
  if not value.is_integer():  # nan and infinity are none either
    raise ValueError
  return int(value)
