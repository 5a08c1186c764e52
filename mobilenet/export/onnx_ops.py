"""Each op of a graph as nodes of ONNX, opset 17."""

from collections.abc import Callable

import numpy as np

from mobilenet.export import onnx_layouts
from mobilenet.export.errors import ExportError
from mobilenet.export.graph import Graph, Node
from mobilenet.export.onnx_layouts import FIRST, LAST, Writing

ACTIVATED = '/linear'  # what is behind the name of a value before its activation


def write_node(node: Node, graph: Graph, to: Writing) -> None:
  """Adds what computes a node; its value has the node's name."""
  if node.name in to.lying:
    return  # another node has made it, too
  act = node.attributes.get('act', 'linear')
  made = node.name if act == 'linear' else node.name + ACTIVATED
  where = OPS[node.op](node, graph, to, made)
  if act != 'linear':
    _activate(act, to, made, node.name)
  to.put(node.name, where, node.name)


def _activate(act: str, to: Writing, x: str, name: str) -> None:
  if act == 'relu6':
    bounds = [to.array('zero', np.float32(0)), to.array('six', np.float32(6))]
    to.node('Clip', [x, *bounds], name)
  elif act == 'gelu':  # an op of its own from opset 20 on; runtimes know these five
    root = to.array('root_2', np.float32(2**0.5))
    one, half = to.array('one', np.float32(1)), to.array('half', np.float32(0.5))
    y = to.node('Div', [x, root], f'{name}/scaled')
    y = to.node('Add', [to.node('Erf', [y], f'{name}/erf'), one], f'{name}/tail')
    to.node('Mul', [to.node('Mul', [x, y], f'{name}/double'), half], name)
  else:
    op, how = {
      'relu': ('Relu', {}),
      'hard_swish': ('HardSwish', {}),
      'hard_sigmoid': ('HardSigmoid', {'alpha': 1 / 6, 'beta': 0.5}),
      'sigmoid': ('Sigmoid', {}),
      'exp': ('Exp', {}),
    }[act]
    to.node(op, [x], name, **how)


def _map(node: Node, to: Writing, n: int = 0) -> str:
  return to.get(node.inputs[n], FIRST)


def _pads(padding) -> list[int]:
  (top, bottom), (left, right) = padding
  return [top, left, bottom, right]


# ---- an op's nodes: (node, graph, what is written, the output's name) -> where its
# channels are -------------------------------------------------------------------------


def _conv(node, graph, to, name):
  how, (_, kernel, *bias) = node.attributes, node.inputs
  array = graph.constants[kernel]
  inputs = [_map(node, to), to.array(kernel, array.transpose(3, 2, 0, 1))]
  inputs += [to.array(value, graph.constants[value]) for value in bias]
  said = {'kernel_shape': list(array.shape[:2]), 'strides': [how['stride']] * 2}
  said |= {'pads': _pads(how['padding']), 'group': how['groups']}
  to.node('Conv', inputs, name, dilations=[how['dilation']] * 2, **said)
  return FIRST


def _dense(node, graph, to, name):
  arrays = [to.array(value, graph.constants[value]) for value in node.inputs[1:]]
  to.node('Gemm', [to.get(node.inputs[0], LAST), *arrays], name)
  return LAST


def _of_two(op: str):
  def write(node, graph, to, name):
    maps = [value for value in node.inputs if value not in graph.constants]
    where = FIRST if len(node.shape) == 4 else to.lies(maps[0])
    inputs = [_operand(value, graph, to, where) for value in node.inputs]
    to.node(op, inputs, name)
    return where

  return write


def _operand(value: str, graph: Graph, to: Writing, where: str) -> str:
  if value not in graph.constants:
    return to.get(value, where)
  array = graph.constants[value]
  if where == FIRST and array.ndim > 2:
    array = array.transpose(onnx_layouts.to_first(array.ndim))
  return to.array(value, array)


def _pointwise(node, graph, to, name):
  where = to.lies(node.inputs[0])
  _activate(node.op, to, to.get(node.inputs[0], where), name)
  return where


def _mean(node, graph, to, name):
  if node.attributes['keep']:
    to.node('GlobalAveragePool', [_map(node, to)], name)
    return FIRST
  to.node('ReduceMean', [_map(node, to)], name, axes=[2, 3], keepdims=0)
  return LAST


def _pool(op: str, **more):
  def write(node, graph, to, name):
    how = node.attributes
    said = {'kernel_shape': list(how['kernel']), 'strides': list(how['stride'])}
    to.node(op, [_map(node, to)], name, pads=_pads(how['padding']), **said, **more)
    return FIRST

  return write


def _resize(node, graph, to, name):
  sizes = [
    float(new) / old
    for new, old in zip(node.shape[1:3], to.shapes[node.inputs[0]][1:3], strict=True)
  ]
  # Factors, as the batch is free; both are whole numbers or halves of such in practice.
  scales = to.array(f'{name}/scales', np.array([1, 1, *sizes], np.float32))
  to.node(
    'Resize',
    [_map(node, to), '', scales],
    name,
    mode='linear',
    coordinate_transformation_mode='half_pixel',
  )
  return FIRST


def _argmax(node, graph, to, name):
  where, axes = to.lies(node.inputs[0]), len(to.shapes[node.inputs[0]])
  axis = onnx_layouts.axis_at(axes - 1, axes, where)
  made = to.node(
    'ArgMax', [to.get(node.inputs[0], where)], f'{name}/int64', axis=axis, keepdims=0
  )
  to.node('Cast', [made], name, to=6)  # TensorProto.INT32
  return LAST


def _limit(node, graph, to, name):
  where = to.lies(node.inputs[0])
  highest = to.array(f'{name}/highest', np.float32(node.attributes['highest']))
  to.node('Min', [to.get(node.inputs[0], where), highest], name)
  return where


def _local_norm(node, graph, to, name):
  """ONNX divides its alpha by the size, as Caffe does."""
  how = node.attributes
  if how['size'] % 2 == 0:
    raise ExportError(f'ONNX has no local normalisation over {how["size"]} channels')
  said = {'size': how['size'], 'alpha': how['alpha'] * how['size']}
  to.node('LRN', [_map(node, to)], name, beta=how['beta'], bias=how['k'], **said)
  return FIRST


def _concat(node, graph, to, name):
  where = FIRST if len(node.shape) == 4 else LAST
  axis = onnx_layouts.axis_at(node.attributes['axis'], len(node.shape), where)
  to.node('Concat', [to.get(value, where) for value in node.inputs], name, axis=axis)
  return where


def _slice(node, graph, to, name):
  """Slices that have all of a value between them are one Split."""
  how, where = node.attributes, to.lies(node.inputs[0])
  x, axis = (
    to.get(node.inputs[0], where),
    onnx_layouts.axis_at(how['axis'], len(node.shape), where),
  )
  parts = [
    other
    for other in graph.nodes
    if (other.op, other.inputs) == ('slice', node.inputs)
    and other.attributes['axis'] == how['axis']
  ]
  ends = [0, *(part.attributes['stop'] for part in parts)]
  starts = [part.attributes['start'] for part in parts]
  if starts == ends[:-1] and ends[-1] == to.shapes[node.inputs[0]][how['axis']]:
    sizes = to.array(f'{name}/sizes', np.diff(ends).astype(np.int64))
    to.node('Split', [x, sizes], *(part.name for part in parts), axis=axis)
    for part in parts:
      to.put(part.name, where, part.name)
    return where
  start, stop, axes = (
    to.array(f'{name}/{word}', np.array([value], np.int64))
    for word, value in (('start', how['start']), ('stop', how['stop']), ('axis', axis))
  )
  to.node('Slice', [x, start, stop, axes], name)
  return where


def _reshape(node, graph, to, name):
  """Pixels that become one axis do so with the channels in front, too."""
  (value,), shape = node.inputs, node.shape
  before, where = to.shapes[value], LAST
  flattens = len(before) == 4 and len(shape) == 3 and before[3] == shape[2]
  if flattens and to.lies(value) == FIRST:
    where, shape = FIRST, (shape[0], shape[2], shape[1])
  # 0 is the size that was there before: the batch.
  wanted = to.array(f'{name}/shape', np.array([0, *shape[1:]], np.int64))
  to.node('Reshape', [to.get(value, where), wanted], name)
  return where


def _transpose(node, graph, to, name):
  x = to.get(node.inputs[0], LAST)
  to.node('Transpose', [x], name, perm=list(node.attributes['axes']))
  return LAST


def _shuffle(node, graph, to, name):
  _, height, width, channels = node.shape
  groups = node.attributes['groups']
  split = [0, groups, channels // groups, height, width]
  shape = to.array(f'{name}/groups', np.array(split, np.int64))
  y = to.node('Reshape', [_map(node, to), shape], f'{name}/grouped')
  y = to.node('Transpose', [y], f'{name}/turned', perm=[0, 2, 1, 3, 4])
  shape = to.array(f'{name}/shape', np.array([0, channels, height, width], np.int64))
  to.node('Reshape', [y, shape], name)
  return FIRST


def _prelu(node, graph, to, name):
  x, slope = node.inputs
  where = to.lies(x)
  array = graph.constants[slope]
  if where == FIRST:
    array = array.reshape(-1, *[1] * (len(node.shape) - 2))
  to.node('PRelu', [to.get(x, where), to.array(slope, array)], name)
  return where


def _unit(node, graph, to, name):
  to.node('LpNormalization', [to.get(node.inputs[0], LAST)], name, axis=-1, p=2)
  return LAST


def _softmax(node, graph, to, name):
  to.node('Softmax', [to.get(node.inputs[0], LAST)], name, axis=-1)
  return LAST


def _matmul(node, graph, to, name):
  """ONNX transposes neither; of three axes, channels in front are the transposed."""
  a, b = node.inputs
  if len(to.shapes[b]) != 3:
    raise ExportError(f'ONNX has no product of matrices as {node.name} is')
  b = to.get(b, FIRST if node.attributes['transposed'] else LAST)
  to.node('MatMul', [to.get(a, LAST), b], name)
  return LAST


def _einsum(node, graph, to, name):
  inputs = [_operand(value, graph, to, LAST) for value in node.inputs]
  to.node('Einsum', inputs, name, equation=node.attributes['formula'])
  return LAST


OPS: dict[str, Callable[[Node, Graph, Writing, str], str]] = {
  'conv': _conv,
  'dense': _dense,
  'add': _of_two('Add'),
  'mul': _of_two('Mul'),
  **dict.fromkeys(
    ('relu', 'relu6', 'hard_sigmoid', 'hard_swish', 'gelu', 'sigmoid', 'exp'),
    _pointwise,
  ),
  'mean': _mean,
  'max_pool': _pool('MaxPool'),
  'average_pool': _pool('AveragePool', count_include_pad=0),
  'resize': _resize,
  'argmax': _argmax,
  'limit': _limit,
  'local_norm': _local_norm,
  'concat': _concat,
  'slice': _slice,
  'reshape': _reshape,
  'transpose': _transpose,
  'shuffle': _shuffle,
  'prelu': _prelu,
  'unit': _unit,
  'softmax': _softmax,
  'matmul': _matmul,
  'einsum': _einsum,
}
