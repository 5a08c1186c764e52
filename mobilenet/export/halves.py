"""Kernels stored as float16: half of a file's size."""

import numpy as np

from mobilenet.export import graph as graphs
from mobilenet.export.errors import ExportError
from mobilenet.export.graph import Graph
from mobilenet.export.program import Program

PRECISIONS = ('float32', 'float16')


def of_program(
  program: Program, what: str, precision: str
) -> tuple[Graph, dict[str, np.ndarray]]:
  """A program's graph, and its constants as a file of one of `PRECISIONS` has them.

  Args:
    what: the format, for messages.

  Raises:
    ExportError: another precision, a network that has what a graph has not, or a value
      that is too large for a half.
  """
  check(precision, what)
  graph = graphs.of_program(program, what)
  kept = {name: stored(name, v, precision) for name, v in graph.constants.items()}
  return graph, kept


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
