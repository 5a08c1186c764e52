"""Reads an ONNX classifier, float or quantised (QDQ): its layers in running order.

The onnx package parses the file; nothing in it is run but what it computes from
constants alone.
"""

import pathlib

from mobilenet.weights import exported_graph, onnx_constants, onnx_graph, own_file
from mobilenet.weights.graph_layers import read_layers
from mobilenet.weights.weight_file import WeightFile, WeightsError

# The first field of a model is its format's version, a small number; the second, in
# the order in which they are written, is one of these: who made it, opsets, a graph.
VERSION, SECOND = 0x08, b'\x12\x1a\x22\x28\x32\x3a\x42'
NEEDS = 'reading ONNX files needs the onnx package; pip install onnx'


def is_onnx(head: bytes) -> bool:
  """Whether a file that begins so is an ONNX model, which has no mark of its own."""
  return len(head) > 2 and head[0] == VERSION and head[1] < 32 and head[2] in SECOND


def read_onnx(path: str | pathlib.Path) -> WeightFile:
  """Reads an ONNX file; weights of whole numbers or of halves come as float32.

  Returns:
    A `WeightFile` of dialect 'onnx', with the tensors and the metadata of
    `graph_layers.read_layers`, and in the metadata 'layout' ('NCHW' or 'NHWC', of the
    input) and 'framework' (see `onnx_graph.parse`). Of a file that this project has
    exported it is as `exported_graph.from_file` wants it, of dialect 'ours'.

  Raises:
    WeightsError: the onnx package is not installed; the file is truncated, or without
      its weights; or it has an op that the layers of this project cannot stand for.
  """
  path = pathlib.Path(path)
  model, onnx = _load(path)
  try:
    exported = _exported(onnx, model, path)
    if exported is not None:
      return exported
    graph, said = onnx_graph.parse(onnx, model)
  except (ValueError, TypeError, KeyError, IndexError) as error:
    raise WeightsError(f'{path} is truncated or damaged; fetch it again') from error
  tensors, metadata = read_layers(graph, path)
  return WeightFile(path, 'onnx', tensors, {**metadata, **said})


def _exported(onnx, model, path: pathlib.Path) -> WeightFile | None:
  """A file that this project wrote, unless somebody has renamed its arrays since."""
  text = {entry.key: entry.value for entry in model.metadata_props}.get(own_file.KEY)
  if text is None:
    return None
  file = onnx_constants.of_model(onnx, model)
  tensors = exported_graph.tensors_of(file.constants)
  if not tensors:
    return None
  metadata = exported_graph.metadata(text, file.rounded)
  return WeightFile(path, 'ours', tensors, metadata)


def _load(path: pathlib.Path):
  try:
    import onnx
    from google.protobuf.message import DecodeError
  except ImportError as error:
    raise WeightsError(f'{path}: {NEEDS}') from error
  try:
    return onnx.load(path), onnx
  except DecodeError as error:
    raise WeightsError(f'{path} is truncated or damaged; fetch it again') from error
  except OSError as error:
    raise WeightsError(f'{path} cannot be read: {error.strerror}') from error
  except onnx.checker.ValidationError as error:
    raise WeightsError(
      f'{path} keeps its weights in another file, which is not beside it; put it there '
      f'under its own name ({str(error).splitlines()[0]})'
    ) from error
