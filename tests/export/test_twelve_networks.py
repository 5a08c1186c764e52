"""TFLite and ONNX files of the field's networks at 224 px: answers and operators.

python -m pytest -m heavy tests/export/test_twelve_networks.py
"""

import jax
import numpy as np
import pytest

from mobilenet.export import formats
from tests.export import programs

pytestmark = pytest.mark.heavy

# Network -> the most operators that its TFLite file may have: what converting the
# folded network by other routes gave (litert-converter of the plain StableHLO).
MOST = {
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
PACKAGES = {
  'tflite': ('litert_converter', 'ai_edge_litert'),
  'onnx': ('onnx', 'onnxruntime'),
}


@pytest.mark.parametrize('form', list(PACKAGES))
@pytest.mark.parametrize('name', list(MOST))
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
    assert sum(opened.operators.values()) <= MOST[name]
  elif name not in TRANSPOSED:
    assert 'Transpose' not in opened.operators
