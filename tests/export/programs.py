"""Programs of small networks whose variables are random, and nothing is compiled."""

import dataclasses
import functools

import jax
import numpy as np

from mobilenet.export.program import Program
from mobilenet.models import counting, folding, rows, zoo
from mobilenet.weights.contract import Contract
from tests.tiny import NETWORK as TINY

# What `TINY` has not: a stride without TensorFlow's padding, all of V4, no squeeze.
MIXED = rows.Network(
  rows=(
    rows.Conv(3, 8, 2, 'relu6'),
    rows.Separable(3, 16, 1, 'relu6'),
    rows.Pool(3, 2, 'average'),
    rows.Fused(3, 2, 16),
    rows.Universal(3, 5, 2, 16, 1, layer_scale=True),
    rows.Attention(2, 8, kv_stride=2),
  ),
  head=rows.Head(hidden=24, norm=True),
  style=rows.Style(padding='torch'),
)
NETWORKS = {'tiny': TINY, 'mixed': MIXED}
RESOLUTION = 32
CLASSES = ('apple', "bird's nest", 'cup', 'dog', 'eagle', 'fox', 'goat')


def filled(shapes, seed=0):
  """Variables of these shapes, as training leaves them: no zeros, no ones."""
  rng = np.random.default_rng(seed)

  def fill(path, leaf):
    name, shape = path[-1].key, leaf.shape
    if name in ('scale', 'var'):
      return rng.uniform(0.5, 1.3, shape).astype(np.float32)
    if name == 'layer_scale':  # which training starts at 1e-5
      return rng.uniform(0.1, 0.3, shape).astype(np.float32)
    deviation = 1.0 / np.sqrt(np.prod(shape[:-1])) if name == 'kernel' else 0.3
    return rng.normal(0, deviation, shape).astype(np.float32)

  return jax.tree_util.tree_map_with_path(fill, shapes)


@functools.cache
def program(
  name: str, resolution: int = RESOLUTION, classes: int = 3, **options
) -> Program:
  """That of a network by its name in the zoo or in `NETWORKS`."""
  if name in NETWORKS:
    model = zoo.create('mobilenet_v2', num_classes=classes, **options)
    style = dataclasses.replace(NETWORKS[name].style, **options)
    model = model.clone(network=dataclasses.replace(NETWORKS[name], style=style))
  else:
    model = zoo.create(name, num_classes=classes, **options)
  _, shapes = counting.layers_and_variables(model, resolution)
  folded, variables = folding.fold(model, filled(shapes))
  return Program(
    model=folded,
    variables=jax.tree.map(np.asarray, variables),
    resolution=resolution,
    contract=Contract(resolution=resolution),
    class_names=(*CLASSES, *map(str, range(classes)))[:classes],
    origin=f'a test of {name}',
    architecture={'name': name, 'num_classes': classes, **options},
  )


def images(count: int = 2, resolution: int = RESOLUTION) -> np.ndarray:
  rng = np.random.default_rng(1)
  return rng.normal(size=(count, resolution, resolution, 3)).astype(np.float32)


@functools.cache
def logits(name: str, resolution: int = RESOLUTION, **options) -> np.ndarray:
  """Of `images`, by the network itself."""
  function = program(name, resolution, **options).function()
  return np.asarray(jax.jit(function)(images(2, resolution)))


def assert_same(found, wanted, tolerance=1e-5):
  """To a share of the largest logit."""
  assert found.shape == wanted.shape
  assert np.abs(found - wanted).max() < tolerance * np.abs(wanted).max()
