"""Every named network trains a step at a small size and gives finite numbers.

Here without rows that repeat another with other widths and kernel sizes, in XLA's own
convolutions, which compile fast. `pytest -m heavy` tries the networks whose rows all
are of kinds that another one has, and all networks whole, in the lowering that the
backend trains with.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models import zoo
from mobilenet.models.classifier import Classifier
from mobilenet.models.initial import init_variables

# Where 32 px are too few: for the pools, for attention to have more than one key, or
# for the norms of a deep network, whose maps have one place there: over four images
# the gradients are so steep that the step is lost in rounding.
PIXELS = {
  'alexnet': 63,
  'alexnet_2012': 63,
  'mobilenet_v4_conv_large': 64,
  'mobilenet_v4_hybrid_medium': 64,
  'mobilenet_v4_hybrid_large': 64,
}
# Where a quarter is too narrow: two units of a squeeze may both be dead at the start.
WIDTHS = {'mnasnet_small': 1.0}
SIZES = {'kernel', 'start', 'middle', 'expand', 'out', 'inner', 'outs'}
# Compiled once and run twice: what compiles fastest is best.
QUICKLY = {
  'xla_backend_optimization_level': 0,
  'xla_llvm_disable_expensive_passes': True,
}


def small(name: str, lowering: str) -> Classifier:
  network = zoo.NETWORKS[name]
  width = 0.5 if isinstance(network, dict) else WIDTHS.get(name, 0.25)
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
  # NumPy from here on: every operation of JAX would be compiled for every shape.
  before, gradients, statistics = jax.device_get(compiled(*arguments))
  # A step so short that the loss must follow the slope.
  slope = sum(float(np.sum(np.square(g))) for g in jax.tree.leaves(gradients))
  rate = np.float32(0.01 * float(before) / slope)
  params = jax.tree.map(lambda p, g: p - rate * g, arguments[0], gradients)
  after, *_ = compiled(params, arguments[1])
  return float(before), float(after), gradients, statistics


def check(model: Classifier, name: str) -> None:
  before, after, gradients, statistics = train_two_steps(model, PIXELS.get(name, 32))
  assert np.isfinite(before)
  assert after < before
  for path, leaf in jax.tree_util.tree_leaves_with_path((gradients, statistics)):
    assert np.isfinite(leaf).all(), jax.tree_util.keystr(path)
  still = [
    jax.tree_util.keystr(path)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients)
    if path[-1].key == 'kernel' and not np.any(leaf)
  ]
  assert not still


# Networks made of kinds of rows that the one named has too, or that the network of
# test_classics.py has.
CLASSICS = 'test_classics.py'
COVERED = {
  **dict.fromkeys(('alexnet', 'alexnet_2012', 'resnet50', 'vgg16', 'vgg19'), CLASSICS),
  **dict.fromkeys(('googlenet', 'googlenet_2014', 'xception'), CLASSICS),
  'fd_mobilenet': 'mobilenet_v1',
  'mnasnet_b1': 'mobilenet_v2',
  'mnasnet_small': 'mnasnet_a1',
  'mobile_face_net_trunk': 'test_embedders.py',
  'mobilenet_v1_shallow': 'mobilenet_v1',
  'mobilenet_v3_large': 'mobilenet_v3_small',
  'mobilenet_v3_large_minimalistic': 'mobilenet_v2',
  'mobilenet_v3_small_minimalistic': 'mobilenet_v2',
  'mobilenet_v4_conv_small': 'mobilenet_v4_hybrid_medium',
  'mobilenet_v4_conv_medium': 'mobilenet_v4_hybrid_medium',
  'mobilenet_v4_conv_large': 'mobilenet_v4_hybrid_medium',
  'mobilenet_v4_hybrid_large': 'mobilenet_v4_hybrid_medium',
  'squeezenet_1_0': 'squeezenet_1_0_complex_bypass',
  'squeezenet_1_1': 'squeezenet_1_0_complex_bypass',
  'squeezenet_1_0_simple_bypass': 'squeezenet_1_0_complex_bypass',
  'shufflenet_v1_g1': 'shufflenet_v1_g3',
  'shufflenet_v1_g2': 'shufflenet_v1_g3',
  'shufflenet_v1_g4': 'shufflenet_v1_g3',
  'shufflenet_v1_g8': 'shufflenet_v1_g3',
}


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(name, marks=[pytest.mark.heavy] if name in COVERED else [])
    for name in zoo.NETWORKS
  ],
)
def test_distinct_rows_train_a_step(name):
  model = small(name, 'native')
  kinds = {}
  for row in model.network.rows:
    columns = dataclasses.asdict(row)
    for size in SIZES & set(columns):
      columns[size] = columns[size] != 0  # 0 is for none
    kinds.setdefault((type(row), *columns.items()), row)
  rows = tuple(kinds.values())
  network = dataclasses.replace(model.network, rows=rows)
  check(model.clone(network=network), name)


@pytest.mark.heavy
@pytest.mark.parametrize('name', zoo.NETWORKS)
def test_whole_networks_train_a_step(name):
  check(small(name, 'auto'), name)
