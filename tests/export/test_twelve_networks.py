"""TFLite and ONNX files of the field's networks at 224 px: answers and operators.

python -m pytest -m heavy tests/export/test_twelve_networks.py
"""

import jax
import numpy as np
import pytest

from mobilenet.export import formats
from tests.export import programs, twelve

pytestmark = pytest.mark.heavy

PACKAGES = {
  'tflite': ('litert_converter', 'ai_edge_litert'),
  'onnx': ('onnx', 'onnxruntime'),
}


@pytest.mark.parametrize('form', list(PACKAGES))
@pytest.mark.parametrize('name', list(twelve.NETWORKS))
def test_a_file_answers_as_the_network(tmp_path, name, form):
  for package in PACKAGES[form]:
    pytest.importorskip(package, reason=f'{package}: requirements-export.txt')
  program = programs.program(name, 224, classes=7)
  images = programs.images(2, 224)
  path = tmp_path / f'network{formats.FORMATS[form].suffix}'
  formats.write(program, path, form, 'float32')
  opened = formats.open_file(path)
  expected = np.asarray(jax.jit(program.function())(images))
  programs.assert_same(opened.answers(images), expected, 1e-4)
  foreign = ('STABLEHLO', 'CUSTOM', 'Flex')
  assert not [op for op in opened.operators if op.startswith(foreign)]
  if form == 'tflite':
    assert sum(opened.operators.values()) <= twelve.NETWORKS[name]
  elif name not in twelve.TRANSPOSED:
    assert 'Transpose' not in opened.operators
