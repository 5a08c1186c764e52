"""Every lowering of a convolution against float64 numerics and XLA's own operator."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilenet.models import lowering, operations
from mobilenet.models.accelerator import build
from mobilenet.models.convolution import conv
from mobilenet.models.operations import Target
from mobilenet.models.window import Window

SIZES = st.tuples(st.integers(1, 13), st.integers(1, 13))
RULES = st.sampled_from(['tf', 'torch', 'keras_v1', 'valid'])


def random(shape, seed):
  return np.random.default_rng(seed).standard_normal(shape, np.float32)


def loss(x, kernel, weights, **kwargs):
  return jnp.sum(conv(x, kernel, **kwargs) * weights)


def reference(x, kernel, g, *, stride=1, padding=((0, 0),) * 2, dilation=1, groups=1):
  """Output and gradients in float64: the formula, a tap at a time."""
  x, kernel, g = (np.asarray(a, np.float64) for a in (x, kernel, g))
  k, _, inner, out = kernel.shape
  kernel = kernel.reshape(k, k, inner, groups, out // groups)
  padded = np.pad(x, ((0, 0), *padding, (0, 0)))
  padded = padded.reshape(*padded.shape[:3], groups, inner)
  d_padded, d_kernel = np.zeros_like(padded), np.zeros_like(kernel)
  y = np.zeros((*g.shape[:3], groups, out // groups))
  g = g.reshape(y.shape)
  for i in range(k):
    for j in range(k):
      rows, columns = (
        slice(tap * dilation, tap * dilation + (n - 1) * stride + 1, stride)
        for tap, n in ((i, g.shape[1]), (j, g.shape[2]))
      )
      seen = padded[:, rows, columns]
      y += np.einsum('nhwgc,cgo->nhwgo', seen, kernel[i, j])
      d_kernel[i, j] = np.einsum('nhwgc,nhwgo->cgo', seen, g)
      d_padded[:, rows, columns] += np.einsum('nhwgo,cgo->nhwgc', g, kernel[i, j])
  (top, _), (left, _) = padding
  dx = d_padded.reshape(*padded.shape[:3], -1)
  dx = dx[:, top : top + x.shape[1], left : left + x.shape[2]]
  return y.reshape(*y.shape[:3], out), dx, d_kernel.reshape(k, k, inner, out)


@functools.partial(jax.jit, static_argnums=0)
def with_gradients(run, x, kernel, g):
  y, back = jax.vjp(run, x, kernel)
  return y, *back(g.astype(y.dtype))


def compare(x, kernel, *, lowerings=('native', 'sliced'), tolerance=1e-5, **kwargs):
  """Output and both gradients of each lowering, against the largest exact number."""
  shape = jax.eval_shape(
    lambda x, k: conv(x, k, lowering='native', **kwargs), x, kernel
  ).shape
  g = random(shape, 3)
  exact = reference(x, kernel, g, **kwargs)
  for name in lowerings:
    run = functools.partial(conv, lowering=name, **kwargs)
    for ours, right in zip(with_gradients(run, x, kernel, g), exact, strict=True):
      assert ours.shape == right.shape
      assert ours.dtype == x.dtype
      bound = tolerance * max(np.abs(right).max(initial=0), 1)
      np.testing.assert_allclose(np.asarray(ours, np.float64), right, 0, bound)


def fits(size, k, padding, dilation=1):
  """Whether there is room for a kernel in the padded image."""
  reach = (k - 1) * dilation + 1
  return all(n + sum(pad) >= reach for n, pad in zip(size, padding, strict=True))


@settings(max_examples=6, deadline=None)
@given(
  size=SIZES,
  k=st.sampled_from([1, 3, 5, 7]),
  stride=st.integers(1, 3),
  dilation=st.integers(1, 2),
  rule=RULES,
)
def test_depthwise(size, k, stride, dilation, rule):
  x, kernel = random((2, *size, 3), 0), random((k, k, 1, 3), 1)
  pads = lowering.pads(size, k, stride, rule, dilation)
  if fits(size, k, pads, dilation):
    compare(x, kernel, stride=stride, padding=pads, dilation=dilation, groups=3)


@settings(max_examples=20, deadline=None)
@given(
  size=SIZES,
  images=st.integers(1, 9),  # from eight on whole images are shared out, below rows
  channels=st.sampled_from([8, 24]),
  k=st.sampled_from([3, 5, 7]),
  stride=st.integers(1, 2),
  rule=RULES,
)
def test_depthwise_compiled(accelerator, size, images, channels, k, stride, rule):
  x, kernel = random((images, *size, channels), 0), random((k, k, 1, channels), 1)
  pads = lowering.pads(size, k, stride, rule)
  if fits(size, k, pads):
    window = Window.of(x, kernel, stride=stride, padding=pads, groups=channels)
    assert accelerator.has_depthwise(window, images, x.dtype)
    compare(
      x,
      kernel,
      lowerings=['compiled'],
      stride=stride,
      padding=pads,
      groups=channels,
    )


@settings(max_examples=20, deadline=None)
@given(
  size=SIZES,
  images=st.integers(1, 9),  # more than the eight that have sums of their own
  channels=st.sampled_from([3, 8]),
  k=st.integers(2, 7),
  stride=st.integers(1, 3),
  rule=RULES,
)
def test_full_compiled(accelerator, size, images, channels, k, stride, rule):
  """Patches of any size; of a first layer, whose input gradient is XLA's, too."""
  x, kernel = random((images, *size, channels), 0), random((k, k, channels, 24), 1)
  pads = lowering.pads(size, k, stride, rule)
  if fits(size, k, pads):
    window = Window.of(x, kernel, stride=stride, padding=pads)
    assert accelerator.has_conv(window, images, x.dtype)
    compare(x, kernel, lowerings=['compiled'], stride=stride, padding=pads)


def test_full_compiled_in_several_bands(accelerator):
  """A map whose patches do not fit the cache: rows of dx are met by two bands."""
  x, kernel = random((2, 70, 60, 16), 0), random((3, 3, 16, 8), 1)
  pads = lowering.pads((70, 60), 3, 1, 'torch')
  assert accelerator.has_conv(Window.of(x, kernel, padding=pads), 2, x.dtype)
  compare(x, kernel, lowerings=['compiled'], stride=1, padding=pads)


@pytest.mark.parametrize(
  ('channels', 'features', 'k', 'dilation', 'dtype'),
  [
    (8, 12, 3, 1, 'float32'),
    (8, 8, 3, 2, 'float32'),
    (8, 8, 3, 1, 'bfloat16'),
    (512, 512, 3, 1, 'float32'),
  ],
)
def test_a_full_convolution_that_is_not_compiled_is_native(
  accelerator, channels, features, k, dilation, dtype
):
  x, kernel = random((1, 5, 5, channels), 0), random((k, k, channels, features), 1)
  x, kernel = x.astype(dtype), kernel.astype(dtype)
  pads = lowering.pads((5, 5), k, 1, 'tf', dilation)
  window = Window.of(x, kernel, padding=pads, dilation=dilation)
  assert not accelerator.has_conv(window, 1, x.dtype)
  compare(
    x,
    kernel,
    lowerings=['compiled'],
    tolerance=1e-5 if dtype == 'float32' else 2e-2,
    padding=pads,
    dilation=dilation,
  )


@pytest.mark.parametrize(
  ('channels', 'k', 'stride', 'dilation', 'dtype'),
  [
    (12, 3, 1, 1, 'float32'),
    (8, 1, 1, 1, 'float32'),
    (8, 3, 3, 1, 'float32'),
    (8, 3, 1, 2, 'float32'),
    (8, 3, 1, 1, 'bfloat16'),
  ],
)
def test_what_is_not_compiled_is_sliced(
  accelerator, channels, k, stride, dilation, dtype
):
  x, kernel = random((2, 9, 9, channels), 0), random((k, k, 1, channels), 1)
  x, kernel = x.astype(dtype), kernel.astype(dtype)
  pads = lowering.pads((9, 9), k, stride, 'tf', dilation)
  window = Window.of(
    x, kernel, stride=stride, padding=pads, dilation=dilation, groups=channels
  )
  assert not accelerator.has_depthwise(window, 2, x.dtype)
  compare(
    x,
    kernel,
    lowerings=['compiled'],
    tolerance=1e-5 if dtype == 'float32' else 1e-2,
    stride=stride,
    padding=pads,
    dilation=dilation,
    groups=channels,
  )


@settings(max_examples=8, deadline=None)
@given(
  size=SIZES,
  k=st.sampled_from([1, 3, 5, 7]),
  stride=st.integers(1, 2),
  groups=st.sampled_from([1, 2, 4]),
  rule=RULES,
)
def test_full_and_grouped(size, k, stride, groups, rule):
  x, kernel = random((2, *size, 8), 0), random((k, k, 8 // groups, 12), 1)
  pads = lowering.pads(size, k, stride, rule)
  if fits(size, k, pads):
    compare(x, kernel, stride=stride, padding=pads, groups=groups)


@settings(max_examples=6, deadline=None)
@given(size=SIZES, k=st.sampled_from([3, 5]), stride=st.integers(1, 2), rule=RULES)
def test_bfloat16(size, k, stride, rule):
  """Eight bits of mantissa: what is rounded is the sums, not their terms."""
  x, kernel = random((2, *size, 4), 0), random((k, k, 1, 4), 1)
  x, kernel = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
  pads = lowering.pads(size, k, stride, rule)
  if fits(size, k, pads):
    compare(
      x,
      kernel,
      lowerings=['sliced'],
      tolerance=2e-2,
      stride=stride,
      padding=pads,
      groups=4,
    )


@pytest.mark.parametrize('rule', ['tf', 'torch'])
@pytest.mark.parametrize(('size', 'k', 'stride'), [(1, 3, 1), (2, 3, 2), (3, 7, 2)])
def test_full_on_a_map_smaller_than_the_kernel(size, k, stride, rule):
  x, kernel = random((2, size, size, 4), 0), random((k, k, 4, 5), 1)
  pads = lowering.pads((size, size), k, stride, rule)
  compare(x, kernel, stride=stride, padding=pads)


def gradient_text(name, platform):
  """What a depthwise convolution and both its gradients are for a platform."""
  x, kernel = random((1, 6, 6, 4), 0), random((3, 3, 1, 4), 1)
  pads = lowering.pads((6, 6), 3, 2, 'tf')
  run = functools.partial(
    loss, weights=1.0, lowering=name, stride=2, padding=pads, groups=4
  )
  traced = jax.jit(jax.value_and_grad(run, (0, 1))).trace(x, kernel)
  return traced.lower(lowering_platforms=(platform,)).as_text()


def test_a_sliced_lowering_holds_no_convolution():
  """What the CPU runs: neither forward nor backward may fall back to XLA's own."""
  assert gradient_text('native', 'cpu').count('stablehlo.convolution') == 3
  assert 'stablehlo.convolution' not in gradient_text('sliced', 'cpu')


def test_auto_is_what_suits_the_platform_that_is_compiled_for():
  """In a process on a CPU, as this one is."""
  assert gradient_text('auto', 'cpu') == gradient_text('sliced', 'cpu')
  for platform in ('cuda', 'rocm', 'tpu'):
    assert gradient_text('auto', platform) == gradient_text('native', platform)
    assert 'stablehlo.convolution' not in gradient_text('sliced', platform)


def test_compiled_is_for_cpus(accelerator):
  del accelerator
  with pytest.raises(build.AcceleratorError, match=r"lowering='auto' suits each"):
    gradient_text('compiled', 'tpu')


def test_auto_depends_on_the_target_the_devices_and_the_accelerator(monkeypatch):
  cases = (
    (Target('cpu'), 1, True, 'compiled'),
    (Target('cpu'), 1, False, 'sliced'),
    (Target('cpu'), 4, True, 'sliced'),  # a mesh cannot split a custom call
    (Target('cpu', portable=True), 1, True, 'sliced'),  # nor another machine call it
    (Target(''), 1, True, 'native'),
    (None, 1, True, 'compiled'),  # of this process
  )
  for target, devices, built, expected in cases:
    monkeypatch.setattr(jax, 'device_count', lambda _, devices=devices: devices)
    monkeypatch.setattr(lowering.kernels, 'is_built', lambda built=built: built)
    assert lowering.choose('auto', target) == expected
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  assert lowering.choose('auto') == 'native'
  with pytest.raises(ValueError, match='none of auto, native, sliced, compiled'):
    lowering.check('fast')


def test_a_platform_that_has_a_lowering_of_its_own_is_told_apart():
  assert set(lowering.PER_BACKEND) <= set(operations.PLATFORMS)


def test_a_convolution_without_jit_has_the_same_numbers():
  x, kernel = random((1, 4, 4, 2), 0), random((1, 1, 2, 3), 1)
  run = functools.partial(loss, weights=1.0, lowering='sliced')
  with jax.disable_jit():
    plain = jax.value_and_grad(run, (0, 1))(x, kernel)
  jitted = jax.jit(jax.value_and_grad(run, (0, 1)))(x, kernel)
  for one, other in zip(*map(jax.tree.leaves, (plain, jitted)), strict=True):
    np.testing.assert_allclose(one, other, 1e-5, 1e-5)


def test_bfloat16_sums_are_float32():
  """The sum of many small products must not stall at bfloat16's eight bits."""
  x = jnp.full((1, 7, 7, 1), 1.0, jnp.bfloat16)
  kernel = jnp.full((7, 7, 1, 1), 1 / 49, jnp.bfloat16)
  run = functools.partial(conv, padding=((0, 0), (0, 0)), lowering='sliced')
  y = jax.jit(run)(x, kernel)
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
