"""Photos side by side in one picture: a pair, or a photo and its nearest neighbours."""

from collections.abc import Sequence

import numpy as np

from mobilenet.reports import pictures

SIDE = 128  # px of a photo in a row
_EDGE = 5
_RIGHT, _WRONG = (0, 114, 178), (213, 94, 0)  # blue and orange
_PAPER = 235


def tile(picture: np.ndarray, side: int = SIDE) -> np.ndarray:
  """A whole photo in a square, uint8 (side, side, 3), grey where it is narrower."""
  small = pictures.smaller(picture, side)
  square = np.full((side, side, 3), _PAPER, np.uint8)
  top, left = ((side - length) // 2 for length in small.shape[:2])
  square[top : top + small.shape[0], left : left + small.shape[1]] = small
  return square


def row(
  tiles: Sequence[np.ndarray],
  right: Sequence[bool | None] = (),
  *,
  asked: bool = False,
) -> np.ndarray:
  """Tiles of one size beside each other, the right and wrong ones marked.

  Args:
    tiles: of `tile`.
    asked: whether the first is what the others are the answer to; it stands apart.
    right: for each whether it is right (blue frame), wrong (orange frame and a corner
      cut off), or neither (None); () marks none.
  """
  marked = [
    _framed(each, mark)
    for each, mark in zip(tiles, right or [None] * len(tiles), strict=True)
  ]
  if asked and len(marked) > 1:
    marked[1:] = [pictures.beside(marked[1:])]
    return pictures.beside(marked, edge=4 * _EDGE)
  return pictures.beside(marked)


def _framed(square, right):
  framed = np.full([side + 2 * _EDGE for side in square.shape[:2]] + [3], 255, np.uint8)
  if right is not None:
    framed[:] = _RIGHT if right else _WRONG
  framed[_EDGE:-_EDGE, _EDGE:-_EDGE] = square
  if right is False:
    # Not by its colour alone: a person may not see it, and a printer has none.
    corner = 2 * _EDGE + len(square) // 5
    places = np.add.outer(np.arange(len(framed)), np.arange(len(framed)))
    framed[places < corner] = _WRONG
  return framed
