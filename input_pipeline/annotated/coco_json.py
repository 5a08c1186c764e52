"""Boxes of COCO's instances files: https://cocodataset.org/#format-data."""

import json
import math
import os
import posixpath
from typing import NamedTuple

from input_pipeline import folder_layout
from input_pipeline.annotated import picture_index
from input_pipeline.annotated.annotations import (
  Annotations,
  Box,
  Fault,
  broken,
  make_picture,
)
from input_pipeline.annotated.frames import frames
from input_pipeline.annotated.picture_index import Index
from input_pipeline.errors import DataError

_KEYS = ('images', 'annotations', 'categories')
_KINDS = {int: 'a whole number', float: 'a number', str: 'a text', list: 'a list'}
_CROWD = {0: False, 1: True, '0': False, '1': True}  # some programs write texts
_LONGEST = 1_000_000  # px of a side; PNG and JPEG end well below


def find(index: Index, files: list[str]) -> list[str]:
  """The instances files among files: one a part, or one for all.

  Where files called instances... are there, no others are opened: they are captions or
  keypoints.

  Raises:
    DataError: two files stand for one part.
  """
  found = [
    name
    for name in files
    if name.endswith('.json')
    and name.count('/') <= 2
    and posixpath.basename(name) not in ('labels.json', 'classes.json', 'package.json')
  ]
  named = [name for name in found if 'instances' in posixpath.basename(name)]
  found = named or [name for name in found if is_instances(index.path(name))]
  by_part: dict[str, list[str]] = {}
  for name in found:
    by_part.setdefault(picture_index.part_of(name), []).append(name)
  for part, names in by_part.items():
    if len(names) > 1:
      raise DataError(
        f'{index.root} has {" and ".join(names[:2])}, both '
        f'{f"for {part}" if part else "for all pictures"}: say which to read: '
        '--config.data.annotations=FILE'
      )
  if len(by_part) > 1:
    by_part.pop('', None)  # where parts are, a file for all says the same again
  return [names[0] for names in by_part.values()]


def is_instances(path: str) -> bool:
  """Whether a file holds what an instances file holds.

  One that is called train.json or alike and is no JSON was to hold it: reading it tells
  what is wrong.
  """
  try:
    with open(path, encoding='utf-8-sig') as file:
      return _has_keys(json.load(file))
  except (OSError, ValueError, RecursionError):
    stem = os.path.splitext(os.path.basename(path))[0].lower()
    return any(stem in names for names in folder_layout.PARTS.values())


def _has_keys(content):
  return isinstance(content, dict) and all(
    isinstance(content.get(key), list) for key in _KEYS
  )


def read(
  index: Index,
  files: list[str],
  part_known: bool = True,
  class_names: tuple[str, ...] | None = None,
  go_on: bool = False,
) -> Annotations:
  """Boxes of all the files.

  Classes are the categories in the order of their ids, which may have gaps. A missing
  iscrowd is 0. Pictures without annotations stay: they have no objects.

  Args:
    index: of the pictures.
    files: instances files, relative to the folder of pictures, or absolute paths.
    part_known: whether the names of the files say for which part they are.
    class_names: another order of the categories; of other names it does not count.
    go_on: make a fault of an entry that is broken, and read the others.

  Raises:
    DataError: a file is not of that format; the message names it.
  """
  contents, pictures, faults = {}, [], []
  for file in files:
    with broken(file, faults, go_on):
      contents[file] = _load(index, file)
  names = _categories(contents, faults, go_on)
  if not names:
    raise DataError(_first(faults) or f'{files[0]} has no categories')
  ids = sorted(names)
  if class_names is not None and sorted(class_names) == sorted(names.values()):
    ids.sort(key=lambda identity: class_names.index(names[identity]))
  label_of = {identity: label for label, identity in enumerate(ids)}
  taken = {}
  for file, content in contents.items():
    part = picture_index.part_of(file) if part_known else ''
    for picture in _pictures(index, file, content, faults, go_on):
      if picture.name in taken:
        faults.append(Fault(picture.name, 'twice'))
      else:
        taken[picture.name] = part, picture
  sizes = {name: picture.size for name, (_, picture) in taken.items()}
  frame_of = frames(index, sizes, faults, go_on)
  for name, frame in frame_of.items():
    part, picture = taken[name]
    rows = [
      Box(
        *frame.shares(one.y, one.x, one.y + one.down, one.x + one.across),
        label_of.get(one.category),
        one.crowd,
        one.said,
      )
      for one in picture.boxes
    ]
    pictures.append(make_picture(name, name, rows, part, faults, picture.image_id))
  faults += [
    Fault(name, 'no annotation') for name in index.beside(taken) if name not in taken
  ]
  return Annotations(
    'COCO',
    tuple(pictures),
    tuple(names[identity] for identity in ids),
    tuple(faults),
    tuple(ids),
  )


def _first(faults):
  return next((fault.detail for fault in faults if fault.kind == 'broken'), '')


def _load(index, file):
  path = file if os.path.isabs(file) else index.path(file)
  try:
    with open(path, encoding='utf-8-sig') as opened:
      content = json.load(opened)
  except OSError as error:
    raise DataError(f'cannot read {path}: {error.strerror or error}') from error
  except RecursionError as error:
    raise DataError(f'{path}: its lists are nested too deep') from error
  except ValueError as error:
    raise DataError(f'{path} is not JSON: {error}') from error
  if not _has_keys(content):
    raise DataError(
      f'{path} is no COCO instances file: it needs lists called {", ".join(_KEYS)}'
    )
  return content


def _categories(contents, faults, go_on):
  """Category id -> name, over all files."""
  names: dict[int, str] = {}
  for file, content in contents.items():
    own = set()
    for category in content['categories']:
      with broken(file, faults, go_on):
        identity = _field(file, category, 'id', int)
        name = _field(file, category, 'name', str)
        if names.setdefault(identity, name) != name:
          where = 'again' if identity in own else 'in another file'
          raise DataError(
            f'{file}: category {identity} is "{name}", and "{names[identity]}" '
            f'{where}: an id has one name, in all files of a data set'
          )
        if identity in own:
          faults.append(Fault(file, 'category twice', f'{identity}, "{name}"'))
        own.add(identity)
  return names


def _field(file, entry, name, *kinds):
  """A field of an entry, which is of one of some kinds."""
  try:
    value = entry[name]
  except (KeyError, TypeError, IndexError):
    raise DataError(f'{file}: an entry has no "{name}": {_shown(entry)}') from None
  if isinstance(value, bool) or not isinstance(value, kinds):
    wanted = ' or '.join(_KINDS[kind] for kind in kinds)
    raise DataError(
      f'{file}: "{name}" is {_shown(value)}, not {wanted}: {_shown(entry)}'
    )
  return value


def _shown(value):
  """The beginning of a value, as the file has it."""
  return json.dumps(value, ensure_ascii=False)[:80]


class _Annotation(NamedTuple):
  """A box as its file has it, in pixels. category: an id that may be unknown."""

  x: float
  y: float
  across: float
  down: float
  category: int
  crowd: bool
  said: str


class _Image(NamedTuple):
  """name: of the picture. size: (height, width), None where the file says none."""

  image_id: int | str
  name: str
  size: tuple[float, float] | None
  boxes: list[_Annotation]


def _pictures(index, file, content, faults, go_on):
  rows: dict = {}
  for annotation in content['annotations']:
    with broken(file, faults, go_on):
      identity = _field(file, annotation, 'image_id', int, str)
      own = rows.setdefault(identity, [])
      own.append(_annotation(file, annotation))
  folder, word = (
    posixpath.dirname(file),
    posixpath.splitext(posixpath.basename(file))[0],
  )
  word = word.rpartition('_')[2]
  folders = (word, f'{word}/images', f'images/{word}', folder, '', 'images')
  pictures, name_of = [], {}
  for image in content['images']:
    with broken(file, faults, go_on):
      identity = _field(file, image, 'id', int, str)
      named = _field(file, image, 'file_name', str)
      if identity in name_of:
        raise DataError(
          f'{file}: {name_of[identity]} and {named} have the same id, '
          f'{_shown(identity)}: whose boxes are whose? Give one of them another'
        )
      name_of[identity] = named
      own = rows.pop(identity, [])
      sides = tuple(_side(file, image, side) for side in ('height', 'width'))
      name = index.find(named, folders)
      if name is None:
        faults.append(Fault(file, 'no picture', named))
      else:
        sides = sides if all(sides) else None
        pictures.append(_Image(identity, name, sides, own))
  for identity, own in rows.items():
    where = f'image_id {_shown(identity)}'
    faults += [Fault(file, 'no picture', f'{where}, {one.said}') for one in own]
  return pictures


def _side(file, image, name):
  """A side in pixels; 0 where the file leaves it out."""
  if image.get(name) is None:
    return 0
  value = _field(file, image, name, int, float)
  if not 0 <= value < _LONGEST:  # nan is not, either
    raise DataError(f'{file}: "{name}" is {_shown(value)}: {_shown(image)}')
  return value


def _annotation(file, annotation):
  which = f'annotation {_shown(annotation.get("id"))}'
  box = _field(file, annotation, 'bbox', list)
  if len(box) != 4 or not all(
    isinstance(n, int | float) and not isinstance(n, bool) for n in box
  ):
    raise DataError(
      f'{file}: bbox of {which} is {_shown(box)}, not [x, y, width, height]'
    )
  try:
    sides = [float(side) for side in box]
  except OverflowError:  # more digits than a float has
    sides = [math.inf] * 4
  category = _field(file, annotation, 'category_id', int)
  crowd = annotation.get('iscrowd') or 0
  if isinstance(crowd, list | dict) or crowd not in _CROWD:
    raise DataError(f'{file}: iscrowd of {which} is {_shown(crowd)}, not 0 or 1')
  said = f'{which}: category {category}, bbox {_shown(box)}'
  return _Annotation(*sides, category, _CROWD[crowd], said)
