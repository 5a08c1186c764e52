"""Which detections are right, at one IoU: for a threshold, and for the worst pictures.

COCO's numbers (`average_precision`) go over ten IoUs and all scores. A person has one
picture and one threshold.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

OVERLAP = 0.5  # IoU from which a detection has found a box


class Judged(NamedTuple):
  """Of N pictures with D detections and M boxes each.

  right: (N, D) bool, found a box that no better one of its picture had found.
  counts: (N, D) bool, False for what is no detection, and for what lies in a crowd.
  there: (N, M) bool, the boxes that are to be found. found: (N, M) float, the score of
  the detection that found each; 0 for none.
  """

  right: np.ndarray
  counts: np.ndarray
  there: np.ndarray
  found: np.ndarray


class Point(NamedTuple):
  """What a least score comes to: of boxes found, and of detections that are right."""

  score: float
  precision: float
  recall: float

  @property
  def f1(self) -> float:
    both = self.precision + self.recall
    return 2 * self.precision * self.recall / both if both else 0.0


def judge(kept: Mapping[str, np.ndarray], overlap: float = OVERLAP) -> Judged:
  """Gives every detection, the best first, the free box of its class that it overlaps
  most; see `average_precision.of_examples` for `kept`.
  """
  scores, classes = kept['found_scores'], kept['classes']
  right = np.zeros(scores.shape, bool)
  counts = scores > 0
  there = (classes >= 0) & ~kept['crowd']
  found = np.zeros(classes.shape)
  for n in range(len(scores)):
    truth = classes[n] >= 0
    overlaps, inside = _overlaps(kept['found_boxes'][n], kept['boxes'][n])
    same = (kept['found_classes'][n][:, None] == classes[n]) & truth
    for d in np.argsort(-scores[n], kind='stable'):
      if not counts[n, d]:
        break
      free = np.where(same[d] & there[n] & (found[n] == 0), overlaps[d], 0.0)
      best = int(free.argmax()) if len(free) else 0
      if len(free) and free[best] >= overlap:
        right[n, d], found[n, best] = True, scores[n, d]
      elif np.any(inside[d][same[d] & kept['crowd'][n]] >= overlap):
        counts[n, d] = False
  return Judged(right, counts, there, found)


def _overlaps(boxes: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """IoU of (D, 4) and (M, 4), and the share of each of D that lies in each of M."""
  low = np.maximum(boxes[:, None, :2], others[None, :, :2])
  high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
  shared = np.prod(np.maximum(high - low, 0), axis=-1)
  own, theirs = (
    np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), axis=-1) for b in (boxes, others)
  )
  either = own[:, None] + theirs[None] - shared
  return shared / np.maximum(either, 1e-12), shared / np.maximum(own[:, None], 1e-12)


def curve(judged: Judged, scores: np.ndarray) -> list[Point]:
  """Precision and recall at every score (N, D) that occurs, falling."""
  order = np.argsort(-scores[judged.counts], kind='stable')
  falling = scores[judged.counts][order]
  right = np.cumsum(judged.right[judged.counts][order])
  last = np.flatnonzero(np.append(np.diff(falling) != 0, True)) if len(falling) else []
  boxes = max(int(judged.there.sum()), 1)
  return [
    Point(float(falling[n]), float(right[n] / (n + 1)), float(right[n] / boxes))
    for n in last
  ]


def best(points: list[Point]) -> Point | None:
  """The point of the highest F1; None without any that is above 0."""
  found = max(points, key=lambda point: point.f1, default=None)
  return found if found is not None and found.f1 > 0 else None


def errors(judged: Judged, scores: np.ndarray, threshold: float) -> np.ndarray:
  """(N, 2) int: boxes of each picture that were missed, and detections for nothing."""
  shown = scores >= threshold
  missed = (judged.there & (judged.found < threshold)).sum(axis=1)
  wrong = (judged.counts & ~judged.right & shown).sum(axis=1)
  return np.stack([missed, wrong], axis=1)


def recall_of_class(
  judged: Judged, classes: np.ndarray, number: int, threshold: float
) -> float:
  """The share of a class's boxes that were found, 0 to 1; NaN without boxes."""
  own = judged.there & (classes == number)
  if not own.any():
    return math.nan
  return float((judged.found[own] >= threshold).mean())
