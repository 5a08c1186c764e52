"""A graph with its values and weights rounded to what bytes hold."""

import dataclasses
from collections.abc import Callable, Collection, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.export import fake_quantisation
from mobilenet.export import graph as graphs
from mobilenet.export.calibration import Range, clipped_by_sigmoid
from mobilenet.export.fake_quantisation import Scale
from mobilenet.export.graph import Graph, Node

WHOLE = ('int8', 'int8_io')  # precisions of files that compute with integers
LAYERS = ('conv', 'dense')
Rounding = Callable[[jax.Array, Scale], jax.Array]


@dataclasses.dataclass(frozen=True)
class Quantised:
  """A graph and how its values become bytes.

  ranges: of the values that become bytes, by the name of the input or the node. The
    kernel of a layer becomes bytes if its output does, or goes into a hard sigmoid.
  all_kernels: whether the kernels of all layers are rounded all the same.
  kernel_scale: a kernel's scale or scales.
  """

  graph: Graph
  ranges: Mapping[str, Range] = dataclasses.field(default_factory=dict)
  all_kernels: bool = False
  kernel_scale: Callable[..., Scale] = fake_quantisation.of_kernel

  def function(
    self,
    rounding: Rounding = fake_quantisation.rounded,
    lowering: str = 'auto',
    after: Callable[[Node | None, jax.Array], None] = lambda node, value: None,
  ) -> Callable[[jax.Array], jax.Array | tuple[jax.Array, ...]]:
    """Images (N, H, W, 3) to the graph's output, or a tuple of several.

    Args:
      rounding: `fake_quantisation.composite` for TFLite.
      lowering: of convolutions.
      after: is told every node's value, rounded; the node is None for the images.
    """

    scales, of_constants = self.scales(), self.constant_scales()

    def round_output(node, value):
      scale = scales.get(self.graph.input if node is None else node.name)
      value = value if scale is None else rounding(value, scale)
      after(node, value)
      return value

    def answer(images):
      constants = dict(self.graph.constants)
      for name, scale in of_constants.items():
        constants[name] = rounding(jnp.asarray(constants[name]), scale)
      return graphs.run(self.graph, images, constants, round_output, lowering)

    return answer

  def scales(self) -> dict[str, Scale]:
    return {
      name: fake_quantisation.of_range(*ends) for name, ends in self.ranges.items()
    }

  def constant_scales(self) -> dict[str, Scale]:
    """Of kernels one a channel or one, of other constants one; of biases none.

    A bias becomes a whole number of 32 bits at the scale of its layer's products, which
    is exact enough.
    """
    kinds = rounded_constants(self.graph, self.ranges, self.all_kernels)
    return {
      name: (self.kernel_scale if kind is fake_quantisation.of_kernel else kind)(
        self.graph.constants[name]
      )
      for name, kind in kinds.items()
    }


def rounded_constants(
  graph: Graph, values: Collection[str], all_kernels: bool = False
) -> dict[str, Callable[..., Scale]]:
  """Constants that become bytes -> the function that gives their scale.

  Args:
    graph: whose constants they are.
    values: the names of those that become bytes.
    all_kernels: see `Quantised`.
  """
  found, clipped = {}, clipped_by_sigmoid(graph) if values else ()
  for node in graph.nodes:
    rounded = node.name in values or node.name in clipped
    for place, name in enumerate(node.inputs):
      if name not in graph.constants:
        continue
      if node.op in LAYERS:
        if place == 1 and (rounded or all_kernels):
          found[name] = fake_quantisation.of_kernel
      elif rounded:
        found[name] = fake_quantisation.of_values
  return found


def signal_to_noise(
  made: Quantised, images: np.ndarray
) -> list[tuple[str, str, float]]:
  """(node, op, decibels) of each node, in running order: what rounding leaves of it.

  Ten times the logarithm of the mean square of the float value over that of the
  difference, with everything before it rounded as well.
  """
  exact = Quantised(made.graph)

  @jax.jit
  def ratios(images):
    of_both = zip(values(exact, images), values(made, images), strict=True)
    return [_decibels(ours, theirs) for ours, theirs in of_both]

  found = jax.device_get(ratios(images))
  return [
    (node.name, node.op, float(ratio))
    for node, ratio in zip(made.graph.nodes, found, strict=True)
  ]


def values(made: Quantised, images: jax.Array) -> list[jax.Array]:
  """The values of all nodes, in running order."""
  seen = []
  made.function(after=lambda node, value: seen.append(value) if node else None)(images)
  return seen


def sensitivities(made: Quantised, images: np.ndarray) -> list[tuple[str, float]]:
  """(value, decibels) of each that becomes bytes, the most sensitive first.

  The signal to noise of the answers where that value alone is rounded, and the kernel
  of its layer with it.
  """
  graph, scales, names = made.graph, made.scales(), list(made.ranges)
  places = {name: place for place, name in enumerate(names)}
  owners = {name: node.name for node in graph.nodes for name in node.inputs}

  @jax.jit
  def answers(images, chosen):
    """With the value at this place rounded; -1 for none. One program for all."""

    def alone(name, value, scale):
      here = chosen == places.get(name, len(names))
      return jnp.where(here, fake_quantisation.rounded(value, scale), value)

    def after(node, value):
      name = graph.input if node is None else node.name
      return alone(name, value, scales[name]) if name in scales else value

    constants = dict(graph.constants)
    for name, scale in made.constant_scales().items():
      constants[name] = alone(owners[name], jnp.asarray(constants[name]), scale)
    return graphs.run(graph, images, constants, after)

  exact = answers(images, -1)
  ratios = [_least(exact, answers(images, n)) for n in range(len(names))]
  return sorted(zip(names, ratios, strict=True), key=lambda row: row[1])


def _least(exact, rough) -> float:
  """The decibels of the answer that suffers most."""
  pairs = zip(jax.tree.leaves(exact), jax.tree.leaves(rough), strict=True)
  return min(float(_decibels(*pair)) for pair in pairs)


def _decibels(exact: jax.Array, rough: jax.Array) -> jax.Array:
  noise = jnp.mean(jnp.square(exact - rough))
  return 10 * jnp.log10(jnp.mean(jnp.square(exact)) / jnp.maximum(noise, 1e-30))
