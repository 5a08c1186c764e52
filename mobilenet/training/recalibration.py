"""New running statistics for the norms of a trained network.

Running averages follow the training: they are of augmented images, of weights that
moved meanwhile, and of averaged weights only by way of averages. Here they are computed
anew, of weights that stay, over images as evaluation prepares them.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.sharding import Mesh

from mobilenet.models.norm import BatchNorm
from mobilenet.training import sharding

Tree = dict[str, Any]


def recalibrate(
  model: nn.Module,
  variables: Tree,
  batches: Iterable[np.ndarray],
  mesh: Mesh,
  advance: Callable[[int], object] = lambda images: None,
) -> Tree:
  """The statistics of a network's norms over images, exact for those images.

  All norms are measured in one pass, in which each normalises by its batch, as in
  training. So what a deeper norm sees depends on the batches, and large ones of mixed
  classes come closest to evaluation, where every norm uses the same statistics for all
  images. The mean is the mean of the batches' means. The variance is the mean of their
  squares less the square of the mean, in the unbiased form, as running ones are.

  Args:
    model: whose norms replace their running statistics by those of a batch: their
      momentum is 0, no row is frozen and nothing is dropped.
    variables: {'params', 'batch_stats'}; the statistics in it are not read.
    batches: images (N, H, W, 3), the same number in each; at least one.
    mesh: over which batches are split.
    advance: is told of the images of each batch.

  Returns:
    'batch_stats', of NumPy arrays, float32.
  """
  counts = {}  # by the path of a norm: the numbers that it averages in a batch

  def count(next_call, args, kwargs, context):
    if isinstance(context.module, BatchNorm) and context.method_name == '__call__':
      counts[context.module.path] = math.prod(args[0].shape[:-1])
    return next_call(*args, **kwargs)

  def statistics(variables, images):
    with nn.intercept_methods(count):
      _, updated = model.apply(variables, images, train=True, mutable=['batch_stats'])
    return updated['batch_stats']

  everywhere, over_devices = sharding.replicated(mesh), sharding.split(mesh)
  measured = jax.jit(
    statistics, in_shardings=(everywhere, over_devices), out_shardings=everywhere
  )
  sums, number = None, 0
  for images in batches:
    on_devices = sharding.put(mesh, {'image': images})['image']
    found = jax.device_get(measured(variables, on_devices))
    each = _map_norms(_moments, found, counts)
    sums = each if sums is None else jax.tree.map(np.add, sums, each)
    number += 1
    advance(len(images))
  assert number, 'there was no batch'
  return _map_norms(lambda norm, count: _statistics(norm, number, count), sums, counts)


def _moments(norm: Tree, count: int) -> Tree:
  """Of a batch: its mean, and the mean of its squares; float64."""
  mean, unbiased = (np.asarray(norm[name], np.float64) for name in ('mean', 'var'))
  biased = unbiased * max(count - 1, 1) / count
  return {'mean': mean, 'square': biased + np.square(mean)}


def _statistics(sums: Tree, batches: int, count: int) -> Tree:
  """Of sums of moments over batches: the mean and the unbiased variance."""
  mean, square = sums['mean'] / batches, sums['square'] / batches
  numbers = batches * count
  variance = (square - np.square(mean)) * numbers / max(numbers - 1, 1)
  return {
    'mean': mean.astype(np.float32),
    'var': np.maximum(variance, 0).astype(np.float32),
  }


def _map_norms(function, tree: Tree, counts: dict, path: tuple[str, ...] = ()) -> Tree:
  """`function` of (the values of a norm, its count), for every norm of a tree."""
  if path in counts:
    return function(tree, counts[path])
  return {
    name: _map_norms(function, below, counts, (*path, name))
    for name, below in tree.items()
  }
