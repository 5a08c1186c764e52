"""Writes a network as ONNX: for onnxruntime, on servers and in browsers, and OpenVINO.

One input, 'images' (N, 3, H, W) float32, prepared, N free; a classifier has one output,
'logits' (N, K), other networks those of `answers`. Maps have their channels in front.

Opset 17 (2022): the newest of which nothing here would gain, so that tools of the last
years read it. Opset 14 brought HardSwish; 18 turns the axes of ReduceMean into an input
and 20 brings Gelu, which runtimes make of its parts themselves.
"""

import json
import pathlib
from collections.abc import Sequence

import numpy as np

from mobilenet.export import graph as graphs
from mobilenet.export import halves, onnx_integers, onnx_ops, output_file
from mobilenet.export.errors import ExportError, missing
from mobilenet.export.onnx_layouts import FIRST, LAST, Writing, to_first
from mobilenet.export.program import Program
from mobilenet.export.quantised import Quantised
from mobilenet.weights import class_names
from mobilenet.weights.own_file import KEY

PRECISIONS = (*halves.PRECISIONS, 'int8')
OPSET, IR_VERSION = 17, 8  # the version of the file's own format that came with it
OUTPUTS = ('logits',)
TASKS = {
  'classification': 'classify',
  'detection': 'detect',
  'segmentation': 'segment',
  'tags': 'classify',
  'embeddings': 'embed',
}
STORED = '/float16'  # what is behind the name of a kernel that is stored as halves


def write(
  program: Program,
  path: str | pathlib.Path,
  precision: str = 'float32',
  quantised: Quantised | None = None,
) -> pathlib.Path:
  """Writes a program.

  Args:
    program: what to write.
    path: the file.
    precision: one of PRECISIONS.
    quantised: of the program's graph; needed for 'int8' alone.

  'float16' stores kernels as halves and casts them to float32, so that the file is half
  as large and every processor computes as before: runtimes do the cast once, when they
  load the file. Halves to compute with are for GPUs, whose runtimes have an option for
  it; on a CPU they are emulated.

  Raises:
    ExportError: onnx is not installed; the network has what ONNX has not, or a value
      that is too large for halves; the file cannot be written.
  """
  onnx = package()
  if precision == 'int8':
    if quantised is None:
      raise ExportError('int8 needs the ranges of its values')
  else:
    halves.check(precision, 'ONNX')
    quantised = Quantised(graphs.of_program(program, 'ONNX'))
  program.refuse_finish('ONNX')
  model = of_graph(onnx, quantised, precision, program.outputs())
  onnx.helper.set_model_props(model, metadata(program))
  onnx.checker.check_model(model, full_check=True)
  return output_file.write(path, model.SerializeToString())


def package():
  """The onnx package.

  Raises:
    ExportError: it is not installed.
  """
  try:
    import onnx
  except ImportError as error:
    raise missing('onnx', 'writing ONNX files') from error
  return onnx


def metadata(program: Program) -> dict[str, str]:
  """All that the file's use needs.

  'names' and 'task' are what Ultralytics reads; 'display_names', as JSON, what our page
  for browsers shows of classes that have other names for people.
  """
  said = {
    KEY: json.dumps(program.said()),
    'names': repr(dict(enumerate(program.class_names))),
    'task': TASKS[program.task],
  }
  for_people = [class_names.display_name(name) for name in program.class_names]
  if for_people != list(program.class_names):
    said['display_names'] = json.dumps(for_people)
  return said


def of_graph(
  onnx,
  quantised: Quantised,
  precision: str = 'float32',
  outputs: Sequence[str] = OUTPUTS,
):
  """The model of a graph, without metadata; integers where it has ranges."""
  graph, scales = quantised.graph, quantised.scales()
  shapes = {node.name: node.shape for node in graph.nodes}
  to = Writing({graph.input: (1, *graph.image_shape), **shapes})
  to.put(graph.input, FIRST, graph.input)
  if graph.input in scales:
    onnx_integers.round_value(graph.input, scales[graph.input], to)
  for node in graph.nodes:
    onnx_ops.write_node(node, graph, to)
    if node.name in scales:
      onnx_integers.round_value(node.name, scales[node.name], to)
  # Of maps channels stay in front here too, as those of the images; rows of boxes and
  # of scores have them last.
  called = {}
  for name, own in zip(outputs, graph.outputs, strict=True):
    where = FIRST if len(shapes[own]) == 4 else LAST
    called[to.get(own, where)] = name
  height, width, channels = graph.image_shape
  whole = [node.name for node in graph.nodes if node.op == 'argmax']
  types = dict.fromkeys(whole, onnx.TensorProto.INT32)
  float32 = onnx.TensorProto.FLOAT
  value = onnx.helper.make_tensor_value_info
  if quantised.ranges:
    casts, stored = onnx_integers.constants(quantised, to.arrays)
  else:
    casts, stored = _stored(to.arrays, precision)
  nodes = [
    onnx.helper.make_node(
      op,
      [called.get(name, name) for name in inputs],
      [called.get(name, name) for name in made],
      name=made[0],
      **attributes,
    )
    for op, inputs, made, attributes in [*casts, *to.nodes]
  ]
  model = onnx.helper.make_model(
    onnx.helper.make_graph(
      nodes,
      'network',
      [value(graph.input, float32, ['batch', channels, height, width])],
      [
        value(name, types.get(own, float32), ['batch', *_in_onnx(shapes[own])[1:]])
        for name, own in zip(outputs, graph.outputs, strict=True)
      ],
      [onnx.numpy_helper.from_array(array, name) for name, array in stored.items()],
    ),
    opset_imports=[onnx.helper.make_opsetid('', OPSET)],
    producer_name='mobilenet-jax',
  )
  model.ir_version = IR_VERSION
  return model


def _in_onnx(shape: tuple[int, ...]) -> list[int]:
  """The shape of an output there."""
  return [shape[n] for n in to_first(len(shape))] if len(shape) == 4 else list(shape)


def _stored(arrays: dict[str, np.ndarray], precision: str) -> tuple[list, dict]:
  """The casts that make the arrays, and what is stored."""
  casts, stored = [], {}
  for name, array in arrays.items():
    kept = halves.stored(name, array, precision)
    if kept.dtype == array.dtype:
      stored[name] = kept
      continue
    stored[name + STORED] = kept
    casts.append(('Cast', [name + STORED], [name], {'to': 1}))  # TensorProto.FLOAT
  return casts, stored
