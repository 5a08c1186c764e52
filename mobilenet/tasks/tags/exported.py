"""What an exported file says of tags, and what is compared of it."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from mobilenet.tasks.tags import scoring, threshold_file
from mobilenet.tasks.tags.task import Tags

# precision -> by name, the largest difference that is rounding.
TOLERANCES = {'float32': {'probabilities': 1e-3}, 'float16': {'probabilities': 3e-2}}


def said_of(
  task: Tags, folder: pathlib.Path, step: int, outputs: Sequence[str]
) -> dict[str, Any]:
  """The fields of `export.program.Program`: each tag's threshold, in their order.

  The decision is None where no report has chosen them.
  """
  chosen = threshold_file.read(folder, step, outputs)
  return {'task': 'tags', 'decision': chosen and {'thresholds': chosen}}


def task_of(said: Mapping[str, Any]) -> Tags:
  """The task of a file that says this of itself."""
  return Tags()


def decision_of(said: Mapping[str, Any]) -> dict[str, Any] | None:
  """The thresholds."""
  return said['decision']


def differences(
  task: Tags,
  ours: Mapping[str, np.ndarray],
  theirs: Mapping[str, np.ndarray],
  side: int,
) -> dict[str, float]:
  """By how much two answers to the same images differ.

  Args:
    task: the one that reads them.
    ours, theirs: outputs by name.
    side: px, of the images.
  """
  first, second = (
    scoring.probabilities(jax.device_get(task.answered(each)))
    for each in (ours, theirs)
  )
  return {'probabilities': float(np.abs(first - second).max())}
