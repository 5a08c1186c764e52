"""Initial variables of a network, drawn with NumPy."""

import zlib

import jax
import numpy as np

from mobilenet.models import shapes
from mobilenet.models.classifier import Classifier
from mobilenet.models.initializers import CONSTANTS


def init_variables(model: Classifier, image_shape: tuple[int, ...], seed: int) -> dict:
  """Initial variables {'params', 'batch_stats'} of a model, as NumPy float32 arrays.

  Every kernel has a generator of its own, seeded with (seed, path): the same on every
  backend and host, and independent of what else the model holds.

  Args:
    model: whose kernels are drawn by the distributions of `initializers`.
    image_shape: (height, width, channels) of an image, for the shapes' sake.
    seed: the model's seed.
  """
  declared, calls = shapes.trace(model, tuple(image_shape))
  modules = {call.path: call.module for call in calls}

  def draw(path, leaf):
    *parts, name = (entry.key for entry in path[1:])  # without the collection
    module = modules[tuple(parts)]
    if name in CONSTANTS:
      start = getattr(module, f'{name}_start', CONSTANTS[name])
      return np.full(leaf.shape, start, leaf.dtype)
    generator = np.random.default_rng([seed, zlib.crc32('/'.join(parts).encode())])
    return module.kernel_init.draw(generator, leaf.shape)

  return jax.tree_util.tree_map_with_path(draw, declared)
