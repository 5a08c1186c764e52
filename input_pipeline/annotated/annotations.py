"""What every reader of boxes gives: pictures with their boxes, and what was wrong.

Files say where a box is in their own ways: corners, centres, pixels or shares. Readers
turn all of them into (top, left, bottom, right) as shares 0..1 of the picture, and
nothing after them converts again.
"""

import collections
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from input_pipeline.errors import some

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
  'no mask': ('picture without a mask left out', 'pictures without masks left out'),
  'no photo': ('mask without a picture left out', 'masks without pictures left out'),
  'other size': (
    'mask of another size than its picture left out',
    'masks of other sizes than their pictures left out',
  ),
  'wrong shape': (
    'picture of another shape than its annotation says',
    'pictures of other shapes than their annotations say',
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


class Picture(NamedTuple):
  """A picture and its boxes.

  name: its path relative to the data's folder. boxes: float32 (n, 4), (top, left,
  bottom, right) as shares 0..1. classes: int32 (n,). crowd: bool (n,). part: 'train',
  'val' or 'test' where somebody said; '' for a split by the seed. size: (height, width)
  in pixels as the annotation has it; None where it has none.
  """

  name: str
  boxes: np.ndarray
  classes: np.ndarray
  crowd: np.ndarray
  part: str = ''
  size: tuple[int, int] | None = None


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
  rows: Sequence[tuple],
  part: str,
  faults: list[Fault],
  size: tuple[int, int] | None = None,
) -> Picture:
  """A picture with the boxes that can be learned from.

  Args:
    name: of the picture.
    file: that is named where something is wrong.
    rows: (top, left, bottom, right, class, crowd) of each box, in shares; class None
      for one that is unknown.
    part: of the split, '' for none.
    faults: gets what is wrong.
    size: (height, width) in pixels that the file says, None for nothing.
  """
  corners = np.array([row[:4] for row in rows], np.float64).reshape(-1, 4)
  labels = np.array([-1 if row[4] is None else row[4] for row in rows], np.int32)
  clipped = np.clip(corners, 0, 1)
  kinds = _faults(corners, clipped, labels)
  for place in np.flatnonzero(kinds != ''):
    shown = ', '.join(f'{corner:.4g}' for corner in corners[place])
    detail = f'{name}: top, left, bottom, right = {shown}'
    faults.append(Fault(file, str(kinds[place]), detail))
  kept = (kinds == '') | (kinds == 'clipped')
  crowd = np.array([row[5] for row in rows], bool)
  boxes = clipped[kept].astype(np.float32)
  return Picture(name, boxes, labels[kept], crowd[kept], part, size)


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
