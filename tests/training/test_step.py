"""One step: against the formula by hand, with poison, and over several devices."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mobilenet.tasks.losses import cross_entropy
from mobilenet.training import sharding
from mobilenet.training.state import create, ema_decay_at
from mobilenet.training.step import (
  all_finite,
  first_non_finite,
  make_eval_step,
  make_train_step,
)


def setup(run):
  tx = run.optimizer()
  new_state = jax.jit(
    lambda v: create(v, tx, run.task.zero_sums(), ema=run.ema_decay is not None),
    out_shardings=sharding.replicated(run.mesh),
  )
  step = make_train_step(
    run.model, run.task, tx, run.mesh, seed=3, ema_decay=run.ema_decay
  )
  programs = run.kept_programs()
  state = programs.kept('a new state', new_state)(run.variables())
  return state, programs.kept('a step', step), next(run.train(0, run.batch_size))


def host(tree):
  return jax.tree.map(np.array, tree)


def assert_equal(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


def assert_close(a, b, **tolerance):
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance), a, b)


def test_a_step_is_what_the_formulas_say(run):
  state, step, batch = setup(run)
  before = host(state)
  after, skips = step(state, sharding.put(run.mesh, batch))
  params, stats = before.variables['params'], before.variables['batch_stats']
  key = jax.random.fold_in(jax.random.fold_in(jax.random.key(3), 1), 0)

  def loss(params):
    logits, updates = run.model.apply(
      {'params': params, 'batch_stats': stats},
      batch['image'],
      train=True,
      mutable=['batch_stats'],
      rngs={'dropout': key},
    )
    soft = jax.nn.one_hot(batch['label'], 4) * 0.9 + 0.1 / 4
    value = -jnp.mean(jnp.sum(soft * jax.nn.log_softmax(logits), -1))
    for path, w in jax.tree_util.tree_leaves_with_path(params):
      name = jax.tree_util.keystr(path)
      if 'kernel' in name and 'depthwise' not in name:
        value += 1e-4 * 0.5 * jnp.sum(w**2)
    return value, (logits, updates['batch_stats'])

  gradients, (logits, new_stats) = jax.jit(jax.grad(loss, has_aux=True))(params)
  # rmsprop_tf, first step: ms starts at one, the momentum buffer at zero.
  rate = float(run.schedule()(0))
  expected = jax.tree.map(
    lambda w, g: w - rate * g / np.sqrt(0.9 + 0.1 * np.square(g) + 1e-3),
    params,
    gradients,
  )
  assert_close(after.variables['params'], expected, rtol=1e-4, atol=1e-6)
  assert_close(after.variables['batch_stats'], new_stats, rtol=1e-4, atol=1e-5)
  # EMA: the decay of the first step is 1 / 10.
  averaged = jax.tree.map(
    lambda old, new: 0.1 * old + 0.9 * new, before.ema, after.variables
  )
  assert_close(after.ema, averaged, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(
    after.sums['loss'], jnp.sum(cross_entropy(logits, batch['label'])), rtol=1e-4
  )
  assert int(after.sums['count']) == 8
  assert int(after.step) == 1
  assert int(skips['total']) == 0


@pytest.mark.parametrize('poison', [np.inf, np.nan, 1e30])
def test_a_bad_step_leaves_no_trace(run, poison):
  """1e30 is finite, as is the first layer's output: the statistics overflow."""
  state, step, batch = setup(run)
  state, _ = step(state, sharding.put(run.mesh, batch))
  before = host(state)
  bad = {**batch, 'image': batch['image'].copy()}
  bad['image'][3, 2, 1, 0] = poison
  state, skips = step(state, sharding.put(run.mesh, bad))
  after = host(state)
  for field in ('variables', 'opt_state', 'ema', 'sums'):
    assert_equal(getattr(before, field), getattr(after, field))
  assert (int(after.step), int(after.skipped)) == (2, 1)
  assert int(skips['in_a_row']) == 1
  state, skips = step(state, sharding.put(run.mesh, batch))
  assert (int(skips['total']), int(skips['in_a_row'])) == (1, 0)
  assert np.any(host(state.ema)['params']['head']['classifier']['bias'] != 0)


def test_all_finite():
  good = {'a': jnp.ones((2, 2)), 'b': jnp.zeros(3)}
  assert bool(all_finite(good))
  for bad in (jnp.inf, -jnp.inf, jnp.nan):
    assert not bool(all_finite({**good, 'b': jnp.asarray([0.0, bad, 1.0])}))


def test_the_first_bad_layer_is_named(run):
  variables, batch = run.variables(), next(run.train(0, 8))

  def named(variables, batch):
    return first_non_finite(run.model, run.task, variables, batch, seed=0)

  assert 'finite when the step is repeated' in named(variables, batch)
  poisoned = jax.tree.map(np.array, variables)
  poisoned['params']['backbone']['block_00']['project']['norm']['scale'][1] = np.nan
  assert 'the output of backbone/block_00/project/norm' in named(poisoned, batch)
  image = batch['image'].copy()
  image[0, 0, 0, 0] = np.inf
  assert 'images' in named(variables, {**batch, 'image': image})


def test_four_devices_do_what_one_does(make_run):
  """Gradients, BatchNorm statistics and metrics are those of the global batch.

  Dropout draws are laid out over the batch, so they are the same too.
  """
  results = []
  for devices in (1, 4):
    run = make_run(devices=devices)
    state, step, _ = setup(run)
    batches = run.train(0, 8)
    for _ in range(3):
      state, _ = step(state, sharding.put(run.mesh, next(batches)))
    results.append(host(state))
  assert_close(results[0].variables, results[1].variables, rtol=1e-3, atol=1e-4)
  assert_close(results[0].sums, results[1].sums, rtol=1e-4, atol=1e-4)


def test_evaluation_ignores_what_is_masked(run):
  step = make_eval_step(run.model, run.task, run.mesh)
  image = next(run.train(0, 8))['image'].copy()
  image[5:] = np.nan
  batch = {
    'image': image,
    'label': np.zeros(8, np.int32),
    'mask': np.array([1, 1, 1, 1, 1, 0, 0, 0], np.float32),
    'index': np.array([0, 1, 2, 3, 4, 5, -1, -1]),
  }
  sums, predictions = step(run.variables(), sharding.put(run.mesh, batch))
  assert (int(sums['count']), int(sums['seen'])) == (5, 6)
  assert np.isfinite(float(sums['loss']))
  assert predictions['probabilities'].shape == (8, 4)


def test_ema_warm_up():
  assert float(ema_decay_at(jnp.asarray(0), 0.9999)) == pytest.approx(0.1)
  assert float(ema_decay_at(jnp.asarray(90), 0.9999)) == pytest.approx(0.91)
  assert float(ema_decay_at(jnp.asarray(10**7), 0.9999)) == pytest.approx(0.9999)


def test_batch_sizes_that_devices_do_not_divide(make_run):
  mesh = make_run(devices=4).mesh
  assert sharding.local_batch_size(mesh, 8) == 8
  with pytest.raises(ValueError, match=r'batch_size = 10 cannot .* 4 devices.* 8$'):
    sharding.local_batch_size(mesh, 10)


def test_the_state_is_optax_free_of_surprises(run):
  """What orbax saves: arrays only, and no typed keys."""
  state, _, _ = setup(run)
  for leaf in jax.tree.leaves(state):
    assert isinstance(leaf, jax.Array)
    assert not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
  assert optax.tree.norm(state.variables['params']) > 0
