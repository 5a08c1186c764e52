"""Training while rounded: the forward pass of the file, gradients, ranges, resuming."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import common
from mobilenet import experiment
from mobilenet.export import (
  adapted,
  aware,
  calibration,
  errors,
  fake_quantisation,
  formats,
  tflite,
  tflite_file,
)
from mobilenet.export import graph as graphs
from mobilenet.export.aware import Rounded
from mobilenet.export.quantised import Quantised
from mobilenet.models import shufflenet, zoo
from mobilenet.models.classifier import Classifier
from mobilenet.models.initial import init_variables
from mobilenet.models.rows import Conv, ModelError, Network, Pool
from mobilenet.models.shufflenet import UnitV2
from mobilenet.weights import tflite_graph
from tests.export.conftest import SIDE
from tests.tiny import NETWORK
from tests.training.conftest import CLASSES, SIZE, Run, train_batches
from tests.training.test_loop import Killed, assert_same, killed_after, metrics

SHAPE = (SIDE, SIDE, 3)


def rounded_like(network, classes):
  # XLA's own convolutions compile faster.
  style = dataclasses.replace(network.style, norm=False, lowering='native')
  return Rounded.like(Classifier(dataclasses.replace(network, style=style), classes))


def observed(model, variables, images):
  shape = images.shape[1:]
  graph = model.graph(shape)
  graph = dataclasses.replace(graph, constants=aware.constants_of(graph, variables))
  ranges = calibration.observe(graph, [images]).of
  return aware.with_ranges(model, variables, shape, ranges)


@pytest.fixture(scope='module')
def model(made):
  return Rounded.like(made.model)


@pytest.fixture(scope='module')
def variables(model, made, images):
  return observed(model, {'params': made.variables['params']}, images)


@pytest.fixture(scope='module')
def quantised(model, made, variables):
  """What the file is written of, with the ranges of the trained network."""
  graph = graphs.of_program(made, 'test')
  return Quantised(graph, aware.ranges_of(model, variables, SHAPE))


# ---- the forward pass ---------------------------------------------------------------


def test_it_answers_as_the_rounded_graph_of_the_exported_network(
  model, variables, quantised, images, logits
):
  answers = jax.jit(model.apply)(variables, images)
  wanted = jax.jit(quantised.function())(images)
  np.testing.assert_allclose(answers, wanted, rtol=1e-5, atol=1e-6)
  assert np.abs(answers - logits).max() > 1e-4, 'and that is not the network itself'


def test_scales_are_those_of_the_file_to_the_bit(variables, quantised):
  """They are computed by XLA in a step, by NumPy for a file."""
  rng = np.random.default_rng(0)
  ends = rng.uniform(-3, 3, (500, 2)).astype(np.float32)
  ends = np.concatenate([ends, variables['batch_stats']['ranges']])
  of_range = functools.partial(fake_quantisation.of_range, xp=jnp)
  traced = jax.jit(jax.vmap(of_range))(ends[:, 0], ends[:, 1])
  for n, (low, high) in enumerate(ends.tolist()):
    how = fake_quantisation.of_range(low, high)
    assert (traced.scale[n], traced.zero_point[n]) == (how.scale, how.zero_point)
  kernel = rng.standard_normal((3, 3, 4, 50), np.float32)
  scale = jax.jit(lambda x: fake_quantisation.of_kernel(x, jnp).scale)(kernel)
  np.testing.assert_array_equal(scale, fake_quantisation.of_kernel(kernel).scale)


def test_its_graph_does_not_depend_on_where_it_is_asked_for(model):
  aware.graph_of.cache_clear()

  def names(images):
    with jax.named_scope('elsewhere'):
      found.append([node.name for node in model.graph(images.shape[1:]).nodes])
    return images

  found = []
  jax.jit(names)(jnp.zeros((1, *SHAPE)))
  aware.graph_of.cache_clear()
  names(jnp.zeros((1, *SHAPE)))
  assert found[0] == found[1]


# ---- gradients ----------------------------------------------------------------------


def test_a_value_has_the_gradient_of_its_bytes():
  how = fake_quantisation.of_range(-1.0, 3.0)
  x = jnp.asarray([-5.0, -1.3, -0.7, 0.0, 0.4, 2.9, 3.3, 9.0])
  inside = [0, 0, 1, 1, 1, 1, 0, 0]
  value = fake_quantisation.straight_through(x, how)
  np.testing.assert_array_equal(value, fake_quantisation.rounded(x, how))
  gradient = jax.grad(lambda x: fake_quantisation.straight_through(x, how).sum())(x)
  np.testing.assert_array_equal(gradient, inside)


def test_all_of_a_kernel_has_a_gradient():
  kernel = np.random.default_rng(0).standard_normal((3, 3, 4, 7), np.float32)

  def total(kernel):
    how = fake_quantisation.of_kernel(kernel, jnp)
    return fake_quantisation.straight_through(kernel, how).sum()

  np.testing.assert_array_equal(jax.jit(jax.grad(total))(kernel), np.ones_like(kernel))


def test_every_parameter_learns_and_nearly_as_the_float_network_does(
  model, made, variables, images
):
  def loss(model, params, **others):
    return jnp.square(model.apply({'params': params, **others}, images)).sum()

  statistics = {'batch_stats': variables['batch_stats']}
  rounded = jax.jit(jax.grad(lambda p: loss(model, p, **statistics)))(
    variables['params']
  )
  exact = jax.jit(jax.grad(lambda p: loss(made.model, p)))(variables['params'])
  flat, exact = (
    np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])
    for tree in (rounded, exact)
  )
  assert all(np.any(leaf) for leaf in jax.tree.leaves(rounded))
  cosine = flat @ exact / np.linalg.norm(flat) / np.linalg.norm(exact)
  assert cosine > 0.95


# ---- ranges -------------------------------------------------------------------------


def test_ranges_follow_the_batches_in_training_alone(model, variables, images):
  before = variables['batch_stats']['ranges']
  apply = functools.partial(model.apply, variables, mutable=['batch_stats'])
  evaluated, state = jax.jit(apply)(2 * images)
  np.testing.assert_array_equal(state['batch_stats']['ranges'], before)
  logits, state = jax.jit(functools.partial(apply, train=True))(2 * images)
  np.testing.assert_allclose(logits, evaluated, rtol=1e-5, atol=1e-6)
  momentum = NETWORK.style.norm_momentum
  ends = 2 * images.min(), 2 * images.max()
  np.testing.assert_allclose(
    state['batch_stats']['ranges'][0],
    momentum * before[0] + (1 - momentum) * np.asarray(ends),
    rtol=1e-6,
  )
  moved = state['batch_stats']['ranges'] != before
  assert moved.any(axis=1).sum() > len(before) / 2


def test_shared_ranges_stay_shared():
  """A ShuffleNet concatenates, slices and pools."""
  rows = (Conv(3, 8, 2), Pool(3, 2), UnitV2(16, 2), UnitV2(16))
  model = rounded_like(Network(rows=rows, divisor=1, style=shufflenet.STYLE), 3)
  images = np.random.default_rng(0).standard_normal((2, 32, 32, 3), np.float32)
  variables = observed(model, init_variables(model, (32, 32, 3), 0), images)
  _, state = jax.jit(
    functools.partial(model.apply, train=True, mutable=['batch_stats'])
  )(variables, 3 * images)
  variables |= state
  ranges = aware.ranges_of(model, variables, (32, 32, 3))
  graph = model.graph((32, 32, 3))
  assert {'concat', 'shuffle', 'max_pool'} <= {node.op for node in graph.nodes}
  assert calibration.shared(graph, ranges) == ranges


# ---- the loop -----------------------------------------------------------------------


class RoundedRun(Run):
  @property
  def model(self):
    return rounded_like(NETWORK, CLASSES)

  def variables(self):
    return first_variables()


@functools.cache  # the loop asks again where it traces, for the shapes
def first_variables():
  model = RoundedRun().model
  drawn = init_variables(model, (SIZE, SIZE, 3), 0)
  return observed(model, drawn, next(train_batches(0))['image'])


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
  folder = tmp_path_factory.mktemp('rounded')
  return RoundedRun()(folder), metrics(folder)


@pytest.mark.heavy
@pytest.mark.parametrize('step', [0, 7])
def test_killed_it_ends_the_same_to_the_bit(step, uninterrupted, tmp_path):
  with pytest.raises(Killed):
    RoundedRun(train=killed_after(train_batches, step))(tmp_path)
  outcome = RoundedRun()(tmp_path)
  assert_same(uninterrupted[0], outcome)
  assert metrics(tmp_path) == uninterrupted[1]


def test_training_moves_parameters_and_ranges(uninterrupted):
  state, start = uninterrupted[0].state, RoundedRun().variables()
  for collection in ('params', 'batch_stats'):
    for now, before in zip(
      jax.tree.leaves(state.variables[collection]),
      jax.tree.leaves(start[collection]),
      strict=True,
    ):
      assert (now != before).any()
      assert np.isfinite(now).all()


# ---- its file -----------------------------------------------------------------------


def test_the_file_has_these_scales_and_answers_as_the_network(
  made, model, variables, quantised, images, tmp_path
):
  pytest.importorskip('litert_converter', reason='requirements-export.txt')
  pytest.importorskip('ai_edge_litert', reason='requirements-export.txt')
  path = tmp_path / 'x.tflite'
  tflite.write(made, path, 'int8', quantised)
  answers = formats.open_file(path).answers(images, made.contract)
  wanted = np.asarray(jax.jit(model.apply)(variables, images))
  step = quantised.scales()[quantised.graph.outputs[0]].scale
  assert np.abs(answers - wanted).max() <= 4 * step
  graph, ranges = adapted.for_tflite(quantised.graph, quantised.ranges)
  graph, ranges, _ = adapted.with_one_mean(graph, ranges, made.contract)
  written = Quantised(graph, ranges)
  wanted = {(how.scale, int(how.zero_point)) for how in written.scales().values()}
  wanted |= {
    (scale, 0) for how in written.constant_scales().values() for scale in how.scale.flat
  }
  found = set()
  int8 = tflite_graph.load_schema().TensorType.INT8
  file = tflite_file.parse(path.read_bytes())
  for tensor in file.subgraphs[0].tensors:
    how = tensor.quantization
    single = np.prod(tensor.shape) == 1  # the converter scales a sixth in its own way
    if tensor.type == int8 and not single:
      found |= set(zip(np.float32(how.scale), map(int, how.zeroPoint), strict=True))
  assert found - wanted == set()
  assert len(found) > 0.9 * len(wanted)


# ---- what cannot be -----------------------------------------------------------------


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    (
      {'dropout': 0.2},
      r'dropout is 0\.2: a rounded network has 0 \(--config\.model\.d',
    ),
    ({'stochastic_depth': 0.1}, 'stochastic_depth is 0.1: a rounded network has 0'),
    ({'dtype': 'bfloat16'}, "dtype is 'bfloat16': a rounded network has 'float32'"),
    ({'trained': 'last 2'}, 'learns as a whole: --config.model.trained=all'),
  ],
)
def test_options_without_a_place_are_one_line(fields, message):
  config = common.base()
  config.model.name, config.model.rounded = 'mobilenet_v2', True
  config.model.update(fields)
  with pytest.raises(ModelError, match=message) as caught:
    experiment.make_model(config, ('a', 'b'))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('size', ['conv_small', 'hybrid_medium'])
def test_norms_that_follow_no_convolution_are_refused(size):
  model = Rounded.like(zoo.create(f'mobilenet_v4_{size}', num_classes=2, norm=False))
  with pytest.raises(errors.ExportError, match='as in MobileNetV4: this') as caught:
    init_variables(model, SHAPE, 0)
  assert '\n' not in str(caught.value)
