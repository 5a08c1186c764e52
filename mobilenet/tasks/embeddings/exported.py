"""What an exported file says of an embedder, and what is compared of it."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilenet.tasks.embeddings.task import Embeddings

# precision -> by name, the largest difference that is rounding.
TOLERANCES = {'float32': {'1 - cosine': 1e-5}, 'float16': {'1 - cosine': 1e-3}}


def said_of(
  task: Embeddings, folder: pathlib.Path, step: int, outputs: Sequence[str]
) -> dict[str, Any]:
  """Nothing is chosen: what counts as near is decided where it is used."""
  return {}


def task_of(said: Mapping[str, Any]) -> Embeddings:
  """The task of a file that says this of itself."""
  return Embeddings()


def decision_of(said: Mapping[str, Any]) -> None:
  """Nothing."""


def differences(
  task: Embeddings,
  ours: Mapping[str, np.ndarray],
  theirs: Mapping[str, np.ndarray],
  side: int,
) -> dict[str, float]:
  """By how much two answers to the same images differ.

  Args:
    ours, theirs: outputs by name.
    side: px, of the images.
  """
  first, second = (
    np.asarray(task.answered(each), np.float64) for each in (ours, theirs)
  )
  lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
  cosines = np.sum(first * second, axis=-1) / lengths
  return {'1 - cosine': float(np.max(1 - cosines))}
