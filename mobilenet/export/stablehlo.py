"""Writes a network as StableHLO: for CPU, GPU and TPU, wherever JAX is installed.

One NumPy archive: the program, which `jax.export` reads, the weights, and what the
program's use needs, as JSON. It takes images NHWC float32, prepared, any number of
them, and gives an array, or a dict of the arrays that `said['outputs']` names where
they are several. The flax package and this project are not needed to run it:

    import json
    import jax
    import numpy as np

    file = np.load('network.npz')
    program = jax.export.deserialize(bytearray(file['program'].tobytes()))
    weights = {name: file[name] for name in file.files if name.startswith('weights/')}
    said = json.loads(str(file['mobilenet-jax']))
    side = said['resolution']
    images = np.zeros((2, side, side, 3), np.float32)  # prepared by said['contract']
    logits = program.call(weights, images)

Convolutions are as `models.lowering` has them for each platform: XLA's own operator, or
on CPUs, where that is slow for depthwise ones, sums of slices. The file has both.
"""

import io
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from mobilenet.export import graph as graphs
from mobilenet.export import halves, output_file
from mobilenet.export.program import Program
from mobilenet.weights.own_file import KEY

PRECISIONS = halves.PRECISIONS
PLATFORMS = ('cpu', 'cuda', 'tpu')
PROGRAM, WEIGHTS = 'program', 'weights/'


def write(
  program: Program, path: str | pathlib.Path, precision: str = 'float32'
) -> pathlib.Path:
  """Writes a program.

  'float16' stores kernels as halves; they are made float32 when the program runs.

  Raises:
    ExportError: the network has what a graph has not, or a value that is too large for
      halves; the file cannot be written.
  """
  graph, stored = halves.of_program(program, 'StableHLO', precision)
  weights = {WEIGHTS + name: array for name, array in stored.items()}

  def function(weights, images):
    given = {k.removeprefix(WEIGHTS): jnp.float32(v) for k, v in weights.items()}
    made = program.finished(graphs.run(graph, images, given))
    # One output is an array: what runs a classifier's file needs no names.
    return dict(zip(program.outputs(), made, strict=True)) if len(made) > 1 else made[0]

  (batch,) = export.symbolic_shape('batch')
  images = jax.ShapeDtypeStruct((batch, *graph.image_shape), np.float32)
  types = {k: jax.ShapeDtypeStruct(v.shape, v.dtype) for k, v in weights.items()}
  exported = export.export(jax.jit(function), platforms=PLATFORMS)(types, images)
  archive = io.BytesIO()
  np.savez(
    archive,
    **{
      PROGRAM: np.frombuffer(exported.serialize(), np.uint8),
      KEY: np.array(json.dumps(program.said())),
      **weights,
    },
  )
  return output_file.write(path, archive.getvalue())
