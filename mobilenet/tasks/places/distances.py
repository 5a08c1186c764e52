"""Distances on the globe, in km, and what is near enough."""

import numpy as np

EARTH_KM = 6371.0  # the mean radius, as PlaNet's evaluations have it
# Radius in km -> what a place is known to within it (1602.05314, Table 1).
RADII = {1: 'street', 25: 'city', 200: 'region', 750: 'country', 2500: 'continent'}
_AT_ONCE = 1024  # positions, of which the distances to all centres are in memory


def haversine(first, second) -> np.ndarray:
  """Great-circle distances in km, float64 (...,).

  Args:
    first, second: (..., 2), latitude and longitude in degrees.
  """
  first, second = (np.radians(np.asarray(p, np.float64)) for p in (first, second))
  latitudes = np.sin((second - first)[..., 0] / 2) ** 2
  longitudes = np.sin((second - first)[..., 1] / 2) ** 2
  half = latitudes + np.cos(first[..., 0]) * np.cos(second[..., 0]) * longitudes
  return 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1)))


def nearest(positions: np.ndarray, centres: np.ndarray) -> np.ndarray:
  """int (N,): of the centres (K, 2) the one that is nearest to each position (N, 2)."""
  ours, theirs = _points(positions), _points(centres).T
  parts = (ours[n : n + _AT_ONCE] for n in range(0, len(ours), _AT_ONCE))
  return np.concatenate([(part @ theirs).argmax(axis=1) for part in parts])


def _points(degrees) -> np.ndarray:
  latitude, longitude = np.radians(np.asarray(degrees, np.float64)).T
  across = np.cos(latitude)
  return np.stack(
    [across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], axis=1
  )


def share_within(distances: np.ndarray, radius: float) -> float:
  """In %, of distances in km; NaN of none."""
  return 100 * float(np.mean(distances <= radius)) if len(distances) else np.nan


def width_km(level: int) -> float:
  """The side of a square with the mean area of S2's cells of a level."""
  return EARTH_KM * float(np.sqrt(4 * np.pi / 6)) / 2**level


def in_words(km: float) -> str:
  """'2,305 km', '9 km', '0.35 km'."""
  return f'{km:,.0f} km' if km >= 10 else f'{km:.2g} km'
