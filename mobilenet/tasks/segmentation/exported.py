"""What an exported file says of a segmenter, and what is compared of it."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilenet.tasks.segmentation.task import Segmentation

# precision -> by name, the largest difference that is rounding.
TOLERANCES = {
  'float32': {'pixels of another class, %': 0.1},
  'float16': {'pixels of another class, %': 1.0},
}


def said_of(
  task: Segmentation, folder: pathlib.Path, step: int, outputs: Sequence[str]
) -> dict[str, Any]:
  """Nothing is chosen: a pixel's class is that of the greatest logit."""
  return {}


def task_of(said: Mapping[str, Any]) -> Segmentation:
  """The task of a file that says this of itself."""
  return Segmentation()


def decision_of(said: Mapping[str, Any]) -> None:
  """Nothing."""


def differences(
  task: Segmentation,
  ours: Mapping[str, np.ndarray],
  theirs: Mapping[str, np.ndarray],
  side: int,
) -> dict[str, float]:
  """By how much two answers to the same images differ.

  Args:
    ours, theirs: outputs by name.
    side: px, of the images.
  """
  size = (side, side)
  first, second = (task.labels(task.answered(each), size) for each in (ours, theirs))
  return {
    'pixels of another class, %': 100 * float(np.mean(np.not_equal(first, second)))
  }
