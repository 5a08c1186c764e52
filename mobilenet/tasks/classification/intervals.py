"""How sure a measured share is: 95 % intervals.

Shares of photos (accuracy, recall, precision, specificity) have Wilson's score interval
(1927; Brown, Cai and DasGupta 2001 compare it with others). It stays honest where a
bootstrap is not: of ten photos that are all right, a bootstrap draws nothing but right
ones and says '100 to 100 %', Wilson says '72 to 100 %'. The mean of the classes' shares
has an interval that is made of theirs.
"""

import numpy as np

_Z = 1.959963984540054  # 97.5 % of a normal distribution lie below


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


def mean_share(hits, total) -> tuple[float, float]:
  """The 95 % interval of the mean of several shares, as the balanced accuracy is.

  Each share brings its own Wilson interval, and their distances from the shares are
  joined by squares. That holds for few photos of a class as well, and says 'certainly'
  of nothing. Zou, Huang and Zhang, 'A note on confidence interval estimation for a
  linear function of binomial proportions', 2009.

  Args:
    hits: counts (K,).
    total: counts (K,) that `hits` are part of; shares of nothing are left out.

  Returns:
    (low, high), fractions; NaN where all totals are 0.
  """
  hits, total = (np.asarray(value, np.float64) for value in (hits, total))
  hits, total = hits[total > 0], total[total > 0]
  if not total.size:
    return float('nan'), float('nan')
  shares, (low, high) = hits / total, wilson(hits, total)
  below, above = (
    np.sqrt(((end - shares) ** 2).sum()) / len(shares) for end in (low, high)
  )
  mean = shares.mean()
  return float(max(0.0, mean - below)), float(min(1.0, mean + above))
