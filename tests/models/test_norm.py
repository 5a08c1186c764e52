"""Batch norm and its activation, pure and compiled, against autodiff of the formula."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilenet.models import norm
from mobilenet.models.accelerator import kernels
from mobilenet.models.activations import ACTIVATIONS

EPSILON = 1e-3


def formula(x, scale, bias, act):
  """What the paper says, for autodiff."""
  mean, variance = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
  y = (x - mean) * jax.lax.rsqrt(variance + EPSILON) * scale + bias
  return ACTIVATIONS[act](y), mean, variance


def compare(function, shape, act):
  rng = np.random.default_rng(0)
  x, g = (rng.normal(0.3, 2.0, shape).astype(np.float32) for _ in range(2))
  scale, bias = (rng.normal(1.0, 1.0, shape[-1:]).astype(np.float32) for _ in range(2))

  @functools.partial(jax.jit, static_argnums=0)
  def with_gradients(run, x, scale, bias, g):
    y, back, statistics = jax.vjp(
      lambda *a: (run(*a)[0], run(*a)[1:]), x, scale, bias, has_aux=True
    )
    return y, *back(g), *statistics

  for one, other in zip(
    with_gradients(lambda *a: function(*a, EPSILON, act), x, scale, bias, g),
    with_gradients(lambda *a: formula(*a, act), x, scale, bias, g),
    strict=True,
  ):
    assert one.shape == other.shape
    np.testing.assert_allclose(one, other, 1e-3, 1e-4 * np.abs(other).max())


SHAPES = st.tuples(
  st.integers(2, 5), st.integers(2, 9), st.integers(2, 9), st.sampled_from([8, 24])
)


@settings(max_examples=4, deadline=None)
@given(shape=SHAPES, act=st.sampled_from(sorted(ACTIVATIONS)))
def test_pure(shape, act):
  compare(functools.partial(norm.batch_norm, lowering='sliced'), shape, act)


@settings(max_examples=6, deadline=None)
@given(shape=SHAPES, act=st.sampled_from(kernels.COMPILED_ACTIVATIONS))
def test_compiled(accelerator, shape, act):
  del accelerator
  compare(functools.partial(norm.batch_norm, lowering='compiled'), shape, act)


def test_compiled_over_many_items(accelerator):
  """More rows than one item of work has, and not a multiple of it."""
  del accelerator
  compiled = functools.partial(norm.batch_norm, lowering='compiled')
  compare(compiled, (3, 57, 61, 24), 'hard_swish')


def everything(run, x, scale, bias):
  """First to third derivatives of a norm, forwards and backwards, and batched."""
  weights = jnp.sin(jnp.arange(x.size, dtype=jnp.float32)).reshape(x.shape)

  def loss(x, scale, bias):
    y, mean, variance = run(x, scale, bias)
    # The statistics carry no gradient: as if they were constants.
    return jnp.sum(y * weights) + jnp.sum(mean * variance)

  every = (0, 1, 2)
  gradient = jax.grad(loss, every)
  line = lambda s: loss(s * x, s * scale + bias, bias / s)  # noqa: E731
  xs, scales = jnp.stack([x, x[::-1] ** 2]), jnp.stack([scale, -scale])
  ensemble = jax.vmap(loss, (0, 0, None))
  return (
    jax.jvp(run, (x, scale, bias), (x[::-1], bias, scale)),
    jax.jvp(gradient, (x, scale, bias), (x[::-1], bias, scale)),
    jax.grad(lambda *a: jnp.sum(gradient(*a)[0] ** 2), every)(x, scale, bias),
    jax.grad(jax.grad(jax.grad(line)))(0.9),
    jax.vmap(gradient, (0, None, None))(xs, scale, bias),
    jax.grad(lambda *a: jnp.sum(ensemble(*a) ** 2), every)(xs, scales, bias),
  )


@functools.cache
def everything_of(lowering):
  """`everything` in this lowering; None: by the formula."""

  def run(*arrays):
    if lowering is not None:
      return norm.batch_norm(*arrays, EPSILON, 'hard_swish', lowering)
    y, *statistics = formula(*arrays, 'hard_swish')
    return y, *map(jax.lax.stop_gradient, statistics)

  rng = np.random.default_rng(0)
  x = rng.normal(0.3, 2.0, (3, 2, 4, 8)).astype(np.float32)
  scale, bias = rng.normal(1.0, 1.0, (2, 8)).astype(np.float32)
  quickly = {'compiler_options': {'xla_backend_optimization_level': 0}}
  found = jax.jit(functools.partial(everything, run), **quickly)(x, scale, bias)
  return jax.tree.leaves(jax.device_get(found))


@pytest.mark.parametrize('lowering', ['sliced', 'compiled'])
def test_a_norm_is_differentiated_again_and_batched(request, lowering):
  if lowering == 'compiled':
    request.getfixturevalue('accelerator')
  for one, other in zip(everything_of(lowering), everything_of(None), strict=True):
    np.testing.assert_allclose(one, other, 0, 1e-4 * max(np.abs(other).max(), 1))


@pytest.mark.parametrize('lowering', ['sliced', 'compiled'])
@pytest.mark.parametrize(
  ('channels', 'act', 'dtype'),
  [(8, 'relu', 'float32'), (8, 'gelu', 'float32'), (6, 'relu', 'bfloat16')],
)
def test_the_layer_takes_what_it_has(accelerator, lowering, channels, act, dtype):
  """Values and running statistics do not depend on the lowering."""
  del accelerator
  x = jnp.asarray(np.random.default_rng(0).normal(1, 2, (4, 5, 5, channels)), dtype)
  results = []
  for name in ('native', lowering):
    layer = norm.BatchNorm(act=act, lowering=name)

    @jax.jit
    def run(x, layer=layer):
      variables = layer.init(jax.random.key(0), x)
      return layer.apply(variables, x, train=True, mutable=['batch_stats'])

    results.append(run(x))
  assert results[0][0].dtype == results[1][0].dtype == dtype
  for a, b in zip(*map(jax.tree.leaves, results), strict=True):
    np.testing.assert_allclose(
      np.asarray(a, np.float64), np.asarray(b, np.float64), 1e-2, 1e-4
    )
