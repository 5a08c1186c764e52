"""What an exported file says of a detector, and what is compared of it."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilenet.tasks.detection import score_file
from mobilenet.tasks.detection.task import SCORES, Detection

# precision -> by name, the largest difference that is rounding.
TOLERANCES = {
  'float32': {'boxes, px': 1.0, 'scores': 1e-3, 'objects of their own, %': 1.0},
  'float16': {'boxes, px': 8.0, 'scores': 2e-2, 'objects of their own, %': 5.0},
}
_LOWEST = 0.01  # score of an object that the other is to have, too


def said_of(
  task: Detection, folder: pathlib.Path, step: int, outputs: Sequence[str]
) -> dict[str, Any]:
  """The fields of `export.program.Program`: the least score, and how objects are found.

  The least score is the report's choice; None where none was made.
  """
  return {
    'decision': {'score': score_file.read(folder, step)},
    'finding': {
      'scores': SCORES[task.class_loss],
      'candidates': task.candidates,
      'most': task.most,
      'threshold': task.overlap,
      'least_score': task.least_score,
    },
  }


def task_of(said: Mapping[str, Any]) -> Detection:
  """The task of a file that says this of itself."""
  how = said['finding']
  losses = {scores: loss for loss, scores in SCORES.items()}
  return Detection(
    class_loss=losses[how['scores']],
    candidates=how['candidates'],
    most=how['most'],
    overlap=how['threshold'],
    least_score=how['least_score'],
  )


def decision_of(said: Mapping[str, Any]) -> dict[str, Any] | None:
  """The least score that is shown."""
  return said['decision']


def differences(
  task: Detection,
  ours: Mapping[str, np.ndarray],
  theirs: Mapping[str, np.ndarray],
  side: int,
) -> dict[str, float]:
  """By how much two answers to the same images differ.

  Of all anchors the boxes, where they are in the image, and the scores; of objects the
  share that the other has not.

  Args:
    task: the one that reads them.
    ours, theirs: outputs by name.
    side: px, of the images.
  """
  if 'classes' in ours:
    return {'objects of their own, %': 100 * _alone(ours, theirs, side)}
  first, second = (np.clip(each['boxes'], 0, 1) for each in (ours, theirs))
  return {
    'boxes, px': side * float(np.abs(first - second).max()),
    'scores': float(np.abs(ours['scores'] - theirs['scores']).max()),
  }


def _alone(ours, theirs, side: int) -> float:
  """The share of our objects without one of theirs, as far as rounding explains.

  They may stand in another order where scores are equal to rounding.
  """
  allowed, count, alone = TOLERANCES['float32'], 0, 0
  for n in range(len(ours['scores'])):
    for d in np.flatnonzero(ours['scores'][n] >= _LOWEST):
      same = theirs['classes'][n] == ours['classes'][n, d]
      apart = side * np.abs(theirs['boxes'][n] - ours['boxes'][n, d]).max(axis=-1)
      scores = np.abs(theirs['scores'][n] - ours['scores'][n, d])
      near = (apart <= allowed['boxes, px']) & (scores <= allowed['scores'])
      count += 1
      alone += not (same & near).any()
  return alone / max(count, 1)
