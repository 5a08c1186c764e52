"""A step's update in one pass over the parameters, beside optax's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.training import sharding
from mobilenet.training.optimizer import make_optimizer
from mobilenet.training.update import Learned, OneRule, make_update
from tests.models.conftest import accelerator as accelerator  # a fixture

RMSPROP = {'name': 'rmsprop_tf', 'decay': 0.8, 'momentum': 0.7, 'eps': 1e-3}
# One that no vector divides, one of several slices, one number.
SHAPES = {'a': (3, 5), 'b': (2, 40_000), 'c': ()}


def schedule(step):
  return 0.1 / (1.0 + step)


def arrays(seed, scale=1.0):
  rng = np.random.default_rng(seed)
  return {
    name: jnp.asarray(scale * rng.standard_normal(shape), jnp.float32)
    for name, shape in SHAPES.items()
  }


def after_steps(lowering, *, averaged, bad=(), recipe=RMSPROP, steps=3):
  """What is learned after some steps, of which those in `bad` are not good."""
  tx = make_optimizer(recipe, schedule, lowering=lowering)
  update = jax.jit(make_update(tx, sharding.make_mesh(jax.devices()[:1])))
  variables = {'params': arrays(0), 'batch_stats': arrays(1)}
  averages = {'params': arrays(2), 'batch_stats': arrays(3)} if averaged else {}
  learned = Learned(variables, tx.init(variables['params']), averages)
  text = ''
  for n in range(steps):
    given = (
      *(learned, arrays(10 + n, np.nan if n in bad else 1.0)),
      *({'batch_stats': arrays(20 + n)}, jnp.bool_(n not in bad)),
      jnp.float32(0.9) if averaged else None,
    )
    text = update.lower(*given).as_text()
    learned = update(*given)
  return jax.tree.map(np.asarray, learned), text


@pytest.mark.parametrize('averaged', [True, False])
@pytest.mark.parametrize('bad', [(), (1,), (0, 1, 2)])
def test_it_is_what_optax_makes(accelerator, averaged, bad):
  del accelerator
  found, text = after_steps('compiled', averaged=averaged, bad=bad)
  expected, plain = after_steps('sliced', averaged=averaged, bad=bad)
  assert 'mobilenet_rmsprop' in text
  assert 'mobilenet_rmsprop' not in plain
  assert jax.tree.structure(found) == jax.tree.structure(expected)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, 1e-5, 1e-6), found, expected
  )


def test_a_bad_step_leaves_every_bit(accelerator):
  del accelerator
  found, _ = after_steps('compiled', averaged=True, bad=(0,), steps=1)
  before, _ = after_steps('compiled', averaged=True, steps=0)
  jax.tree.map(np.testing.assert_array_equal, found, before)


@pytest.mark.parametrize(
  'other',
  [
    {'clip_norm': 1.0},
    {'stale_steps': 1},
    {'momentum': 0.0},
    {'name': 'rmsprop_torch'},
  ],
)
def test_what_else_an_optimizer_does_is_optax(accelerator, other):
  """Nothing of a recipe is left out for the one pass."""
  del accelerator
  recipe = RMSPROP | other
  assert not isinstance(make_optimizer(recipe, schedule), OneRule)
  found, text = after_steps('compiled', averaged=True, recipe=recipe)
  assert 'mobilenet_rmsprop' not in text
  assert np.isfinite(found.variables['params']['b']).all()
