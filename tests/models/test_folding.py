"""Folded norms give the logits of the network that they are folded from."""

import dataclasses

import jax
import numpy as np
import pytest

from mobilenet.models import folding, rows, zoo
from mobilenet.models.classifier import Classifier
from mobilenet.models.counting import layers_and_variables
from mobilenet.models.initial import init_variables

NETWORK = rows.Network(
  rows=(
    rows.Conv(3, 8, 2, 'hard_swish'),
    rows.Separable(3, 16, 1, 'relu6'),
    rows.Inverted(5, 2, 16, 1, 0.25, 'hard_swish'),
    rows.Fused(3, 2, 16, 2),
    rows.Universal(3, 5, 2, 16, 1, layer_scale=True),
    rows.Attention(2, 8, kv_stride=2),
  ),
  head=rows.Head(hidden=24, norm=True),
)


def filled(variables):
  """Statistics, scales and biases as training leaves them, not zeros and ones."""
  rng = np.random.default_rng(0)

  def fill(path, leaf):
    if path[-1].key in ('scale', 'var', 'layer_scale'):
      return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
    if path[-1].key in ('bias', 'mean'):
      return rng.normal(0, 0.3, leaf.shape).astype(np.float32)
    return leaf

  return jax.tree_util.tree_map_with_path(fill, variables)


@pytest.mark.parametrize('lowering', ['sliced', 'compiled'])
def test_logits_are_equal(accelerator, lowering):
  del accelerator
  style = dataclasses.replace(NETWORK.style, lowering=lowering)
  model = Classifier(dataclasses.replace(NETWORK, style=style), 8)
  variables = filled(init_variables(model, (21, 21, 3), 0))
  images = np.random.default_rng(1).standard_normal((3, 21, 21, 3), np.float32)
  logits = jax.jit(model.apply)(variables, images)
  folded, folded_variables = folding.fold(model, variables)
  ours = jax.jit(folded.apply)(folded_variables, images)
  largest = np.abs(logits).max()
  assert largest > 0.01
  np.testing.assert_allclose(ours, logits, 1e-5, 1e-5 * largest)


@pytest.mark.parametrize(
  'name', ['mobilenet_v4_hybrid_medium', 'resnet50', 'shufflenet_v2', 'squeezenet_1_1']
)
def test_a_network_folds_into_what_it_declares(name):
  """The folded variables are those that the network without norms asks for."""
  model = zoo.create(name, num_classes=8)
  models = []

  def fold(variables):
    folded, variables = folding.fold(model, variables)
    models.append(folded)
    return variables

  folded = jax.eval_shape(fold, layers_and_variables(model, 224)[1])
  _, declared = layers_and_variables(models[0], 224)
  for part in ('params', 'batch_stats'):
    ours, theirs = (
      jax.tree.map(lambda leaf: leaf.shape, tree.get(part, {}))
      for tree in (folded, declared)
    )
    assert ours == theirs
