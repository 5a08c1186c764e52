"""Our network as the files that `--job=export` writes, in the runtimes of others."""

import importlib.metadata
import pathlib
import platform
import tempfile
import time
from typing import NamedTuple

import jax
import numpy as np

from mobilenet.bench import recipe
from mobilenet.bench.worker import Prepared
from mobilenet.export import calibration, formats
from mobilenet.export import graph as graphs
from mobilenet.export import program as programs
from mobilenet.export.program import Program
from mobilenet.export.quantised import WHOLE, Quantised
from mobilenet.export.runtimes.opened import Opened
from mobilenet.models import zoo
from mobilenet.models.initial import init_variables
from mobilenet.weights.contract import Contract
from mobilenet.weights.own_file import Weights


class File(NamedTuple):
  """format, runtime: keys of `formats.FORMATS` and RUNTIMES. precision: the format's.
  packages: that write and run it, whose versions are told.
  """

  format: str
  runtime: str
  precision: str
  packages: tuple[str, ...]


_TFLITE = ('litert-converter', 'ai-edge-litert')
FILES = {
  'tflite': File('tflite', 'litert', 'float32', _TFLITE),
  'tflite_int8': File('tflite', 'litert', 'int8', _TFLITE),
  'onnxruntime': File('onnx', 'onnxruntime', 'float32', ('onnx', 'onnxruntime')),
  'onnxruntime_int8': File('onnx', 'onnxruntime', 'int8', ('onnx', 'onnxruntime')),
  'openvino': File('onnx', 'openvino', 'float32', ('onnx', 'openvino')),
}


def prepare(spec: dict) -> Prepared:
  """Writes the network's file and opens it; see `ours.prepare`.

  Raises:
    ExportError: a package is not installed, or the format cannot hold the network.
  """
  file = FILES[spec['contender']]
  began = time.perf_counter()
  weights = made_weights(spec)
  program = programs.of_weights(weights, spec['resolution'])
  images, _ = recipe.made_batch(spec)
  opened = written_and_opened(program, file, images, spec['threads'])
  return Prepared(
    run=lambda: next(iter(opened.run(images).values())),  # a classifier has one
    parameters=sum(leaf.size for leaf in jax.tree.leaves(weights.variables['params'])),
    init_seconds=time.perf_counter() - began,
    platform='cpu',
    versions={
      'python': platform.python_version(),
      **{name: importlib.metadata.version(name) for name in file.packages},
    },
  )


def made_weights(spec: dict) -> Weights:
  """The variables that ours has, as a trained network's."""
  asked = {name: spec[name] for name in ('name', 'width', 'table', 'num_classes')}
  shape = (spec['resolution'], spec['resolution'], 3)
  return Weights(
    origin='the benchmark',
    model=asked,
    variables=init_variables(zoo.create(**asked), shape, recipe.SEED),
    contract=Contract(),
    class_names=None,
  )


def written_and_opened(
  program: Program, file: File, images: np.ndarray, threads: int
) -> Opened:
  """A file that is ready to run; integers have the ranges of these images.

  Runtimes read all of a file when they open it, so none stays on the disk.
  """
  quantised = None
  if file.precision in WHOLE:
    graph = graphs.of_program(program, file.format)
    quantised = Quantised(graph, calibration.observe(graph, [images]).of)
  with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    path = pathlib.Path(folder) / f'network{formats.FORMATS[file.format].suffix}'
    formats.write(program, path, file.format, file.precision, quantised)
    return formats.open_file(path, file.runtime, threads)
