"""Building the accelerator, and what is said where it is not built."""

import jax
import jax.numpy as jnp
import pytest

from mobilenet.models import lowering
from mobilenet.models.accelerator import build, kernels


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
  """No library is built or loaded yet."""
  monkeypatch.setattr(build, 'library_path', lambda: tmp_path / 'cache' / 'kernels.so')
  kernels._register.cache_clear()
  yield
  kernels._register.cache_clear()


@pytest.mark.usefixtures('empty_cache')
def test_compiled_without_the_library_says_how_to_build_it():
  x, kernel = jnp.ones((1, 5, 5, 8)), jnp.ones((3, 3, 1, 8))
  assert not kernels.is_built()
  with pytest.raises(build.AcceleratorError, match=r'python -m mobilenet\.models'):
    lowering.conv(x, kernel, groups=8, lowering='compiled')


@pytest.mark.usefixtures('empty_cache')
def test_no_compiler_is_one_line(monkeypatch):
  monkeypatch.setenv('CXX', 'no-such-compiler')
  with pytest.raises(build.AcceleratorError, match='no-such-compiler') as caught:
    build.build()
  assert '\n' not in str(caught.value)


@pytest.mark.usefixtures('empty_cache')
def test_a_source_that_does_not_compile_leaves_nothing(
  accelerator, tmp_path, monkeypatch
):
  del accelerator  # there is a compiler
  source = tmp_path / 'kernels.cc'
  source.write_text('int broken(')
  monkeypatch.setattr(build, 'SOURCE', source)
  with pytest.raises(build.AcceleratorError, match=r'cannot compile kernels\.cc'):
    build.build()
  assert list((tmp_path / 'cache').iterdir()) == []


def test_the_library_belongs_to_source_jaxlib_and_processor(monkeypatch):
  path = build.library_path.__wrapped__
  first = path()
  assert path() == first
  monkeypatch.setattr(build, '_processor', lambda: 'another')
  second = path()
  monkeypatch.setattr(build.importlib.metadata, 'version', lambda _: '9.9.9')
  assert len({first, second, path()}) == 3


def test_sums_do_not_depend_on_the_threads(accelerator):
  """Items are added in their order, whichever thread had them."""
  x = jax.random.normal(jax.random.key(0), (16, 20, 20, 24))
  kernel = jax.random.normal(jax.random.key(1), (5, 5, 1, 24))

  def loss(x, kernel):
    pads = ((2, 2), (2, 2))
    y = accelerator.depthwise(x, kernel, jnp.zeros(0), 1, pads, 'linear')
    return jnp.sum(y**2)

  gradients = jax.jit(jax.grad(loss, (0, 1)))
  first = gradients(x, kernel)
  for _ in range(5):
    for a, b in zip(first, gradients(x, kernel), strict=True):
      assert bool(jnp.all(a == b))
