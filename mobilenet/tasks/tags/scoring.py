"""How well each tag is told: average precision, area under the ROC curve, F1."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

DEFAULT = 0.5  # threshold of a tag for which none can be chosen


class Score(NamedTuple):
  """Of one tag, over the photos of which it is known; shares from 0 to 1.

  positives, known: photos that have it, photos of which it is known.
  average_precision, auc: None unless there are photos with it and photos without it.
  threshold: the probability from which on a photo is said to have it. precision: None
  where no photo is said to; recall: None without positives. f1: None without any.
  """

  positives: int
  known: int
  average_precision: float | None
  auc: float | None
  threshold: float
  precision: float | None
  recall: float | None
  f1: float | None

  @property
  def chance(self) -> float:
    """The average precision of an order that knows nothing."""
    return self.positives / self.known if self.known else 0.0


def probabilities(logits: np.ndarray) -> np.ndarray:
  """Sigmoids in float64."""
  return 1 / (1 + np.exp(-np.clip(np.asarray(logits, np.float64), -700, 700)))


def mean_average_precision(kept: Mapping[str, np.ndarray]) -> float:
  """In percent, over the tags that some photos have and some have not.

  NaN where there is none, or where a logit is no number.

  Args:
    kept: 'logits' (N, K), 'tags' (N, K).
  """
  if not kept or not np.isfinite(kept['logits']).all():
    return math.nan
  found = [
    value
    for logits, tags in zip(kept['logits'].T, kept['tags'].T, strict=True)
    if (value := average_precision(logits, tags)) is not None
  ]
  return 100 * float(np.mean(found)) if found else math.nan


def average_precision(logits: np.ndarray, tags: np.ndarray) -> float | None:
  """Of one tag (N,): scikit-learn's, the mean precision at each photo that has it."""
  from sklearn import metrics

  known = tags >= 0
  if not _both(tags[known]):
    return None
  return float(metrics.average_precision_score(tags[known] > 0, logits[known]))


def curve(logits: np.ndarray, tags: np.ndarray) -> dict[str, np.ndarray]:
  """'precision', 'recall', 'threshold' (M,) of one tag, thresholds rising.

  With at least one photo that has it.
  """
  from sklearn import metrics

  known = tags >= 0
  precision, recall, threshold = metrics.precision_recall_curve(
    tags[known] > 0, probabilities(logits[known])
  )
  return {'precision': precision[:-1], 'recall': recall[:-1], 'threshold': threshold}


def best_threshold(logits: np.ndarray, tags: np.ndarray) -> float:
  """The probability of the highest F1, half way to the next lower one.

  `DEFAULT` unless some photos have the tag and some have not.
  """
  known = tags >= 0
  if not _both(tags[known]):
    return DEFAULT
  found = curve(logits, tags)
  both = found['precision'] + found['recall']
  f1 = 2 * found['precision'] * found['recall'] / np.maximum(both, 1e-12)
  best = len(f1) - 1 - int(np.argmax(f1[::-1]))  # the highest of equals
  lower = found['threshold'][best - 1] if best else 0.0
  return float(found['threshold'][best] + lower) / 2


def score(
  logits: np.ndarray, tags: np.ndarray, threshold: float | None = None
) -> Score:
  """Of one tag (N,); threshold: None for the best."""
  from sklearn import metrics

  known = tags >= 0
  there = tags[known] > 0
  if threshold is None:
    threshold = best_threshold(logits, tags)
  said = probabilities(logits[known]) >= threshold
  hits, flagged, positives = (int(n.sum()) for n in (said & there, said, there))
  auc = None
  if _both(tags[known]):
    auc = float(metrics.roc_auc_score(there, logits[known]))
  return Score(
    positives=positives,
    known=int(known.sum()),
    average_precision=average_precision(logits, tags),
    auc=auc,
    threshold=float(threshold),
    precision=hits / flagged if flagged else None,
    recall=hits / positives if positives else None,
    f1=2 * hits / (flagged + positives) if positives else None,
  )


def _both(tags: np.ndarray) -> bool:
  """Whether some of known tags hold and some do not."""
  return bool((tags > 0).any() and (tags == 0).any())
