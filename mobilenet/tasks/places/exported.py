"""What an exported file says of places: it is a classifier, whose classes are cells."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from mobilenet.tasks.places.task import Places

READ_AS = 'places'


def said_of(
  task: Places, folder: pathlib.Path, step: int, outputs: Sequence[str]
) -> dict[str, Any]:
  """The fields of `export.program.Program` that are the task's own."""
  return {'read_as': READ_AS}


def task_of(said: Mapping[str, Any]) -> Places:
  """The task of a file that says this of itself."""
  return Places(cells=tuple(said['class_names']))


def decision_of(said: Mapping[str, Any]) -> None:
  """Nothing: no photo is refused."""
