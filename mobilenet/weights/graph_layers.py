"""The layers of a network that a file holds as a graph, in running order.

BatchNorm is folded into kernels and biases there, or is folded here; layers have
numbers instead of names. Every op is accounted for: what the layers of this project
cannot stand for is an error that names it.
"""

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from mobilenet.weights import quantisation
from mobilenet.weights.graph import LAYERS, Graph, Op, settled
from mobilenet.weights.weight_file import WeightsError

# What an op with a constant makes of (scale, offset): x * scale + offset before it.
ARITHMETIC: dict[str, Callable] = {
  'add': lambda scale, offset, c: (scale, offset + c),
  'sub': lambda scale, offset, c: (scale, offset - c),
  'mul': lambda scale, offset, c: (scale * c, offset * c),
  'div': lambda scale, offset, c: (scale / c, offset / c),
}
# The parts of relu6(x + 3) / 6, which slim writes as 0.16667.
HARD_SIGMOID = {'add': 3.0, 'mul': 1 / 6, 'div': 6.0}
SIX = 6.06  # what a range that stands for RELU6 may end at: it is rounded too


@dataclasses.dataclass
class Found:
  """What a walk has come to.

  rounded: layer -> how its kernel was, as `quantisation.note` wants it.
  made: value -> the layer whose output it is, where nothing was done to it since.
  gates: value -> the layer whose output, clipped to 0..6, it is.
  pads: padded value -> the options of the op that pads it.
  scaled: value -> (scale, offset) that make it of the input.
  threes, sixths: of relu6(x + 3) / 6, how many.
  """

  graph: Graph
  path: pathlib.Path
  tensors: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
  layers: list[dict[str, Any]] = dataclasses.field(default_factory=list)
  rounded: dict[str, tuple[str, float]] = dataclasses.field(default_factory=dict)
  metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
  made: dict[Hashable, dict] = dataclasses.field(default_factory=dict)
  gates: dict[Hashable, dict] = dataclasses.field(default_factory=dict)
  pads: dict[Hashable, dict] = dataclasses.field(default_factory=dict)
  scaled: dict[Hashable, tuple] = dataclasses.field(default_factory=dict)
  threes: int = 0
  sixths: int = 0

  @property
  def place(self) -> str:
    count = len(self.layers)
    return f'after layer {count - 1}' if count else 'before its first layer'


def read_layers(graph: Graph, path: pathlib.Path) -> tuple[dict, dict]:
  """The arrays of a graph's layers, and what it says of them.

  Returns:
    The tensors: '<number>:<kind>/kernel' and '/bias' in running order, kind one of conv
    (h, w, in, out), depthwise (h, w, 1, channels) and dense (in, out), all float32; a
    bias that the file leaves out is zeros. Squeeze-and-excite's two layers stand where
    they run, between depthwise and projection. And metadata:
      'layers': for each layer a dict of 'name', 'kind', 'kernel' and 'stride' (pixels),
        'padding' ('SAME' or 'VALID'), 'pad' ((top, bottom), (left, right)) where it is
        given in numbers, or None, 'padded_before' (whether an op of its own does that),
        'activation' (fused: 'NONE', 'RELU6', ...; 'HARD_SIGMOID' where squeeze-and-
        excite's gate was fused). Of quantised outputs the range counts: one that begins
        at 0 is a RELU, or a RELU6 if it ends by 6.
      'output': 'softmax', 'sigmoid' or 'logits'.
      'input_scale', 'input_offset': what the graph does to its input before the first
        layer, x * scale + offset (numbers, or one a channel), if it does.
      'input_range': (lowest, highest) value that the input can have, if it is
        quantised.
      'input_size': (height, width), where the file has it.
      'quantised': what is to be said of rounded weights, if they are.

  Raises:
    WeightsError: an op, or a way to store weights, that cannot be mapped.
  """
  if len(graph.inputs) != 1 or len(graph.outputs) != 1:
    raise WeightsError(
      f'{path} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; a '
      'classifier has one of each'
    )
  graph = settled(graph)
  (given,) = graph.inputs
  found = Found(graph, path, scaled={given: (1.0, 0.0)})
  uses = collections.Counter(value for op in graph.ops for value in op.inputs)
  for op in graph.ops:
    _take(found, op, uses)
  _check_end(found)
  if given in graph.quantised:
    found.metadata['input_range'] = graph.quantised[given].range()
  if graph.input_size:
    found.metadata['input_size'] = graph.input_size
  if said := quantisation.note(found.rounded):
    found.metadata['quantised'] = said
  output = _output(graph)
  return found.tensors, {'layers': found.layers, 'output': output, **found.metadata}


def _take(found: Found, op: Op, uses: collections.Counter) -> None:
  """Accounts for one op."""
  if op.kind in LAYERS:
    _take_layer(found, op)
    return
  if 'complaint' in op.options:
    raise WeightsError(
      f'{found.path}: its {op.name} {found.place} {op.options["complaint"]}'
    )
  if not op.kind:
    raise WeightsError(
      f'{found.path} has a {op.name} {found.place}, which cannot be mapped to a layer '
      'of a MobileNet; give the weights in another format'
    )
  first, output, constants = op.inputs[0], op.outputs[0], _floats(found.graph, op)
  if op.kind == 'norm':
    _fold_norm(found, op, uses)
  elif constants:
    _take_constant(found, op, constants, uses)
  elif op.kind == 'pad':
    found.pads[output] = op.options
    if first in found.scaled:
      found.scaled[output] = found.scaled[first]
  elif op.kind in ('relu', 'relu6') and first in found.made:
    layer = found.made[first]
    layer['activation'] = op.kind.upper()
    if op.kind == 'relu6':
      found.gates[output] = layer


def _floats(graph: Graph, op: Op) -> list[Hashable]:
  """The inputs that are constant and no shapes, axes or paddings."""
  return [
    value
    for value in op.inputs
    if value in graph.constants and graph.constants[value].dtype.kind == 'f'
  ]


def _take_layer(found: Found, op: Op) -> None:
  first, output = op.inputs[0], op.outputs[0]
  if not found.layers and first not in found.scaled:
    raise WeightsError(
      f'{found.path} does something to its input before its first layer that is no '
      'scaling, which cannot be mapped; give the weights in another format'
    )
  name = f'{len(found.layers)}:{op.kind}'
  if 'complaint' in op.options:
    raise WeightsError(f'{found.path}: layer {name} {op.options["complaint"]}')
  kernel = _constant(found, op.inputs[1], f'the kernel of layer {name}')
  if kernel.ndim != len(op.options['axes']):
    raise WeightsError(
      f'{found.path} is damaged: the kernel of {name} is {kernel.shape}'
    )
  if op.inputs[1] in found.graph.rounded:
    found.rounded[name] = found.graph.rounded[op.inputs[1]]
  kernel = kernel.transpose(op.options['axes'])
  if len(op.inputs) > 2 and op.inputs[2] is not None:
    bias = _constant(found, op.inputs[2], f'the bias of layer {name}')
  else:
    bias = np.zeros(kernel.shape[-1], np.float32)
  found.tensors[f'{name}/kernel'], found.tensors[f'{name}/bias'] = kernel, bias
  layer = _layer(found, op, name, kernel.shape)
  found.layers.append(layer)
  then = {'NONE': found.made, 'RELU6': found.gates}.get(layer['activation'], {})
  then[output] = layer
  scale, offset = found.scaled.get(first, (1.0, 0.0))
  if np.any(np.not_equal(scale, 1.0)) or np.any(np.not_equal(offset, 0.0)):
    found.metadata |= {'input_scale': _plain(scale), 'input_offset': _plain(offset)}


def _constant(found: Found, value: Hashable, what: str) -> np.ndarray:
  """A weight, float32."""
  array = found.graph.constants.get(value)
  if value in found.graph.unreadable:
    raise WeightsError(
      f'{found.path}: {what} is stored as {found.graph.unreadable[value]}, which '
      'cannot be read; give the float file'
    )
  if array is None:
    raise WeightsError(f'{found.path}: {what} is computed, which cannot be mapped')
  if array.dtype not in (np.float32, np.float16):
    raise WeightsError(
      f'{found.path} is damaged: {what} is of {array.dtype} without a scale'
    )
  return array.astype(np.float32)


def _layer(found: Found, op: Op, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
  square = len(shape) == 4
  before = found.pads.pop(op.inputs[0], {})
  pads = [pad for pad in (before.get('pad'), op.options.get('pad')) if pad]
  return {
    'name': name,
    'kind': op.kind,
    'kernel': shape[0] if square and shape[0] == shape[1] else shape[:-2] or 1,
    'stride': op.options.get('stride', (1, 1))[0],
    'padding': before.get('padding', op.options.get('padding', 'VALID')),
    'pad': tuple(map(tuple, np.sum(pads, axis=0).tolist())) if pads else None,
    'padded_before': bool(before),
    'activation': _activation(op, found.graph),
  }


def _activation(op: Op, graph: Graph) -> str:
  """What is fused into a layer; a quantised output's range may do it alone."""
  said, how = op.options.get('activation', 'NONE'), graph.quantised.get(op.outputs[0])
  if said != 'NONE' or how is None:
    return said
  low, high = how.range()
  return 'NONE' if low else 'RELU6' if high <= SIX else 'RELU'


def _take_constant(found: Found, op: Op, constants: list[Hashable], uses) -> None:
  """An op with a constant: arithmetic of the input, of a layer, or of hard-swish."""
  constant = found.graph.constants[constants[0]].astype(np.float64)
  first = next((value for value in op.inputs if value not in constants), None)
  output, layer = op.outputs[0], found.made.get(first)
  turned = op.kind in ('sub', 'div') and first != op.inputs[0]
  known = op.kind in ARITHMETIC and len(op.inputs) == 2 and not turned
  if known and first in found.scaled:
    found.scaled[output] = ARITHMETIC[op.kind](*found.scaled[first], constant)
    return
  if known and layer and uses[first] == 1 and _is_of_channels(constant, found, layer):
    _fold(found, layer, op.kind, constant.ravel())
    found.made[output] = layer
    return
  if known and layer and _is_temperature(found.graph, op, constant):
    found.made[output] = layer  # of the probabilities; the weights are the logits'
    return
  how = found.graph.quantised.get(constants[0])
  if not known or not _is_of_hard_sigmoid(constant, op.kind, how):
    raise WeightsError(
      f'{found.path} has {op.name} with a constant of shape {constant.shape} '
      f'{found.place}, which cannot be mapped: it looks like a BatchNorm that was not '
      'folded; convert the model again, or give the weights it came from'
    )
  found.threes += op.kind == 'add'
  found.sixths += op.kind != 'add'
  gate = found.gates.get(first)
  if gate and op.kind != 'add':
    # Squeeze-and-excite's gate: the converter has added the 3 to the bias.
    gate['activation'] = 'HARD_SIGMOID'
    found.tensors[f'{gate["name"]}/bias'] -= np.float32(3)
    found.threes += 1


def _is_temperature(graph: Graph, op: Op, constant: np.ndarray) -> bool:
  """Whether logits are divided by one number on their way into a softmax."""
  after = [other.kind for other in graph.ops if op.outputs[0] in other.inputs]
  return op.kind in ('mul', 'div') and constant.size == 1 and after == ['softmax']


def _is_of_hard_sigmoid(constant: np.ndarray, kind: str, how) -> bool:
  """Whether it is its 3 or 6, to half a step if it was quantised."""
  wanted, slack = HARD_SIGMOID.get(kind), 0.5 * float(how.scale[0]) if how else 0.0
  if wanted is None or constant.size > 1:
    return False
  return bool(np.isclose(constant, wanted, rtol=1e-3, atol=slack).all())


def _is_of_channels(constant: np.ndarray, found: Found, layer: dict) -> bool:
  channels = found.tensors[f'{layer["name"]}/bias'].size
  return constant.size == channels == max(constant.shape, default=1) and channels > 1


def _fold(found: Found, layer: dict, kind: str, constant: np.ndarray) -> None:
  """Does an op of arithmetic to a layer's kernel and bias: one value a channel."""
  kernel, bias = (f'{layer["name"]}/{array}' for array in ('kernel', 'bias'))
  scale, _ = ARITHMETIC[kind](np.ones_like(constant), 0.0, constant)
  _, shifted = ARITHMETIC[kind](1.0, found.tensors[bias].astype(np.float64), constant)
  found.tensors[kernel] = (found.tensors[kernel] * scale).astype(np.float32)
  found.tensors[bias] = shifted.astype(np.float32)


def _fold_norm(found: Found, op: Op, uses: collections.Counter) -> None:
  """Folds a BatchNorm into the layer before it."""
  first, layer = op.inputs[0], found.made.get(op.inputs[0])
  if layer is None or uses[first] > 1:
    raise WeightsError(
      f'{found.path}: its {op.name} {found.place} does not follow a convolution '
      'directly, as in the networks known here'
    )
  scale, bias, mean, variance = (
    _constant(found, value, f'an array of the {op.name} {found.place}').astype(float)
    for value in op.inputs[1:5]
  )
  scale = scale / np.sqrt(variance + op.options['epsilon'])
  _fold(found, layer, 'mul', scale)
  _fold(found, layer, 'add', bias - mean * scale)
  found.made[op.outputs[0]] = layer


def _check_end(found: Found) -> None:
  if found.threes != found.sixths:
    raise WeightsError(
      f'{found.path} adds {found.threes} times the 3 of hard-swish and divides '
      f'{found.sixths} times by its 6: the converter moved some into the weights, '
      'which cannot be mapped'
    )
  if found.pads:
    raise WeightsError(
      f'{found.path} has a PAD that is not before a convolution, which cannot be mapped'
    )
  if not found.layers:
    raise WeightsError(
      f'{found.path} has no convolution or dense layer; is it a classifier?'
    )


def _output(graph: Graph) -> str:
  """What the first output is, looking through changes of shape."""
  made = {op.outputs[0]: op for op in graph.ops}
  op = made.get(graph.outputs[0])
  while op is not None and op.kind == 'shape':
    op = made.get(op.inputs[0])
  return op.kind if op and op.kind in ('softmax', 'sigmoid') else 'logits'


def _plain(value) -> float | tuple[float, ...]:
  flat = np.ravel(value).tolist()
  return flat[0] if len(flat) == 1 else tuple(flat)
