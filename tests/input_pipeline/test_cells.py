"""The adaptive partition of the globe, by hand on few points."""

import numpy as np
import pytest
import s2cell

from input_pipeline import DataError, cells
from input_pipeline.cells import Partition

PARIS, BERLIN, QUITO = (48.8584, 2.2945), (52.5163, 13.3777), (-0.2202, -78.5123)


def near(place, count, step=1e-4):
  """So many points within some hundred metres."""
  return [(place[0] + n * step, place[1]) for n in range(count)]


def parts(positions, **how):
  return cells.partition(np.array(positions), Partition(**how))


def level_of(name):
  return s2cell.token_to_level(name)


def test_a_cell_is_split_while_it_has_too_many():
  positions = [*near(PARIS, 3), *near(BERLIN, 2)]
  whole = parts(positions, most=5, fewest=1, lowest_level=0)
  split = parts(positions, most=4, fewest=1, lowest_level=0)
  assert [level_of(name) for name in whole] == [0]
  assert len(split) == 2
  # Both lie in the same cells up to the one above those that part them.
  shared = [s2cell.token_to_parent_token(name, level_of(name) - 1) for name in split]
  assert shared[0] == shared[1]
  assert cells.labels(np.array(positions), split).tolist() in (
    [0, 0, 0, 1, 1],
    [1, 1, 1, 0, 0],
  )


def test_cells_with_few_are_dropped_and_their_photos_are_in_none():
  positions = [*near(PARIS, 3), *near(BERLIN, 2), *near(QUITO, 1)]
  names = parts(positions, most=3, fewest=2)
  assert len(names) == 2
  assert cells.labels(np.array(positions), names).tolist().count(-1) == 1
  assert cells.labels(np.array([QUITO]), names).tolist() == [-1]
  assert parts(positions, most=9, fewest=7) == ()
  assert cells.labels(np.array(positions), ()).tolist() == [-1] * 6


def test_levels_are_bounded():
  same = near(PARIS, 4, step=0)
  assert [level_of(n) for n in parts(same, most=1, fewest=1)] == [30]
  low = parts(same, most=1, fewest=1, highest_level=7)
  assert [level_of(name) for name in low] == [7] == cells.levels(low)
  coarse = parts(same, most=9, fewest=1, lowest_level=5)
  assert [level_of(name) for name in coarse] == [5]
  # A cell is as S2 itself says of the place.
  assert coarse == (s2cell.lat_lon_to_token(*PARIS, 5),)


@pytest.mark.parametrize(
  'place', [(90, 0), (-90, 0), (0, 180), (0, -180), (89.9, 179.9), (-12.5, -180)]
)
def test_poles_and_the_date_line_have_cells(place):
  names = parts(near(place, 2, step=0), most=5, fewest=2)
  assert cells.labels(np.array([place]), names).tolist() == [0]
  if abs(place[1]) == 180:
    assert cells.labels(np.array([(place[0], -place[1])]), names).tolist() == [0]
  latitude, longitude = cells.centres(names)[0]
  assert abs(latitude) <= 90
  assert abs(longitude) <= 180


def test_a_cell_holds_its_centre_and_no_photo_is_in_two():
  rng = np.random.default_rng(0)
  point = rng.standard_normal((400, 3))
  x, y, z = (point / np.linalg.norm(point, axis=1, keepdims=True)).T
  positions = np.degrees(np.stack([np.arcsin(z), np.arctan2(y, x)], axis=1))
  names = cells.partition(positions, Partition(most=20, fewest=1, lowest_level=0))
  labels = cells.labels(positions, names)
  assert labels.min() == 0
  assert np.bincount(labels, minlength=len(names)).max() <= 20
  np.testing.assert_array_equal(
    cells.labels(cells.centres(names), names), np.arange(len(names))
  )
  # Another order of the photos, or of the names, changes nothing.
  how = Partition(most=20, fewest=1, lowest_level=0)
  assert cells.partition(positions[::-1], how) == names
  turned = cells.labels(positions, names[::-1])
  np.testing.assert_array_equal(len(names) - 1 - turned, labels)


@pytest.mark.parametrize(
  ('how', 'message'),
  [
    ({'most': 5, 'fewest': 6}, r'cells\.fewest=6 must be from 1 to .*most=5'),
    ({'lowest_level': 9, 'highest_level': 3}, 'lowest_level=9 and .*highest_level=3'),
    ({'highest_level': 31}, '0 <= lowest <= highest <= 30'),
  ],
)
def test_options_that_do_not_fit(how, message):
  with pytest.raises(DataError, match=message):
    parts([PARIS], **how)


def test_a_class_that_is_no_cell():
  with pytest.raises(DataError, match="'daisy' is no S2 cell"):
    cells.centres(['daisy'])
