"""An exported file that is ready to run, whatever runs it."""

import dataclasses
import json
import pathlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from mobilenet.export.errors import ExportError
from mobilenet.weights.contract import Contract, make_contract

FIELDS = (
  'origin',
  'model',
  'resolution',
  'contract',
  'class_names',
  'decision',
  'answer',
)


@dataclasses.dataclass(frozen=True)
class Opened:
  """A file in a runtime.

  name: of the runtime, for a table.
  path: of the file.
  said: what `Program.said` wrote into it.
  image_shape: (H, W, 3).
  batch: images that it takes at once; None if any number.
  operators: how many of each kind its graph has.
  run: prepared images float32 (N, H, W, 3), N being `batch`, to its outputs by name,
    see `export.answers`; channels of maps last.
  """

  name: str
  path: pathlib.Path
  said: dict[str, Any]
  image_shape: tuple[int, int, int]
  batch: int | None
  operators: Counter
  run: Callable[[np.ndarray], dict[str, np.ndarray]]

  def answers(self, images: np.ndarray, contract: Contract | None = None) -> np.ndarray:
    """The one answer, such as (N, K) of a classifier; see `named_answers`."""
    (answer,) = self.named_answers(images, contract).values()
    return answer

  def named_answers(
    self, images: np.ndarray, contract: Contract | None = None
  ) -> dict[str, np.ndarray]:
    """Its outputs, float32, of prepared images float32 (N, H, W, 3), any N above 0.

    Args:
      contract: by whose mean and std they are normalised; None for the file's.

    Raises:
      ExportError: the images are of another size.
    """
    if contract is not None:
      images = contract.renormalised(images, make_contract(self.said['contract']))
    images = np.ascontiguousarray(images, np.float32)
    if images.ndim != 4 or images.shape[1:] != self.image_shape or not len(images):
      raise ExportError(
        f'{self.path} takes images of {self.image_shape}, not an array of '
        f'{images.shape}'
      )
    if self.batch is None:
      return _floats(self.run(images), len(images))
    parts = []
    for start in range(0, len(images), self.batch):
      part = images[start : start + self.batch]
      missing = self.batch - len(part)
      full = np.pad(part, ((0, missing), (0, 0), (0, 0), (0, 0)))
      parts.append(_floats(self.run(full), len(part)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _floats(made: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
  return {name: np.asarray(v, np.float32)[:count] for name, v in made.items()}


def channels_last(values: np.ndarray) -> np.ndarray:
  """An output of a file that has the channels of maps in front."""
  return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values


def said_of(path: pathlib.Path, text: str | None) -> dict[str, Any]:
  """What a file says of itself, from its text.

  Raises:
    ExportError: there is none, or it is not what `Program.said` gives.
  """
  if text is None:
    raise ExportError(
      f'{path} does not say how images are prepared for it: it was not exported by '
      'this project; export it with --job=export'
    )
  try:
    said = json.loads(text)
    missing = [field for field in FIELDS if field not in said]
  except (ValueError, TypeError):
    missing = ['JSON']
  if missing:
    raise ExportError(
      f'{path} has broken metadata, without {missing[0]}: export it again'
    )
  return said


def image_shape(said: dict[str, Any]) -> tuple[int, int, int]:
  return (said['resolution'], said['resolution'], 3)


def checked(path: str | pathlib.Path) -> pathlib.Path:
  """A path, if there is a file.

  Raises:
    ExportError: there is none.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    raise ExportError(f'{path} does not exist; give the path of an exported file')
  return path


def damaged(path: pathlib.Path, runtime: str, error: Exception) -> ExportError:
  """The error of a file that a runtime refuses, with the first line of its reason."""
  lines = str(error).strip().splitlines() or [type(error).__name__]
  return ExportError(
    f'{path} cannot be read by {runtime} ({lines[0]}): export it again'
  )
