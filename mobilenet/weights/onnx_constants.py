"""What is constant in an ONNX model: its arrays, and what it computes from them alone.

Paddings and weights that were quantised are computed in the graph; here they are, by
the onnx package's own definitions of its ops. Nothing else of a model is run.
"""

import dataclasses
from typing import Any

import numpy as np

from mobilenet.weights.quantisation import FLOAT16, LIMITS, Quantisation

# Ops that are computed where all their inputs are constants.
FOLDABLE = (
  *('Add', 'Cast', 'Ceil', 'Clip', 'Concat', 'Constant', 'ConstantOfShape'),
  *('DequantizeLinear', 'Div', 'Floor', 'Gather', 'Identity', 'Max', 'Min', 'Mul'),
  *('Neg', 'Reshape', 'Shape', 'Slice', 'Squeeze', 'Sub', 'Transpose', 'Unsqueeze'),
)
MOST_FILLED = 1 << 16  # values that a ConstantOfShape may make: paddings need eight
# Ops that keep values, and so how they were rounded.
KEEPING = ('Cast', 'Identity', 'Reshape', 'Squeeze', 'Transpose', 'Unsqueeze')


@dataclasses.dataclass
class File:
  """A model, and what of it is constant.

  constants: value -> array, of all that does not depend on the images.
  rounded, unreadable: as `graph.Graph` has them.
  sized: px -> `constants` where all maps are of that size; more is constant then.
  """

  onnx: Any  # the package
  model: Any
  constants: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
  rounded: dict[str, tuple[str, float]] = dataclasses.field(default_factory=dict)
  unreadable: dict[str, str] = dataclasses.field(default_factory=dict)
  sized: dict[int, dict[str, np.ndarray]] = dataclasses.field(default_factory=dict)


def of_model(onnx, model) -> File:
  """Reads and computes all constants of a model that the onnx package has loaded."""
  file = File(onnx, model)
  for tensor in model.graph.initializer:
    file.constants[tensor.name] = array = onnx.numpy_helper.to_array(tensor)
    if array.dtype == np.float16:
      file.rounded[tensor.name] = ('float16', FLOAT16)
  _fold(file, file.constants)
  return file


def at_size(file: File, size: int) -> dict[str, np.ndarray]:
  """The constants where maps are `size` px: what is computed from that, too."""
  if size not in file.sized:
    file.sized[size] = dict(file.constants)
    _fold(file, file.sized[size], np.array([1, 1, size, size]))
  return file.sized[size]


def attributes(file: File, node) -> dict[str, Any]:
  read = file.onnx.helper.get_attribute_value
  return {attribute.name: read(attribute) for attribute in node.attribute}


def quantisation(file: File, node, dtype=np.uint8) -> Quantisation | None:
  """How a (De)QuantizeLinear stores values; None where it cannot be said.

  dtype: of the numbers where the node has no zero.
  """
  scale, *zeros = (file.constants.get(value) for value in node.input[1:])
  if scale is None or scale.ndim > 1:
    return None
  zero = np.zeros(scale.shape, dtype) if not zeros or zeros[0] is None else zeros[0]
  if str(zero.dtype) not in LIMITS:
    return None
  axis = attributes(file, node).get('axis', 1)
  return Quantisation(str(zero.dtype), scale.reshape(-1), zero.reshape(-1), axis)


def _fold(file: File, constants: dict, shape: np.ndarray | None = None) -> None:
  """Adds what is computed of constants; nodes lie in an order that can be run.

  shape: of every map, if it is to be taken as known.
  """
  from onnx.reference import ReferenceEvaluator

  opsets = {opset.domain: opset.version for opset in file.model.opset_import}
  for node in file.model.graph.node:
    known = node.output[0] in constants
    if known or node.op_type not in FOLDABLE or node.domain not in ('', 'ai.onnx'):
      continue
    given = {value: constants.get(value) for value in node.input if value}
    if any(value is None for value in given.values()):
      if node.op_type == 'Shape' and shape is not None:
        constants[node.output[0]] = shape
      continue
    first = next(iter(given.values()), None)
    if node.op_type == 'ConstantOfShape' and np.prod(first) > MOST_FILLED:
      continue
    (made,) = ReferenceEvaluator(node, opsets=opsets).run(None, given)
    constants[node.output[0]] = np.asarray(made)
    _say_rounding(file, node, constants)


def _say_rounding(file: File, node, constants: dict) -> None:
  """Notes how far a constant is from what was rounded."""
  name = node.output[0]
  if node.op_type == 'DequantizeLinear':
    stored = constants[node.input[0]].dtype
    how = quantisation(file, node, stored)
    if how is None:
      blocks = ' with scales of blocks' if str(stored) in LIMITS else ''
      file.unreadable[name] = f'{stored}{blocks}'
    else:
      file.rounded[name] = (how.dtype, how.error(constants[name]))
  elif node.op_type in KEEPING and node.input[0] in file.rounded:
    file.rounded[name] = file.rounded[node.input[0]]
