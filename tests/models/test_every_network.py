"""Every named network trains a step at a small size and gives finite numbers.

Repeated rows are left out: what they would test again is what costs to compile. The
whole networks are tried by `pytest -m heavy`.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models import zoo
from mobilenet.models.classifier import Classifier
from mobilenet.models.initializers import init_variables

# The smallest images that the pools of a network allow, where 32 px are too few.
PIXELS = {'alexnet': 63, 'alexnet_2012': 63}
# Compiled once and run twice: what compiles fastest is best.
QUICKLY = {
  'xla_backend_optimization_level': 0,
  'xla_llvm_disable_expensive_passes': True,
}


def small(name: str) -> Classifier:
  network = zoo.NETWORKS[name]
  width = 0.5 if isinstance(network, dict) else 0.25
  return zoo.create(name, width=width, num_classes=4, dropout=0.1, stochastic_depth=0.1)


def train_two_steps(model: Classifier, pixels: int):
  """The losses before and after a step of gradient descent, and the gradients."""
  variables = init_variables(model, (pixels, pixels, 3), 0)
  rng = np.random.default_rng(0)
  images = rng.standard_normal((4, pixels, pixels, 3), np.float32)
  labels = np.arange(4)

  def loss(params, statistics):
    logits, updates = model.apply(
      {'params': params, 'batch_stats': statistics},
      images,
      train=True,
      mutable=['batch_stats'],
      rngs={'dropout': jax.random.key(0)},
    )
    log_probabilities = jax.nn.log_softmax(logits)
    return -jnp.mean(log_probabilities[labels, labels]), updates

  def step(params, statistics):
    (value, updates), gradients = jax.value_and_grad(loss, has_aux=True)(
      params, statistics
    )
    return value, gradients, updates.get('batch_stats', {})

  arguments = variables['params'], variables.get('batch_stats', {})
  compiled = jax.jit(step).lower(*arguments).compile(compiler_options=QUICKLY)
  before, gradients, statistics = compiled(*arguments)
  # A step so short that the loss must follow the slope.
  slope = sum(float(jnp.sum(jnp.square(g))) for g in jax.tree.leaves(gradients))
  rate = 0.01 * float(before) / slope
  params = jax.tree.map(lambda p, g: p - rate * g, arguments[0], gradients)
  after, *_ = compiled(params, arguments[1])
  return float(before), float(after), gradients, statistics


def check(model: Classifier, name: str) -> None:
  before, after, gradients, statistics = train_two_steps(model, PIXELS.get(name, 32))
  assert np.isfinite(before)
  assert after < before
  for path, leaf in jax.tree_util.tree_leaves_with_path((gradients, statistics)):
    assert bool(jnp.isfinite(leaf).all()), jax.tree_util.keystr(path)
  still = [
    jax.tree_util.keystr(path)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients)
    if path[-1].key == 'kernel' and not bool(jnp.any(leaf != 0))
  ]
  assert not still


@pytest.mark.parametrize('name', zoo.NETWORKS)
def test_distinct_rows_train_a_step(name):
  model = small(name)
  rows = tuple(dict.fromkeys(model.network.rows))
  network = dataclasses.replace(model.network, rows=rows)
  check(model.clone(network=network), name)


@pytest.mark.heavy
@pytest.mark.parametrize('name', zoo.NETWORKS)
def test_whole_networks_train_a_step(name):
  check(small(name), name)
