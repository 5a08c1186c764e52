"""Words next to the points of a figure, kept off each other and off the points."""

import itertools
from collections.abc import Iterable

_SIZE = 6.5  # points
# Where a word may stand, seen from its point, best first: (horizontal, vertical), where
# 1 is to the right or above, -1 to the left or below, and 0 centred.
_SIDES = (
  (1, 0),
  (-1, 0),
  (0, 1),
  (0, -1),
  (1, 1),
  (1, -1),
  (-1, 1),
  (-1, -1),
)
_ALIGN = {1: 'left', -1: 'right', 0: 'center'}
_ALIGN_UP = {1: 'bottom', -1: 'top', 0: 'center'}
_GAPS = (5.0, 12.0)  # points between the centre of a mark and the word


def place(
  panel,
  words: list[tuple[float, float, str, str]],
  bars: Iterable[tuple[float, float, float]] = (),
) -> None:
  """Writes (x, y, text, colour) near their points; the panel's limits stay.

  `bars` are upright lines to keep off as well: (x, low, high). Each word takes the side
  where it covers the least of the points, of the bars and of the words before it. Sizes
  are estimates: nothing is drawn to measure them.
  """
  panel.set_xlim(panel.get_xlim())
  panel.set_ylim(panel.get_ylim())
  figure_width, figure_height = panel.get_figure().get_size_inches()
  box = panel.get_position()
  # Points (1/72 inch) across the panel; the layout leaves a margin for its labels.
  width = 72 * figure_width * box.width * 0.95
  height = 72 * figure_height * box.height * 0.95
  to_axes = panel.transScale + panel.transLimits
  centres = []
  for x, y, *_ in words:
    across, up = to_axes.transform((x, y))
    centres.append((across * width, up * height))
  taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in centres]
  for x, low, high in bars:
    (across, bottom), (_, top) = to_axes.transform(((x, low), (x, high)))
    taken.append(
      (across * width - 3, bottom * height, across * width + 3, top * height)
    )
  for (x, y), (at_x, at_y, text, colour) in zip(centres, words, strict=True):
    costs = []
    for rank, (gap, side) in enumerate(itertools.product(_GAPS, _SIDES)):
      area = _area(x, y, text, side, gap)
      covered = sum(_overlap(area, other) for other in taken)
      outside = _size(area) - _overlap(area, (0, 0, width, height))
      costs.append((covered + 2 * outside + 0.6 * rank, rank, side, gap, area))
    *_, side, gap, area = min(costs)
    taken.append(area)
    panel.annotate(
      text,
      (at_x, at_y),
      xytext=(gap * side[0], gap * side[1]),
      textcoords='offset points',
      ha=_ALIGN[side[0]],
      va=_ALIGN_UP[side[1]],
      fontsize=_SIZE,
      color=colour,
      parse_math=False,
    )


def _area(
  x: float, y: float, text: str, side, gap
) -> tuple[float, float, float, float]:
  wide, high = 0.58 * _SIZE * len(text), 1.15 * _SIZE
  left = x + gap * side[0] - wide * (1 - side[0]) / 2
  bottom = y + gap * side[1] - high * (1 - side[1]) / 2
  return left, bottom, left + wide, bottom + high


def _size(area) -> float:
  return (area[2] - area[0]) * (area[3] - area[1])


def _overlap(one, other) -> float:
  sides = [min(one[n + 2], other[n + 2]) - max(one[n], other[n]) for n in (0, 1)]
  return sides[0] * sides[1] if all(side > 0 for side in sides) else 0.0
