"""An exported file that is ready to run."""

import collections
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from mobilenet.export.errors import ExportError


@dataclasses.dataclass(frozen=True)
class Opened:
  """What every runtime gives.

  runtime: with its version, for people.
  said: `Program.said` of what was exported.
  batch: images that it takes at once; None for any number.
  operators: how many it has of each, by the format's names.
  compute: prepared images float32 (batch, H, W, 3) to its answer (batch, K).
  """

  runtime: str
  said: dict[str, Any]
  batch: int | None
  operators: collections.Counter
  compute: Callable[[np.ndarray], np.ndarray]

  def answers(self, images: np.ndarray) -> np.ndarray:
    """The answers (N, K) of any number of images (N, H, W, 3)."""
    size = self.batch or len(images)
    rows = []
    for start in range(0, len(images), size):
      batch = images[start : start + size]
      missing = size - len(batch)
      filled = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
      rows.append(np.array(self.compute(filled))[: len(batch)])
    return np.concatenate(rows)


def foreign(path) -> ExportError:
  """The error for a file that this project did not write."""
  return ExportError(
    f'{path} was not exported by this project: it does not say how images are '
    f'prepared; import it: --job=import --init={path} --workdir=runs/NAME'
  )
