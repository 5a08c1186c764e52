"""An ONNX model as a `Graph`, ops in the order in which its output needs them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from mobilenet.weights import onnx_constants
from mobilenet.weights.graph import LAYERS, Graph, Op
from mobilenet.weights.onnx_constants import File, attributes

# Ops of the networks here.
KINDS = {
  'Conv': 'conv',
  'Gemm': 'dense',
  'MatMul': 'dense',
  'BatchNormalization': 'norm',
  'Pad': 'pad',
  **{name: name.lower() for name in ('Add', 'Sub', 'Mul', 'Div', 'Relu')},
  'Softmax': 'softmax',
  'Sigmoid': 'sigmoid',
  **dict.fromkeys(
    ('Cast', 'DequantizeLinear', 'Dropout', 'Identity', 'QuantizeLinear', 'Transpose'),
    'same',
  ),
  **dict.fromkeys(('Flatten', 'Reshape', 'Squeeze', 'Unsqueeze'), 'shape'),
  **dict.fromkeys(
    (
      *('AveragePool', 'Concat', 'GlobalAveragePool', 'HardSigmoid', 'HardSwish'),
      *('MaxPool', 'ReduceMean', 'Slice', 'Split'),
    ),
    'plain',
  ),
}
CLIPS = {(0.0, 6.0): 'relu6', (0.0, None): 'relu'}
# Ops of which more inputs than the first are maps; of others those are parameters.
JOINING = ('Add', 'Concat', 'Div', 'MatMul', 'Mul', 'Sub')
TRIALS = (14, 15)  # px of maps, to tell SAME: it differs at even and at odd sizes
INTEGER = (
  'computes in whole numbers: give the float file, or quantise that in the QDQ format '
  '(QuantFormat.QDQ)'
)


def parse(onnx, model) -> tuple[Graph, dict[str, str]]:
  """Parses a model that the onnx package has loaded.

  Returns:
    The graph, and {'layout': 'NCHW' or 'NHWC' (of the input), 'framework': whose
    network it is by its names and its layout: 'keras.applications', 'timm' or
    'torchvision'}.

  Raises:
    ValueError, TypeError, KeyError, IndexError: the model is not whole.
  """
  file = onnx_constants.of_model(onnx, model)
  inputs = [given for given in model.graph.input if given.name not in file.constants]
  outputs = [output.name for output in model.graph.output]
  shape = _shape(inputs[0]) if inputs else []
  layout = 'NHWC' if len(shape) == 4 and shape[3] == 3 != shape[1] else 'NCHW'
  size = tuple(shape[1:3] if layout == 'NHWC' else shape[2:4])
  quantised = {}
  ops = [_op(file, node, quantised) for node in _ordered(file, outputs)]
  graph = Graph(
    ops=ops,
    constants=file.constants,
    rounded=file.rounded,
    quantised=quantised,
    unreadable=file.unreadable,
    inputs=[given.name for given in inputs],
    outputs=outputs,
    input_size=size if len(size) == 2 and min(size) > 0 else None,
  )
  return graph, {'layout': layout, 'framework': _framework(layout, model.graph)}


def _shape(given) -> list[int]:
  """Sizes of an input, -1 where they are free."""
  return [size.dim_value or -1 for size in given.type.tensor_type.shape.dim]


def _framework(layout: str, graph) -> str:
  if layout == 'NHWC':
    return 'keras.applications'
  names = [node.name for node in graph.node]
  names += [tensor.name for tensor in graph.initializer]
  return 'timm' if any('conv_stem' in name for name in names) else 'torchvision'


def _ordered(file: File, outputs: list[str]) -> Iterator[Any]:
  """The nodes that the outputs need, each after those that it needs itself.

  Of what is joined the first branch comes first, whatever order the file has.
  """
  makers = {value: node for node in file.model.graph.node for value in node.output}
  seen, stack = set(), [(name, False) for name in reversed(outputs)]
  while stack:
    name, ready = stack.pop()
    node = makers.get(name)
    if ready:
      yield node
      continue
    if node is None or name in seen:
      continue
    seen.update(node.output)
    needed = node.input if node.op_type in JOINING else node.input[:1]
    needed = [value for value in needed if value and value not in file.constants]
    stack.append((name, True))
    stack += [(value, False) for value in reversed(needed)]


def _op(file: File, node, quantised: dict) -> Op:
  name, said = node.op_type, attributes(file, node)
  kind, options = KINDS.get(name, ''), {}
  second = file.constants.get(node.input[1]) if len(node.input) > 1 else None
  if node.domain not in ('', 'ai.onnx'):
    kind = ''
  elif name.startswith(('QLinear', 'Dynamic')) or name.endswith('Integer'):
    options = {'complaint': INTEGER}
  elif kind == 'conv':
    kind, options = _conv(said, second)
  elif kind == 'dense':
    kind, options = _dense(name, said, second)
  elif kind == 'norm':
    options = {'epsilon': said.get('epsilon', 1e-5)}
  elif kind == 'pad':
    options = _pad(file, node, said)
  elif name == 'Clip':
    kind = CLIPS.get(_bounds(file, node, said), '')
  elif name == 'HardSigmoid':
    slope, offset = said.get('alpha', 0.2), said.get('beta', 0.5)
    if not np.allclose((slope, offset), (1 / 6, 0.5), atol=1e-4):
      options = {'complaint': f'is {slope:g} x + {offset:g}, not (x + 3) / 6'}
  elif name in ('QuantizeLinear', 'DequantizeLinear'):
    how = onnx_constants.quantisation(file, node)
    if how is not None:
      quantised[node.output[0]] = how
  taken = node.input if _takes_all(node, kind) else node.input[:1]
  return Op(kind, name, [n or None for n in taken], list(node.output), options)


def _takes_all(node, kind: str) -> bool:
  """Whether the inputs after the first are maps or weights, and no parameters."""
  return node.op_type in JOINING or kind in (*LAYERS, 'norm')


def _conv(said: dict, kernel: np.ndarray | None) -> tuple[str, dict[str, Any]]:
  """Kernels are OIHW, of depthwise convolutions (C, 1, h, w)."""
  padding, group = said.get('auto_pad', b'NOTSET').decode(), said.get('group', 1)
  top, left, bottom, right = said.get('pads', [0] * 4)
  options = {
    'axes': (2, 3, 1, 0),
    'stride': tuple(said.get('strides', (1, 1))),
    'padding': 'SAME' if padding == 'SAME_UPPER' else 'VALID',
    'pad': ((top, bottom), (left, right)) if top or left or bottom or right else None,
  }
  made, taken = kernel.shape[:2] if kernel is not None else (group, 1)
  if padding == 'SAME_LOWER':
    options['complaint'] = 'is padded as SAME_LOWER, which no network here is'
  elif any(rate != 1 for rate in said.get('dilations', ())):
    options['complaint'] = 'is dilated, which no network here is'
  elif group > 1 and taken > 1:
    options['complaint'] = 'is grouped, which cannot be mapped'
  elif group > 1 and made != group:
    options['complaint'] = (
      f'makes {made} channels of {group}; no network here has a depthwise multiplier '
      'other than 1'
    )
  return 'depthwise' if group > 1 else 'conv', options


def _dense(name: str, said: dict, kernel) -> tuple[str, dict[str, Any]]:
  """MatMul's kernel is (I, O), and Gemm's, unless it says otherwise."""
  if kernel is None:
    return '', {'complaint': 'multiplies two maps, as no network read from ONNX does'}
  options = {'axes': (1, 0) if said.get('transB') else (0, 1)}
  factors = said.get('alpha', 1.0), said.get('beta', 1.0)
  if factors != (1.0, 1.0) or said.get('transA'):
    options['complaint'] = f'is a {name} with factors or a transposed input'
  return 'dense', options


def _pad(file: File, node, said: dict) -> dict[str, Any]:
  value = node.input[2] if len(node.input) > 2 else ''
  filling = file.constants.get(value) if value else said.get('value', 0.0)
  if said.get('mode', b'constant') != b'constant' or filling != 0:
    return {'complaint': 'pads with something else than zeros'}
  pad = _padded(file.constants, node, said)
  if pad is not None:
    return {'pad': pad}
  if all(_is_same(file, node, said, size) for size in TRIALS):
    return {'padding': 'SAME'}
  return {
    'complaint': 'pads by what is no padding before a convolution; only height and '
    'width are, by numbers or by the rule of SAME'
  }


def _padded(constants: dict, node, said: dict):
  """((top, bottom), (left, right)); None if it is computed or is of other axes."""
  table = said['pads'] if 'pads' in said else constants.get(node.input[1])
  if table is None or np.size(table) != 8:
    return None
  (*others, top, left), (*more, bottom, right) = np.reshape(table, (2, 4)).tolist()
  return None if any(others + more) else ((top, bottom), (left, right))


def _is_same(file: File, node, said: dict, size: int) -> bool:
  """Whether maps of this size are padded as the next convolution's SAME does."""
  constants = onnx_constants.at_size(file, size)
  then = next((n for n in file.model.graph.node if node.output[0] in n.input), None)
  kernel = constants.get(then.input[1]) if then and then.op_type == 'Conv' else None
  if kernel is None:
    return False
  stride = attributes(file, then).get('strides', (1, 1))[0]
  total = max((-(-size // stride) - 1) * stride + kernel.shape[2] - size, 0)
  same = (total // 2, total - total // 2)
  return _padded(constants, node, said) == (same, same)


def _bounds(file: File, node, said: dict) -> tuple[float | None, float | None]:
  """A Clip's lowest and highest value."""
  bounds = [said.get('min'), said.get('max')]
  for n, name in enumerate(node.input[1:3]):
    if name:
      bounds[n] = float(file.constants.get(name, np.nan))
  return tuple(bounds)
