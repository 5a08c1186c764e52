"""ONNX files in OpenVINO, on the CPU."""

import pathlib
import sys
from collections import Counter

import numpy as np

from mobilenet.export.errors import missing
from mobilenet.export.runtimes import opened
from mobilenet.export.runtimes.opened import Opened
from mobilenet.weights.own_file import KEY

NAME = 'OpenVINO'
NO_OPERATOR = ('Const', 'Constant', 'Input', 'Output')


def open_file(path: str | pathlib.Path, threads: int | None = None) -> Opened:
  """Opens a file that `export.onnx` wrote; computes in float32.

  Where a processor has bfloat16, OpenVINO takes that unless it is told otherwise. On
  x86 without VNNI its products of bytes overflow 16 bits, and integers may answer
  wrongly: a printed note says so.

  Args:
    threads: to compute with; None for the runtime's choice.

  Raises:
    ExportError: OpenVINO is not installed; the file is not there, is damaged, or is not
      ours.
  """
  path = opened.checked(path)
  openvino = _package()
  options = {'INFERENCE_PRECISION_HINT': 'f32'}
  if threads is not None:
    options['INFERENCE_NUM_THREADS'] = threads
  core = openvino.Core()
  try:
    model = core.read_model(path)
    compiled = core.compile_model(model, 'CPU', options)
  except Exception as error:  # plain RuntimeErrors, and what its parsers raise
    raise opened.damaged(path, NAME, error) from error
  if (
    any(op.get_type_name() == 'FakeQuantize' for op in model.get_ops()) and _overflows()
  ):
    print(
      f'note: {path} has integers, whose products overflow in OpenVINO on this '
      'processor (x86 without VNNI): its answers may be wrong; --runtime=onnxruntime '
      'computes them exactly'
    )
  said = opened.said_of(path, _text(model))
  nodes = compiled.get_runtime_model().get_ops()  # as they run, fused
  kinds = Counter(node.get_rt_info()['layerType'].astype(str) for node in nodes)
  operators = Counter({k: n for k, n in kinds.items() if k not in NO_OPERATOR})

  names = [output.get_any_name() for output in compiled.outputs]

  def run(images: np.ndarray) -> dict[str, np.ndarray]:
    made = compiled(images.transpose(0, 3, 1, 2))
    answers = (made[output] for output in compiled.outputs)
    return dict(zip(names, map(opened.channels_last, answers), strict=True))

  return Opened(NAME, path, said, opened.image_shape(said), None, operators, run)


def _package():
  """OpenVINO, which on import reports its use to its makers, from a forked process.

  JAX has threads, with which forks may hang. Without the package that reports it does
  everything else.
  """
  reporter = 'openvino_telemetry'
  absent = reporter not in sys.modules
  if absent:
    sys.modules[reporter] = None
  try:
    import openvino
  except ImportError as error:
    raise missing('openvino', 'running files by OpenVINO') from error
  finally:
    if absent:
      del sys.modules[reporter]
  return openvino


def _text(model) -> str | None:
  """The file's metadata, which OpenVINO keeps below the name of its format's reader."""
  path = ['framework', KEY]
  return str(model.get_rt_info(path).value) if model.has_rt_info(path) else None


def _overflows() -> bool:
  """Whether it is an x86 without VNNI, as far as the system tells."""
  try:
    with open('/proc/cpuinfo') as file:
      text = file.read()
  except OSError:
    return False  # not Linux: nobody tells
  return 'sse2' in text and 'vnni' not in text
