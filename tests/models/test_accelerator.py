"""Building the accelerator, and what is said where it is not built."""

import jax
import jax.numpy as jnp
import pytest

from mobilenet.models import lowering
from mobilenet.models.accelerator import build, kernels
from mobilenet.models.activations import ACTIVATIONS


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
  """No library is built or loaded yet."""
  monkeypatch.setattr(build, 'library_path', lambda: tmp_path / 'cache' / 'kernels.so')
  kernels.register.cache_clear()
  yield
  kernels.register.cache_clear()


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
  sources = tmp_path / 'source'
  sources.mkdir()
  (sources / 'broken.cc').write_text('int broken(')
  monkeypatch.setattr(build, 'SOURCES', sources)
  with pytest.raises(build.AcceleratorError, match=r'cannot compile .*broken\.cc'):
    build.build()
  assert list((tmp_path / 'cache').iterdir()) == []


def test_the_library_belongs_to_source_jaxlib_and_processor(monkeypatch):
  path = build.library_path.__wrapped__
  first = path()
  assert path() == first
  monkeypatch.setattr(build.user_cache, 'processor', lambda: 'another')
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


@pytest.mark.parametrize('act', kernels.COMPILED_ACTIVATIONS)
@pytest.mark.parametrize('rows', [7, 100, kernels.LONG + 5])
def test_products_with_bias_and_activation_have_the_gradients_of_xla(
  accelerator, act, rows
):
  """Tiles that are not full, both vectors of a tile, and both ways to x^T g."""
  keys = jax.random.split(jax.random.key(rows), 4)
  x = jax.random.normal(keys[0], (rows, 16))
  kernel = jax.random.normal(keys[1], (16, 24))
  bias = jax.random.normal(keys[2], (24,))
  g = jax.random.normal(keys[3], (rows, 24))

  def compiled(x, kernel, bias):
    return jnp.sum(accelerator.pointwise(x, kernel, bias, act) * g)

  def plain(x, kernel, bias):
    product = jnp.matmul(x, kernel, precision='highest')
    return jnp.sum(ACTIVATIONS[act](product + bias) * g)

  check_alike(compiled, plain, x, kernel, bias)


@pytest.mark.parametrize('act', kernels.COMPILED_ACTIVATIONS)
@pytest.mark.parametrize(('k', 'stride'), [(3, 1), (5, 2)])
@pytest.mark.parametrize('kind', ['depthwise', 'conv'])
def test_convolutions_with_bias_and_activation_have_the_gradients_of_xla(
  accelerator, kind, act, k, stride
):
  keys = jax.random.split(jax.random.key(k), 3)
  x = jax.random.normal(keys[0], (3, 9, 11, 16))
  kernel = jax.random.normal(keys[1], (k, k, 1 if kind == 'depthwise' else 16, 16))
  bias = jax.random.normal(keys[2], (16,))
  pads = lowering.pads(x.shape[1:3], k, stride, 'tf')

  def compiled(x, kernel, bias):
    run = getattr(accelerator, kind)
    return jnp.sum(run(x, kernel, bias, stride, pads, act) ** 2)

  def plain(x, kernel, bias):
    y = lowering.conv(
      x,
      kernel,
      stride=stride,
      padding=pads,
      groups=16 if kind == 'depthwise' else 1,
      lowering='native',
    )
    return jnp.sum(ACTIVATIONS[act](y + bias) ** 2)

  check_alike(compiled, plain, x, kernel, bias)


def check_alike(compiled, plain, *arguments):
  """Values and gradients to 1e-4 of the largest; sums of many rows differ by that."""
  every = tuple(range(len(arguments)))
  ours = jax.jit(jax.value_and_grad(compiled, every))(*arguments)
  theirs = jax.jit(jax.value_and_grad(plain, every))(*arguments)
  for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
    assert float(jnp.abs(a - b).max()) <= 1e-4 * float(jnp.abs(b).max())
