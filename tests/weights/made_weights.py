"""Weights that look trained, and their arrays as other frameworks' files have them."""

import pathlib
import zlib

import jax
import numpy as np

from mobilenet.models import counting, named
from mobilenet.weights import exporting, own_file
from mobilenet.weights.contract import Contract
from mobilenet.weights.own_file import Weights
from mobilenet.weights.sources import SOURCES, Source
from mobilenet.weights.weight_file import WeightFile

CLASSES = ('ash', 'birch', 'cedar', 'elm', 'fir', 'oak')
# Lowest and highest value: nothing is 0 or 1, and variances are positive.
RANGES = {
  'kernel': (-0.1, 0.1),
  'layer_scale': (0.5, 1.5),
  'scale': (0.5, 1.5),
  'bias': (-0.5, 0.5),
  'mean': (-0.5, 0.5),
  'var': (0.5, 1.5),
}


def source(framework: str, network: str) -> Source:
  """The first source of a network; of Keras's two the one with layer names."""
  return next(s for s in SOURCES if (s.framework, s.network) == (framework, network))


def made(name: str, *, width=1.0, num_classes=7, contract=None, **options) -> Weights:
  """Weights of a network, each array different and the same in every call."""
  model = {'name': name, 'width': width, 'num_classes': num_classes, **options}
  _, shapes = counting.layers_and_variables(named.create(**model), 224)

  def draw(path, leaf):
    place = '/'.join(key.key for key in path)
    rng = np.random.default_rng(zlib.crc32(place.encode()))
    values = rng.random(leaf.shape, np.float32)
    low, high = RANGES[path[-1].key]
    return np.float32(low) + values * np.float32(high - low)

  variables = jax.tree_util.tree_map_with_path(draw, shapes)
  names = tuple(f'class {n}' for n in range(num_classes))
  return Weights('made weights', model, variables, contract or Contract(), names)


def of_source(source: Source, **options) -> Weights:
  """`made`, with the padding and the epsilon that the framework computes with."""
  style = {'padding': source.padding, 'norm_epsilon': source.norm_epsilon}
  return made(source.network, contract=source.contract, **style, **options)


def lively(weights: Weights) -> Weights:
  """The same, changed so that images make a difference to what comes out."""
  for name, value in own_file.flatten(weights.variables).items():
    array = name.rpartition('/')[2]
    if array == 'kernel':  # from -0.1..0.1 to what keeps the size of activations
      value *= 17 * np.sqrt(3 / np.prod(value.shape[:-1]))
    elif array in ('mean', 'bias'):
      value *= 0.2
  return weights


def their_file(weights: Weights, source: Source, path='made', **metadata) -> WeightFile:
  """What a reader would make of a file of these weights."""
  tensors = exporting._tensors(weights, source)
  return WeightFile(pathlib.Path(path), source.dialect, tensors, metadata)


def folded(weights: Weights, of: Source) -> dict[str, np.ndarray]:
  """A TFLite file's arrays: norms folded into kernels and biases."""
  tensors = exporting._tensors(weights, of)
  epsilon, file = weights.model['norm_epsilon'], {}
  names = dict.fromkeys(name.split('/')[0] for name in tensors)
  for name in names:
    kernel = tensors[f'{name}/kernel']
    bias = tensors.get(f'{name}/bias', np.zeros(kernel.shape[-1], np.float32))
    if f'{name}/norm/scale' in tensors:
      norm = {a: tensors[f'{name}/norm/{a}'] for a in ('scale', 'bias', 'mean', 'var')}
      factor = norm['scale'] / np.sqrt(norm['var'] + np.float32(epsilon))
      kernel = kernel * factor
      bias = norm['bias'] - norm['mean'] * factor
    file[f'{name}:conv/kernel'] = kernel
    file[f'{name}:conv/bias'] = bias
  return file


def same_variables(one, two) -> bool:
  one, two = own_file.flatten(one), own_file.flatten(two)
  return one.keys() == two.keys() and all(
    np.array_equal(one[name], two[name]) and one[name].dtype == two[name].dtype
    for name in one
  )
