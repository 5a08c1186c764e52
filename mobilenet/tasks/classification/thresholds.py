"""Two classes: from which probability on a photo counts as the positive one."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mobilenet.training.errors import TrainingError

SENSITIVITY = 0.95
_GRID = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclasses.dataclass(frozen=True)
class Row:
  """What one threshold gives; fractions, None where nothing is there to divide by.

  mark: why the row is there, '' for one of a regular grid.
  flagged: share of all photos at or above the threshold.
  """

  threshold: float
  sensitivity: float
  specificity: float
  precision: float | None
  flagged: float
  mark: str = ''


def positive_place(names: Sequence[str], positive: str) -> int:
  """The place of the positive class among two; '' is the second.

  Raises:
    TrainingError: there are more or fewer than two, or none is called so.
  """
  if not positive:
    return 1
  if len(names) != 2:
    raise TrainingError(
      f'--config.report.positive={positive} is for two classes, the data has '
      f"{len(names)}; leave it out: --config.report.positive=''"
    )
  if positive not in names:
    raise TrainingError(
      f'--config.report.positive={positive} is no class of the data; choose '
      f'{names[0]} or {names[1]}'
    )
  return list(names).index(positive)


def at(threshold: float, is_positive: np.ndarray, scores: np.ndarray, mark='') -> Row:
  """The numbers of one threshold.

  Args:
    threshold: photos with this score or more are flagged.
    is_positive: bool (N,), with both kinds.
    scores: (N,), of the positive class.
    mark: why it is asked for.
  """
  # In float64: a float32 would move the threshold to its nearest number.
  flagged = np.asarray(scores, np.float64) >= threshold
  hits = int((flagged & is_positive).sum())
  positives = int(is_positive.sum())
  alarms = int(flagged.sum()) - hits
  negatives = len(is_positive) - positives
  return Row(
    threshold=float(threshold),
    sensitivity=hits / positives,
    specificity=1 - alarms / negatives,
    precision=hits / (hits + alarms) if hits + alarms else None,
    flagged=(hits + alarms) / len(is_positive),
    mark=mark,
  )


def curve(is_positive: np.ndarray, scores: np.ndarray) -> dict[str, np.ndarray]:
  """Every threshold that changes something, from the highest down.

  Returns:
    'threshold', 'sensitivity', 'specificity', 'precision', each (M,).
  """
  scores = np.asarray(scores, np.float64)
  order = np.argsort(-scores, kind='stable')
  sorted_scores, positive = scores[order], is_positive[order]
  last = np.append(np.flatnonzero(np.diff(sorted_scores)), len(scores) - 1)
  hits = np.cumsum(positive)[last]
  flagged = last + 1
  negatives = len(scores) - int(positive.sum())
  return {
    'threshold': sorted_scores[last],
    'sensitivity': hits / max(int(positive.sum()), 1),
    'specificity': 1 - (flagged - hits) / max(negatives, 1),
    'precision': hits / flagged,
  }


def area(is_positive: np.ndarray, scores: np.ndarray) -> float:
  """The area under the ROC curve; there are examples of both kinds.

  That is how often a positive example has a higher score than another, ties counting
  half.
  """
  found = curve(is_positive, scores)
  sensitivity = np.append(0, found['sensitivity'])
  return float(np.trapezoid(sensitivity, np.append(0, 1 - found['specificity'])))


def best_balanced(is_positive: np.ndarray, scores: np.ndarray) -> float:
  """The threshold of the best balanced accuracy (Youden 1950); the highest of equals.

  It lies halfway to the next lower score, where new photos are least likely to be on
  the wrong side.
  """
  found = curve(is_positive, scores)
  best = int(np.argmax(found['sensitivity'] + found['specificity']))
  return _below(found['threshold'], best)


def sensitive(is_positive: np.ndarray, scores: np.ndarray) -> float:
  """The highest threshold at which the sensitivity is SENSITIVITY or more."""
  found = curve(is_positive, scores)
  enough = int(np.argmax(found['sensitivity'] >= SENSITIVITY))
  return float(found['threshold'][enough])


def table(
  is_positive: np.ndarray, scores: np.ndarray, own: float | None = None
) -> list[Row]:
  """Rows from low to high: a regular grid, and the marked ones.

  Args:
    is_positive, scores: as in `at`, with both kinds.
    own: the threshold of the run's decision, marked as such.
  """
  marked = [
    (0.5, 'even chances'),
    (best_balanced(is_positive, scores), 'best balanced accuracy'),
    (sensitive(is_positive, scores), f'sensitivity {100 * SENSITIVITY:.0f} % or more'),
  ]
  if own is not None:
    marked.append((own, 'that of decision.json'))
  marks: dict[float, list[str]] = {threshold: [] for threshold in _GRID}
  for threshold, mark in marked:
    marks.setdefault(threshold, []).append(mark)
  return [
    at(threshold, is_positive, scores, '; '.join(marks[threshold]))
    for threshold in sorted(marks)
  ]


def _below(thresholds: np.ndarray, place: int) -> float:
  """Halfway to the next lower threshold; the lowest has none below it."""
  return float(thresholds[place : place + 2].mean())
