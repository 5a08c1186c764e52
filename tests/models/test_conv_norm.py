"""A convolution with its norm: compiled, and one after the other in XLA."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models.accelerator import kernels
from mobilenet.models.conv_norm import Pending
from mobilenet.models.layers import Conv, ConvNorm
from mobilenet.models.rows import Style

# (images, size, channels, features, kernel, stride, groups); channels that fill vectors
# of 16 and that do not, rows that fill tiles and that do not.
CASES = {
  'depthwise': (3, 9, 24, 24, 3, 1, 24),
  'depthwise, strided': (2, 9, 40, 40, 5, 2, 40),
  'depthwise, of one band an image': (8, 7, 16, 16, 3, 1, 16),
  'pointwise': (3, 9, 24, 40, 1, 1, 1),
  'pointwise, wide': (2, 9, 16, 136, 1, 1, 1),
  'pointwise, narrow': (2, 9, 64, 8, 1, 1, 1),
  'full': (2, 10, 8, 24, 3, 2, 1),
}
# Those whose output is made again.
AGAIN = {
  'pointwise, again': (3, 9, 24, 56, 1, 1, 1),
  'pointwise, again, of whole vectors': (5, 13, 16, 96, 1, 1, 1),
  'first layer': (3, 11, 3, 16, 3, 2, 1),
  'first layer, narrow': (2, 9, 1, 24, 5, 1, 1),
}
CASES |= AGAIN
QUICKLY = {'compiler_options': {'xla_backend_optimization_level': 0}}


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch):
  monkeypatch.setattr(kernels, 'LARGE', 4000)
  monkeypatch.setattr(kernels, '_vector', lambda: 16)


@functools.cache
def arrays(case):
  images, size, channels, features, kernel, _, groups = CASES[case]
  rng = np.random.default_rng(0)
  return (
    3 * rng.standard_normal((images, size, size, channels), np.float32),
    rng.standard_normal((kernel, kernel, channels // groups, features), np.float32),
    rng.uniform(0.5, 1.5, features).astype(np.float32),
    rng.standard_normal(features).astype(np.float32),
  )


def value_and_gradients(case, act, lowering, of=(0, 1, 2, 3)):
  (_, found), gradients = program(case, lowering, act, of)(*arrays(case))
  return [*found, *gradients]


def program(case, lowering, act='relu', of=(0, 1, 2, 3)):
  *_, kernel, stride, groups = CASES[case]
  pad = ((kernel - 1) // 2,) * 2
  how = {'stride': stride, 'padding': (pad, pad), 'dilation': 1, 'groups': groups}

  def loss(x, kernel, scale, bias):
    waiting = Pending(x, kernel, how, lowering)
    found = waiting.normalized(scale, bias, 1e-3, act)
    assert waiting.shape == found[0].shape
    return jnp.sum(jnp.sin(found[0])), found

  run = jax.jit(jax.value_and_grad(loss, of, has_aux=True), **QUICKLY)
  return run.lower(*arrays(case)).compile()


def assert_close(found, expected):
  for one, other in zip(found, expected, strict=True):
    scale = float(np.abs(other).max())
    np.testing.assert_allclose(one / scale, other / scale, atol=1e-5)


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('act', ['linear', 'hard_swish'])
def test_it_is_one_after_the_other(accelerator, case, act):
  del accelerator
  found = value_and_gradients(case, act, 'compiled')
  assert_close(found, value_and_gradients(case, act, 'sliced'))


@pytest.mark.parametrize('act', kernels.COMPILED_ACTIVATIONS)
@pytest.mark.parametrize('case', ['pointwise', 'pointwise, again'])
def test_every_activation(accelerator, act, case):
  del accelerator
  found = value_and_gradients(case, act, 'compiled')
  assert_close(found, value_and_gradients(case, act, 'native'))


@pytest.mark.parametrize('case', ['depthwise', 'pointwise, again', 'first layer'])
@pytest.mark.parametrize('of', [(1, 2, 3), (2, 3), (1,)])
def test_some_gradients(accelerator, of, case):
  """A frozen kernel, a first layer: only this has a kernel that makes some alone."""
  del accelerator
  found = value_and_gradients(case, 'relu', 'compiled', of)
  assert_close(found, value_and_gradients(case, 'relu', 'sliced', of))


@pytest.mark.parametrize('case', ['pointwise, wide', *AGAIN])
def test_the_same_from_any_number_of_threads(accelerator, case):
  """Sums are of parts that depend on shapes alone: twice the same, to the bit."""
  del accelerator
  first, second = (value_and_gradients(case, 'relu6', 'compiled') for _ in range(2))
  for one, other in zip(first, second, strict=True):
    np.testing.assert_array_equal(one, other)


def in_float64(case):
  """y, mean, variance, gradients of kernel, scale and bias, by the formulas; relu."""
  x, kernel, scale, bias = (np.asarray(a, np.float64) for a in arrays(case))
  size, stride = CASES[case][-3:-1]
  pad = (size - 1) // 2
  padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
  windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))
  windows = np.moveaxis(windows[:, ::stride, ::stride], 3, -1)
  patches = windows.reshape(-1, size * size * x.shape[-1])
  before = patches @ kernel.reshape(-1, kernel.shape[-1])
  mean, variance = before.mean(0), before.var(0)
  inverse = 1 / np.sqrt(variance + 1e-3)
  unit = (before - mean) * inverse
  y = unit * scale + bias
  z = np.cos(np.maximum(y, 0)) * (y > 0)
  d_scale, d_bias = (z * unit).sum(0), z.sum(0)
  d = scale * inverse * (z - (d_bias + unit * d_scale) / len(z))
  d_kernel = (patches.T @ d).reshape(kernel.shape)
  y = np.maximum(y, 0).reshape(*windows.shape[:3], -1)
  return [y, mean, variance, d_kernel, d_scale, d_bias]


@pytest.mark.parametrize('case', ['pointwise', 'full', *AGAIN])
@pytest.mark.parametrize('lowering', ['native', 'sliced', 'compiled'])
def test_against_float64(accelerator, case, lowering):
  del accelerator
  found = value_and_gradients(case, 'relu', lowering, (1, 2, 3))
  assert_close(found, in_float64(case))


@pytest.mark.parametrize('case', AGAIN)
def test_an_output_that_is_made_again_is_not_kept(accelerator, case):
  del accelerator
  of = (1, 2, 3) if 'first' in case else (0, 1, 2, 3)
  text = program(case, 'compiled', of=of).as_text()
  assert '_norm_again"' in text
  assert '_norm_again_gradients"' in text


@pytest.mark.parametrize('case', AGAIN)
def test_xla_alone_keeps_it(accelerator, case, monkeypatch):
  """It finds that an output is made twice, as long as nothing hides that from it."""
  del accelerator

  def products():
    text = program(case, 'sliced').as_text()
    return sum(text.count(f' {name}(') for name in ('dot', 'convolution'))

  again = products()
  monkeypatch.setattr(kernels, 'is_made_again', lambda *window: False)
  assert again == products() > 0


def test_a_layer_has_the_numbers_of_its_parts():
  """What a `ConvNorm` gives is its norm's of its convolution's, statistics as well."""
  style = Style(lowering='sliced', norm_momentum=0.5)
  layer = ConvNorm(16, 1, style, 'relu')
  x = arrays('pointwise')[0]
  variables = layer.init(jax.random.key(0), x)
  y, new = layer.apply(variables, x, train=True, mutable=['batch_stats'])
  conv = Conv(16, 1, style).apply({'params': variables['params']['conv']}, x)
  mean, var = (np.asarray(f(conv, axis=(0, 1, 2))) for f in (np.mean, np.var))
  expected = np.maximum((conv - mean) / np.sqrt(var + style.norm_epsilon), 0)
  np.testing.assert_allclose(y, expected, atol=1e-5)
  count = conv.size // 16
  found = new['batch_stats']['norm']
  np.testing.assert_allclose(found['mean'], 0.5 * mean, atol=1e-6)
  np.testing.assert_allclose(found['var'], 0.5 + 0.5 * var * count / (count - 1), 1e-5)
