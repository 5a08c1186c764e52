"""Great circles, by distances that are known."""

import numpy as np
import pytest

from mobilenet.tasks.places.distances import (
  EARTH_KM,
  haversine,
  nearest,
  share_within,
  width_km,
)

QUARTER = EARTH_KM * np.pi / 2


@pytest.mark.parametrize(
  ('first', 'second', 'km'),
  [
    ((0, 0), (0, 90), QUARTER),
    ((90, 0), (-90, 77), 2 * QUARTER),
    ((0, 179.5), (0, -179.5), QUARTER / 90),  # over the date line
    ((90, 10), (90, -130), 0),  # a pole has every longitude
    ((48.8584, 2.2945), (48.8584, 2.2945), 0),
    # Paris to New York and Berlin to Tokyo, by the same formula elsewhere.
    ((48.8566, 2.3522), (40.7128, -74.0060), 5837),
    ((52.52, 13.405), (35.6762, 139.6503), 8919),
  ],
)
def test_known_distances(first, second, km):
  for pair in ((first, second), (second, first)):
    assert haversine(*pair) == pytest.approx(km, rel=1e-3, abs=1e-9)


def test_a_metre_is_not_lost():
  step = np.degrees(0.001 / EARTH_KM)
  found = haversine((0, 120), (step, 120))
  assert found.dtype == np.float64
  assert found == pytest.approx(0.001, rel=1e-6)


def test_many_at_once_and_shares():
  found = haversine(np.zeros((3, 2)), [[0, 0], [0, 1], [0, 10]])
  np.testing.assert_allclose(found, QUARTER / 90 * np.array([0, 1, 10]), atol=1e-9)
  assert share_within(found, 200) == pytest.approx(200 / 3)
  assert np.isnan(share_within(np.zeros(0), 200))


def test_the_widths_of_cells():
  """S2's statistics: 85,011,012 km² for a face, 324.29 km² at level 9."""
  assert width_km(0) ** 2 == pytest.approx(85_011_012, rel=1e-3)
  assert width_km(9) ** 2 == pytest.approx(324.29, rel=1e-3)


def test_the_nearest_is_that_of_the_least_distance():
  rng = np.random.default_rng(0)
  places, centres = (
    rng.uniform((-90, -180), (90, 180), (count, 2)) for count in (1100, 40)
  )
  distances = haversine(places[:, None], centres[None])
  np.testing.assert_array_equal(nearest(places, centres), distances.argmin(axis=1))
