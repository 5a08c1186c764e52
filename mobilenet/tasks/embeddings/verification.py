"""Do two photos show the same? Measured on pairs, in folds, as the field does it.

The protocol is that of LFW (http://vis-www.cs.umass.edu/lfw/) as InsightFace computes
it: squared distances of embeddings of length 1, and for each fold the threshold that is
best on the other folds.
"""

from typing import NamedTuple

import numpy as np

from mobilenet.tasks.embeddings import cosines
from mobilenet.tasks.embeddings.pairs import Pairs
from mobilenet.training.errors import require

THRESHOLDS = np.arange(400) / 100  # squared distances; 4 is that of opposite ones
FALSE_ACCEPTS = (1e-1, 1e-2, 1e-3, 1e-4)
_AT_ONCE = 65_536  # pairs


class Curve(NamedTuple):
  """The ROC: shares of the different and of the same pairs that a threshold accepts.

  thresholds: (T,) squared distances, rising; a pair is accepted up to that distance.
  false_accepts, true_accepts: (T,), 0 to 1. The first point accepts nothing.
  """

  thresholds: np.ndarray
  false_accepts: np.ndarray
  true_accepts: np.ndarray

  @property
  def area(self) -> float:
    """Below the curve, 0 to 1."""
    steps = np.diff(self.false_accepts)
    heights = (self.true_accepts[1:] + self.true_accepts[:-1]) / 2
    return float((steps * heights).sum())


class Verified(NamedTuple):
  """What was measured of P pairs in F folds.

  accuracy, deviation: mean and standard deviation of the folds' accuracies, in %.
  folds: (F,) accuracies, in %. thresholds: (F,) squared distances, each of the fold of
  the same place, chosen on the others. area: below the ROC, 0 to 1. true_accepts: share
  of false accepts -> the largest share of the same pairs that is accepted with no more
  of them, in %; None where there are too few different pairs to tell. distances: (P,)
  squared. curve: the ROC of all pairs.
  """

  accuracy: float
  deviation: float
  folds: np.ndarray
  thresholds: np.ndarray
  area: float
  true_accepts: dict[float, float | None]
  distances: np.ndarray
  curve: Curve

  @property
  def threshold(self) -> float:
    """The mean of the folds' thresholds, for use on other photos."""
    return float(self.thresholds.mean())

  def numbers(self) -> dict[str, float | None]:
    """By name, for a result."""
    return {
      'verification_accuracy': self.accuracy,
      'verification_deviation': self.deviation,
      'verification_threshold': self.threshold,
      'auc': self.area,
      **{f'tar_at_far_{far:.0e}': tar for far, tar in self.true_accepts.items()},
    }


def ten_folds(embeddings: np.ndarray, pairs: Pairs) -> Verified:
  """Measures how well a threshold on the distance tells same pairs from different ones.

  There are as many folds as the pairs say, ten for LFW. The pairs of a fold are judged
  by the first of `THRESHOLDS` with the highest accuracy on all other folds: below it
  they are said to be the same.

  Args:
    embeddings: (N, E); they need not be of length 1.
    pairs: rows of the embeddings.

  Raises:
    TrainingError: there are no same or no different pairs, or only one fold; or an
      embedding is not finite.
  """
  same = np.asarray(pairs.same, bool)
  check(same, pairs.fold)
  folds = np.unique(pairs.fold)
  distances = squared_distances(embeddings, pairs)
  require(
    bool(np.isfinite(distances).all()),
    'some embeddings are no finite numbers: the weights are broken, or want photos on '
    'another scale',
  )
  right = np.stack(
    [_right(distances[own], same[own]) for own in pairs.fold == folds[:, None]]
  )
  sizes = np.array([(pairs.fold == fold).sum() for fold in folds])
  best = np.argmax(right.sum(axis=0) - right, axis=1)
  accuracies = 100 * right[np.arange(len(folds)), best] / sizes
  curve = roc(distances, same)
  negatives = int((~same).sum())
  return Verified(
    accuracy=float(accuracies.mean()),
    deviation=float(accuracies.std()),
    folds=accuracies,
    thresholds=THRESHOLDS[best],
    area=curve.area,
    true_accepts={far: true_accepts(curve, far, negatives) for far in FALSE_ACCEPTS},
    distances=distances,
    curve=curve,
  )


def check(same: np.ndarray, fold: np.ndarray) -> None:
  """Checks that pairs can be measured.

  Args:
    same: (P,) bool. fold: (P,) int.

  Raises:
    TrainingError: they cannot, see `ten_folds`.
  """
  for kind, there in (('same', same.any()), ('different', not same.all())):
    require(
      bool(there),
      f'none of the {len(same):,} pairs is of {kind} ones: verification needs both',
    )
  require(
    len(np.unique(fold)) > 1,
    f'all {len(same):,} pairs are of one fold: the threshold is chosen on others, so '
    'that at least two are needed',
  )


def squared_distances(embeddings: np.ndarray, pairs: Pairs) -> np.ndarray:
  """(P,) float64, from 0 to 4, of the embeddings of each pair at length 1."""
  units = cosines.unit(embeddings)
  parts = [np.zeros(0)]
  for start in range(0, len(pairs.first), _AT_ONCE):
    some = slice(start, start + _AT_ONCE)
    apart = units[pairs.first[some]] - units[pairs.second[some]]
    parts.append(np.square(apart, dtype=np.float64).sum(axis=1))
  return np.concatenate(parts)


def _right(distances, same) -> np.ndarray:
  """(T,) int: pairs that each of `THRESHOLDS` judges rightly."""
  accepted = np.searchsorted(np.sort(distances[same]), THRESHOLDS)
  refused = (~same).sum() - np.searchsorted(np.sort(distances[~same]), THRESHOLDS)
  return accepted + refused


def roc(distances: np.ndarray, same: np.ndarray) -> Curve:
  """The ROC of pairs, with a point for each distance that occurs.

  Args:
    distances: (P,). same: (P,) bool; both kinds must occur.
  """
  order = np.argsort(distances, kind='stable')
  rising, same = distances[order], same[order]
  last = np.flatnonzero(np.append(np.diff(rising) > 0, True))
  true = np.cumsum(same)[last]
  false = last + 1 - true
  return Curve(
    np.concatenate([[-np.inf], rising[last]]),
    np.concatenate([[0.0], false / false[-1]]),
    np.concatenate([[0.0], true / true[-1]]),
  )


def true_accepts(curve: Curve, far: float, negatives: int) -> float | None:
  """The largest share of true accepts, in %, with at most `far` false ones.

  None with fewer than 1 / far different pairs: one false accept would be above it.
  """
  if negatives * far < 1 - 1e-9:
    return None
  return 100 * float(curve.true_accepts[curve.false_accepts <= far].max())
