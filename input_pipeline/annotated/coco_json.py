"""Boxes of COCO's instances files: https://cocodataset.org/#format-data."""

import json
import os
import posixpath

from input_pipeline.annotated import picture_index
from input_pipeline.annotated.annotations import Annotations, Fault, make_picture
from input_pipeline.annotated.picture_index import Index
from input_pipeline.errors import DataError

_KEYS = ('images', 'annotations', 'categories')


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
  """Whether a file holds what an instances file holds."""
  try:
    with open(path, encoding='utf-8-sig') as file:
      return _has_keys(json.load(file))
  except (OSError, ValueError):
    return False


def _has_keys(content):
  return isinstance(content, dict) and all(
    isinstance(content.get(key), list) for key in _KEYS
  )


def read(index: Index, files: list[str], part_known: bool = True) -> Annotations:
  """Boxes of all the files.

  Classes are the categories in the order of their ids, which may have gaps. A missing
  iscrowd is 0. Pictures without annotations stay: they have no objects.

  Args:
    index: of the pictures.
    files: instances files, relative to the folder of pictures, or absolute paths.
    part_known: whether the names of the files say for which part they are.

  Raises:
    DataError: a file is not of that format; the message names it.
  """
  contents = {file: _load(index, file) for file in files}
  names = _categories(contents)
  label_of = {identity: label for label, identity in enumerate(sorted(names))}
  pictures, faults = [], []
  for file, content in contents.items():
    part = picture_index.part_of(file) if part_known else ''
    pictures += _pictures(index, file, content, part, label_of, faults)
  taken, unique = set(), []
  for picture in pictures:
    if picture.name in taken:
      faults.append(Fault(picture.name, 'twice'))
    else:
      unique.append(picture)
    taken.add(picture.name)
  faults += [
    Fault(name, 'no annotation') for name in index.beside(taken) if name not in taken
  ]
  return Annotations(
    'COCO',
    tuple(unique),
    tuple(names[identity] for identity in sorted(names)),
    tuple(faults),
    tuple(sorted(names)),
  )


def _load(index, file):
  path = file if os.path.isabs(file) else index.path(file)
  try:
    with open(path, encoding='utf-8-sig') as opened:
      content = json.load(opened)
  except OSError as error:
    raise DataError(f'cannot read {path}: {error.strerror or error}') from error
  except ValueError as error:
    raise DataError(f'{path} is not JSON: {error}') from error
  if not _has_keys(content):
    raise DataError(
      f'{path} is no COCO instances file: it needs lists called {", ".join(_KEYS)}'
    )
  return content


def _categories(contents):
  """Category id -> name, over all files."""
  names: dict[int, str] = {}
  for file, content in contents.items():
    for category in content['categories']:
      identity, name = _field(file, category, 'id'), str(_field(file, category, 'name'))
      if names.setdefault(identity, name) != name:
        raise DataError(
          f'category {identity} is {name!r} in {file} and {names[identity]!r} in '
          'another file: the files of one data set need the same categories'
        )
  if not names:
    raise DataError(f'{next(iter(contents))} has no categories')
  return names


def _field(file, entry, name):
  try:
    return entry[name]
  except (KeyError, TypeError):
    raise DataError(f'{file}: an entry has no {name!r}: {str(entry)[:80]}') from None


def _pictures(index, file, content, part, label_of, faults):
  rows: dict = {}
  for annotation in content['annotations']:
    rows.setdefault(_field(file, annotation, 'image_id'), []).append(annotation)
  folder, word = (
    posixpath.dirname(file),
    posixpath.splitext(posixpath.basename(file))[0],
  )
  word = word.rpartition('_')[2]
  folders = (word, f'{word}/images', f'images/{word}', folder, '', 'images')
  for image in content['images']:
    own = rows.pop(_field(file, image, 'id'), [])
    named = str(_field(file, image, 'file_name'))
    name = index.find(named, folders)
    if name is None:
      faults.append(Fault(file, 'no picture', named))
      continue
    height, width = image.get('height'), image.get('width')
    said = (height, width) if height and width else None
    if said is None:
      height, width = picture_index.sides(index.path(name))
    boxes = [_row(file, annotation, height, width, label_of) for annotation in own]
    yield make_picture(name, name, boxes, part, faults, said)
  for identity, own in rows.items():
    faults += [Fault(file, 'no picture', f'image_id {identity}') for _ in own]


def _row(file, annotation, height, width, label_of):
  box = _field(file, annotation, 'bbox')
  try:
    x, y, across, down = (float(side) for side in box)
  except (TypeError, ValueError):
    raise DataError(
      f'{file}: bbox of annotation {annotation.get("id")} is {box!r}, not [x, y, '
      'width, height]'
    ) from None
  label = label_of.get(_field(file, annotation, 'category_id'))
  corners = (y / height, x / width, (y + down) / height, (x + across) / width)
  return *corners, label, bool(annotation.get('iscrowd', 0))
