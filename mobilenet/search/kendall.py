"""Kendall's tau-b: how far two measures put the same things in one order."""

from collections.abc import Sequence

import numpy as np


def tau(first: Sequence[float], second: Sequence[float], pairs=None) -> float:
  """Kendall's tau-b, from -1 to 1; NaN where all values of one measure are equal.

  Args:
    first, second: of each thing; the larger of both means the same.
    pairs: bool (N, N), the pairs that count; None for all.
  """
  a, b = (np.sign(np.subtract.outer(x, x)) for x in map(np.asarray, (first, second)))
  counted = np.triu(np.ones(a.shape, bool), 1)
  if pairs is not None:
    counted &= pairs
  a, b = a[counted], b[counted]
  ordered = np.sqrt(np.sum(a != 0) * np.sum(b != 0))
  return float(np.sum(a * b) / ordered) if ordered else float('nan')
