"""The sliced convolutions against XLA's own, values and gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilenet.models import lowering


def random(shape, seed):
  return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def loss(x, kernel, weights, **kwargs):
  return jnp.sum(lowering.conv(x, kernel, **kwargs) * weights)


def compare(x, kernel, **kwargs):
  """Output and both gradients of both lowerings; the native one says what is right."""
  native = lowering.conv(x, kernel, lowering='native', **kwargs)
  weights = random(native.shape, 3)
  results = {}
  for name in ('native', 'sliced'):
    run = functools.partial(loss, weights=weights, lowering=name, **kwargs)
    out = lowering.conv(x, kernel, lowering=name, **kwargs)
    results[name] = (out, *jax.grad(run, argnums=(0, 1))(x, kernel))
  for a, b in zip(results['native'], results['sliced'], strict=True):
    assert a.shape == b.shape
    np.testing.assert_allclose(b, a, rtol=2e-5, atol=2e-4)


@settings(max_examples=25, deadline=None)
@given(
  size=st.tuples(st.integers(3, 12), st.integers(3, 12)),
  k=st.sampled_from([1, 3, 5, 7]),
  stride=st.integers(1, 3),
  dilation=st.integers(1, 2),
  rule=st.sampled_from(['tf', 'torch']),
)
def test_depthwise(size, k, stride, dilation, rule):
  x, kernel = random((2, *size, 3), 0), random((k, k, 1, 3), 1)
  pads = lowering.pads(size, k, stride, rule, dilation)
  compare(x, kernel, stride=stride, padding=pads, dilation=dilation, groups=3)


@pytest.mark.parametrize('stride', [1, 2])
def test_pointwise(stride):
  compare(random((2, 5, 7, 6), 0), random((1, 1, 6, 4), 1), stride=stride)


@pytest.mark.parametrize('stride', [1, 2])
def test_grouped_pointwise(stride):
  x, kernel = random((2, 5, 7, 12), 0), random((1, 1, 4, 6), 1)
  compare(x, kernel, stride=stride, groups=3)


@pytest.mark.parametrize('rule', ['tf', 'torch'])
@pytest.mark.parametrize(('size', 'k', 'stride'), [(1, 3, 1), (2, 3, 2), (3, 7, 2)])
def test_full_on_a_map_smaller_than_the_kernel(size, k, stride, rule):
  x, kernel = random((2, size, size, 4), 0), random((k, k, 4, 5), 1)
  pads = lowering.pads((size, size), k, stride, rule)
  compare(x, kernel, stride=stride, padding=pads)


def test_a_sliced_lowering_holds_no_convolution():
  """What the CPU runs: neither forward nor backward may fall back to XLA's own."""
  x, kernel = random((1, 6, 6, 4), 0), random((3, 3, 1, 4), 1)
  pads = lowering.pads((6, 6), 3, 2, 'tf')
  for name, expected in (('native', True), ('sliced', False)):
    run = functools.partial(loss, weights=1.0, lowering=name, stride=2, padding=pads)
    text = str(
      jax.make_jaxpr(jax.grad(functools.partial(run, groups=4), (0, 1)))(x, kernel)
    )
    assert ('conv_general_dilated' in text) == expected


def test_auto_is_sliced_on_a_cpu_only(monkeypatch):
  for backend, expected in (('cpu', 'sliced'), ('gpu', 'native'), ('tpu', 'native')):
    monkeypatch.setattr(jax, 'default_backend', lambda backend=backend: backend)
    assert lowering.choose('auto') == expected
  with pytest.raises(ValueError, match='none of auto, native, sliced'):
    lowering.choose('fast')


def test_bfloat16_sums_are_float32():
  """The sum of many small products must not stall at bfloat16's eight bits."""
  x = jnp.full((1, 7, 7, 1), 1.0, jnp.bfloat16)
  kernel = jnp.full((7, 7, 1, 1), 1 / 49, jnp.bfloat16)
  y = lowering.conv(x, kernel, groups=1, padding=((0, 0), (0, 0)), lowering='sliced')
  assert y.dtype == jnp.bfloat16
  exact = 49 * float(kernel[0, 0, 0, 0])
  assert abs(float(y[0, 0, 0, 0]) - exact) < 0.005


def test_padding_rules():
  """At stride 2 TF pads an even input at its end only, torch on both sides."""
  assert lowering.pads((8, 7), 3, 2, 'tf') == ((0, 1), (1, 1))
  assert lowering.pads((8, 7), 3, 2, 'torch') == ((1, 1), (1, 1))
  assert lowering.pads((8, 8), 5, 1, 'tf') == ((2, 2), (2, 2))
  assert lowering.pads((9, 9), 3, 1, 'torch', 2) == ((2, 2), (2, 2))
  assert lowering.pads((8, 9), 3, 2, 'ceil') == ((0, 1), (0, 0))
  assert lowering.pads((8, 9), 11, 4, 2) == ((2, 2), (2, 2))
  with pytest.raises(ValueError, match='padding rule'):
    lowering.pads((8, 8), 3, 1, 'same')
