"""In which pixels an annotation has its boxes: of a picture as stored, or upright.

A camera stores a picture lying down and says in its EXIF how to turn it; every reader
here turns it. Some programs annotate what is stored, others what is seen. The size that
they state tells which it was.
"""

import concurrent.futures
from collections.abc import Mapping
from typing import NamedTuple

from input_pipeline import exif
from input_pipeline.annotated import picture_index
from input_pipeline.annotated.annotations import Fault, broken
from input_pipeline.annotated.picture_index import Head, Index
from input_pipeline.errors import DataError

_SAME_SHAPE = 0.01  # relative difference of the aspect ratios that is rounding


class Frame(NamedTuple):
  """height, width: px that boxes are counted in. orientation: of EXIF, how shares of
  them are turned until they are upright; 1 leaves them.
  """

  height: float
  width: float
  orientation: int = 1

  def shares(self, top, left, bottom, right) -> tuple[float, float, float, float]:
    """Corners in pixels to shares of the upright picture."""
    top, bottom = top / self.height, bottom / self.height
    left, right = left / self.width, right / self.width
    transposed, rows, columns = exif.TURNS[self.orientation - 1]
    if transposed:
      top, left, bottom, right = left, top, right, bottom
    if rows:
      top, bottom = 1 - bottom, 1 - top
    if columns:
      left, right = 1 - right, 1 - left
    return top, left, bottom, right


def frames(
  index: Index,
  stated: Mapping[str, tuple[int, int] | None],
  faults: list[Fault],
  go_on: bool = False,
) -> dict[str, Frame]:
  """The frame of each picture; the heads of all of them are read, by threads.

  Of a picture that EXIF turns without exchanging its sides (or of equal sides), the
  size says nothing. It is taken for annotated as the others of the folder are; where
  none tells, as stored.

  Args:
    index: of the pictures.
    stated: name -> (height, width) of its annotation, None for nothing.
    faults: gets the pictures that were turned, and those of another size.
    go_on: make a fault of a picture that has neither size nor head, and leave it out.

  Raises:
    DataError: an annotation states no size, and its picture cannot be read.
  """

  def head_of(name):
    try:
      return picture_index.head(index.path(name))
    except DataError as error:
      return error

  heads = {}
  with concurrent.futures.ThreadPoolExecutor() as pool:
    for name, head in zip(stated, pool.map(head_of, stated), strict=True):
      if not isinstance(head, DataError):
        heads[name] = head
      elif stated[name]:
        heads[name] = None  # what is stated is all there is; reading it will tell
      else:
        with broken(name, faults, go_on):
          raise head
  kinds = {name: _kind(stated[name], heads[name]) for name in heads}
  told = list(kinds.values())
  as_stored = told.count('turned') >= told.count('upright')
  found = {}
  for name, head in heads.items():
    said, kind = stated[name], kinds[name]
    height, width = said or head.upright
    turned = kind == 'turned' or (kind == 'unclear' and as_stored)
    found[name] = Frame(height, width, head.orientation if turned else 1)
    if turned:
      faults.append(Fault(name, 'turned', f'orientation {head.orientation}'))
    elif kind in ('wrong shape', 'other scale'):
      rows, columns = head.upright
      detail = f'{rows} x {columns} pixels, the annotation says {height} x {width}'
      faults.append(Fault(name, kind, detail))
  return found


def _kind(said, head: Head | None) -> str:
  """What a stated size tells: '' for nothing of interest."""
  if said is None or head is None:
    return ''
  upright, stored = _alike(said, head.upright), _alike(said, head.stored)
  if not upright:
    return 'turned' if stored else 'wrong shape'
  if head.orientation != 1:
    return 'unclear' if stored else 'upright'
  return '' if said == head.upright else 'other scale'


def _alike(one, other):
  return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= _SAME_SHAPE
