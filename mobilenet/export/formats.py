"""The formats of exported files, who writes each and who runs it."""

import importlib
import pathlib
from typing import NamedTuple

from mobilenet.export.errors import ExportError
from mobilenet.export.program import Program
from mobilenet.export.quantised import Quantised
from mobilenet.export.runtimes.opened import Opened
from mobilenet.models.zoo import nearest


class Format(NamedTuple):
  """suffix: of its files. writer: the module whose `write(program, path, precision)`
  writes one of its PRECISIONS. runtimes: keys of RUNTIMES; the first checks the file.
  threads: the numbers of threads that it is timed with; None leaves it to the runtime.
  """

  suffix: str
  writer: str
  runtimes: tuple[str, ...]
  threads: tuple[int | None, ...] = (1, 2)

  def precisions(self) -> tuple[str, ...]:
    """Those that it can be written in, the default first."""
    return importlib.import_module(self.writer).PRECISIONS


FORMATS = {
  'tflite': Format('.tflite', 'mobilenet.export.tflite', ('litert',)),
  'onnx': Format('.onnx', 'mobilenet.export.onnx', ('onnxruntime', 'openvino')),
  'stablehlo': Format('.npz', 'mobilenet.export.stablehlo', ('stablehlo',), (None,)),
  'savedmodel': Format(
    '.savedmodel', 'mobilenet.export.saved_model', ('tensorflow',), (None,)
  ),
}
# The modules whose `open_file(path, threads)` gives an `Opened`.
RUNTIMES = {
  'litert': 'mobilenet.export.runtimes.litert',
  'onnxruntime': 'mobilenet.export.runtimes.onnx_runtime',
  'openvino': 'mobilenet.export.runtimes.open_vino',
  'stablehlo': 'mobilenet.export.runtimes.stable_hlo',
  'tensorflow': 'mobilenet.export.runtimes.saved_model',
}


def check(name: str, precision: str) -> None:
  """Refuses a precision that a format has not.

  Raises:
    ExportError: so it is.
  """
  known = FORMATS[name].precisions()
  if precision not in known:
    raise ExportError(
      f'--precision={precision}: --format={name} has {", ".join(known)}'
    )


def write(
  program: Program,
  path: pathlib.Path,
  name: str,
  precision: str,
  quantised: Quantised | None = None,
) -> None:
  """Writes a program in a format of this name.

  Args:
    program: what to write.
    path: the file.
    name: a key of FORMATS.
    precision: one of the format's.
    quantised: of the program's graph; for those of `quantised.WHOLE` alone.

  Raises:
    ExportError: the format has no such precision, or cannot hold the network.
    TrainingError: the file cannot be written.
  """
  check(name, precision)
  given = () if quantised is None else (quantised,)
  importlib.import_module(FORMATS[name].writer).write(program, path, precision, *given)


def open_file(
  path: pathlib.Path, runtime: str | None = None, threads: int | None = None
) -> Opened:
  """Opens an exported file.

  Args:
    path: its suffix tells the format.
    runtime: a key of RUNTIMES; None for the format's first.
    threads: None for one a core.

  Raises:
    ExportError: an unknown suffix, a runtime that is unknown, not for this format or
      not installed, or a damaged file.
    TrainingError: the file cannot be read.
  """
  found = [f for f in FORMATS.values() if path.name.endswith(f.suffix)]
  if not found:
    suffixes = ', '.join(f.suffix for f in FORMATS.values())
    raise ExportError(f'{path} is no exported file: those end in {suffixes}')
  if runtime is not None and runtime not in RUNTIMES:
    raise ExportError(f'no runtime {runtime!r}; {nearest(runtime, RUNTIMES)}')
  if runtime is not None and runtime not in found[0].runtimes:
    fitting = ' or '.join(found[0].runtimes)
    raise ExportError(f'{runtime} does not run {found[0].suffix} files; {fitting} does')
  module = importlib.import_module(RUNTIMES[runtime or found[0].runtimes[0]])
  return module.open_file(path, threads)
