"""An exported file in the place of a run: how it prepares photos, what it answers."""

import pathlib
from typing import Any, NamedTuple

import numpy as np

import input_pipeline
from mobilenet import tasks
from mobilenet.export import formats
from mobilenet.export.runtimes.opened import Opened
from mobilenet.weights.contract import make_contract


class ExportedFile(NamedTuple):
  """What predicting needs of a file.

  outputs: class names, in the order of its answers. ops: they prepare a photo.
  decision: how its probabilities are to be read, or None.
  """

  opened: Opened
  task: Any
  outputs: tuple[str, ...]
  ops: tuple
  decision: dict[str, Any] | None

  def predictions(self, images: np.ndarray) -> dict[str, np.ndarray]:
    """As a task's predictions; of prepared images (N, H, W, 3)."""
    answers = self.opened.named_answers(images)
    return self.task.predictions(self.task.answered(answers))


def open_file(path: pathlib.Path, runtime: str | None = None) -> ExportedFile:
  """Opens a file of `--job=export`.

  Raises:
    ExportError, TrainingError: see `formats.open_file`.
  """
  opened = formats.open_file(path, runtime)
  said = opened.said
  contract = make_contract(said['contract'])
  # Older files have neither.
  of_task = tasks.exported(said.get('read_as') or said.get('task', 'classification'))
  return ExportedFile(
    opened=opened,
    task=of_task.task_of(said),
    outputs=tuple(said['class_names']),
    ops=input_pipeline.parse_ops(contract.eval_ops(said['resolution']), 'eval'),
    decision=of_task.decision_of(said),
  )
