"""The optimizers against transcriptions of their documented updates."""

import importlib.util
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mobilenet.training import optimizer_layout
from mobilenet.training.errors import TrainingError
from mobilenet.training.optimizer import layer_scales, make_optimizer, path_mask

STEPS = 20
RATES = np.where(np.arange(STEPS) < 7, 0.05, 0.05 * 0.8 ** np.arange(STEPS)).astype('f')
DRAW = np.random.default_rng(0)
START = DRAW.standard_normal(31).astype('f')
# Gradients over six orders of magnitude, where the place of eps tells.
GRADS = DRAW.standard_normal((STEPS, 31)) * 10.0 ** DRAW.uniform(-5, 1, (STEPS, 31))
GRADS = GRADS.astype('f')


def config(name, **values):
  return types.SimpleNamespace(name=name, **values)


def schedule(step):
  return jnp.asarray(RATES)[step]


def run(cfg, params=START, grads=GRADS):
  """The parameters after each step."""
  tx = make_optimizer(cfg, schedule)
  state, seen = tx.init(params), []
  update = jax.jit(tx.update)
  for grad in grads:
    updates, state = update(grad, state, params)
    params = optax.apply_updates(params, updates)
    seen.append(params)
  return seen


def tf_rmsprop(decay, momentum, eps):
  w, ms, mom = START.astype('d'), np.ones(31), np.zeros(31)
  for rate, g in zip(RATES, GRADS.astype('d'), strict=True):
    ms = decay * ms + (1 - decay) * g**2
    mom = momentum * mom + rate * g / np.sqrt(ms + eps)
    w = w - mom
    yield w


def torch_rmsprop(decay, momentum, eps):
  w, sq, buf = START.astype('d'), np.zeros(31), np.zeros(31)
  for rate, g in zip(RATES, GRADS.astype('d'), strict=True):
    sq = decay * sq + (1 - decay) * g**2
    buf = momentum * buf + g / (np.sqrt(sq) + eps)
    w = w - rate * buf
    yield w


@pytest.mark.parametrize('eps', [1e-10, 0.001, 1.0])
@pytest.mark.parametrize('momentum', [0.0, 0.9])
def test_rmsprop_tf_is_the_documented_update(eps, momentum):
  ours = run(config('rmsprop_tf', decay=0.9, momentum=momentum, eps=eps))
  theirs = list(tf_rmsprop(0.9, momentum, eps))
  np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_rmsprop_tf_defaults():
  ours = run(config('rmsprop_tf', decay=None, momentum=None, eps=None))
  theirs = list(tf_rmsprop(0.9, 0.9, 1e-10))
  np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(
  importlib.util.find_spec('tensorflow') is None, reason='tensorflow is not installed'
)
def test_rmsprop_tf_is_tensorflows_optimizer():
  import tensorflow as tf

  theirs = []
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    w = tf.compat.v1.get_variable('w', initializer=START, use_resource=True)
    rate, grad = (tf.compat.v1.placeholder('float32', s) for s in ((), START.shape))
    optimizer = tf.compat.v1.train.RMSPropOptimizer(
      rate, decay=0.9, momentum=0.9, epsilon=0.001
    )
    step = optimizer.apply_gradients([(grad, w)])
    session.run(tf.compat.v1.global_variables_initializer())
    for feed in zip(RATES, GRADS, strict=True):
      session.run(step, dict(zip((rate, grad), feed, strict=True)))
      theirs.append(session.run(w))
  ours = run(config('rmsprop_tf', eps=0.001))
  np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
  assert np.abs(theirs[-1] - START).max() > 1


@pytest.mark.parametrize(('momentum', 'eps'), [(0.9, 0.0316), (0.0, 1e-8)])
def test_rmsprop_torch_is_the_documented_update(momentum, eps):
  ours = run(config('rmsprop_torch', decay=0.9, momentum=momentum, eps=eps))
  theirs = list(torch_rmsprop(0.9, momentum, eps))
  np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_the_two_rmsprops_differ():
  fields = {'decay': 0.9, 'momentum': 0.9, 'eps': 0.001}
  tf, torch = (
    run(config('rmsprop_tf', **fields)),
    run(config('rmsprop_torch', **fields)),
  )
  assert np.abs(tf[-1] - torch[-1]).max() > 0.1


@pytest.mark.parametrize('nesterov', [False, True])
def test_sgd(nesterov):
  w, buf = START.astype('d'), np.zeros(31)
  ours = run(config('sgd', momentum=0.9, nesterov=nesterov))
  for rate, g, mine in zip(RATES, GRADS.astype('d'), ours, strict=True):
    buf = 0.9 * buf + g
    w = w - rate * (g + 0.9 * buf if nesterov else buf)
    np.testing.assert_allclose(mine, w, rtol=1e-5, atol=1e-6)


def test_sgd_is_plain_by_default():
  np.testing.assert_allclose(
    run(config('sgd'))[0], START - RATES[0] * GRADS[0], rtol=1e-6
  )


def tree():
  def conv(*shape):
    return {'conv': {'kernel': jnp.ones(shape)}, 'norm': norm(shape[-1])}

  def norm(width):
    return {'scale': jnp.ones(width), 'bias': jnp.ones(width)}

  dense = {'kernel': jnp.ones((2, 3)), 'bias': jnp.ones(3)}
  block = {'expand': conv(1, 1, 2, 4), 'depthwise': conv(3, 3, 1, 4)}
  block['se'] = {'reduce': dense, 'expand': dense}
  return {'backbone': {'stem': conv(3, 3, 3, 2), 'block_00': block}, 'head': dense}


def decayed(mask):
  flat = jax.tree_util.tree_flatten_with_path(mask)[0]
  return {jax.tree_util.keystr(k, simple=True, separator='/') for k, v in flat if v}


KERNELS = {
  'backbone/stem/conv/kernel',
  'backbone/block_00/expand/conv/kernel',
  'backbone/block_00/se/reduce/kernel',
  'backbone/block_00/se/expand/kernel',
  'head/kernel',
}
DEPTHWISE = {'backbone/block_00/depthwise/conv/kernel'}


def test_path_mask_takes_kernels_only():
  assert decayed(path_mask(tree(), False)) == KERNELS
  assert decayed(path_mask(tree(), True)) == KERNELS | DEPTHWISE
  assert jax.tree.structure(path_mask(tree(), False)) == jax.tree.structure(tree())


@pytest.mark.parametrize('decay_depthwise', [None, True])
def test_adamw_decays_what_the_mask_says(decay_depthwise):
  # With zero gradients Adam's part is zero and the decoupled decay is all there is.
  cfg = config('adamw', weight_decay=0.1, decay_depthwise=decay_depthwise)
  tx = make_optimizer(cfg, schedule, params=tree())
  zeros = jax.tree.map(jnp.zeros_like, tree())
  updates, _ = tx.update(zeros, tx.init(tree()), tree())
  moved = jax.tree.map(lambda u: bool(np.any(u)), updates)
  assert decayed(moved) == (KERNELS | DEPTHWISE if decay_depthwise else KERNELS)
  np.testing.assert_allclose(updates['head']['kernel'], -0.05 * 0.1, rtol=1e-6)


def test_adamw_is_adam_beside_the_decay():
  w, m, v = START.astype('d'), np.zeros(31), np.zeros(31)
  ours = run(config('adamw', b1=0.8, b2=0.99, eps=1e-6, weight_decay=None))
  for t, (rate, g) in enumerate(zip(RATES, GRADS.astype('d'), strict=True), start=1):
    m, v = 0.8 * m + 0.2 * g, 0.99 * v + 0.01 * g**2
    w = w - rate * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-6)
    np.testing.assert_allclose(ours[t - 1], w, rtol=1e-4, atol=1e-5)


def rows():
  """A stem, two blocks and a head, of one number each."""
  names = ('stem', 'block_00', 'block_01')
  backbone = {name: {'conv': {'kernel': jnp.ones((1, 1))}} for name in names}
  head = {'hidden': {'bias': jnp.ones(1)}, 'classifier': {'kernel': jnp.ones((1, 1))}}
  return {'backbone': backbone, 'head': head}


def test_rates_fall_row_by_row_towards_the_stem():
  """timm's rule: decay ** (layers - 1 - n), where the head is the last layer."""
  scales = layer_scales(rows(), 0.5)
  assert jax.tree.leaves(scales['backbone']['stem']) == [0.125]
  assert jax.tree.leaves(scales['backbone']['block_00']) == [0.25]
  assert jax.tree.leaves(scales['backbone']['block_01']) == [0.5]
  assert jax.tree.leaves(scales['head']) == [1.0, 1.0]
  # Where the first rows are frozen, and where the whole backbone is.
  learns = {**rows(), 'backbone': {'block_01': rows()['backbone']['block_01']}}
  assert jax.tree.leaves(layer_scales(learns, 0.5)) == [0.5, 1.0, 1.0]
  assert jax.tree.leaves(layer_scales({'head': jnp.ones(1)}, 0.5)) == [1.0]


@pytest.mark.parametrize(
  ('cfg', 'flat'),
  [
    (config('adamw', weight_decay=0.1), True),
    (config('adamw', weight_decay=0.1), False),
    (config('sgd', momentum=0.9, stale_steps=1), True),
    (config('rmsprop_tf'), True),
    (config('rmsprop_torch', momentum=0.9), True),
  ],
  ids=str,
)
def test_layer_decay_is_a_factor_of_the_rate(cfg, flat):
  """Of every update, decoupled weight decay with it; the state is as without."""
  grads = jax.tree.map(lambda p: 0.3 * p, rows())
  ended = []
  for own in (cfg, config(**vars(cfg), layer_decay=0.7)):
    tx = make_optimizer(own, schedule, flat=flat)
    state = tx.init(rows())
    for _ in range(3):
      updates, state = tx.update(grads, state, rows())
    ended.append((updates, state))
  (plain, plain_state), (scaled, scaled_state) = ended
  jax.tree.map(
    lambda update, scale, ours: np.testing.assert_allclose(ours, update * scale, 1e-6),
    *(plain, layer_scales(rows(), 0.7), scaled),
  )
  for one, other in zip(
    jax.tree.leaves(plain_state), jax.tree.leaves(scaled_state), strict=True
  ):
    np.testing.assert_array_equal(one, other)


def test_a_state_with_layer_decay_has_both_forms():
  """A run goes on where devices share the state, and the other way round."""
  cfg, grads = config('adamw', layer_decay=0.7), jax.tree.map(jnp.ones_like, rows())
  flat, cut = (make_optimizer(cfg, schedule, flat=flag) for flag in (True, False))
  _, state = flat.update(grads, flat.init(rows()), rows())
  swapped = optimizer_layout.swapped(state, rows())
  assert jax.tree.structure(swapped) == jax.tree.structure(cut.init(rows()))
  one, _ = flat.update(grads, state, rows())
  other, _ = cut.update(grads, swapped, rows())
  jax.tree.map(np.testing.assert_array_equal, one, other)


def test_clip_norm_limits_the_global_norm():
  grads = {'a': jnp.array([3.0, 0.0]), 'b': jnp.array([4.0])}
  tx = make_optimizer(config('sgd', clip_norm=1.0), lambda step: 1.0)
  updates, _ = tx.update(grads, tx.init(grads), grads)
  np.testing.assert_allclose(updates['a'], [-0.6, 0.0], rtol=1e-6)
  np.testing.assert_allclose(updates['b'], [-0.8], rtol=1e-6)


@pytest.mark.parametrize('name', ['rmsprop_tf', 'rmsprop_torch', 'sgd', 'adamw'])
def test_the_state_is_a_tree_of_arrays(name):
  state = make_optimizer(config(name, clip_norm=1.0), schedule).init(tree())
  assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))


@pytest.mark.parametrize(
  ('cfg', 'text'),
  [
    (config('rmsprop'), 'did you mean rmsprop_tf or rmsprop_torch'),
    (config('adamw', momentumm=0.9), "optimizer field 'momentumm' is unknown; did you"),
    (
      config('sgd', b1=0.9),
      "optimizer.b1 = 0.9 does nothing for optimizer.name = 'sgd'",
    ),
    (config('rmsprop_tf', weight_decay=1e-5), 'put it in the loss as L2'),
    (config('sgd', nesterov=True), 'needs optimizer.momentum above 0'),
    (
      config('sgd', momentum=1.0),
      'optimizer.momentum = 1.0 must be a number at least 0',
    ),
    (config('adamw', eps='1e-8'), "optimizer.eps = '1e-8' must be a number"),
    (config('sgd', layer_decay=0), 'optimizer.layer_decay = 0 must be a number above'),
    (config('sgd', layer_decay=1.5), 'must be a number above 0 and at most 1'),
    (config('sgd', clip_norm=0), 'optimizer.clip_norm = 0 must be a number above 0'),
  ],
)
def test_mistakes_are_one_clear_line(cfg, text):
  with pytest.raises(TrainingError) as caught:
    make_optimizer(cfg, schedule)
  assert text in str(caught.value)
  assert '\n' not in str(caught.value)


def test_fields_of_another_optimizer_may_be_switched_off():
  make_optimizer(config('sgd', b1=None, nesterov=False, weight_decay=0.0), schedule)


def test_decay_that_would_decay_nothing_is_refused():
  params = {'norm': {'scale': jnp.ones(3)}}
  with pytest.raises(TrainingError, match='would decay nothing'):
    make_optimizer(config('adamw', weight_decay=0.1), schedule, params=params)
