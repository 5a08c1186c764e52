"""Building the accelerator, and what is said where it is not built."""

import itertools

import jax
import jax.numpy as jnp
import pytest

from mobilenet.models import lowering
from mobilenet.models.accelerator import build, kernels
from mobilenet.models.convolution import conv
from mobilenet.models.window import Window


def _forget():
  kernels.register.cache_clear()
  kernels._library.cache_clear()


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
  """No library is built or loaded yet."""
  monkeypatch.setattr(build, 'library_path', lambda: tmp_path / 'cache' / 'kernels.so')
  _forget()
  yield
  _forget()


@pytest.mark.usefixtures('empty_cache')
def test_compiled_without_the_library_says_how_to_build_it():
  x, kernel = jnp.ones((1, 5, 5, 8)), jnp.ones((3, 3, 1, 8))
  assert not kernels.is_built()
  with pytest.raises(build.AcceleratorError, match=r'python -m mobilenet\.models'):
    conv(x, kernel, groups=8, lowering='compiled')


@pytest.mark.usefixtures('empty_cache')
def test_no_compiler_is_one_line(monkeypatch):
  monkeypatch.setenv('CXX', 'no-such-compiler')
  with pytest.raises(build.AcceleratorError, match='no-such-compiler') as caught:
    build.build()
  assert '\n' not in str(caught.value)


@pytest.mark.heavy
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
  window = Window.of(x, kernel, padding=((2, 2), (2, 2)), groups=24)
  gradients = jax.jit(
    lambda x, kernel, g: accelerator.depthwise_gradients(x, kernel, g, window)
  )
  first = gradients(x, kernel, x)
  for _ in range(5):
    for a, b in zip(
      *map(jax.tree.leaves, (first, gradients(x, kernel, x))), strict=True
    ):
      assert bool(jnp.all(a == b))


KINDS = (  # kernel, stride, groups, rows of the image
  (1, 1, 1, 7),  # tiles that are not full, and both vectors of a tile
  (1, 1, 1, 100),
  (1, 1, 1, kernels.LONG + 5),  # the other way to x^T g
  (1, 2, 1, 9),
  (3, 1, 1, 9),
  (5, 2, 1, 9),
  (3, 1, 16, 9),
  (5, 2, 16, 9),
)


def is_heavy(act, kind):
  """Every kind has one activation, and one kind has them all."""
  acts = kernels.COMPILED_ACTIVATIONS
  return kind != KINDS[0] and act != acts[KINDS.index(kind) % len(acts)]


@pytest.mark.parametrize(
  ('act', 'k', 'stride', 'groups', 'rows'),
  [
    pytest.param(act, *kind, marks=pytest.mark.heavy if is_heavy(act, kind) else [])
    for act, kind in itertools.product(kernels.COMPILED_ACTIVATIONS, KINDS)
  ],
)
def test_convolutions_with_bias_and_activation_have_the_gradients_of_xla(
  accelerator, monkeypatch, act, k, stride, groups, rows
):
  monkeypatch.setattr(accelerator, 'FEW', 1)
  monkeypatch.setattr(accelerator, 'WEIGHTS_A_ROW', 1000)
  features = 16 if groups > 1 else 24
  keys = jax.random.split(jax.random.key(rows), 4)
  x = jax.random.normal(keys[0], (1, rows, 1 if k == stride == 1 else 11, 16))
  kernel = jax.random.normal(keys[1], (k, k, 16 // groups, features))
  bias = jax.random.normal(keys[2], (features,))
  how = {'stride': stride, 'groups': groups}
  how['padding'] = lowering.pads(x.shape[1:3], k, stride, 'tf')

  def with_gradients(name):
    def run(x, kernel, bias):
      return conv(x, kernel, bias=bias, act=act, lowering=name, **how)

    y, back = jax.vjp(run, x, kernel, bias)
    return y, *back(jax.random.normal(keys[3], y.shape))

  run = jax.jit(with_gradients, static_argnums=0)
  assert run.lower('compiled').as_text().count('custom_call @mobilenet_') >= 2
  for ours, theirs in zip(run('compiled'), run('native'), strict=True):
    # Sums of many rows differ by that.
    assert float(jnp.abs(ours - theirs).max()) <= 1e-4 * float(jnp.abs(theirs).max())
