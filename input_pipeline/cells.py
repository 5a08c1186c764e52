"""Places as classes: an adaptive partition of the globe into S2 cells.

    names = partition(positions, Partition(most=10_000, fewest=50))
    labels(positions, names)   # int32 (N,), -1 in no cell
    centres(names)             # float64 (K, 2), degrees

PlaNet (https://arxiv.org/abs/1602.05314, section 3): S2 projects the globe onto the six
faces of a cube, and each face is the root of a quad-tree. A cell is split while it has
more photos than `most`; cells with fewer than `fewest` are dropped. So a city has many
small cells and an ocean none. The name of a cell is its S2 token, which says where it
is (https://s2geometry.io/devguide/s2cell_hierarchy).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import s2cell

from input_pipeline.errors import DataError

FACES = 6
FINEST = 30  # S2's level of about a centimetre
_FIELD = '--config.data.cells'


class Partition(NamedTuple):
  """How cells are made.

  most: photos of a cell that is not split. fewest: photos of a cell that is kept.
  lowest_level, highest_level: of the cells, 0 (a face of the cube) to 30; cells that
  are coarser than the lowest are split whatever they hold. Those of level 2 are 2,300
  km wide, of level 10 some 9 km.
  """

  most: int = 10_000
  fewest: int = 50
  lowest_level: int = 2
  highest_level: int = FINEST

  def check(self) -> None:
    """Raises a DataError for values that do not fit each other."""
    if not 1 <= self.fewest <= self.most:
      raise DataError(
        f'{_FIELD}.fewest={self.fewest} must be from 1 to {_FIELD}.most={self.most}'
      )
    if not 0 <= self.lowest_level <= self.highest_level <= FINEST:
      raise DataError(
        f'{_FIELD}.lowest_level={self.lowest_level} and {_FIELD}.highest_level='
        f'{self.highest_level}: 0 <= lowest <= highest <= {FINEST}'
      )


def partition(positions: np.ndarray, how: Partition) -> tuple[str, ...]:
  """The tokens of the cells, along S2's curve, so that neighbours are near each other.

  Args:
    positions: (N, 2), latitude and longitude in degrees.
    how: see `Partition`.

  Raises:
    DataError: its values do not fit each other.
  """
  how.check()
  leaves = np.sort(_leaves(positions))
  found: list[int] = []
  for face in range(FACES):
    found += _kept((2 * face + 1) << (2 * FINEST), 0, leaves, how)
  return tuple(s2cell.cell_id_to_token(cell) for cell in found)


def _kept(cell: int, level: int, leaves: np.ndarray, how: Partition) -> Iterator[int]:
  """The cells at or below a cell that hold enough; `leaves` are sorted."""
  first, last = (np.uint64(end) for end in _ends(cell))
  begin, end = np.searchsorted(leaves, [first, last + np.uint64(1)])
  count = end - begin
  if count < how.fewest:
    return
  splits = count > how.most or level < how.lowest_level
  if not splits or level == how.highest_level:
    yield cell
    return
  step = (cell & -cell) >> 2
  for child in range(cell - 3 * step, cell + 4 * step, 2 * step):
    yield from _kept(child, level + 1, leaves[begin:end], how)


def _ends(cell: int) -> tuple[int, int]:
  """The ids of the first and the last leaf below a cell: S2 numbers them in turn."""
  below = (cell & -cell) - 1
  return cell - below, cell + below


def _leaves(positions) -> np.ndarray:
  """uint64 (N,): the ids of the smallest cells that positions lie in."""
  # The sine of 180 degrees is not zero in floats: the date line is one line.
  ids = (
    s2cell.lat_lon_to_cell_id(latitude, -180.0 if longitude == 180 else longitude)
    for latitude, longitude in np.asarray(positions, np.float64).tolist()
  )
  return np.fromiter(ids, np.uint64, len(positions))


def labels(positions: np.ndarray, names: Sequence[str]) -> np.ndarray:
  """int32 (N,): the place among `names` of the cell that a position lies in, or -1.

  Args:
    positions: (N, 2), latitude and longitude in degrees.
    names: tokens of cells that do not overlap.

  Raises:
    DataError: one of them is no token.
  """
  if not names:
    return np.full(len(positions), -1, np.int32)
  first, last = np.array([_ends(_cell(name)) for name in names], np.uint64).T
  order = np.argsort(first)
  leaves = _leaves(positions)
  place = np.searchsorted(first[order], leaves, side='right') - 1
  found = order[np.maximum(place, 0)]
  inside = (place >= 0) & (leaves <= last[found])
  return np.where(inside, found, -1).astype(np.int32)


def centres(names: Sequence[str]) -> np.ndarray:
  """float64 (K, 2): latitude and longitude of the cells' centres, in degrees.

  Raises:
    DataError: one of the names is no token.
  """
  found = [s2cell.cell_id_to_lat_lon(_cell(name)) for name in names]
  return np.array(found, np.float64).reshape(-1, 2)


def levels(names: Sequence[str]) -> list[int]:
  """The cells' levels, 0 to 30.

  Raises:
    DataError: one of the names is no token.
  """
  return [s2cell.cell_id_to_level(_cell(name)) for name in names]


def _cell(name: str) -> int:
  if not s2cell.token_is_valid(name):
    raise DataError(
      f'{name!r} is no S2 cell: the classes of places are tokens of cells'
    )
  return s2cell.token_to_cell_id(name)
