"""What embedders have besides: a PReLU and a length of 1, in graphs and in ONNX."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.export import graph, onnx, program
from mobilenet.models import counting, embedders
from mobilenet.weights.contract import Contract
from mobilenet.weights.own_file import Weights
from tests.export import programs
from tests.export.test_graph import in_tensorflow, kinds, of


def test_a_prelu_is_one_node():
  slope = np.linspace(-0.5, 0.5, 8)
  found = of(lambda x, s: jnp.maximum(x, 0) + s * jnp.minimum(x, 0), slope)
  assert kinds(found) == ['prelu']
  x = np.random.default_rng(0).normal(size=(2, 6, 5, 8)).astype(np.float32)
  wanted = np.where(x > 0, x, x * slope)
  np.testing.assert_allclose(graph.run(found, x), wanted, rtol=1e-5)
  np.testing.assert_allclose(in_tensorflow(found, x), wanted, rtol=1e-5)


def test_a_length_is_one_node_that_is_never_rounded():
  found = of(lambda x: embedders.unit(x.reshape(1, -1)))
  assert kinds(found) == ['reshape', 'unit']
  assert found.exact == {found.nodes[-1].name}
  x = np.random.default_rng(0).normal(size=(2, 6, 5, 8)).astype(np.float32)
  flat = x.reshape(2, -1)
  wanted = flat / np.linalg.norm(flat, axis=1, keepdims=True)
  np.testing.assert_allclose(graph.run(found, x), wanted, rtol=1e-5)
  np.testing.assert_allclose(in_tensorflow(found, x), wanted, rtol=1e-5)


@pytest.fixture
def weights():
  options = {'name': 'mobile_face_net', 'width': 0.125, 'embedding': 4}
  model = embedders.create(**options, num_classes=2)
  _, shapes = counting.layers_and_variables(model, 32)
  return Weights(
    'a test',
    {**options, 'num_classes': 2},
    programs.filled(shapes),
    Contract(resolution=32),
    ('anna', 'ben'),
  )


def test_a_file_holds_nobody_whom_it_was_trained_on(weights, tmp_path):
  onnx_package = pytest.importorskip('onnx')
  made = program.of_weights(weights)
  assert 'classes' not in made.variables['params']
  path = onnx.write(made, tmp_path / 'faces.onnx')
  assert b'anna' not in path.read_bytes()
  assert json.loads(json.dumps(made.said()))['class_names'] == []
  model = onnx_package.load(path)
  ops = {node.op_type for node in model.graph.node}
  assert {'PRelu', 'LpNormalization'} <= ops
  from onnx.reference import ReferenceEvaluator

  images = programs.images()
  (found,) = ReferenceEvaluator(model).run(
    ['embedding'], {'images': images.transpose(0, 3, 1, 2)}
  )
  wanted = jax.jit(made.function())(images)
  np.testing.assert_allclose(found, wanted, atol=1e-5)
