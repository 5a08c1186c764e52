"""What every reader of boxes gives: pictures with their boxes, and what was wrong.

Files say where a box is in their own ways: corners, centres, pixels or shares. Readers
turn all of them into (top, left, bottom, right) as shares 0..1 of the picture, and
nothing after them converts again.
"""

import collections
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from input_pipeline.errors import DataError, some

FIELD = '--config.data.annotations'
# What can be wrong -> how it is counted: of one, of several.
FAULTS = {
  'no size': ('box of no size dropped', 'boxes of no size dropped'),
  'inverted': (
    'box dropped whose right or bottom comes first',
    'boxes dropped whose right or bottom comes first',
  ),
  'no number': ('box without numbers dropped', 'boxes without numbers dropped'),
  'outside': (
    'box outside its picture dropped',
    'boxes outside their pictures dropped',
  ),
  'clipped': ('box cut off at the border', 'boxes cut off at the border'),
  'unknown class': (
    'box of an unknown class dropped',
    'boxes of unknown classes dropped',
  ),
  'no annotation': (
    'picture without an annotation left out',
    'pictures without annotations left out',
  ),
  'no labels file': (
    'picture has no labels file: taken for one without objects',
    'pictures have no labels file: taken for ones without objects',
  ),
  'no picture': (
    'annotation without a picture left out',
    'annotations without pictures left out',
  ),
  'in no list': ('picture in no list left out', 'pictures in no list left out'),
  'twice': (
    'picture annotated twice: the first is used',
    'pictures annotated twice: the first is used',
  ),
  'no place': ('photo without a place left out', 'photos without a place left out'),
  'no mask': ('picture without a mask left out', 'pictures without masks left out'),
  'no photo': ('mask without a picture left out', 'masks without pictures left out'),
  'other size': (
    'mask of another size than its picture left out',
    'masks of other sizes than their pictures left out',
  ),
  'turned': (
    'picture annotated as it is stored: its boxes are turned with it, as EXIF says',
    'pictures annotated as they are stored: their boxes are turned with them, as EXIF '
    'says',
  ),
  'wrong shape': (
    'picture of another shape than its annotation says: its boxes are taken as shares '
    'of the stated size',
    'pictures of other shapes than their annotations say: their boxes are taken as '
    'shares of the stated sizes',
  ),
  'other scale': (
    'picture of another size than its annotation says, of the same shape: its boxes '
    'are taken as shares of the stated size',
    'pictures of other sizes than their annotations say, of the same shapes: their '
    'boxes are taken as shares of the stated sizes',
  ),
  'polygon': (
    'polygon of which the box around it is used',
    'polygons of which the boxes around them are used',
  ),
  'broken': (
    'annotation that cannot be understood',
    'annotations that cannot be understood',
  ),
  'category twice': ('category listed twice', 'categories listed twice'),
  'alike': (
    'group of classes whose names differ in capitals or spaces alone',
    'groups of classes whose names differ in capitals or spaces alone',
  ),
  'untrained': (
    'class that nothing in training shows',
    'classes that nothing in training shows',
  ),
  'untold': (
    'photo of which no tag is known',
    'photos of which no tag is known',
  ),
  'nowhere': ('photo at latitude 0, longitude 0', 'photos at latitude 0, longitude 0'),
  'in no cell': ('photo in no cell', 'photos in no cell'),
  'small cell': (
    'cell with few photos for training',
    'cells with few photos for training',
  ),
  'few cells': (
    'partition of fewer than two cells',
    'partitions of fewer than two cells',
  ),
  'unreadable': ('file that cannot be read', 'files that cannot be read'),
  'unknown id': (
    'mask with ids that the label map lacks',
    'masks with ids that the label map lacks',
  ),
}
_REACH = 0.005  # share of a side by which a box may reach out without being counted


class Fault(NamedTuple):
  """Something wrong. file: where. kind: of `FAULTS`. detail: for a list, or ''."""

  file: str
  kind: str
  detail: str = ''


class Box(NamedTuple):
  """A box as a file has it: corners in shares of the upright picture.

  label: None for a class that is unknown. said: the box in the file's own words, for
  messages.
  """

  top: float
  left: float
  bottom: float
  right: float
  label: int | None
  crowd: bool = False
  said: str = ''


class Picture(NamedTuple):
  """A picture and its boxes.

  name: its path relative to the data's folder. boxes: float32 (n, 4), (top, left,
  bottom, right) as shares 0..1. classes: int32 (n,). crowd: bool (n,). part: 'train',
  'val' or 'test' where somebody said; '' for a split by the seed. image_id: of a COCO
  file, its number of the picture.
  """

  name: str
  boxes: np.ndarray
  classes: np.ndarray
  crowd: np.ndarray
  part: str = ''
  image_id: int | str | None = None


class Annotations(NamedTuple):
  """All that a folder says of its pictures.

  category_ids: of COCO files, their number of each class; None of other formats.
  """

  format: str
  pictures: tuple[Picture, ...]
  class_names: tuple[str, ...]
  faults: tuple[Fault, ...] = ()
  category_ids: tuple[int, ...] | None = None


def make_picture(
  name: str,
  file: str,
  rows: Sequence[Box],
  part: str,
  faults: list[Fault],
  image_id: int | str | None = None,
) -> Picture:
  """A picture with the boxes that can be learned from.

  Args:
    name: of the picture.
    file: that is named where something is wrong.
    rows: its boxes.
    part: of the split, '' for none.
    faults: gets what is wrong.
    image_id: of a COCO file.
  """
  corners = np.array([row[:4] for row in rows], np.float64).reshape(-1, 4)
  labels = np.array([-1 if r.label is None else r.label for r in rows], np.int32)
  clipped = np.clip(corners, 0, 1)
  kinds = _faults(corners, clipped, labels)
  for place in np.flatnonzero(kinds != ''):
    said = rows[place].said
    detail = said if file == name else f'{name}: {said}'
    faults.append(Fault(file, str(kinds[place]), detail))
  kept = (kinds == '') | (kinds == 'clipped')
  crowd = np.array([row.crowd for row in rows], bool)
  boxes = clipped[kept].astype(np.float32)
  return Picture(name, boxes, labels[kept], crowd[kept], part, image_id)


def _faults(corners, clipped, labels) -> np.ndarray:
  """Of each box the first kind of fault that it has, '' for none."""
  # In float32, which is what learns from them.
  with np.errstate(invalid='ignore', over='ignore'):
    sides = np.float32(corners[:, 2:]) - np.float32(corners[:, :2])
    inside = np.float32(clipped[:, 2:]) - np.float32(clipped[:, :2])
    reach = np.abs(corners - clipped).max(axis=1, initial=0)
  first_to_last = {
    'unknown class': labels < 0,
    'no number': ~np.isfinite(corners).all(axis=1),
    'inverted': (sides < 0).any(axis=1),
    'no size': (sides <= 0).any(axis=1),
    'outside': (inside <= 0).any(axis=1),
    'clipped': reach > _REACH,
  }
  kinds = np.full(len(corners), '', object)
  for kind, found in reversed(first_to_last.items()):
    kinds[found] = kind
  return kinds


@contextlib.contextmanager
def broken(file: str, faults: list[Fault], go_on: bool) -> Iterator[None]:
  """What is inside may find a file broken: the end, or with `go_on` one more fault."""
  try:
    yield
  except DataError as error:
    if not go_on:
      hint = '--job=check_data --data=boxes lists all that is broken'
      raise DataError(f'{error}; {hint}') from error
    faults.append(Fault(file, 'broken', str(error)))


def by_kind(faults: Iterable[Fault]) -> dict[str, list[Fault]]:
  """Kind -> its faults, in the order of `FAULTS`."""
  found = collections.defaultdict(list)
  for fault in faults:
    found[fault.kind].append(fault)
  return {kind: found[kind] for kind in FAULTS if kind in found}


def counted(kind: str, number: int) -> str:
  """'2 boxes of no size dropped'."""
  return f'{number:,} {FAULTS[kind][number > 1]}'


def notes(faults: Iterable[Fault]) -> tuple[str, ...]:
  """A line for each kind of fault, with the first files."""
  lines = []
  for kind, found in by_kind(faults).items():
    files = dict.fromkeys(fault.file.rpartition('/')[2] for fault in found)
    which = some(list(files))
    lines.append(f'{counted(kind, len(found))} ({which}): --job=check_data lists them')
  return tuple(lines)


def most_boxes(pictures: Iterable[Picture]) -> int:
  """The boxes of the picture with the most, at least 1."""
  return max((len(picture.boxes) for picture in pictures), default=1) or 1
