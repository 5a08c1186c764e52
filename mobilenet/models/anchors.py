"""Anchors of SSD: the boxes that a detector's outputs are corrections of.

An anchor is (y, x, height, width) of its centre and sides, as shares of the image.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np

_SCALES = [0.2 + 0.15 * n for n in range(6)] + [1.0]  # of six maps, and one beyond


def tensorflow(sizes: Sequence[tuple[int, int]]) -> np.ndarray:
  """Those of TensorFlow's Object Detection API (multiple_grid_anchor_generator.py).

  Three for each cell of the first map and six for the others: five ratios at the map's
  scale, and one square between it and the next. They reach beyond the image.

  Args:
    sizes: (height, width) of the six maps, the finest first.

  Returns:
    (A, 4) float32. Anchors of a cell follow each other, then cells by row, then maps.
  """
  shapes = [[(0.1, 1.0), (0.2, 2.0), (0.2, 0.5)]]
  for scale, above in itertools.pairwise(_SCALES[1:]):
    ratios = (1.0, 2.0, 0.5, 3.0, 0.3333)
    own = [(scale, ratio) for ratio in ratios]
    shapes.append([*own, (math.sqrt(scale * above), 1.0)])
  sides = [
    [(scale / math.sqrt(ratio), scale * math.sqrt(ratio)) for scale, ratio in each]
    for each in shapes
  ]
  return _grids(sizes, sides)


def torchvision(sizes: Sequence[tuple[int, int]]) -> np.ndarray:
  """torchvision's for ssdlite320: six for each cell of every map, none longer than 1.

  See `tensorflow`.
  """
  sides = []
  for scale, above in itertools.pairwise(_SCALES):
    own = [(scale, scale), (math.sqrt(scale * above),) * 2]
    for ratio in (2.0, 3.0):
      long, short = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
      own += [(short, long), (long, short)]
    sides.append([(min(height, 1.0), min(width, 1.0)) for height, width in own])
  return _grids(sizes, sides)


ANCHORS = {'tensorflow': tensorflow, 'torchvision': torchvision}
PER_CELL = {'tensorflow': (3, 6, 6, 6, 6, 6), 'torchvision': (6,) * 6}


def _grids(sizes, sides) -> np.ndarray:
  """One grid a map: every cell's centre with each of the map's (height, width)."""
  grids = []
  for (rows, columns), own in zip(sizes, sides, strict=True):
    y, x = np.meshgrid(
      (np.arange(rows) + 0.5) / rows,
      (np.arange(columns) + 0.5) / columns,
      indexing='ij',
    )
    centres = np.stack([y, x], axis=-1)[:, :, None]
    shape = (rows, columns, len(own), 2)
    both = [np.broadcast_to(centres, shape), np.broadcast_to(np.array(own), shape)]
    grids.append(np.concatenate(both, axis=-1).reshape(-1, 4))
  return np.concatenate(grids).astype(np.float32)
