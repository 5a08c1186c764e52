"""How sure a measured share is: 95 % intervals.

Shares of photos (accuracy, recall, precision, specificity) have Wilson's score interval
(1927; Brown, Cai and DasGupta 2001 compare it with others). It stays honest where a
bootstrap is not: of ten photos that are all right, a bootstrap draws nothing but right
ones and says '100 to 100 %', Wilson says '72 to 100 %'. Averages over classes are no
shares of photos: these are bootstrapped.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_Z = 1.959963984540054  # 97.5 % of a normal distribution lie below
_AT_ONCE = 4_000_000  # counts in memory: 32 MB


class Draws(NamedTuple):
  """Counts per class of B bootstrap draws, int64 (B, K) each.

  right: examples of the class that were named so. support: examples of the class.
  predicted: examples that were named so.
  """

  right: np.ndarray
  support: np.ndarray
  predicted: np.ndarray


def wilson(hits, total) -> tuple[np.ndarray, np.ndarray]:
  """95 % intervals of shares.

  Args:
    hits: counts, of any shape.
    total: counts that `hits` are part of, of the same shape.

  Returns:
    (low, high), fractions; NaN where the total is 0.
  """
  hits, total = (np.asarray(value, np.float64) for value in (hits, total))
  with np.errstate(invalid='ignore', divide='ignore'):
    share, unit = hits / total, _Z**2 / total
    centre = (share + unit / 2) / (1 + unit)
    half = _Z * np.sqrt(share * (1 - share) / total + unit / (4 * total)) / (1 + unit)
  # At the ends rounding would leave 1e-17 and 0.9999999999999999.
  low, high = np.where(hits == 0, 0.0, centre - half), centre + half
  high = np.where(hits == total, 1.0, high)
  return tuple(np.where(total > 0, end, np.nan) for end in (low, high))


def f1(right, support, predicted) -> tuple[np.ndarray, np.ndarray]:
  """95 % intervals of F1, as `wilson`.

  F1 is no share of photos, but 2 J / (1 + J) of one: of the photos that are of the
  class or are named so, J is the share that are both.
  """
  right = np.asarray(right)
  low, high = wilson(right, np.asarray(support) + predicted - right)
  return 2 * low / (1 + low), 2 * high / (1 + high)


def bootstrap(
  matrix: np.ndarray,
  statistic: Callable[[Draws], np.ndarray],
  *,
  draws: int = 1000,
  seed: int = 0,
) -> tuple[float, float]:
  """The percentile interval (95 %) of a number over examples drawn with replacement.

  Examples with the same class and prediction are alike, so counts of such pairs are
  drawn and not examples: 50,000 examples of 1,000 classes take about a second.

  Args:
    matrix: counts (K, K), rows true, columns predicted; not all zero.
    statistic: of B draws at once, (B,) numbers.
    draws: how many, in all.
    seed: the same seed gives the same interval.
  """
  rows, columns = np.nonzero(matrix)  # sorted by rows
  counts, classes = matrix[rows, columns], len(matrix)
  by_column = np.argsort(columns, kind='stable')
  diagonal = np.flatnonzero(rows == columns)
  rng, found = np.random.default_rng(seed), []
  at_once = max(1, _AT_ONCE // max(len(counts), classes))
  total = int(counts.sum())
  for first in range(0, draws, at_once):
    drawn = rng.multinomial(total, counts / total, size=min(at_once, draws - first))
    right = np.zeros((len(drawn), classes), np.int64)
    right[:, rows[diagonal]] = drawn[:, diagonal]
    support = _sums(drawn, rows, classes)
    predicted = _sums(drawn[:, by_column], columns[by_column], classes)
    found.append(statistic(Draws(right, support, predicted)))
  low, high = np.quantile(np.concatenate(found), (0.025, 0.975))
  return float(low), float(high)


def balanced_accuracy(draws: Draws) -> np.ndarray:
  """Mean recall of the classes that occur in each draw, (B,)."""
  occurs = draws.support > 0
  recall = draws.right / np.maximum(draws.support, 1)
  return recall.sum(axis=1) / occurs.sum(axis=1)


def _sums(drawn: np.ndarray, groups: np.ndarray, number: int) -> np.ndarray:
  """(B, M) counts -> (B, number) sums of each group; `groups` (M,) is sorted."""
  present, first = np.unique(groups, return_index=True)
  sums = np.zeros((len(drawn), number), np.int64)
  sums[:, present] = np.add.reduceat(drawn, first, axis=1)
  return sums
