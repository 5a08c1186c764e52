"""What each kind of marks says of a folder of pictures: counts and faults."""

import collections
import concurrent.futures
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from input_pipeline import DataError, cells, folder_split
from input_pipeline.annotated import (
  annotations,
  box_folder,
  mask_files,
  mask_folder,
  picture_split,
  place_folder,
  tag_folder,
)
from mobilenet.data_check import listing, scan

SMALL = 50  # photos for training, from which on a cell hides where one was taken


class Asked(NamedTuple):
  """What is to be checked.

  root: the folder, as training takes it. annotations_at: where the annotations are, ''
  to look for them. split: by which pictures are split where nothing says it. partition:
  how the cells of places are made.
  """

  root: pathlib.Path
  annotations_at: str = ''
  split: folder_split.Split = folder_split.Split()
  partition: cells.Partition = cells.Partition()


class Checked(NamedTuple):
  """counts: class -> part -> boxes, or pictures that show the class. sizes: class ->
  median side of a box as a share of the picture's; {} of masks. pictures: their number.
  """

  faults: tuple[annotations.Fault, ...]
  counts: Mapping[str, Mapping[str, int]]
  sizes: Mapping[str, float]
  pictures: int


def _boxes(asked):
  root = asked.root
  found = box_folder.read_boxes(root, asked.annotations_at, go_on=True)
  broken = [fault for fault in found.faults if fault.kind == 'broken']
  if broken and not found.pictures:
    raise DataError(f'{broken[0].detail}; nothing else in {root} can be read either')
  faults = [*found.faults, *_unreadable(root, found.pictures)]
  faults += _alike(found.class_names)
  counts = {name: collections.Counter() for name in found.class_names}
  try:
    by_part = _by_part(found.pictures, asked)
  except DataError:
    if not broken:
      raise
    by_part = {'train': found.pictures}  # too few are left for two parts
  for part, pictures in by_part.items():
    for picture in pictures:
      for label in picture.classes:
        counts[found.class_names[label]][part] += 1
  faults += _untrained(counts)
  none = np.zeros((0, 4), np.float32)
  boxes = np.concatenate([none, *(picture.boxes for picture in found.pictures)])
  classes = np.concatenate([[], *(picture.classes for picture in found.pictures)])
  sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
  sizes = {
    name: float(np.median(sides[classes == label]))
    for label, name in enumerate(found.class_names)
    if (classes == label).any()
  }
  return Checked(tuple(faults), counts, sizes, len(found.pictures))


def _masks(asked):
  found = mask_folder.read_masks(asked.root, asked.annotations_at)
  faults, names = list(found.faults), found.label_map.class_names
  counts = {name: collections.Counter() for name in names}

  faults += [*_unreadable(asked.root, found.pictures), *_alike(names)]
  white = mask_files.white_of(found.label_map.table)

  def ids_of(picture):
    try:
      return mask_folder.ids_in(str(asked.root / picture.mask), white)
    except DataError as error:
      return str(error)

  for part, pictures in _by_part(found.pictures, asked).items():
    with concurrent.futures.ThreadPoolExecutor() as pool:
      for picture, ids in zip(pictures, pool.map(ids_of, pictures), strict=True):
        if isinstance(ids, str):
          faults.append(annotations.Fault(picture.mask, 'unreadable', ids))
          continue
        labels = found.label_map.table[ids]
        if unknown := ids[labels == mask_files.UNKNOWN].tolist():
          which = ', '.join(map(str, unknown))
          faults.append(annotations.Fault(picture.mask, 'unknown id', which))
        for label in labels[labels < len(names)]:
          counts[names[label]][part] += 1
  faults += _untrained(counts)
  return Checked(tuple(faults), counts, {}, len(found.pictures))


def _tags(asked):
  found = tag_folder.read_tags(asked.root, asked.annotations_at)
  counts = {name: collections.Counter() for name in found.names}
  for part, photos in _by_part(found.photos, asked).items():
    for photo in photos:
      for place in np.flatnonzero(photo.tags == 1):
        counts[found.names[place]][part] += 1
  faults = [*found.faults, *_unreadable(asked.root, found.photos), *_alike(found.names)]
  faults += [
    annotations.Fault(photo.name, 'untold')
    for photo in found.photos
    if (photo.tags == tag_folder.UNKNOWN).all()
  ]
  faults += _untrained(counts)
  return Checked(tuple(faults), counts, {}, len(found.photos))


def _places(asked):
  """The classes are the cells that training would make."""
  found = place_folder.read_places(asked.root, asked.annotations_at)
  by_part = _by_part(found.photos, asked)
  training = by_part.get('train', found.photos)
  names = cells.partition(place_folder.positions(training), asked.partition)
  counts = {name: collections.Counter() for name in names}
  faults = [*found.faults, *_unreadable(asked.root, found.photos)]
  for part, photos in by_part.items():
    labels = cells.labels(place_folder.positions(photos), names)
    for photo, label in zip(photos, labels, strict=True):
      if label >= 0:
        counts[names[label]][part] += 1
      else:
        faults.append(annotations.Fault(photo.name, 'in no cell', part))
      if photo.is_nowhere:
        faults.append(annotations.Fault(photo.name, 'nowhere'))
  faults += [
    annotations.Fault(name, 'small cell', f'{own["train"]:,}')
    for name, own in counts.items()
    if own['train'] < SMALL
  ]
  if len(names) < 2:
    faults.append(annotations.Fault('cells', 'few cells', str(len(names))))
  return Checked(tuple(faults), counts, {}, len(found.photos))


def _unreadable(root, pictures):
  """A fault of each picture that cannot be decoded to its end."""
  listed = [listing.File(picture.name, picture.part, '') for picture in pictures]
  paths = [str(root / picture.name) for picture in pictures]
  return [
    annotations.Fault(photo.name, 'unreadable', photo.problem)
    for photo in scan.scan(paths, listed)
    if not photo.is_read
  ]


def _alike(names):
  """A fault of names that a person would take for one."""
  groups = collections.defaultdict(list)
  for name in names:
    groups[''.join(re.split(r'[\s_-]+', name.casefold()))].append(name)
  return [
    annotations.Fault('classes', 'alike', ', '.join(f'"{name}"' for name in group))
    for group in groups.values()
    if len(group) > 1
  ]


def _untrained(counts):
  """A fault of each class that a part for training does not show."""
  return [
    annotations.Fault('classes', 'untrained', f'"{name}"')
    for name, own in counts.items()
    if not own['train']
  ]


def _by_part(pictures, asked):
  """Part -> its pictures, as training takes them."""
  known = sorted({picture.part for picture in pictures if picture.part})
  return {
    part: picture_split.chosen(
      pictures,
      (part,),
      asked.root,
      asked.split,
      False,
      None,
      '--config.data.eval_split',
    )[0]
    for part in known or ('train', 'val')
  }


class Kind(NamedTuple):
  """check: finds out. row: what the table has a row for. counted: what of."""

  check: Callable[[Asked], Checked]
  row: str
  counted: str


# By the name of the data.
KINDS = {
  'boxes': Kind(_boxes, 'class', 'boxes'),
  'masks': Kind(_masks, 'class', 'pictures with it'),
  'tags': Kind(_tags, 'tag', 'photos with it'),
  'places': Kind(_places, 'cell', 'photos in it'),
}
