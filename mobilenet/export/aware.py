"""Training of a network whose values are rounded as a file of integers rounds them.

The network is the folded one, as it is exported: `Rounded` runs its graph and rounds
values and kernels where `Quantised` does (Jacob et al., 1712.05877, section 3). Ranges
are not learned. They begin with what is observed before the first step, and follow the
least and the greatest value of each batch.
"""

import concurrent.futures
import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.export import calibration, fake_quantisation
from mobilenet.export import graph as graphs
from mobilenet.export.calibration import Range
from mobilenet.export.errors import ExportError
from mobilenet.export.fake_quantisation import straight_through
from mobilenet.export.graph import Graph
from mobilenet.export.quantised import rounded_constants
from mobilenet.models import shapes
from mobilenet.models.classifier import Classifier
from mobilenet.models.rows import ModelError

STATISTICS, RANGES = 'batch_stats', 'ranges'
OF_VARIABLES = ('params/', f'{STATISTICS}/')  # how names of variables begin


class Rounded(Classifier):
  """A `Classifier` without norms, all that becomes bytes rounded; made by `like`.

  Its parameters are the classifier's. Beside them 'batch_stats' holds `ranges`, float32
  (values, 2): the least and the greatest of each of `calibration.rounded_values`. With
  train=True they become a running average of those of the batches, with the momentum of
  the style's norms, from the next step on.

  It computes in float32, has no dropout, and no part of it is frozen.
  """

  def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array:
    graph = self.graph(images.shape[1:])
    names = calibration.rounded_values(graph)
    if self.is_initializing():
      self.put_variable(STATISTICS, RANGES, jnp.zeros((len(names), 2), jnp.float32))
      return super().__call__(images)
    ranges = self.get_variable(STATISTICS, RANGES)
    scales = {
      name: fake_quantisation.of_range(*ranges[n], jnp) for n, name in enumerate(names)
    }
    seen: dict[str, tuple[jax.Array, jax.Array]] = {}

    def after(node, value):
      name = graph.input if node is None else node.name
      if train:
        fixed = jax.lax.stop_gradient(value)
        seen[name] = fixed.min(), fixed.max()
      return straight_through(value, scales[name]) if name in scales else value

    constants = constants_of(graph, self.variables)
    for name, kind in rounded_constants(graph, names).items():
      constants[name] = straight_through(constants[name], kind(constants[name], jnp))
    lowering = self.network.style.lowering
    logits = graphs.run(
      graph, images.astype(jnp.float32), constants, after, lowering=lowering
    )
    if train:
      ends = calibration.shared(graph, seen, jnp.minimum, jnp.maximum)
      batch = jnp.stack([jnp.stack(ends[name]) for name in names])
      momentum = self.network.style.norm_momentum
      followed = momentum * ranges + (1 - momentum) * batch
      self.put_variable(STATISTICS, RANGES, followed)
    return logits

  @nn.nowrap
  def graph(self, image_shape: tuple[int, int, int]) -> Graph:
    """Of images of this shape; its constants are not this network's, but as many."""
    network = self.network
    style = dataclasses.replace(network.style, lowering='auto', dtype='float32')
    network = dataclasses.replace(network, style=style)
    model = Classifier(network, self.num_classes, parent=None)
    return graph_of(model, tuple(image_shape))

  @classmethod
  def like(cls, model: Classifier) -> 'Rounded':
    """The same network, rounded.

    Raises:
      ModelError: a norm, or an option that has no place in a graph.
    """
    style = model.network.style
    for option, value, wanted in (
      ('norm', style.norm, False),
      ('dtype', style.dtype, 'float32'),
      ('dropout', model.dropout, 0),
      ('stochastic_depth', model.stochastic_depth, 0),
    ):
      if value != wanted:
        raise ModelError(
          f'model {option} is {value!r}: a rounded network has {wanted!r} '
          f'(--config.model.{option}={wanted})'
        )
    if model.frozen:
      raise ModelError(
        'a rounded network learns as a whole: --config.model.trained=all'
      )
    return cls(model.network, model.num_classes)


def constants_of(graph: Graph, variables: dict[str, Any]) -> dict[str, jax.Array]:
  """A graph's constants, those that are variables with these values."""
  named = _named(variables)
  return {
    name: named[name].reshape(value.shape) if name in named else value
    for name, value in graph.constants.items()
  }


def _named(variables: dict[str, Any]) -> dict[str, Any]:
  leaves = jax.tree_util.tree_leaves_with_path(variables)
  return {'/'.join(key.key for key in path): leaf for path, leaf in leaves}


def ranges_of(
  model: Rounded, variables: dict[str, Any], image_shape: tuple[int, int, int]
) -> dict[str, Range]:
  """The ranges that a network was trained with, by the name of the value."""
  graph = model.graph(image_shape)
  ends = np.asarray(variables[STATISTICS][RANGES]).tolist()
  names = calibration.rounded_values(graph)
  return {name: (low, high) for name, (low, high) in zip(names, ends, strict=True)}


def with_ranges(
  model: Rounded,
  variables: dict[str, Any],
  image_shape: tuple[int, int, int],
  ranges: dict[str, Range],
) -> dict[str, Any]:
  """Variables with these ranges, which `ranges_of` gives back."""
  names = calibration.rounded_values(model.graph(image_shape))
  ends = np.asarray([ranges[name] for name in names], np.float32)
  return {**variables, STATISTICS: {RANGES: ends}}


@functools.lru_cache(maxsize=8)
def graph_of(model: Classifier, image_shape: tuple[int, int, int]) -> Graph:
  """A network's graph, its variables drawn so that each is known by its values.

  Raises:
    ExportError: an op that graphs lack, or a constant that is no variable but computed
      of some: gradients would not reach them.
  """
  # In a thread of its own. Here JAX may be tracing a step, and Flax recording its
  # modules: the graph would become part of it.
  with concurrent.futures.ThreadPoolExecutor(1) as thread:
    return thread.submit(_graph_of, model, image_shape).result()


def _graph_of(model, image_shape) -> Graph:
  declared, _ = shapes.trace(model, image_shape)
  rng = np.random.default_rng(0)
  variables = jax.tree.map(
    lambda leaf: rng.uniform(0.5, 1, leaf.shape).astype(np.float32), declared
  )
  graph = graphs.of(model.apply, variables, image_shape, 'rounding')
  named = _named(variables)
  for name, value in graph.constants.items():
    same = name in named and np.array_equal(named[name].ravel(), value.ravel())
    if name.startswith(OF_VARIABLES) and not same:
      raise ExportError(
        f'{name} meets a norm that follows no convolution, as in MobileNetV4: this '
        'network cannot learn while it is rounded; --job=export --precision=int8 '
        'rounds it as it is'
      )
  return graph
