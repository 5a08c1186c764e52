"""ONNX files in onnxruntime, on the CPU."""

import pathlib
from collections import Counter

import numpy as np

from mobilenet.export.errors import missing
from mobilenet.export.runtimes import opened
from mobilenet.export.runtimes.opened import Opened
from mobilenet.weights.own_file import KEY

NAME = 'onnxruntime'


def open_file(path: str | pathlib.Path, threads: int | None = None) -> Opened:
  """Opens a file that `export.onnx` wrote.

  Args:
    threads: to compute with; None for the runtime's choice.

  Raises:
    ExportError: onnxruntime is not installed; the file is not there, is damaged, or is
      not ours.
  """
  path = opened.checked(path)
  try:
    import onnx
    import onnxruntime
  except ImportError as error:
    raise missing(error.name or NAME, 'running ONNX files') from error
  options = onnxruntime.SessionOptions()
  options.log_severity_level = 3  # errors: they come as exceptions besides
  # Without it products of bytes overflow their 16 bits on processors without VNNI.
  options.add_session_config_entry('session.x64quantprecision', '1')
  if threads is not None:
    options.intra_op_num_threads = threads
  try:
    session = onnxruntime.InferenceSession(
      path, options, providers=['CPUExecutionProvider']
    )
    nodes = onnx.load(path, load_external_data=False).graph.node
  except Exception as error:  # those of this runtime have no class in common
    raise opened.damaged(path, NAME, error) from error
  said = opened.said_of(path, session.get_modelmeta().custom_metadata_map.get(KEY))
  (given,) = session.get_inputs()

  names = [output.name for output in session.get_outputs()]

  def run(images: np.ndarray) -> dict[str, np.ndarray]:
    made = session.run(names, {given.name: images.transpose(0, 3, 1, 2)})
    return dict(zip(names, map(opened.channels_last, made), strict=True))

  operators = Counter(node.op_type for node in nodes)
  return Opened(NAME, path, said, opened.image_shape(said), None, operators, run)
