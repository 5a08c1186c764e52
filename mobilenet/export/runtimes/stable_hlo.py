"""StableHLO files in JAX, on its default backend."""

import pathlib
import re
import zipfile
from collections import Counter

import jax
import numpy as np
from jax import export

from mobilenet.export.errors import ExportError
from mobilenet.export.runtimes import opened
from mobilenet.export.runtimes.opened import Opened
from mobilenet.export.stablehlo import PROGRAM, WEIGHTS
from mobilenet.weights.own_file import KEY

NAME = 'JAX'
OPERATOR = re.compile(r'\bstablehlo\.(\w+)')


def open_file(path: str | pathlib.Path, threads: int | None = None) -> Opened:
  """Opens a file that `export.stablehlo` wrote.

  Args:
    threads: None: JAX takes all cores, and can be told otherwise by the system alone.

  Raises:
    ExportError: a number of threads; the file is not there, is damaged, or is not ours.
  """
  if threads is not None:
    raise ExportError(f'JAX takes all cores: run it under taskset for {threads}')
  path = opened.checked(path)
  try:
    if not zipfile.is_zipfile(path):
      raise ValueError('it is no NumPy archive (.npz)')
    # Opened here: NumPy leaves what it cannot read open.
    with path.open('rb') as bytes_of, np.load(bytes_of) as archive:
      file = dict(archive)
    text = str(file[KEY]) if KEY in file else None
    said = opened.said_of(path, text)
    program = export.deserialize(bytearray(file[PROGRAM].tobytes()))
  except ExportError:
    raise
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
    raise opened.damaged(path, NAME, error) from error
  weights = {k: jax.numpy.asarray(v) for k, v in file.items() if k.startswith(WEIGHTS)}
  call = jax.jit(program.call)

  def named(made) -> dict[str, np.ndarray]:
    # A single output is an array, and is called as the answer is.
    made = made if isinstance(made, dict) else {said['answer']: made}
    return {name: np.asarray(values) for name, values in made.items()}

  return Opened(
    name=NAME,
    path=path,
    said=said,
    image_shape=opened.image_shape(said),
    batch=None,
    operators=Counter(OPERATOR.findall(program.mlir_module())),
    run=lambda images: named(call(weights, images)),
  )
