"""Kernels stored as float16: half of a file's size."""

import numpy as np

from mobilenet.export.errors import ExportError

PRECISIONS = ('float32', 'float16')


def stored(name: str, array: np.ndarray, precision: str) -> np.ndarray:
  """An array as a file of one of `PRECISIONS` has it.

  Biases and the like, which are of one axis, stay as they are: they weigh nothing, and
  what they lack goes straight into an output.

  Raises:
    ExportError: a value is too large for a half.
  """
  one_axis = array.size == max(array.shape, default=1)
  if precision == 'float32' or array.dtype != np.float32 or one_axis:
    return np.ascontiguousarray(array)
  with np.errstate(over='ignore'):
    half = np.ascontiguousarray(array, np.float16)
  if not np.isfinite(half).all():
    raise ExportError(
      f'{name} has values beyond those of float16 (65504): export it as float32'
    )
  return half


def check(precision: str, what: str) -> None:
  """Refuses a precision that there is not.

  Raises:
    ExportError: it is none of `PRECISIONS`.
  """
  if precision not in PRECISIONS:
    raise ExportError(
      f'{what} files are written as {" or ".join(PRECISIONS)}, not {precision!r}'
    )
