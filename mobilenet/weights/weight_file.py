"""What every reader of a weight file returns, and the error they raise."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from mobilenet.models.rows import ModelError


class WeightsError(ModelError):
  """A weight file that cannot be used; the message is for a person."""


@dataclasses.dataclass(frozen=True)
class WeightFile:
  """The arrays of a file under the names that its framework gives them.

  dialect: whose names and layouts they are: 'torch', 'keras', 'slim', 'tflite', 'onnx'
    or 'ours'.
  tensors: name -> array, in the order of the file, in the framework's own layout.
  metadata: what else the file says of itself and a contract can use, by fixed names
    (see the readers).
  """

  path: pathlib.Path
  dialect: str
  tensors: dict[str, np.ndarray]
  metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
