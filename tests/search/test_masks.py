"""A masked network against the one that is cut out of it."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models.rows import ModelError
from mobilenet.search import channels, masks, wiring
from tests.search.conftest import IMAGES, NETWORKS, model_of, variables_of

# Norms of few numbers are sensitive to rounding.
MANY = np.random.default_rng(1).standard_normal((16, 24, 24, 3), np.float32)


def with_sizes(network, sizes):
  wires = wiring.of(network)
  return channels.resized(network, {**wires.sizes, **sizes})


def choice_of(kind, sizes=None, skip=(), hidden=None, **fields):
  """(network, rows, head) of a choice; fields of rows as block_02=dict(kernel=3)."""
  network = NETWORKS[kind]
  smaller = with_sizes(
    network, {**(sizes or {}), **({'hidden': hidden} if hidden else {})}
  )
  names = [at.name for at in wiring.of(network).rows]
  rows = [
    None if name in skip else dataclasses.replace(row, **fields.get(name, {}))
    for name, row in zip(names, smaller.rows, strict=True)
  ]
  return network, rows, smaller.head


CHOICES = {
  'whole': ('inverted', {}),
  'narrow stage': ('inverted', {'sizes': {'block_01': 16}}),
  'narrow stem': ('inverted', {'sizes': {'stem': 8}}),
  'narrow expansion': ('inverted', {'sizes': {'block_02/expand': 40}}),
  'narrow last layers': ('inverted', {'sizes': {'block_04': 24}, 'hidden': 16}),
  'small kernel at stride 2': ('inverted', {'block_01': {'kernel': 3}}),
  'small kernel': ('inverted', {'block_02': {'kernel': 3}}),
  'no squeeze': ('inverted', {'block_02': {'se': 0.0}}),
  'skipped row': ('inverted', {'skip': ('block_02',)}),
  'all at once': (
    'inverted',
    {
      'sizes': {'stem': 8, 'block_01/expand': 24, 'block_01': 16, 'block_03': 16},
      'block_01': {'kernel': 3, 'se': 0.0},
      'skip': ('block_02',),
      'hidden': 8,
    },
  ),
  'no start': ('universal', {'block_01': {'start': 0}}),
  'no middle': ('universal', {'block_02': {'middle': 0}}),
  'neither': ('universal', {'block_02': {'start': 0, 'middle': 0}}),
  'small kernels': ('universal', {'block_01': {'start': 3, 'middle': 3}}),
  'skipped universal': ('universal', {'skip': ('block_02',)}),
  'narrow universal': (
    'universal',
    {'sizes': {'block_00/expand': 16, 'block_00': 16, 'block_01': 24, 'hidden': 24}},
  ),
  'no sigmoid squeeze': (
    'mnasnet',
    {'sizes': {'stem': 8, 'block_00': 16}, 'block_01': {'se': 0.0}},
  ),
  'narrow separable': (
    'separable',
    {'sizes': {'stem': 9, 'block_01': 17, 'block_02': 31}, 'block_01': {'kernel': 3}},
  ),
}


@functools.cache
def masked_program(kind, train):
  """One program for all choices of a network: its loss, statistics and gradients."""
  network = NETWORKS[kind]
  return program(
    network, lambda v, choice: masks.masked(wiring.of(network), v, choice), train
  )


def program(network, prepare, train):
  model = model_of(network)

  def loss(params, others, choice):
    variables = prepare({'params': params, **others}, choice)
    if not train:
      logits = model.apply(variables, IMAGES, train=False)
      return jnp.sum(logits), (logits, {})
    logits, new = model.apply(variables, MANY, train=True, mutable=['batch_stats'])
    return jnp.sum(jnp.sin(logits)), (logits, new['batch_stats'])

  # Compiled quickly, not to be quick. The older way to write loops, which quick tests
  # have, adds up one by one: wide sums and narrow ones then round further apart.
  quickly = {'xla_backend_optimization_level': 0, 'xla_cpu_use_fusion_emitters': True}
  run = jax.jit(
    jax.value_and_grad(loss, has_aux=True) if train else loss, compiler_options=quickly
  )

  def call(variables, choice=None):
    others = {'batch_stats': variables['batch_stats']}
    found = run(variables['params'], others, choice)
    ((_, (logits, statistics)), gradients) = found if train else (found, None)
    return logits, statistics, gradients

  call.run = run
  return call


def both(name, train):
  kind, fields = CHOICES[name]
  network, rows, head = choice_of(kind, **fields)
  variables = variables_of(network)
  masked = masked_program(kind, train)(variables, masks.choose(network, rows, head))
  alone = masks.without_skipped(network, rows, head)
  own = masks.cut(network, rows, variables, head)
  return masked, program(alone, lambda v, _: v, train)(own), (network, rows, head)


def close(one, other):
  scale = max(float(np.abs(other).max()), 1.0)
  np.testing.assert_allclose(one / scale, other / scale, atol=1e-5)


@pytest.mark.parametrize('name', CHOICES)
def test_logits_are_those_of_the_cut_out_network(name):
  (logits, _, _), (expected, _, _), _ = both(name, train=False)
  close(logits, expected)


@pytest.mark.parametrize('name', ['all at once', 'no middle', 'narrow separable'])
def test_a_training_step_is_that_of_the_cut_out_network(name):
  """Gradients and statistics too, at the places that are left."""
  (logits, statistics, gradients), own, (network, rows, head) = both(name, train=True)
  expected, own_statistics, own_gradients = own
  close(logits, expected)
  left = masks.cut(
    network, rows, {'params': gradients, 'batch_stats': statistics}, head
  )
  for one, other in zip(
    jax.tree.leaves(left),
    jax.tree.leaves({'params': own_gradients, 'batch_stats': own_statistics}),
    strict=True,
  ):
    close(one, np.asarray(other))


def test_what_is_dropped_has_no_gradient():
  _, (network, rows, head) = (
    None,
    choice_of(*[CHOICES['all at once'][0]], **CHOICES['all at once'][1]),
  )
  variables = variables_of(network)
  _, _, gradients = masked_program('inverted', True)(
    variables, masks.choose(network, rows, head)
  )
  expand = gradients['backbone']['block_01']['expand']['conv']['kernel']
  assert np.any(expand[..., :8, :24])
  assert not np.any(expand[..., 24:])
  assert not np.any(expand[..., 8:, :])


def test_one_program_for_all_choices():
  run = masked_program('inverted', False)
  for kind, fields in CHOICES.values():
    if kind == 'inverted':
      network, rows, head = choice_of(kind, **fields)
      run(variables_of(network), masks.choose(network, rows, head))
  assert run.run._cache_size() == 1


@pytest.mark.parametrize(
  ('fields', 'says'),
  [
    ({'skip': ('block_01',)}, 'block_01 cannot be skipped: no residual passes it'),
    ({'block_02': {'kernel': 7}}, 'block_02 has a kernel of 7, not at most 5'),
    ({'block_02': {'kernel': 4}}, 'which has no centre there'),
    ({'block_02': {'expand': 4}}, 'block_02 has more channels'),
    (
      {'block_03': {'se': 0.25}},
      'squeeze-and-excite, which the larger network has not',
    ),
    ({'block_02': {'residual': False}}, 'block_02 has no residual'),
    ({'block_02': {'stride': 2}}, 'block_02 has stride 2, not 1'),
  ],
)
def test_what_is_no_choice_is_named(fields, says):
  network, rows, head = choice_of('inverted', **fields)
  with pytest.raises(ModelError, match=says):
    masks.choose(network, rows, head)


def test_the_convolution_that_carries_the_stride_stays():
  network, rows, head = choice_of('universal', block_01={'middle': 0})
  with pytest.raises(ModelError, match='no middle convolution, which carries'):
    masks.choose(network, rows, head)
