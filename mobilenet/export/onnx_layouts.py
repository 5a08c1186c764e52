"""An ONNX graph while it is written: its nodes, arrays, and how each value lies.

ONNX has the channels of a map in front, our graphs have them last. A value is written
down as its op makes it; a Transpose is made only where another op wants the other.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

FIRST, LAST = 'first', 'last'  # where channels are


@dataclasses.dataclass
class Writing:
  """What is written so far.

  nodes: (op, inputs, outputs, attributes).
  arrays: name -> what a node is given as a constant.
  shapes: value -> that of one image, channels last.
  lying: value -> where its channels are -> its name in the file.
  """

  shapes: dict[str, tuple[int, ...]]
  nodes: list[tuple[str, tuple[str, ...], tuple[str, ...], dict[str, Any]]] = (
    dataclasses.field(default_factory=list)
  )
  arrays: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
  lying: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)

  def node(self, op: str, inputs: Sequence[str], *outputs: str, **attributes) -> str:
    """Adds a node; returns the name of its first output."""
    self.nodes.append((op, tuple(inputs), outputs, attributes))
    return outputs[0]

  def array(self, name: str, values) -> str:
    """Adds an array, once for all that want the same by this name."""
    self.arrays.setdefault(name, np.asarray(values))
    return name

  def put(self, value: str, where: str, name: str) -> None:
    """Says where the channels of a value are."""
    self.lying.setdefault(value, {})[where] = name

  def get(self, value: str, where: str) -> str:
    """The name of a value with its channels there, transposed if it must be."""
    lying, axes = self.lying[value], len(self.shapes[value])
    if where in lying:
      return lying[where]
    ((_, name),) = lying.items()
    if axes > 2:
      order = to_first(axes) if where == FIRST else to_last(axes)
      name = self.node('Transpose', [name], f'{value}/channels_{where}', perm=order)
    lying[where] = name
    return name

  def lies(self, value: str) -> str:
    """Where its op has left its channels."""
    return next(iter(self.lying[value]))


def to_first(axes: int) -> list[int]:
  return [0, axes - 1, *range(1, axes - 1)]


def to_last(axes: int) -> list[int]:
  return [0, *range(2, axes), 1]


def axis_at(axis: int, axes: int, where: str) -> int:
  """Where an axis of channels-last values of so many axes is."""
  return to_first(axes).index(axis) if where == FIRST else axis
