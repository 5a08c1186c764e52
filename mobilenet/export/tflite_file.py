"""A TFLite model's flatbuffer: its operators, halves for floats, what is said of it."""

import io
import json
import zipfile

import numpy as np

from mobilenet.export import tflite_metadata
from mobilenet.export.program import Program
from mobilenet.weights import tflite_graph
from mobilenet.weights import tflite_metadata as readers

IDENTIFIER = b'TFL3'
LABELS = 'labels.txt'
METADATA = 'TFLITE_METADATA'  # the name that every reader looks for
HALVED = ('CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED', 'BATCH_MATMUL', 'MUL')


def parse(content: bytes):
  """The schema's `ModelT` of a file's bytes: lists that can be changed.

  Raises:
    WeightsError: no package with the schema is installed.
  """
  return tflite_graph.load_schema().ModelT.InitFromPackedBuf(content, 0)


def pack(model) -> bytes:
  import flatbuffers

  builder = flatbuffers.Builder(1 << 20)
  builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
  return bytes(builder.Output())


def operators(model) -> list[str]:
  """The names of the operators in running order, 'CONV_2D' and so on."""
  known = {
    value: name
    for name, value in vars(tflite_graph.load_schema().BuiltinOperator).items()
    if not name.startswith('_')
  }

  def name(code):
    # Codes above 127 are in the newer field alone.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return f'CUSTOM {code.customCode}' if code.customCode else known[number]

  names = [name(code) for code in model.operatorCodes]
  return [
    names[op.opcodeIndex] for subgraph in model.subgraphs for op in subgraph.operators
  ]


def foreign_operators(model) -> list[str]:
  """Those that no runtime has built in for a phone, by name."""
  names = set(operators(model))
  return sorted(n for n in names if n.startswith(('CUSTOM', 'STABLEHLO')))


def halve(model) -> None:
  """Keeps float weights as float16, widened by a DEQUANTIZE before they are used.

  The form that TensorFlow's converter gives them, which runtimes compute in float32
  and delegates (GPUs) in float16.
  """
  schema = tflite_graph.load_schema()
  graph = model.subgraphs[0]
  names, widened, before = operators(model), {}, []
  code = _code(model, schema.BuiltinOperator.DEQUANTIZE)
  for operator, name in zip(graph.operators, names, strict=True):
    if name not in HALVED:
      continue
    for index in operator.inputs:
      if index < 0 or not _is_floats(schema, model, graph.tensors[index]):
        continue
      widened[index] = _widen(schema, model, graph, index)
      step = schema.OperatorT()
      step.opcodeIndex, step.inputs, step.outputs = code, [index], [widened[index]]
      before.append(step)
  for operator in graph.operators:  # a constant may be that of several
    operator.inputs = [widened.get(index, index) for index in operator.inputs]
  graph.operators = before + graph.operators
  used = {tensor.buffer for tensor in graph.tensors}
  for place, buffer in enumerate(model.buffers):
    if place not in used:
      buffer.data = None


def _is_floats(schema, model, tensor) -> bool:
  data = model.buffers[tensor.buffer].data
  return tensor.type == schema.TensorType.FLOAT32 and data is not None and len(data) > 4


def _widen(schema, model, graph, index: int) -> int:
  """Halves a constant; returns the new tensor that its DEQUANTIZE fills."""
  tensor = graph.tensors[index]
  # Of its own: a buffer may be shared with a tensor that stays.
  values = np.frombuffer(bytes(bytearray(model.buffers[tensor.buffer].data)), '<f4')
  buffer, wide = schema.BufferT(), schema.TensorT()
  buffer.data = np.frombuffer(values.astype('<f2').tobytes(), np.uint8)
  model.buffers.append(buffer)
  wide.name, wide.shape, wide.type = tensor.name + b'_float', tensor.shape, tensor.type
  tensor.type, tensor.buffer = schema.TensorType.FLOAT16, len(model.buffers) - 1
  graph.tensors.append(wide)
  return len(graph.tensors) - 1


def _code(model, operator: int) -> int:
  """The place of an operator among the model's codes, which it joins."""
  from_schema = tflite_graph.load_schema()
  code = from_schema.OperatorCodeT()
  code.builtinCode = code.deprecatedBuiltinCode = operator
  code.version = 3  # of DEQUANTIZE: that of halves
  model.operatorCodes.append(code)
  return len(model.operatorCodes) - 1


def take_bytes(model) -> None:
  """Drops the first QUANTIZE and the last DEQUANTIZE: bytes come in and go out."""
  graph, names, renamed = model.subgraphs[0], operators(model), {}
  kept = []
  for operator, name in zip(graph.operators, names, strict=True):
    inside, outside = operator.inputs[0], operator.outputs[0]
    if name == 'QUANTIZE' and inside in graph.inputs:
      renamed[inside] = outside
    elif name == 'DEQUANTIZE' and outside in graph.outputs:
      renamed[outside] = inside
    else:
      kept.append(operator)
  graph.operators = kept
  graph.inputs = [renamed.get(index, index) for index in graph.inputs]
  graph.outputs = [renamed.get(index, index) for index in graph.outputs]
  for signature in model.signatureDefs or ():
    for named in (*signature.inputs, *signature.outputs):
      named.tensorIndex = renamed.get(named.tensorIndex, named.tensorIndex)


def described(model, program: Program) -> bytes:
  """The file's bytes, with labels, normalisation and contract.

  The labels and `Program.said` as JSON lie in a zip behind the model; the rest is
  TFLite Metadata, which MediaPipe and the task library read.
  """
  schema = tflite_graph.load_schema()
  buffer, entry = schema.BufferT(), schema.MetadataT()
  said = tflite_metadata.build(program, LABELS)
  buffer.data = np.frombuffer(said, np.uint8)
  model.buffers.append(buffer)
  entry.name, entry.buffer = METADATA, len(model.buffers) - 1
  model.metadata = [*(model.metadata or []), entry]
  model.description = f'{program.origin} (mobilenet-jax)'
  stream = io.BytesIO(pack(model))
  with zipfile.ZipFile(stream, 'a') as archive:
    # A fixed date: equal networks give equal files.
    for name, text in {
      LABELS: ''.join(f'{_line(label)}\n' for label in program.class_names),
      readers.SAID: json.dumps(program.said(), ensure_ascii=False, indent=1),
    }.items():
      archive.writestr(zipfile.ZipInfo(name), text)
  return stream.getvalue()


def _line(label: str) -> str:
  return ' '.join(label.split())
