"""Gradients that come late, against a loop that keeps them in a list."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mobilenet.training import memory, optimizer_layout
from mobilenet.training.errors import TrainingError
from mobilenet.training.optimizer import make_optimizer
from mobilenet.training.staleness import Delayed, delayed, delayed_schedule

PARAMS = {
  'conv': {'kernel': np.full((2, 3), 0.5, 'f'), 'bias': np.zeros(3, 'f')},
  'norm': {'scale': np.ones(4, 'f')},
}
OPTIMIZERS = {
  'rmsprop_tf': {'momentum': 0.9, 'eps': 0.1},
  'rmsprop_torch': {'momentum': 0.9},
  'sgd': {'momentum': 0.9, 'nesterov': True},
  'adamw': {'weight_decay': 0.1},
}


def schedule(step):
  return 0.1 / (1.0 + step)


def optimizer(name, *, flat=True, **fields):
  return make_optimizer(
    types.SimpleNamespace(name=name, **OPTIMIZERS[name], **fields), schedule, flat=flat
  )


def gradients(step):
  draw = np.random.default_rng(step)
  return jax.tree.map(lambda p: draw.standard_normal(p.shape).astype('f'), PARAMS)


def run(tx, given):
  """The updates of each gradient given, and the last state."""
  update, state, seen = jax.jit(tx.update), tx.init(PARAMS), []
  for gradient in given:
    updates, state = update(gradient, state, PARAMS)
    seen.append(updates)
  return seen, state


def assert_same(left, right):
  jax.tree.map(np.testing.assert_array_equal, left, right)


def assert_close(left, right):
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), left, right)


def test_gradient_descent_two_steps_late_is_a_loop_with_a_list():
  """Of a parabola, whose gradient depends on where it is computed."""
  tx = delayed(optax.sgd(0.3), 2)
  x, state = jnp.array([1.0, -2.0]), tx.init(jnp.zeros(2))
  y, waiting = np.array([1.0, -2.0], 'f'), []
  for _ in range(9):
    updates, state = tx.update(2 * x, state)
    x = optax.apply_updates(x, updates)
    waiting.append(2 * y)
    if len(waiting) > 2:
      y = y - np.float32(0.3) * waiting.pop(0)
    np.testing.assert_allclose(x, y, rtol=1e-6)
  assert not np.allclose(y, [1.0, -2.0])


@pytest.mark.parametrize('steps', [1, 3])
@pytest.mark.parametrize('name', OPTIMIZERS)
def test_every_optimizer_gets_the_gradients_late(name, steps):
  given = [gradients(step) for step in range(steps + 4)]
  late, state = run(optimizer(name, stale_steps=steps), given)
  usual, inner = run(optimizer(name), given[:4])
  for updates in late[:steps]:  # adamw decays no weights here either
    assert_same(updates, jax.tree.map(np.zeros_like, PARAMS))
  for updates, expected in zip(late[steps:], usual, strict=True):
    assert_close(updates, expected)
  assert_close(state.inner, inner)


def test_what_waits_is_one_array_and_the_optimizer_is_untouched_meanwhile():
  tx = optimizer('rmsprop_tf', stale_steps=3)
  first = tx.init(PARAMS)
  _, state = run(tx, [gradients(0), gradients(1)])
  assert isinstance(state, Delayed)
  assert_same(state.inner, first.inner)
  flat = [jax.flatten_util.ravel_pytree(gradients(n))[0] for n in (0, 1)]
  np.testing.assert_array_equal(state.gradients, [*flat, np.zeros(13, 'f')])
  assert int(state.count) == 2


def test_what_devices_share_waits_in_an_array_for_each_parameter():
  given = [gradients(step) for step in range(5)]
  flat, flat_state = run(optimizer('rmsprop_tf', stale_steps=2), given)
  tree, state = run(optimizer('rmsprop_tf', stale_steps=2, flat=False), given)
  assert state.gradients['conv']['kernel'].shape == (2, 2, 3)
  assert_close(tree, flat)
  assert_close(optimizer_layout.swapped(flat_state, PARAMS), state)


def test_no_delay_is_the_optimizer_itself():
  tx = optax.sgd(0.1)
  assert delayed(tx, 0) is tx
  given = [gradients(step) for step in range(3)]
  for fields in ({'stale_steps': 0}, {'stale_steps': None}):
    for name in OPTIMIZERS:
      seen, state = run(optimizer(name, **fields), given)
      expected, expected_state = run(optimizer(name), given)
      assert jax.tree.structure(state) == jax.tree.structure(expected_state)
      assert_same((seen, state), (expected, expected_state))


def test_the_norm_is_clipped_of_the_gradient_that_is_applied():
  large = jax.tree.map(lambda p: np.full(p.shape, 100.0, 'f'), PARAMS)
  small = jax.tree.map(lambda p: np.full(p.shape, 1e-3, 'f'), PARAMS)
  tx = optimizer('sgd', stale_steps=1, clip_norm=1.0)
  seen, state = run(tx, [large, small])
  expected, _ = run(optimizer('sgd', clip_norm=1.0), [large])
  assert_close(seen[1], expected[0])
  assert float(jnp.max(state.gradients)) == np.float32(1e-3)


@pytest.mark.parametrize('steps', [-1, 1.5, True, '2'])
def test_a_delay_that_is_none(steps):
  with pytest.raises(TrainingError, match=r'optimizer\.stale_steps = .* whole number'):
    delayed(optax.sgd(0.1), steps)


def test_the_rate_that_is_logged_is_that_of_what_was_applied():
  assert delayed_schedule(schedule, 0) is schedule
  shown = [float(delayed_schedule(schedule, 2)(step)) for step in range(5)]
  assert shown == pytest.approx([schedule(n) for n in (0, 0, 0, 1, 2)])


def test_what_waits_is_counted_as_memory():
  variables = jax.eval_shape(lambda: {'params': PARAMS})

  def needed(steps):
    tx = optimizer('rmsprop_tf', stale_steps=steps)
    return memory.needed(
      variables, tx, [], image_shape=(8, 8, 3), batch_size=2, ema=False
    )

  assert needed(10) - needed(0) == 4 * (10 * 13 + 1)


@pytest.mark.heavy
def test_a_resumed_run_is_bit_identical_with_what_waits(make_run, tmp_path):
  """Stopped after step 5, while the gradients of steps 3 to 5 wait."""

  def late(total_steps):
    run = make_run(total_steps=total_steps, ema_decay=None, anew=True)
    tx = make_optimizer(
      {'name': 'rmsprop_tf', 'eps': 1e-3, 'stale_steps': 3},
      make_run(total_steps=12).schedule(),
    )
    run.optimizer = lambda: tx
    return run

  whole = late(8)(tmp_path / 'whole').state
  late(5)(tmp_path / 'parts')
  resumed = late(8)(tmp_path / 'parts').state
  assert int(whole.opt_state.count) == 8
  assert_same(
    (resumed.variables, resumed.opt_state), (whole.variables, whole.opt_state)
  )
