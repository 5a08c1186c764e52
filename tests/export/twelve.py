"""The field's networks as exported files: a table of what their files are.

python -m tests.export.twelve > docs/results/export/networks.md

Weights are drawn, all else is as `--job=export` has it. Times are medians of rounds in
which the runtimes take turns, with one thread each: the machine has to be quiet.
"""

import pathlib
import sys
import tempfile

import jax
import numpy as np

from mobilenet.export import check, formats
from tests.export import programs

RESOLUTION = 224
# Network -> the most operators that its TFLite file may have: what litert-converter
# made of the folded network as JAX traces it.
NETWORKS = {
  'mobilenet_v1': 29,
  'mobilenet_v2': 64,
  'mobilenet_v3_large': 120,
  'mobilenet_v3_small': 107,
  'mobilenet_v3_large_minimalistic': 59,
  'mobilenet_v4_conv_small': 58,
  'mobilenet_v4_conv_medium': 97,
  'mobilenet_v4_hybrid_medium': 269,
  'mobilenet_edgetpu': 75,
  'squeezenet_1_1': 38,
  'shufflenet_v1_g3': 139,
  'shufflenet_v2': 157,
}
# Of attention's heads, and of channels that change places; none is of a layout.
TRANSPOSED = ('mobilenet_v4_hybrid_medium', 'shufflenet_v1_g3', 'shufflenet_v2')
FILES = (('tflite', 'litert'), ('onnx', 'onnxruntime'), ('onnx', 'openvino'))
HEADS = (
  'network',
  *('TFLite, MB', 'operators', 'difference', 'LiteRT, ms'),
  *('ONNX, MB', 'operators', 'difference', 'onnxruntime, ms', 'OpenVINO, ms'),
)


def difference(answers: np.ndarray, expected: np.ndarray) -> float:
  """The largest, relative to the largest answer."""
  return float(np.abs(answers - expected).max() / np.abs(expected).max())


def row(name: str, folder: pathlib.Path) -> list[str]:
  """A network's line of the table."""
  program = programs.program(name, RESOLUTION, classes=1000)
  images = programs.images(2, RESOLUTION)
  expected = np.asarray(jax.jit(program.function())(images))
  opened = []
  for form, runtime in FILES:
    path = folder / f'{name}{formats.FORMATS[form].suffix}'
    if not path.exists():
      formats.write(program, path, form, 'float32')
    opened.append(formats.open_file(path, runtime, threads=1))
  image = images[:1]
  times = check.latencies([lambda o=o: o.run(image) for o in opened])
  cells = [name]
  for file, time, whole in zip(opened, times, (True, True, False), strict=True):
    if whole:
      operators = sum(file.operators.values())
      cells += [f'{file.path.stat().st_size / 1e6:.2f}', str(operators)]
      cells.append(f'{difference(file.answers(images), expected):.0e}')
    cells.append(f'{time:.2f}')
  return cells


def main() -> None:
  print('# Twelve networks as exported files\n')
  print(f'    {__doc__.splitlines()[2]}\n')
  print(f'| {" | ".join(HEADS)} |')
  print(f'|---|{"--:|" * (len(HEADS) - 1)}')
  with tempfile.TemporaryDirectory() as folder:
    for name in NETWORKS:
      print(f'| {" | ".join(row(name, pathlib.Path(folder)))} |', flush=True)


if __name__ == '__main__':
  sys.exit(main())
