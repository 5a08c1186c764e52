"""Neighbours in blocks are those of the whole matrix."""

import numpy as np
import pytest

from mobilenet.tasks.embeddings import cosines
from mobilenet.training.errors import TrainingError


@pytest.fixture
def units():
  return cosines.unit(np.random.default_rng(0).standard_normal((23, 5)))


def test_a_row_of_zeros_stays_one():
  np.testing.assert_allclose(cosines.unit([[3, 4], [0, 0]]), [[0.6, 0.8], [0, 0]])


@pytest.mark.parametrize('at_once', [1, 100, 2**20])
@pytest.mark.parametrize('count', [1, 4, 22, 99])
def test_the_nearest_are_those_of_all_cosines(units, at_once, count, monkeypatch):
  monkeypatch.setattr(cosines, '_AT_ONCE', at_once)
  every = units @ units.T
  np.fill_diagonal(every, -2)
  order = np.argsort(-every, axis=1, kind='stable')[:, : min(count, 22)]
  rows, values = cosines.nearest(units, count)
  np.testing.assert_array_equal(rows, order)
  np.testing.assert_allclose(values, np.take_along_axis(every, order, 1), atol=1e-6)


def test_of_equal_ones_the_first_come_first():
  rows, _ = cosines.nearest(np.ones((4, 1), np.float32), 3)
  np.testing.assert_array_equal(rows, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])


@pytest.mark.parametrize('count', [1, 3, 8])
def test_copies_do_not_depend_on_how_they_are_sorted(count):
  """Three photos, each there four times; every cosine is exact."""
  units = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)[[0, 5, 9, 1, 6, 10, 2, 7]]
  every = units @ units.T
  np.fill_diagonal(every, -2)
  order = np.argsort(-every, axis=1, kind='stable')[:, : min(count, 7)]
  np.testing.assert_array_equal(cosines.nearest(units, count)[0], order)


@pytest.mark.parametrize('count', [0, 1])
def test_one_photo_has_no_neighbours(count):
  rows, values = cosines.nearest(np.ones((count, 2), np.float32), 5)
  assert rows.shape == values.shape == (count, 0)


def test_pairs_above_a_cosine_come_once(units, monkeypatch):
  monkeypatch.setattr(cosines, '_AT_ONCE', 50)
  every = units @ units.T
  pairs, values = cosines.pairs_above(units, 0.5)
  expected = np.argwhere(np.triu(every >= 0.5, 1))
  np.testing.assert_array_equal(pairs, expected)
  np.testing.assert_allclose(values, every[tuple(expected.T)], atol=1e-6)
  monkeypatch.setattr(cosines, '_MOST_PAIRS', len(pairs) - 1)
  with pytest.raises(TrainingError, match='give a higher --alike'):
    cosines.pairs_above(units, 0.5)


def test_the_usual_cosine_is_the_median_of_different_rows(units):
  every = (units @ units.T)[~np.eye(23, dtype=bool)]
  assert cosines.typical(units) == pytest.approx(np.median(every), abs=0.01)
