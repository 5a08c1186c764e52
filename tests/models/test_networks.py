"""What the interpreter makes of tables: names, shapes, norms, gradients, errors."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models import activations, initial, initializers, layers, norm, zoo
from mobilenet.models.classifier import Classifier
from mobilenet.models.rows import (
  Conv,
  Head,
  Inverted,
  ModelError,
  Network,
  Separable,
  Style,
  make_divisible,
)

TINY = Network(
  rows=(
    Conv(3, 8, 2, 'hard_swish'),
    Separable(3, 8, 1),
    Inverted(3, 1, 8, 1, 0.25, 'relu'),
    Inverted(5, 3, 16, 2, 0.25, 'hard_swish'),
    Conv(1, 32, 1, 'hard_swish'),
  ),
  head=Head(24, 'hard_swish'),
  style=Style(norm_momentum=0.9),
)


def tiny(lowering='native', **style):  # which compiles fastest
  style = dataclasses.replace(TINY.style, lowering=lowering, **style)
  network = dataclasses.replace(TINY, style=style)
  return Classifier(network, num_classes=5, dropout=0.1, stochastic_depth=0.1)


@functools.partial(jax.jit, static_argnums=0)
def answers(model, variables, x):
  """Compiled as a whole: each operation alone takes as long."""
  return model.apply(variables, x)


def images(n=2, size=32, seed=0):
  rng = np.random.default_rng(seed)
  return rng.standard_normal((n, size, size, 3), np.float32)


@pytest.mark.parametrize(
  ('value', 'expected'),
  [(18, 24), (11.2, 16), (5.6, 8), (72 / 4, 24), (960 * 0.75, 720), (16, 16), (3, 8)],
)
def test_make_divisible(value, expected):
  assert make_divisible(value) == expected


def test_v1_truncates_widths():
  network = dataclasses.replace(zoo.NETWORKS['mobilenet_v1'], width=0.3)
  assert network.scale(32) == 9


def test_names_are_public():
  """Weight maps, decay masks and freezing patterns depend on these."""
  variables = initial.init_variables(tiny(), (32, 32, 3), 0)
  backbone, head = variables['params']['backbone'], variables['params']['head']
  assert set(backbone) == {'stem', 'block_00', 'block_01', 'block_02', 'block_03'}
  assert set(backbone['stem']) == {'conv', 'norm'}
  assert set(backbone['block_00']) == {'depthwise', 'pointwise'}
  assert set(backbone['block_01']) == {'depthwise', 'se', 'project'}
  assert set(backbone['block_02']) == {'expand', 'depthwise', 'se', 'project'}
  assert set(backbone['block_02']['se']) == {'reduce', 'expand'}
  assert set(backbone['block_02']['expand']['norm']) == {'scale', 'bias'}
  assert backbone['block_02']['depthwise']['conv']['kernel'].shape == (5, 5, 1, 24)
  assert set(head) == {'hidden', 'classifier'}


def test_another_activation_wherever_the_table_has_one():
  """ReLU for ReLU6 in a network that somebody wrote; projections stay linear."""
  network = zoo.create('mobilenet_v3_small', act='gelu').network
  assert {row.act for row in network.rows} == {'gelu'}
  assert network.head.act == 'hard_swish', 'which hidden_act is for'
  edge = zoo.create('mobilenet_edgetpu', act='relu').network
  table = zoo.NETWORKS['mobilenet_edgetpu']
  for row, before in zip(edge.rows, table.rows, strict=True):
    assert row.act == ('linear' if before.act == 'linear' else 'relu')
  with pytest.raises(ModelError, match="model act is 'tanh': it must be one of linear"):
    zoo.create('mobilenet_v1', act='tanh')


def test_endpoints_are_the_last_maps_by_stride():
  model = tiny()
  variables = initial.init_variables(model, (32, 32, 3), 0)
  features = jax.jit(functools.partial(model.apply, method='features'))
  last, endpoints = features(variables, images())
  assert {s: e.shape[1:] for s, e in endpoints.items()} == {
    2: (16, 16, 8),
    4: (8, 8, 32),
  }
  np.testing.assert_array_equal(endpoints[4], last)


@pytest.mark.parametrize('padding', ['tf', 'torch'])
def test_every_lowering_gives_the_same_numbers(padding):
  variables = initial.init_variables(tiny(), (31, 31, 3), 1)
  native, sliced = (
    answers(tiny(padding=padding, lowering=lowering), variables, images(size=31))
    for lowering in ('native', 'sliced')
  )
  np.testing.assert_allclose(sliced, native, rtol=1e-4, atol=1e-5)


def test_padding_rules_differ_where_they_should():
  variables = initial.init_variables(tiny(), (32, 32, 3), 1)
  a, b = (
    answers(tiny(padding=padding), variables, images()) for padding in ('tf', 'torch')
  )
  assert np.abs(a - b).max() > 1e-3


def test_bfloat16_keeps_parameters_norms_and_logits_in_float32():
  model = tiny(dtype='bfloat16')
  variables = initial.init_variables(model, (32, 32, 3), 0)
  assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype('float32')}
  logits, updates = jax.eval_shape(
    functools.partial(model.apply, train=True, mutable=['batch_stats']),
    variables,
    images(),
    rngs={'dropout': jax.random.key(0)},
  )
  assert logits.dtype == jnp.float32
  assert {leaf.dtype for leaf in jax.tree.leaves(updates)} == {np.dtype('float32')}
  exact = answers(tiny(), variables, images())
  np.testing.assert_allclose(answers(model, variables, images()), exact, atol=0.1)


def test_a_model_is_hashable_and_pure():
  assert hash(tiny()) == hash(tiny())
  variables = initial.init_variables(tiny(), (32, 32, 3), 0)
  first = jax.jit(tiny().apply)(variables, images())
  np.testing.assert_array_equal(first, jax.jit(tiny().apply)(variables, images()))


def test_batch_norm_against_linen():
  """Values, gradients and running statistics; ours has the unbiased variance."""
  x = images(4, 6) * 3 + 1
  ours, theirs = norm.BatchNorm(0.9, 1e-3), nn.BatchNorm(momentum=0.9, epsilon=1e-3)
  rng = np.random.default_rng(0)
  variables = {
    'params': {
      'scale': rng.uniform(0.5, 2, 3).astype(np.float32),
      'bias': rng.standard_normal(3, np.float32),
    },
    'batch_stats': {
      'mean': np.ones(3, np.float32),
      'var': np.full(3, 2, np.float32),
    },
  }
  weights = images(4, 6, seed=5)

  def run(module, flag):
    def loss(params, x):
      y, updates = module.apply(
        {**variables, 'params': params}, x, mutable=['batch_stats'], **flag
      )
      return jnp.sum(y * weights), (y, updates['batch_stats'])

    gradients = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))
    (_, aux), found = gradients(variables['params'], x)
    return jax.device_get((aux, found))

  (y, stats), gradients = run(ours, {'train': True})
  (y2, stats2), gradients2 = run(theirs, {'use_running_average': False})
  np.testing.assert_allclose(y, y2, rtol=1e-4, atol=1e-5)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3),
    gradients,
    gradients2,
  )
  np.testing.assert_allclose(stats['mean'], stats2['mean'], rtol=1e-5)
  count = 4 * 6 * 6
  biased = (stats['var'] - 0.9 * 2.0) / 0.1 * (count - 1) / count
  np.testing.assert_allclose(0.9 * 2.0 + 0.1 * biased, stats2['var'], rtol=1e-5)
  evaluated = (
    jax.jit(ours.apply),
    jax.jit(functools.partial(theirs.apply, use_running_average=True)),
  )
  np.testing.assert_allclose(
    *(apply(variables, x) for apply in evaluated), rtol=1e-5, atol=1e-5
  )


@pytest.mark.parametrize('scheme', ['fan_out', 'fan_in', 'slim'])
def test_host_and_jax_draw_the_same_distributions(scheme):
  model = tiny(init=scheme)
  host = initial.init_variables(model, (32, 32, 3), 0)
  quickly = {'xla_backend_optimization_level': 0}
  init = jax.jit(model.init, compiler_options=quickly)
  key = jax.random.key(0, impl='unsafe_rbg')  # its draws compile fast
  drawn = init(key, np.zeros((1, 32, 32, 3), np.float32))
  assert jax.tree.structure(host) == jax.tree.structure(drawn)
  compared = 0
  for (path, a), b in zip(
    jax.tree_util.tree_leaves_with_path(host), jax.tree.leaves(drawn), strict=True
  ):
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    if path[-1].key != 'kernel':
      np.testing.assert_array_equal(a, b)
    elif a.size > 400:
      np.testing.assert_allclose(a.std(), b.std(), rtol=0.15)
      np.testing.assert_allclose(np.abs(a).max(), np.abs(b).max(), rtol=0.5)
      compared += 1
  assert compared > 1


def test_initial_scales():
  """He by fan-out: an init that forgets the groups would shrink depthwise kernels."""
  kernel = initializers.FanOutNormal(groups=512).draw(
    np.random.default_rng(0), (3, 3, 1, 512)
  )
  np.testing.assert_allclose(kernel.std(), np.sqrt(2 / 9), rtol=0.05)
  truncated = initializers.TruncatedNormal(0.09).draw(
    np.random.default_rng(0), (64, 64)
  )
  assert np.abs(truncated).max() <= 0.18 + 1e-6
  dense = initializers.FanOutUniform().draw(np.random.default_rng(0), (64, 25))
  assert 0.19 < np.abs(dense).max() <= 0.2


def test_the_seed_decides_and_layers_differ():
  a, b, c = (
    initial.init_variables(tiny(), (32, 32, 3), s)['params']['backbone']
    for s in (0, 0, 1)
  )
  kernel = 'block_01', 'project', 'conv', 'kernel'

  def get(tree, path):
    for name in path:
      tree = tree[name]
    return tree

  np.testing.assert_array_equal(get(a, kernel), get(b, kernel))
  assert np.abs(get(a, kernel) - get(c, kernel)).max() > 0
  assert (
    get(a, ('block_01', 'project', 'conv', 'kernel')).ravel()[:8].tolist()
    != get(a, ('block_00', 'pointwise', 'conv', 'kernel')).ravel()[:8].tolist()
  )


def test_stochastic_depth_keeps_the_mean_and_drops_whole_examples():
  x = np.ones((4000, 1, 1, 2), np.float32)
  drop = functools.partial(layers.StochasticDepth(0.25).apply, {}, train=True)
  y = np.asarray(
    jax.jit(lambda x, key: drop(x, rngs={'dropout': key}))(x, jax.random.key(0))
  )
  np.testing.assert_allclose(np.unique(y), [0.0, 4 / 3], rtol=1e-6)
  assert (y[..., 0] == y[..., 1]).all()
  assert abs(float(y.mean()) - 1.0) < 0.05
  np.testing.assert_array_equal(layers.StochasticDepth(0.25).apply({}, x), x)


def test_activations():
  x = jnp.asarray([-4.0, -3.0, 0.0, 1.0, 3.0, 8.0])
  np.testing.assert_allclose(
    activations.hard_sigmoid(x), [0, 0, 0.5, 4 / 6, 1, 1], atol=1e-6
  )
  np.testing.assert_allclose(
    activations.hard_swish(x), [0, 0, 0, 4 / 6, 3, 8], atol=1e-6
  )
  np.testing.assert_allclose(activations.relu6(x), [0, 0, 0, 1, 3, 6])


@pytest.mark.parametrize(
  ('squeeze', 'units', 'gate'),
  [
    ('v3', 8, lambda s: np.clip(s / 6 + 0.5, 0, 1)),
    ('mnasnet', 2, lambda s: 1 / (1 + np.exp(-s))),
  ],
)
def test_squeeze_and_excite_is_that_of_the_style(squeeze, units, gate):
  """A quarter of 24 channels, rounded up; or of the 8 that entered the block."""
  rng = np.random.default_rng(0)
  x = rng.standard_normal((2, 4, 4, 24), np.float32)
  layer = layers.SqueezeExcite(0.25, Style(squeeze=squeeze), entering=8)
  shapes = jax.eval_shape(layer.init, jax.random.key(0), x)
  variables = jax.tree.map(lambda s: rng.standard_normal(s.shape, np.float32), shapes)
  reduce, expand = (variables['params'][name] for name in ('reduce', 'expand'))
  assert reduce['kernel'].shape == (24, units)
  s = np.maximum(x.mean((1, 2)) @ reduce['kernel'] + reduce['bias'], 0)
  s = gate(s @ expand['kernel'] + expand['bias'])
  expected = x * s[:, None, None]
  np.testing.assert_allclose(layer.apply(variables, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  ('kwargs', 'message'),
  [
    ({'name': 'mobilenet_v3_lagre'}, 'did you mean mobilenet_v3_large'),
    ({'name': 'vit'}, 'there are alexnet'),
    ({'name': 'shufflenet_v2', 'width': 0.75}, 'does not exist: 0.5, 1, 1.5, 2 do'),
    ({'name': 'mobilenet_v2', 'width': 0}, 'must be above 0'),
    ({'name': 'mobilenet_v2', 'num_classes': 0}, 'at least 1'),
    ({'name': 'mobilenet_v2', 'dropout': 1.0}, r'rate is in \[0, 1\)'),
    ({'name': 'mobilenet_v2', 'paddding': 'tf'}, 'did you mean padding'),
    ({'name': 'mobilenet_v2', 'padding': 'same'}, 'one of tf, torch'),
  ],
)
def test_errors_are_for_people(kwargs, message):
  with pytest.raises(zoo.ModelError, match=message) as caught:
    zoo.create(**kwargs)
  assert '\n' not in str(caught.value)


def test_none_keeps_the_family_default():
  assert zoo.create('mobilenet_v1', padding=None).network.style.init == 'slim'
  assert zoo.create('mobilenet_v1', init='fan_out').network.style.init == 'fan_out'


def test_one_image_is_no_batch():
  with pytest.raises(
    ModelError, match=r'images must be \(N, height, width, channels\)'
  ):
    jax.eval_shape(tiny().init, jax.random.key(0), jnp.zeros((32, 32, 3)))
