"""Colours of classes in pictures: apart from each other and from most photos."""

import numpy as np

# Okabe and Ito's, which people with colour blindness tell apart, without black; then
# the same in other lightness.
_FIRST = (
  *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)),
  *((0, 114, 178), (213, 94, 0), (204, 121, 167)),
)


def of_class(number: int) -> tuple[int, int, int]:
  """(red, green, blue), 0 to 255, of a class number from 0."""
  lap, place = divmod(number, len(_FIRST))
  factor = (1.0, 0.65, 1.3)[lap % 3]
  return tuple(min(255, round(factor * part)) for part in _FIRST[place])


def of_classes(count: int) -> np.ndarray:
  """(count, 3) uint8."""
  return np.array([of_class(n) for n in range(count)], np.uint8).reshape(count, 3)
