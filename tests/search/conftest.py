"""Small networks with every kind of row that a search changes."""

import functools

import jax
import numpy as np

from mobilenet.models import zoo
from mobilenet.models.classifier import Classifier
from mobilenet.models.initial import init_variables
from mobilenet.models.rows import (
  Conv,
  Fused,
  Head,
  Inverted,
  Network,
  Pool,
  Separable,
  Style,
  Universal,
)

# Each with widths that residuals share, and with rows that may be skipped.
NETWORKS = {
  'inverted': Network(
    rows=(
      Conv(3, 16, 2, 'hard_swish'),
      Inverted(3, 1, 16, 1, 0.25, 'relu'),
      Inverted(5, 4, 24, 2, 0.25, 'relu', residual=False),
      Inverted(5, 3, 24, 1, 0.25, 'hard_swish'),
      Inverted(3, 3, 24, 1, 0, 'hard_swish', residual=False),
      Conv(1, 48, 1, 'hard_swish'),
    ),
    head=Head(32, 'hard_swish'),
  ),
  'universal': Network(
    rows=(
      Conv(3, 16, 2),
      Fused(3, 2, 24, 2),
      Universal(5, 5, 3, 32, 2),
      Universal(5, 5, 2, 32, 1, layer_scale=True),
      Conv(1, 48, 1),
    ),
    head=Head(32, 'relu', norm=True),
  ),
  'mnasnet': Network(
    rows=(
      Conv(3, 16, 2),
      Inverted(3, 3, 24, 2, 0.25, 'relu'),
      Inverted(5, 3, 24, 1, 0.25, 'relu'),
    ),
    style=Style(squeeze='mnasnet'),
  ),
  'separable': Network(
    rows=(
      Conv(3, 16, 2, 'relu6'),
      Pool(3, 2),
      Separable(5, 32),
      Separable(3, 48, 2),
    ),
    head=Head(),
    divisor=1,
  ),
}
CLASSES = 4
IMAGES = np.random.default_rng(0).standard_normal((4, 24, 24, 3), np.float32)


def model_of(network) -> Classifier:
  return Classifier(network, CLASSES)


@functools.cache
def variables_of(network):
  """Drawn for every array: norms of a fresh network would hide what is wrong."""
  rng = np.random.default_rng(0)
  drawn = init_variables(model_of(network), IMAGES.shape[1:], seed=0)
  return jax.tree.map(
    lambda leaf: (
      # Of the size that keeps maps as large as they are: rounding stays small.
      rng.standard_normal(leaf.shape, np.float32)
      / np.float32(np.sqrt(np.prod(leaf.shape[:-1])))
      if leaf.ndim > 1
      else rng.uniform(0.2, 1.0, leaf.shape).astype(np.float32)
    ),
    drawn,
  )


def named(name, **options):
  return zoo.create(name, num_classes=CLASSES, **options).network
