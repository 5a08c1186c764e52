"""Our TFLite files beside those of TensorFlow's converter, by way of jax2tf.

python -m pytest -m heavy tests/export/test_tensorflow_converter.py
"""

import numpy as np
import pytest

from mobilenet.export import formats
from tests.export import programs

pytestmark = pytest.mark.heavy
SIDE = 96


@pytest.mark.parametrize(
  'name', ['mobilenet_v2', 'mobilenet_v3_small', 'mobilenet_v4_conv_small']
)
def test_both_answer_alike_and_ours_has_no_more_operators(tmp_path, name):
  for package in ('litert_converter', 'ai_edge_litert'):
    pytest.importorskip(package, reason=f'{package}: requirements-export.txt')
  import tensorflow as tf
  from ai_edge_litert.interpreter import Interpreter
  from jax.experimental import jax2tf

  program, images = programs.program(name, SIDE, classes=7), programs.images(1, SIDE)
  path = tmp_path / 'network.tflite'
  formats.write(program, path, 'tflite', 'float32')
  ours = formats.open_file(path)

  graph = tf.function(
    jax2tf.convert(program.function('native')),
    input_signature=[tf.TensorSpec(images.shape, tf.float32)],
    autograph=False,
  )
  converter = tf.lite.TFLiteConverter.from_concrete_functions(
    [graph.get_concrete_function()], graph
  )
  theirs = Interpreter(model_content=converter.convert())
  theirs.allocate_tensors()
  theirs.set_tensor(theirs.get_input_details()[0]['index'], images)
  theirs.invoke()
  found = theirs.get_tensor(theirs.get_output_details()[0]['index'])
  programs.assert_same(ours.answers(images), found, 1e-5)
  operators = [op for op in theirs._get_ops_details() if op['op_name'] != 'DELEGATE']
  assert sum(ours.operators.values()) <= len(operators)
  assert np.abs(found).max() > 0.1
