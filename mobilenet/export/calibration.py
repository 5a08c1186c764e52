"""Which values of a network become bytes, and of what range: observed on images.

Of each batch the least and the greatest value is taken, and of these the median over
the batches: one photo with a stray value widens no range. Operators that only move or
choose values have the range of what they are given, and what is concatenated has one.
What goes into a hard sigmoid alone has none: its layer clips it while it is exact.
"""

import collections
import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from mobilenet.export import graph as graphs
from mobilenet.export.errors import ExportError
from mobilenet.export.graph import Graph

SAME_RANGE = (
  'max_pool',
  'average_pool',
  'resize',
  'reshape',
  'slice',
  'transpose',
  'shuffle',
)
SOFTMAX = (0.0, 255 / 256)  # its kernels have this one alone: a scale of 1 / 256

Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Ranges:
  """What was observed of a graph.

  of: the name of the input and of each node that is rounded -> (least, greatest).
  images: how many were seen. batches: of how many.
  """

  of: dict[str, Range]
  images: int
  batches: int


def observe(graph: Graph, batches: Iterable[np.ndarray]) -> Ranges:
  """The ranges of all values on prepared images.

  Args:
    graph: of the network.
    batches: images (N, H, W, 3).

  Raises:
    ExportError: there are no images, or a value that is no number.
  """

  @jax.jit
  def ends(images):
    seen = {}

    def note(node, value):
      seen[graph.input if node is None else node.name] = (value.min(), value.max())
      return value

    graphs.run(graph, images, after=note)
    return seen

  found, count = [], 0
  for images in batches:
    found.append(jax.device_get(ends(images)))
    count += len(images)
  if not found:
    raise ExportError(
      'integers need images to find the ranges of values on, and there are none: '
      'give --data_dir=photos'
    )
  ranges = {}
  for name in found[0]:
    ends_of = np.asarray([one[name] for one in found], np.float64)
    if not np.isfinite(ends_of).all():
      raise ExportError(
        f'{name} gives values that are no numbers: nothing can be rounded'
      )
    low, high = np.median(ends_of, axis=0)
    ranges[name] = (float(low), float(high))
  return Ranges(shared(graph, ranges), count, len(found))


def shared(
  graph: Graph,
  ranges: dict[str, tuple[Any, Any]],
  least: Callable = min,
  greatest: Callable = max,
) -> dict[str, tuple[Any, Any]]:
  """Ranges of which those that have to be one are one.

  Args:
    graph: whose values they are of.
    ranges: of the input and of every node.
    least, greatest: of two numbers; jax.numpy's where ranges are traced.

  Returns:
    Those of the values that become bytes, in the same order.
  """
  group = {name: name for name in ranges}

  def root(name):
    while group[name] != name:
      name = group[name]
    return name

  for node in graph.nodes:
    if node.name in graph.exact:
      continue
    if node.op in SAME_RANGE:
      group[root(node.name)] = root(node.inputs[0])
    elif node.op == 'concat':
      for name in node.inputs:
        group[root(name)] = root(node.name)
  joined: dict[str, Range] = {}
  for name, (low, high) in ranges.items():
    if root(name) in joined:
      lowest, highest = joined[root(name)]
      low, high = least(low, lowest), greatest(high, highest)
    joined[root(name)] = (low, high)
  for node in graph.nodes:
    if node.op == 'softmax' and node.name not in graph.exact:
      joined[root(node.name)] = SOFTMAX
  exact = clipped_by_sigmoid(graph) | graph.exact
  return {name: joined[root(name)] for name in ranges if name not in exact}


def rounded_values(graph: Graph) -> tuple[str, ...]:
  """The names of those that become bytes: the input, then nodes in running order."""
  exact = clipped_by_sigmoid(graph) | graph.exact
  return (graph.input, *(n.name for n in graph.nodes if n.name not in exact))


def clipped_by_sigmoid(graph: Graph) -> set[str]:
  """The layers with a bias whose output goes into a hard sigmoid and nowhere else."""
  uses = collections.Counter(name for node in graph.nodes for name in node.inputs)
  given = {node.inputs[0] for node in graph.nodes if node.op == 'hard_sigmoid'}
  return {
    node.name
    for node in graph.nodes
    if node.name in given
    and uses[node.name] == 1
    and node.op in ('conv', 'dense')
    and node.attributes['act'] == 'linear'
    and len(node.inputs) == 3
  }
