"""A linear model of numbers that were measured: ridge regression.

predict = fit(features, values)
predict(other_features)
"""

from collections.abc import Callable

import numpy as np

# How strongly weights are pulled to zero; what predicts left-out numbers best is taken.
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)


def fit(features: np.ndarray, values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
  """Fits a linear function.

  Args:
    features: (N, D).
    values: (N,) or (N, M), for M functions each with a penalty of its own.

  Returns:
    (K, D) -> (K,) or (K, M).
  """
  features, values = (np.asarray(each, np.float64) for each in (features, values))
  centre, mean = features.mean(0), values.mean(0)
  left, sizes, right = np.linalg.svd(features - centre, full_matrices=False)
  columns = (values - mean).reshape(len(values), -1).T
  weights = np.stack([_weights(left, sizes, right, each) for each in columns], 1)
  weights = weights.reshape(-1, *values.shape[1:])
  return lambda other: (np.asarray(other, np.float64) - centre) @ weights + mean


def _weights(left, sizes, right, values) -> np.ndarray:
  """The (D,) weights for centred values, by the decomposition of the features."""
  projected = left.T @ values
  best, smallest = None, np.inf
  for penalty in PENALTIES:
    kept = sizes**2 / (sizes**2 + penalty)
    # What the fit to all others leaves of each value, without fitting so often.
    leverage = np.minimum(left**2 @ kept + 1 / len(values), 0.999)
    error = np.mean(np.square((values - left @ (kept * projected)) / (1 - leverage)))
    if error < smallest:
      best, smallest = penalty, error
  return right.T @ (sizes / (sizes**2 + best) * projected)
