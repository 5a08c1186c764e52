"""A TFLite flatbuffer as plain ops and arrays."""

import dataclasses
import importlib
from typing import Any

import numpy as np

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
# Two values a byte: no array of numpy's, but a name to complain by.
PACKED = {'INT4': 'int4', 'INT2': 'int2'}
OPTIONS = {
  'CONV_2D': 'Conv2DOptions',
  'DEPTHWISE_CONV_2D': 'DepthwiseConv2DOptions',
  'FULLY_CONNECTED': 'FullyConnectedOptions',
}


@dataclasses.dataclass(frozen=True)
class Op:
  """One op; `options` only of convolutions and dense layers.

  options: 'activation' ('NONE', 'RELU6', ...), and of convolutions 'padding', 'stride'
    and 'dilation' (height, width).
  """

  name: str  # of the builtin operator: 'CONV_2D'
  inputs: list[int]  # numbers of tensors, -1 for one left out
  outputs: list[int]
  options: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Graph:
  """The first subgraph of a model, ops in running order.

  packed: tensors of less than a byte a value, which `constants` leaves out -> dtype.
  metadata: the buffer of TFLite Metadata, if the model has it.
  """

  ops: list[Op]
  constants: dict[int, np.ndarray]
  packed: dict[int, str]
  shapes: dict[int, list[int]]  # -1 where a size is free
  inputs: list[int]
  outputs: list[int]
  metadata: bytes | None


def parse(data: bytes) -> Graph:
  """Parses the bytes of a file.

  Raises:
    WeightsError: neither package with the schema is installed.
    struct.error, ValueError, IndexError, TypeError, AttributeError, OverflowError: the
      bytes are not a whole model; the flatbuffer's own code checks nothing.
  """
  schema = _schema()
  model = schema.Model.GetRootAs(data, 0)
  subgraph = model.Subgraphs(0)
  tensor_types = _names(schema.TensorType)
  constants, packed, shapes = {}, {}, {}
  for n in range(subgraph.TensorsLength()):
    tensor = subgraph.Tensors(n)
    shape = _integers(tensor.ShapeAsNumpy())
    shapes[n] = _integers(tensor.ShapeSignatureAsNumpy()) or shape
    values = model.Buffers(tensor.Buffer()).DataAsNumpy()
    if isinstance(values, np.ndarray) and values.size:
      dtype = tensor_types[tensor.Type()]
      if dtype in PACKED:
        packed[n] = PACKED[dtype]
      elif dtype in DTYPES:
        constants[n] = values.view(DTYPES[dtype]).reshape(shape)
  operators = (subgraph.Operators(n) for n in range(subgraph.OperatorsLength()))
  ops = [_op(schema, model, operator) for operator in operators]
  inputs, outputs = map(
    _integers, (subgraph.InputsAsNumpy(), subgraph.OutputsAsNumpy())
  )
  if not all(_whole(op, shapes) for op in ops) or {*inputs, *outputs} - {*shapes}:
    raise ValueError('an op or the graph names tensors that are not there')
  return Graph(
    ops=ops,
    constants=constants,
    packed=packed,
    shapes=shapes,
    inputs=inputs,
    outputs=outputs,
    metadata=_metadata(model),
  )


def _schema():
  for name in SCHEMAS:
    try:
      return importlib.import_module(name)
    except ImportError:
      continue
  raise WeightsError(
    'reading TFLite files needs ai-edge-litert or tensorflow; pip install '
    'ai-edge-litert'
  )


def _op(schema, model, operator) -> Op:
  code = model.OperatorCodes(operator.OpcodeIndex())
  # Files of before 2020 have the small codes in the deprecated field alone.
  builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
  name = _names(schema.BuiltinOperator)[builtin]
  if name == 'CUSTOM' and code.CustomCode():
    name = f'CUSTOM {code.CustomCode().decode()}'
  return Op(
    name=name,
    inputs=_integers(operator.InputsAsNumpy()),
    outputs=_integers(operator.OutputsAsNumpy()),
    options=_options(schema, name, operator) if name in OPTIONS else {},
  )


def _whole(op: Op, tensors) -> bool:
  """Whether an op names as many tensors as it must, and only such as exist."""
  least = 2 if op.name in OPTIONS or op.name == 'PAD' else 1
  required, optional = op.inputs[:least] + op.outputs, op.inputs[least:]
  return (
    len(op.inputs) >= least
    and len(op.outputs) >= 1
    and all(n in tensors for n in required)
    and all(n == -1 or n in tensors for n in optional)
  )


def _options(schema, name: str, operator) -> dict[str, Any]:
  table, options = operator.BuiltinOptions(), getattr(schema, OPTIONS[name])()
  options.Init(table.Bytes, table.Pos)
  activation = _names(schema.ActivationFunctionType)[options.FusedActivationFunction()]
  if name == 'FULLY_CONNECTED':
    return {'activation': activation}
  return {
    'activation': activation,
    'padding': _names(schema.Padding)[options.Padding()],
    'stride': (options.StrideH(), options.StrideW()),
    'dilation': (options.DilationHFactor(), options.DilationWFactor()),
  }


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
