"""Networks with fewer channels, and the variables that they keep.

    variables = take(wires, variables, by_norm(model, wires, variables))  # sorted
    smaller = resized(network, wires.sizes | {'block_03/expand': 96})
    kept = first(wires, variables, wiring.of(smaller).sizes)

Sorting permutes the channels of whole groups, so that the network computes what it did;
afterwards the channels worth keeping are the first ones.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilenet.models import folding
from mobilenet.models import rows as row_kinds
from mobilenet.models.classifier import Classifier
from mobilenet.models.rows import ModelError, Network, make_divisible
from mobilenet.search import wiring
from mobilenet.search.wiring import HIDDEN, Wiring

Tree = dict[str, Any]


def resized(network: Network, sizes: Mapping[str, int]) -> Network:
  """The network with these channels: of width 1, its residuals written out.

  Args:
    network: of any width.
    sizes: channels of each of its groups; squeezed widths follow from the expanded.

  Raises:
    ModelError: an expansion would be no wider than what comes in, and so would vanish.
  """
  wires, new_rows, channels = wiring.of(network), [], 3
  for at in wires.rows:
    row, out = at.row, sizes[at.group_out] if at.group_out else channels
    if isinstance(row, row_kinds.Conv):
      row = dataclasses.replace(row, out=out, exact=None, shrink=True)
    elif isinstance(row, row_kinds.Separable):
      row = dataclasses.replace(row, out=out)
    elif not isinstance(row, row_kinds.Pool):
      inner = channels if at.inner is None else sizes[at.group_inner]
      if (
        at.inner is not None
        and inner <= channels
        and isinstance(row, row_kinds.Inverted)
      ):
        raise ModelError(
          f'{at.name} cannot expand {channels} channels to {inner}: at least '
          f'{channels + network.divisor} keep its expansion'
        )
      expand = 1 if at.inner is None else _ratio(inner, channels)
      row = dataclasses.replace(row, expand=expand, out=out)
      if row.stride == 1:
        row = dataclasses.replace(row, residual=at.joins)
    new_rows.append(row)
    channels = out
  head = network.head
  if head.hidden:
    head = dataclasses.replace(head, hidden=sizes[HIDDEN], exact=None)
    if make_divisible(head.hidden, network.divisor) != head.hidden:
      head = dataclasses.replace(head, exact=head.hidden)
  return dataclasses.replace(network, rows=tuple(new_rows), head=head, width=1.0)


def _ratio(inner: int, channels: int) -> int | float:
  return inner // channels if inner % channels == 0 else inner / channels


def by_norm(model: Classifier, wires: Wiring, variables: Tree) -> dict[str, np.ndarray]:
  """The channels of each group, those with the largest filters first.

  The size of a filter is the L2 norm of what makes the channel, with the norm after it
  folded in (NetAdapt, 1804.03230, has it without; but a batch norm undoes any scale of
  the filter itself). In a group that several rows write into, squares add up.
  """
  _, folded = folding.fold(model, variables)
  squares = {group: np.zeros(size) for group, size in wires.sizes.items()}
  for array in wires.arrays:
    if array.makes:
      place, name = place_of(folded['params'], array.path)
      kernel = np.asarray(place[name], np.float64)
      others = tuple(n for n in range(kernel.ndim) if n != array.axis)
      squares[array.group] += np.square(kernel).sum(others)
  return {group: np.argsort(-each, kind='stable') for group, each in squares.items()}


def take(wires: Wiring, variables: Tree, indices: Mapping[str, np.ndarray]) -> Tree:
  """The variables with the channels of each group that `indices` gives, in order."""
  taken = copied(variables)
  for array in wires.arrays:
    if array.group in indices and array.collection in taken:
      place, name = place_of(taken[array.collection], array.path)
      place[name] = np.take(np.asarray(place[name]), indices[array.group], array.axis)
  return taken


def first(wires: Wiring, variables: Tree, sizes: Mapping[str, int]) -> Tree:
  """The variables with the first channels of each group."""
  return take(wires, variables, {group: np.arange(n) for group, n in sizes.items()})


def padded(wires: Wiring, variables: Tree) -> Tree:
  """Variables with fewer channels, filled up to the channels of `wires` behind them.

  What is added is zero, and variances are one: `masks.masked` hides it.
  """
  filled = copied(variables)
  for array in wires.arrays:
    if array.collection in filled:
      place, name = place_of(filled[array.collection], array.path)
      value = np.asarray(place[name])
      more = [(0, 0)] * value.ndim
      more[array.axis] = (0, wires.sizes[array.group] - value.shape[array.axis])
      place[name] = np.pad(value, more, constant_values=float(name == 'var'))
  return filled


def copied(tree: Tree) -> Tree:
  """A copy of the branches of a tree; its leaves are the same."""
  return {
    name: copied(value) if isinstance(value, dict) else value
    for name, value in tree.items()
  }


def place_of(tree: Tree, path: Sequence[str]) -> tuple[Tree, str]:
  """The branch that holds the leaf at a path, and the leaf's name there."""
  for name in path[:-1]:
    tree = tree[name]
  return tree, path[-1]
