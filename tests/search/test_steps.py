"""Steps and scores of masked networks against those of networks cut out."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mobilenet.search import channels, masks, steps, wiring
from mobilenet.tasks.classification import Classification
from mobilenet.tasks.losses import distillation
from mobilenet.training import sharding
from tests.search.conftest import CLASSES, IMAGES, NETWORKS, model_of, variables_of
from tests.search.test_masks import choice_of, close

NETWORK = NETWORKS['inverted']
TASK = Classification(l2=1e-2)
LABELS = np.arange(len(IMAGES)) % CLASSES
BATCH = {'image': IMAGES, 'label': LABELS}
HELD_OUT = {
  **BATCH,
  'mask': np.array([1, 1, 1, 0], np.float32),
  'index': np.array([0, 1, 2, -1]),
}
SMALLER = {
  'sizes': {'stem': 8, 'block_01/expand': 40, 'block_01': 16, 'block_03': 16},
  'block_01': {'kernel': 3, 'se': 0.0},
  'skip': ('block_02',),
}
MESH = sharding.make_mesh(jax.devices()[:1])


def masked_of(network, learning_rate=0.1):
  tx = optax.sgd(learning_rate)
  return steps.Masked(model_of(network), TASK, tx, MESH, seed=0)


@pytest.fixture(scope='module')
def masked():
  return masked_of(NETWORK)


def whole(network):
  return masks.choose(network, network.rows)


def cut_out():
  network, rows, head = choice_of('inverted', **SMALLER)
  alone = masks.without_skipped(network, rows, head)
  return alone, masks.cut(network, rows, variables_of(network), head), rows


def test_a_step_and_a_score_are_those_of_the_network_alone(masked):
  alone, own, rows = cut_out()
  choice = masks.choose(NETWORK, rows)
  batches = [BATCH, {'image': IMAGES[::-1] * 0.5, 'label': LABELS}]
  before = masked.score(variables_of(NETWORK), choice, batches, [HELD_OUT])
  state, loss = masked.step(masked.start(variables_of(NETWORK)), [choice], BATCH)
  its = masked_of(alone)
  expected, own_loss = its.step(its.start(own), [whole(alone)], BATCH)
  assert float(loss) == pytest.approx(float(own_loss), rel=1e-5)
  left = masks.cut(NETWORK, rows, jax.device_get(state.variables))
  for one, other in zip(
    jax.tree.leaves(left['params']),
    jax.tree.leaves(expected.variables['params']),
    strict=True,
  ):
    close(one, np.asarray(other))
  assert before == pytest.approx(
    its.score(own, whole(alone), batches, [HELD_OUT]), rel=1e-5
  )
  again, _ = masked.step(state, [whole(NETWORK)], BATCH)
  assert int(again.step) == 2
  assert masked._step._cache_size() == 1
  assert masked._sums._cache_size() == 1


def test_a_step_moves_nothing_that_is_dropped(masked):
  _, _, rows = cut_out()
  before = variables_of(NETWORK)['params']['backbone']['block_01']
  state, _ = masked.step(
    masked.start(variables_of(NETWORK)), [masks.choose(NETWORK, rows)], BATCH
  )
  after = state.variables['params']['backbone']['block_01']
  kernel = np.asarray(after['expand']['conv']['kernel'])
  moved = kernel != before['expand']['conv']['kernel']
  assert moved[..., :8, :40].all()
  assert not moved[..., 8:, :].any()
  assert not moved[..., 40:].any()


def test_a_sandwich_adds_up_what_its_networks_learn():
  """The first from labels, the others from what the first one answers."""
  _, _, rows = cut_out()
  choices = [whole(NETWORK), masks.choose(NETWORK, rows)]
  masked = masked_of(NETWORK, learning_rate=1.0)
  variables = variables_of(NETWORK)
  state, loss = masked.step(masked.start(variables), choices, BATCH)

  def answers(params, choice):
    chosen = masks.masked(masked.wires, {**variables, 'params': params}, choice)
    logits, _ = masked.model.apply(chosen, IMAGES, train=True, mutable=['batch_stats'])
    return logits, chosen['params']

  def learned(params):
    logits, own = answers(params, choices[0])
    others, _ = answers(params, choices[1])
    taught = jnp.mean(distillation(others, jax.lax.stop_gradient(logits), 1.0))
    first = TASK.loss(own, logits, BATCH)
    return first + taught, first

  quickly = {'xla_backend_optimization_level': 0}
  run = jax.jit(jax.value_and_grad(learned, has_aux=True), compiler_options=quickly)
  (_, first), gradients = run(variables['params'])
  assert float(loss) == pytest.approx(float(first), rel=1e-5)
  for before, after, gradient in zip(
    *map(jax.tree.leaves, (variables['params'], state.variables['params'], gradients)),
    strict=True,
  ):
    close(before - np.asarray(after), np.asarray(gradient))


def test_a_step_that_is_not_finite_leaves_no_trace(masked):
  bad = {**BATCH, 'image': np.full_like(IMAGES, np.nan)}
  state, loss = masked.step(masked.start(variables_of(NETWORK)), [whole(NETWORK)], bad)
  assert np.isnan(float(loss))
  assert int(state.step) == 1
  for before, after in zip(
    jax.tree.leaves(variables_of(NETWORK)),
    jax.tree.leaves(state.variables),
    strict=True,
  ):
    np.testing.assert_array_equal(before, after)


def test_statistics_are_those_of_all_images(masked):
  """Two batches give what one of both gives, but for the unbiased factor."""
  batches = [{'image': IMAGES}, {'image': IMAGES[::-1] * 0.5 + 0.1}]
  found = masked.recalibrated(variables_of(NETWORK), whole(NETWORK), batches)
  stem = jax.device_get(found['batch_stats']['backbone']['stem']['norm'])
  kernel = variables_of(NETWORK)['params']['backbone']['stem']['conv']['kernel']
  images = np.concatenate([batch['image'] for batch in batches])
  maps = jax.lax.conv_general_dilated(
    images, kernel, (2, 2), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )
  np.testing.assert_allclose(stem['mean'], np.mean(maps, (0, 1, 2)), atol=1e-4)
  np.testing.assert_allclose(stem['var'], np.var(maps, (0, 1, 2)), rtol=3e-3)


def test_every_array_of_a_group_is_dropped():
  """Or a smaller network would hand on what it has not."""
  wires = wiring.of(NETWORK)
  sizes = {**wires.sizes, 'block_02/expand': 48}
  smaller = channels.resized(NETWORK, sizes)
  choice = masks.choose(NETWORK, smaller.rows, smaller.head)
  params = masks.masked(wires, variables_of(NETWORK), choice)['params']
  block = params['backbone']['block_02']
  for name in ('expand', 'depthwise'):
    assert not np.any(block[name]['norm']['bias'][48:])
    assert np.all(block[name]['norm']['bias'][:48])
  assert dataclasses.asdict(smaller.rows[3])['expand'] == 2
