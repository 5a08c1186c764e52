"""TFLite and ONNX files of floats and integers give their network back to `import`."""

import jax
import numpy as np
import pytest

from mobilenet.export import calibration, formats
from mobilenet.export import graph as graphs
from mobilenet.export.quantised import WHOLE, Quantised
from mobilenet.models import zoo
from mobilenet.weights import loading
from tests.export import programs

SIDE = 64
# The largest difference, relative to the largest logit: from the network that was
# exported, and from the file's answers. In a file of integers values are rounded as
# well as weights; what is read back has the rounded weights alone.
CASES = {
  ('tflite', 'float32'): 1e-5,
  ('tflite', 'float16'): 5e-3,
  ('tflite', 'int8_weights'): 0.05,
  ('tflite', 'int8'): 0.05,
  ('onnx', 'int8'): 0.05,
}


@pytest.mark.parametrize(('name', 'precision'), list(CASES), ids='-'.join)
def test_the_logits_come_back(tmp_path, name, precision):
  packages = {'tflite': ('litert_converter', 'ai_edge_litert')}
  for package in packages.get(name, ('onnx', 'onnxruntime')):
    pytest.importorskip(package, reason=f'{package}: requirements-export.txt')
  program = programs.program('mobilenet_v1', SIDE, width=0.25)
  images = programs.images(4, SIDE)
  rounded = None
  if precision in WHOLE:
    graph = graphs.of_program(program, 'test')
    rounded = Quantised(graph, calibration.observe(graph, [images]).of)
  path = tmp_path / f'network{formats.FORMATS[name].suffix}'
  formats.write(program, path, name, precision, rounded)

  weights = loading.load(path)
  model = zoo.create(**weights.model)
  found = np.asarray(jax.jit(model.apply)(weights.variables, images))
  expected = np.asarray(program.function()(images))
  programs.assert_same(found, expected, CASES[name, precision])
  assert weights.class_names == program.class_names
  assert weights.contract == program.contract
  file = formats.open_file(path).answers(images)
  programs.assert_same(file, found, max(CASES[name, precision], 1e-5))
