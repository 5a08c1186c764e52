"""TFLite files, by way of StableHLO: no TensorFlow, built-in operators, a fixed batch.

A symbolic batch would cost V3-Small 147 BROADCAST_TO and 66 CONCATENATION.
"""

import dataclasses
import io
import pathlib
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

import input_pipeline
from mobilenet.export import adapted, fake_quantisation, tflite_file
from mobilenet.export import graph as graphs
from mobilenet.export.errors import ExportError, missing
from mobilenet.export.program import Program
from mobilenet.export.quantised import WHOLE, Quantised
from mobilenet.training import files

PRECISIONS = ('float32', 'float16', 'int8_weights', *WHOLE)
MODES = {'int8_weights': 'DYNAMIC', **dict.fromkeys(WHOLE, 'STATIC')}
INPUT, SIGNATURE = 'images', 'serving_default'


def write(
  program: Program,
  path: pathlib.Path,
  precision: str = 'float32',
  quantised: Quantised | None = None,
  batch: int = 1,
) -> None:
  """Writes a file that takes `batch` prepared images, float32 NHWC.

  They are normalised by one mean and std for all channels: see `adapted.with_one_mean`.

  Args:
    program: what to write.
    path: the file.
    precision: 'float32'; 'float16' keeps halves and 'int8_weights' bytes (one scale per
      output channel), both are computed with in float32. 'int8' computes with bytes
      throughout, and 'int8_io' takes and gives bytes as well.
    quantised: of the program's graph; needed for integers alone.
    batch: images at once.

  Raises:
    ExportError: the package is not installed, or the network has an operator that
      TFLite lacks.
    TrainingError: the file cannot be written.
  """
  program.refuse_finish('TFLite')
  if quantised is None and precision in WHOLE:
    raise ExportError(f'{precision} needs the ranges of its values')
  if quantised is None:
    quantised = Quantised(graphs.of_program(program, 'TFLite'))
  graph, ranges = adapted.for_tflite(quantised.graph, quantised.ranges)
  graph, ranges, contract = adapted.with_one_mean(graph, ranges, program.contract)
  if contract != program.contract:
    program = dataclasses.replace(
      program, contract=contract, network_contract=program.contract
    )
  made = dataclasses.replace(
    quantised, graph=graph, ranges=ranges, all_kernels=precision == 'int8_weights'
  )
  rounded = made.function(fake_quantisation.composite, 'native')

  def function(images):
    return program.finished(rounded(images))

  shape = (batch, *program.image_shape())
  content = convert(function, shape, program.outputs(), MODES.get(precision))
  model = tflite_file.parse(content)
  odd = tflite_file.foreign_operators(model)
  if odd:
    raise ExportError(
      f'{program.origin} has operators that TFLite lacks: {", ".join(odd)}'
    )
  if precision == 'float16':
    tflite_file.halve(model)
  if precision == 'int8_io':
    tflite_file.take_bytes(model)
  files.replace_file(path, tflite_file.described(model, program))


def convert(
  function: Callable,
  shape: tuple[int, ...],
  outputs: Sequence[str],
  mode: str | None = None,
) -> bytes:
  """A TFLite model of a JAX function of one float32 array of this shape.

  Args:
    function: with XLA's own operations alone.
    shape: of its argument.
    outputs: the names of its results.
    mode: the converter's, where the function rounds by `fake_quantisation.composite`:
      what is rounded becomes tensors of bytes with the same scales.

  Raises:
    ExportError: the converter is not installed or fails.
  """
  try:
    with input_pipeline.quiet():  # it holds a part of TensorFlow
      from litert_converter.mlir import ir, passmanager
      from litert_converter.mlir._mlir_libs import converter_api_ext as converter
  except ImportError as error:
    needed_for = 'writing TFLite files, on Linux (x86-64) or macOS (arm64),'
    raise missing('litert-converter', needed_for) from error
  argument = jax.ShapeDtypeStruct(shape, jnp.float32)
  lowered = jax.jit(function).trace(argument).lower(lowering_platforms=('cpu',))
  stablehlo = io.BytesIO()
  # Bytecode: half the size of the text, and no digits to read.
  lowered.compiler_ir('stablehlo').operation.write_bytecode(stablehlo)
  context = ir.Context()
  converter.prepare_mlir_context(context)
  with context:
    module = ir.Module.parse(stablehlo.getvalue())
    converter.set_signature(module.operation, SIGNATURE, [INPUT], list(outputs))
    config = converter.ConvertToTFLConfig()
    if mode:
      config.qdq_conversion_mode = mode
      config.strict_qdq_mode = True  # else it leaves what it cannot convert as floats
    passes = passmanager.PassManager(context=context)
    try:
      converter.run_convert_to_tfl_passes(module, passes, config)
      return bytes(converter.export_flatbuffer_to_bytes(module.operation))
    except ValueError as error:
      said = str(error).splitlines()[0]
      raise ExportError(f'the TFLite converter refuses the network: {said}') from error
