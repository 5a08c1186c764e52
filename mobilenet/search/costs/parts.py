"""What a network's cost is the sum of: its rows and its head, each at its input."""

import dataclasses
import functools
import math

import flax.linen as nn
import jax

from mobilenet.models import counting, shapes, table
from mobilenet.models.classifier import HEADS, Backbone, Classifier
from mobilenet.models.rows import Head, ModelError, Network
from mobilenet.search import channels, wiring


@dataclasses.dataclass(frozen=True)
class Part:
  """A row, a head, or a whole network, at the map that it is given.

  network: with that row alone, with the head alone, or the whole.
  shape: (height, width, channels) of the map, or of the image.
  num_classes: 0 for a row.
  """

  network: Network
  shape: tuple[int, int, int]
  num_classes: int = 0

  @property
  def model(self) -> nn.Module:
    """What computes it: a map (N, H, W, C) to a map, or to logits."""
    if not self.num_classes:
      return Backbone(self.network)
    if not self.network.rows:
      return HEADS[type(self.network.head)](self.network, self.num_classes)
    return Classifier(self.network, self.num_classes)

  @property
  def text(self) -> str:
    """What `models.table` writes of it.

    Raises:
      ModelError: of a width multiplier, which no row says.
    """
    if self.num_classes and self.network.rows:
      return table.to_text(self.network)
    row = self.network.head if self.num_classes else self.network.rows[0]
    if self.network.width != 1:
      raise ModelError(
        f'{table.row_text(row)} in a network of width {self.network.width:g} has no '
        'channels of its own: only networks of width 1 can be looked up by their rows'
      )
    return table.row_text(row)

  def apply(self, variables, x: jax.Array) -> jax.Array:
    """Its output, at inference."""
    made = self.model.apply(variables, x.astype(self.network.style.dtype), train=False)
    return made[0] if isinstance(made, tuple) else made  # a backbone has endpoints, too


@dataclasses.dataclass(frozen=True)
class Counts:
  """What a part has, exactly.

  bytes: of its parameters and statistics as float32, as a weights file has them.
  channels: that it gives; of a head, the classes. layers: those that multiply.
  """

  parameters: int
  multiply_adds: int
  bytes: int
  output_shape: tuple[int, ...]
  layers: tuple[counting.Layer, ...]


# Thousands of rows, a millisecond or twenty each.
@functools.lru_cache(maxsize=1 << 16)
def count(part: Part) -> Counts:
  """Counts a part by its shapes; each is traced once."""
  layers, variables = counting.layers_and_variables(part.model, part.shape)
  _, calls = shapes.trace(part.model, part.shape)
  path = () if part.num_classes else ('stem',)  # the one row of a backbone
  (output,) = {call.output_shape for call in calls if call.path == path}
  parameters, multiply_adds = counting.totals(layers)
  return Counts(
    parameters=parameters,
    multiply_adds=multiply_adds,
    bytes=4 * sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables)),
    output_shape=output[1:],
    layers=tuple(layer for layer in layers if layer.multiply_adds),
  )


@functools.lru_cache(maxsize=1 << 14)
def of(network: Network, resolution: int, num_classes: int) -> tuple[Part, ...]:
  """The rows of a network, in their order, and its head."""
  network = written_out(network)
  frame = dataclasses.replace(network, head=Head())
  shape, found = (resolution, resolution, 3), []
  for row in network.rows:
    found.append(Part(dataclasses.replace(frame, rows=(row,)), shape))
    shape = count(found[-1]).output_shape
  return (*found, Part(dataclasses.replace(network, rows=()), shape, num_classes))


def whole(network: Network, resolution: int, num_classes: int) -> Part:
  """All of a network as one."""
  return Part(written_out(network), (resolution, resolution, 3), num_classes)


def written_out(network: Network) -> Network:
  """The network at width 1 with exact ratios, so that equal rows have equal texts.

  Networks with rows that a search cannot change stay as they are.
  """
  try:
    return channels.resized(network, wiring.of(network).sizes)
  except ModelError:
    return network
