"""What an exported file says of a classifier, and the task that reads it."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from mobilenet.tasks.classification import decision
from mobilenet.tasks.classification.task import Classification


def said_of(
  task: Classification, folder: pathlib.Path, step: int, outputs: Sequence[str]
) -> dict[str, Any]:
  """The fields of `export.program.Program` that the run's report has chosen."""
  made = decision.read(folder, step, outputs)
  return {'decision': dataclasses.asdict(made) if made else None}


def task_of(said: Mapping[str, Any]) -> Classification:
  """The task of a file that says this of itself."""
  return Classification()


def decision_of(said: Mapping[str, Any]) -> dict[str, Any] | None:
  """How its answers are to be read."""
  made = said['decision']
  if made and said['answer'] == 'probabilities':
    return {**made, 'temperature': 1.0}  # which is in the file
  return made
