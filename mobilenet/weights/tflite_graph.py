"""A TFLite flatbuffer as a `Graph`."""

import dataclasses
import importlib
from typing import Any

import numpy as np

from mobilenet.weights.graph import Graph, Op
from mobilenet.weights.quantisation import FLOAT16, LIMITS, Quantisation
from mobilenet.weights.weight_file import WeightsError

# The same generated code of the flatbuffer's schema, the lighter package first.
SCHEMAS = (
  'ai_edge_litert.schema_py_generated',
  'tensorflow.lite.python.schema_py_generated',
)
DTYPES = {
  'FLOAT32': '<f4',
  'FLOAT16': '<f2',
  'FLOAT64': '<f8',
  'INT8': 'i1',
  'UINT8': 'u1',
  'INT16': '<i2',
  'UINT16': '<u2',
  'INT32': '<i4',
  'UINT32': '<u4',
  'INT64': '<i8',
  'UINT64': '<u8',
  'BOOL': '?',
}
# Ops that MobileNets are converted to. Hard-swish is one op, or relu6(x + 3) * x / 6;
# squeeze-and-excite is MEAN, two convolutions or dense layers, and a MUL.
OPS = {
  'CONV_2D': 'conv',
  'DEPTHWISE_CONV_2D': 'depthwise',
  'FULLY_CONNECTED': 'dense',
  'PAD': 'pad',
  **{name: name.lower() for name in ('ADD', 'SUB', 'MUL', 'DIV', 'RELU', 'RELU6')},
  'SOFTMAX': 'softmax',
  'LOGISTIC': 'sigmoid',
  **dict.fromkeys(('CAST', 'DEQUANTIZE', 'FAKE_QUANT', 'QUANTIZE'), 'same'),
  **dict.fromkeys(('EXPAND_DIMS', 'RESHAPE', 'SQUEEZE'), 'shape'),
  **dict.fromkeys(
    (
      'AVERAGE_POOL_2D',
      'CONCATENATION',
      'HARD_SWISH',
      'MAX_POOL_2D',
      'MEAN',
      'PACK',
      'SHAPE',
      'STRIDED_SLICE',
      'SUM',  # a mean over one pixel
    ),
    'plain',
  ),
}
# A kernel's axes in our order: OHWI -> HWIO, 1HWC -> HW1C, OI -> IO.
AXES = {'conv': (1, 2, 3, 0), 'depthwise': (1, 2, 0, 3), 'dense': (1, 0)}
OPTIONS = {
  'conv': 'Conv2DOptions',
  'depthwise': 'DepthwiseConv2DOptions',
  'dense': 'FullyConnectedOptions',
}
# What the Edge TPU's compiler makes of a whole network.
EDGE_TPU = 'CUSTOM edgetpu-custom-op'
COMPILED = 'is compiled for the Edge TPU: give the file that it was compiled from'


@dataclasses.dataclass(frozen=True)
class Tensors:
  """The tensors of a file: what `Graph` has of them, and their shapes."""

  constants: dict[int, np.ndarray]
  rounded: dict[int, tuple[str, float]]
  quantised: dict[int, Quantisation]
  unreadable: dict[int, str]
  shapes: dict[int, list[int]]  # -1 where a size is free


def parse(data: bytes) -> tuple[Graph, bytes | None]:
  """Parses the bytes of a file.

  Returns:
    The first subgraph of the model, and the buffer of TFLite Metadata, if it has one.

  Raises:
    WeightsError: neither package with the schema is installed.
    struct.error, ValueError, IndexError, TypeError, AttributeError, OverflowError: the
      bytes are not a whole model; the flatbuffer's own code checks nothing.
  """
  schema = load_schema()
  model = schema.Model.GetRootAs(data, 0)
  subgraph = model.Subgraphs(0)
  tensors = _tensors(schema, model, subgraph)
  operators = (subgraph.Operators(n) for n in range(subgraph.OperatorsLength()))
  ops = [_op(schema, model, operator, tensors) for operator in operators]
  inputs, outputs = map(
    _integers, (subgraph.InputsAsNumpy(), subgraph.OutputsAsNumpy())
  )
  if {*inputs, *outputs} - {*tensors.shapes}:
    raise ValueError('the graph names tensors that are not there')
  height, width = (tensors.shapes[inputs[0]] + [-1] * 3)[1:3] if inputs else (-1, -1)
  graph = Graph(
    ops=ops,
    constants=tensors.constants,
    rounded=tensors.rounded,
    quantised=tensors.quantised,
    unreadable=tensors.unreadable,
    inputs=inputs,
    outputs=outputs,
    input_size=(height, width) if min(height, width) > 0 else None,
  )
  return graph, _metadata(model)


def load_schema():
  """The generated module of the flatbuffer's schema.

  Raises:
    WeightsError: no package that has it is installed.
  """
  for name in SCHEMAS:
    try:
      return importlib.import_module(name)
    except ImportError:
      continue
  raise WeightsError(
    'reading TFLite files needs ai-edge-litert or tensorflow; pip install '
    'ai-edge-litert'
  )


def _tensors(schema, model, subgraph) -> Tensors:
  tensors, dtypes = Tensors({}, {}, {}, {}, {}), _names(schema.TensorType)
  for n in range(subgraph.TensorsLength()):
    tensor = subgraph.Tensors(n)
    shape, dtype = _integers(tensor.ShapeAsNumpy()), dtypes[tensor.Type()]
    tensors.shapes[n] = _integers(tensor.ShapeSignatureAsNumpy()) or shape
    said = tensor.Quantization()
    if said is not None and said.ScaleLength() and dtype.lower() in LIMITS:
      tensors.quantised[n] = _quantisation(said, dtype.lower())
    stored = model.Buffers(tensor.Buffer()).DataAsNumpy()
    if not isinstance(stored, np.ndarray) or not stored.size:
      continue
    if said is not None and said.DetailsType():
      tensors.unreadable[n] = f'{dtype.lower()} with scales of blocks'
    elif tensor.Sparsity() is not None:
      tensors.unreadable[n] = f'sparse {dtype.lower()}'
    elif dtype == 'INT4':
      tensors.constants[n] = _nibbles(stored, shape)
    elif dtype in DTYPES:
      tensors.constants[n] = stored.view(DTYPES[dtype]).reshape(shape)
    else:
      tensors.unreadable[n] = dtype.lower()
    how, constant = tensors.quantised.get(n), tensors.constants.get(n)
    if how is not None and constant is not None:
      tensors.constants[n] = how.real(constant)
      tensors.rounded[n] = (how.dtype, how.error(tensors.constants[n]))
    elif dtype == 'FLOAT16':
      tensors.rounded[n] = ('float16', FLOAT16)
  return tensors


def _quantisation(said, dtype: str) -> Quantisation:
  scale = said.ScaleAsNumpy()
  zero = said.ZeroPointAsNumpy() if said.ZeroPointLength() else np.zeros_like(scale)
  return Quantisation(dtype, scale, zero, said.QuantizedDimension())


def _nibbles(stored: np.ndarray, shape: list[int]) -> np.ndarray:
  """Signed values of four bits, the lower half of each byte first."""
  halves = np.stack([stored << 4, stored], -1).astype(np.int8) >> 4
  return halves.ravel()[: np.prod(shape, dtype=int)].reshape(shape)


def _op(schema, model, operator, tensors: Tensors) -> Op:
  code = model.OperatorCodes(operator.OpcodeIndex())
  # Files of before 2020 have the small codes in the deprecated field alone.
  builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
  name = _names(schema.BuiltinOperator)[builtin]
  if name == 'CUSTOM' and code.CustomCode():
    name = f'CUSTOM {code.CustomCode().decode()}'
  inputs, outputs = map(
    _integers, (operator.InputsAsNumpy(), operator.OutputsAsNumpy())
  )
  kind = OPS.get(name, '')
  if not _whole(kind, inputs, outputs, tensors.shapes):
    raise ValueError('an op names tensors that are not there')
  options = {}
  if kind in OPTIONS:
    options = _layer(schema, kind, operator, inputs, tensors)
  elif kind == 'pad':
    options = _pad(tensors.constants.get(inputs[1]))
  elif name == EDGE_TPU:
    options = {'complaint': COMPILED}
  return Op(kind, name, [n if n >= 0 else None for n in inputs], outputs, options)


def _whole(kind: str, inputs: list[int], outputs: list[int], tensors) -> bool:
  """Whether an op names as many tensors as it must, and only such as exist."""
  least = 2 if kind in OPTIONS or kind == 'pad' else 1
  required, optional = inputs[:least] + outputs, inputs[least:]
  return (
    len(inputs) >= least
    and len(outputs) >= 1
    and all(n in tensors for n in required)
    and all(n == -1 or n in tensors for n in optional)
  )


def _layer(schema, kind: str, operator, inputs: list[int], tensors: Tensors):
  table, read = operator.BuiltinOptions(), getattr(schema, OPTIONS[kind])()
  read.Init(table.Bytes, table.Pos)
  activation = _names(schema.ActivationFunctionType)[read.FusedActivationFunction()]
  options = {'axes': AXES[kind], 'activation': activation}
  if kind == 'dense':
    return options
  options |= {
    'padding': _names(schema.Padding)[read.Padding()],
    'stride': (read.StrideH(), read.StrideW()),
    'pad': None,
  }
  channels, kernel = (tensors.shapes[n] for n in inputs[:2])
  given = channels[-1] if channels else -1
  if (read.DilationHFactor(), read.DilationWFactor()) != (1, 1):
    options['complaint'] = 'is dilated, which no MobileNet here is'
  elif len(kernel) == 4 and given not in (-1, kernel[3]):
    options['complaint'] = (
      f'makes {kernel[3]} channels of {given}; no MobileNet here has a depthwise '
      'multiplier other than 1'
      if kind == 'depthwise'
      else 'is grouped, which cannot be mapped'
    )
  return options


def _pad(table: np.ndarray | None) -> dict[str, Any]:
  """((top, bottom), (left, right)) of a PAD's table of four axes."""
  if table is None:
    return {'complaint': 'computes how much it pads'}
  if table.shape != (4, 2) or table[0].any() or table[3].any():
    return {
      'complaint': f'pads by {table.tolist()}: only height and width are padded before '
      'a convolution'
    }
  return {'pad': (tuple(table[1].tolist()), tuple(table[2].tolist()))}


def _metadata(model) -> bytes | None:
  for n in range(model.MetadataLength()):
    entry = model.Metadata(n)
    if entry.Name() == b'TFLITE_METADATA':
      return model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
  return None


def _names(enumeration) -> dict[int, str]:
  return {v: k for k, v in vars(enumeration).items() if not k.startswith('_')}


def _integers(values) -> list[int]:
  """A vector of the flatbuffer, which is the number 0 where it is left out."""
  return values.tolist() if isinstance(values, np.ndarray) else []
