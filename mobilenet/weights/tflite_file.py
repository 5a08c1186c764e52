"""Reads a float TFLite classifier: its convolutions and dense layers in running order.

The flatbuffer is only parsed, never run. BatchNorm is folded into kernels and biases
there, and layers have numbers instead of names.
"""

import pathlib
import struct
import zipfile
import zlib
from typing import Any

import numpy as np

from mobilenet.weights import tflite_graph, tflite_metadata
from mobilenet.weights.tflite_graph import Graph, Op
from mobilenet.weights.weight_file import WeightFile, WeightsError

KINDS = {
  'CONV_2D': 'conv',
  'DEPTHWISE_CONV_2D': 'depthwise',
  'FULLY_CONNECTED': 'dense',
}
# A kernel's axes in our order: OHWI -> HWIO, 1HWC -> HW1C, OI -> IO.
AXES = {'conv': (1, 2, 3, 0), 'depthwise': (1, 2, 0, 3), 'dense': (1, 0)}
# Ops without weights that MobileNets are converted to. Hard-swish is one op;
# squeeze-and-excite is MEAN, two convolutions or dense layers, and a MUL.
WEIGHTLESS = frozenset(
  (
    'ADD',
    'AVERAGE_POOL_2D',
    'CONCATENATION',
    'DIV',
    'EXPAND_DIMS',
    'HARD_SWISH',
    'LOGISTIC',
    'MAX_POOL_2D',
    'MEAN',
    'MUL',
    'PACK',
    'RELU',
    'RELU6',
    'RESHAPE',
    'SHAPE',
    'SOFTMAX',
    'SQUEEZE',
    'STRIDED_SLICE',
    'SUB',
  )
)
# What the input is scaled by in the file itself: (scale, offset) after such an op.
ARITHMETIC = {
  'ADD': lambda scale, offset, c: (scale, offset + c),
  'SUB': lambda scale, offset, c: (scale, offset - c),
  'MUL': lambda scale, offset, c: (scale * c, offset * c),
  'DIV': lambda scale, offset, c: (scale / c, offset / c),
}
# What generated flatbuffer code and a zip raise on bytes that are not whole.
DAMAGED = (
  struct.error,
  ValueError,
  IndexError,
  KeyError,
  TypeError,
  AttributeError,
  OverflowError,
  zipfile.BadZipFile,
  zlib.error,
)
# The parts of relu6(x + 3) / 6, which slim writes as 0.16667.
HARD_SIGMOID = {'ADD': 3.0, 'MUL': 1 / 6, 'DIV': 6.0}


def read_tflite(path: str | pathlib.Path) -> WeightFile:
  """Reads a float TFLite file; float16 weights are widened.

  Returns:
    A `WeightFile` of dialect 'tflite': '<number>:<kind>/kernel' and '/bias' in running
    order, kind one of conv (h, w, in, out), depthwise (h, w, 1, channels) and dense
    (in, out); a bias that the file leaves out is zeros. Squeeze-and-excite's two
    layers stand where they run, between depthwise and projection. Metadata:
      'layers': for each layer a dict of 'name', 'kind', 'kernel' and 'stride' (pixels),
        'padding' ('SAME' or 'VALID'), 'pad' ((top, bottom), (left, right)) of an
        explicit PAD before it or None, 'activation' (fused: 'NONE', 'RELU6', ...;
        'HARD_SIGMOID' where squeeze-and-excite's gate was fused).
      'output': 'softmax', 'sigmoid' or 'logits'.
      'input_scale', 'input_offset': what the file itself does to its input before the
        first layer, x * scale + offset (numbers, or one a channel), if it does.
      'input_size' (height, width), 'labels' and 'normalisation' ({'mean', 'std'}, of
        inputs 0 to 255, to be done by the caller), each where the file has it.

  Raises:
    WeightsError: no TFLite file, a truncated or a quantised one, or an op that the
      layers of this project cannot stand for.
  """
  path = pathlib.Path(path)
  try:
    data = path.read_bytes()
  except OSError as error:
    raise WeightsError(f'{path} cannot be read: {error.strerror}') from error
  if data[4:8] != b'TFL3':
    raise WeightsError(f"{path} is no TFLite file: bytes 4 to 8 are not 'TFL3'")
  try:
    graph = tflite_graph.parse(data)
    labels = tflite_metadata.labels(data)
    normalisation = graph.metadata and tflite_metadata.normalisation(graph.metadata)
  except WeightsError:
    raise
  except DAMAGED as error:
    raise WeightsError(f'{path} is truncated or damaged; fetch it again') from error
  if len(graph.inputs) != 1 or len(graph.outputs) != 1:
    raise WeightsError(
      f'{path} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; a '
      'classifier has one of each'
    )
  tensors, metadata = _walk(graph, path)
  height, width = (graph.shapes[graph.inputs[0]] + [-1] * 3)[1:3]
  if min(height, width) > 0:
    metadata['input_size'] = (height, width)
  metadata['output'] = _output(graph)
  if labels:
    metadata['labels'] = labels
  if normalisation:
    metadata['normalisation'] = normalisation
  return WeightFile(path, 'tflite', tensors, metadata)


def _walk(graph: Graph, path: pathlib.Path) -> tuple[dict, dict]:
  """The tensors and what is said of the layers; every op is accounted for."""
  constants = _widened(graph, path)
  tensors, layers, metadata = {}, [], {}
  made, gates = {}, {}  # tensor -> layer that made it, with its RELU6
  pads = {}  # padded tensor -> ((top, bottom), (left, right))
  scaled = {graph.inputs[0]: (1.0, 0.0)}  # tensor -> (scale, offset) of the input
  threes = sixths = 0  # of relu6(x + 3) / 6
  for op in graph.ops:
    first, output = op.inputs[0], op.outputs[0]
    if op.name in KINDS:
      if not layers and first not in scaled:
        raise WeightsError(
          f'{path} does something to its input before its first layer that is no '
          'scaling, which cannot be mapped; give the weights in another format'
        )
      name = f'{len(layers)}:{KINDS[op.name]}'
      kernel, bias = _arrays(op, name, constants, graph.shapes, path)
      tensors[f'{name}/kernel'], tensors[f'{name}/bias'] = kernel, bias
      layer = _layer(op, name, kernel.shape, pads.pop(first, None))
      layers.append(layer)
      {'NONE': made, 'RELU6': gates}.get(layer['activation'], {})[output] = layer
      metadata |= _input_scaling(*scaled.get(first, (1.0, 0.0)))
    elif op.name == 'DEQUANTIZE' and output in constants:
      continue
    elif op.name == 'PAD' and op.inputs[1] in constants:
      pads[output] = _spatial(constants[op.inputs[1]], path)
      if first in scaled:
        scaled[output] = scaled[first]
    elif op.name not in WEIGHTLESS:
      raise WeightsError(
        f'{path} has a {op.name} after layer {len(layers) - 1}, which cannot be mapped '
        'to a layer of a MobileNet; give the weights in another format'
      )
    elif op.name == 'RELU6' and first in made:
      gates[output] = made[first]
    for constant in (i for i in op.inputs if op.name in WEIGHTLESS):
      value = constants.get(constant)
      if value is None or value.dtype.kind != 'f':
        continue
      if op.name in ARITHMETIC and first in scaled:
        scale = ARITHMETIC[op.name]
        scaled[output] = scale(*scaled[first], value.astype(np.float64))
        continue
      wanted = HARD_SIGMOID.get(op.name)
      if wanted is None or value.size > 1 or not np.isclose(value, wanted, 1e-3):
        raise WeightsError(
          f'{path} has {op.name} with a constant of shape {value.shape} after layer '
          f'{len(layers) - 1}, which cannot be mapped: it looks like a BatchNorm that '
          'was not folded; convert the model again, or give the weights it came from'
        )
      threes += op.name == 'ADD'
      sixths += op.name != 'ADD'
      gate = next((gates[i] for i in op.inputs if i in gates), None)
      if gate and op.name != 'ADD':
        # Squeeze-and-excite's gate: the converter has added the 3 to the bias.
        gate['activation'] = 'HARD_SIGMOID'
        tensors[f'{gate["name"]}/bias'] -= np.float32(3)
        threes += 1
  if threes != sixths:
    raise WeightsError(
      f'{path} adds {threes} times the 3 of hard-swish and divides {sixths} times by '
      'its 6: the converter moved some into the weights, which cannot be mapped'
    )
  if pads:
    raise WeightsError(
      f'{path} has a PAD that is not before a convolution, which cannot be mapped'
    )
  if not layers:
    raise WeightsError(f'{path} has no convolution or dense layer; is it a classifier?')
  return tensors, {'layers': layers, **metadata}


def _widened(graph: Graph, path: pathlib.Path) -> dict[int, np.ndarray]:
  """All constants, those of float16 widened where an op of the file does so."""
  constants = dict(graph.constants)
  for op in graph.ops:
    for dtype in (graph.packed[i] for i in op.inputs if i in graph.packed):
      raise WeightsError(f'{path} is quantised ({dtype}); give the float file')
    if op.name == 'DEQUANTIZE' and op.inputs[0] in constants:
      widened = _float32(constants[op.inputs[0]], 'a weight', path)
      constants[op.outputs[0]] = widened
  return constants


def _input_scaling(scale, offset) -> dict[str, float | tuple[float, ...]]:
  if np.all(np.equal(scale, 1.0)) and np.all(np.equal(offset, 0.0)):
    return {}
  return {'input_scale': _plain(scale), 'input_offset': _plain(offset)}


def _arrays(op: Op, name: str, constants: dict, shapes: dict, path: pathlib.Path):
  """A layer's (kernel, bias) in our layout."""
  kind = KINDS[op.name]
  if op.inputs[1] not in constants:
    raise WeightsError(
      f'{path}: layer {name} has computed weights: it cannot be mapped'
    )
  kernel = _float32(constants[op.inputs[1]], f'the kernel of layer {name}', path)
  if kernel.ndim != len(AXES[kind]):
    raise WeightsError(f'{path} is damaged: the kernel of {name} is {kernel.shape}')
  kernel = kernel.transpose(AXES[kind])
  channels = shapes[op.inputs[0]][-1] if shapes[op.inputs[0]] else -1
  if op.options.get('dilation', (1, 1)) != (1, 1):
    raise WeightsError(f'{path}: layer {name} is dilated, which no MobileNet here is')
  if kind == 'depthwise' and channels not in (-1, kernel.shape[3]):
    raise WeightsError(
      f'{path}: layer {name} makes {kernel.shape[3]} channels of {channels}; no '
      'MobileNet here has a depthwise multiplier other than 1'
    )
  if kind == 'conv' and channels not in (-1, kernel.shape[2]):
    raise WeightsError(f'{path}: layer {name} is grouped, which cannot be mapped')
  bias = constants.get(op.inputs[2]) if len(op.inputs) > 2 else None
  if bias is None:
    bias = np.zeros(kernel.shape[-1], np.float32)
  return kernel, _float32(bias, f'the bias of layer {name}', path)


def _layer(op: Op, name: str, shape: tuple[int, ...], pad) -> dict[str, Any]:
  square = len(shape) == 4
  return {
    'name': name,
    'kind': KINDS[op.name],
    'kernel': shape[0] if square and shape[0] == shape[1] else shape[:-2] or 1,
    'stride': op.options.get('stride', (1, 1))[0],
    'padding': op.options.get('padding', 'VALID'),
    'pad': pad,
    'activation': op.options['activation'],
  }


def _spatial(pads: np.ndarray, path: pathlib.Path):
  """((top, bottom), (left, right)) of a PAD's table of four axes."""
  if pads.shape != (4, 2) or pads[0].any() or pads[3].any():
    raise WeightsError(
      f'{path} has a PAD by {pads.tolist()}, which cannot be mapped: only height and '
      'width are padded before a convolution'
    )
  return tuple(pads[1].tolist()), tuple(pads[2].tolist())


def _output(graph: Graph) -> str:
  """What the first output is, looking through changes of shape."""
  made = {op.outputs[0]: op for op in graph.ops}
  op = made.get(graph.outputs[0])
  while op is not None and op.name in ('RESHAPE', 'SQUEEZE'):
    op = made.get(op.inputs[0])
  ends = {'SOFTMAX': 'softmax', 'LOGISTIC': 'sigmoid'}
  return ends.get(op.name if op else '', 'logits')


def _float32(array: np.ndarray, what: str, path: pathlib.Path) -> np.ndarray:
  if array.dtype not in (np.float32, np.float16):
    raise WeightsError(
      f'{path} is quantised ({array.dtype}): {what}; give the float file'
    )
  return array.astype(np.float32)


def _plain(value) -> float | tuple[float, ...]:
  flat = np.ravel(value).tolist()
  return flat[0] if len(flat) == 1 else tuple(flat)
