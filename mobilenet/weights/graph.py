"""The graph of a file that holds a network as ops and constants: TFLite's, ONNX's.

Each format has a parser that makes a `Graph` of its bytes; `graph_layers` reads the
layers out of it, whatever the format was.
"""

import dataclasses
from collections.abc import Hashable
from typing import Any

import numpy as np

from mobilenet.weights.quantisation import Quantisation

# What an op can be. A network's layers:
LAYERS = ('conv', 'depthwise', 'dense')
# and what stands between them. 'same' changes how values are stored and not the values;
# 'shape' keeps all values; 'plain' is any other op without weights that a network here
# has; '' is what none has.
KINDS = (
  *LAYERS,
  *('norm', 'pad', 'add', 'sub', 'mul', 'div', 'relu', 'relu6'),
  *('softmax', 'sigmoid', 'same', 'shape', 'plain', ''),
)


@dataclasses.dataclass(frozen=True)
class Op:
  """One op.

  kind: of `KINDS`.
  name: what the file calls it, for people.
  inputs, outputs: values, by the file's numbers or names; None for one left out. A
    layer has its input, its kernel and its bias, a norm its input, scale, bias, mean
    and variance.
  options: of a layer 'axes' (of its kernel in our order), 'activation' (fused: 'NONE',
    'RELU6', ...), and, but for dense ones, 'padding' ('SAME' or 'VALID'), 'stride' and
    'pad' ((top, bottom), (left, right)) or None; of a pad one of 'pad' and 'padding',
    of a norm 'epsilon'. 'complaint' says of any op why it cannot be mapped.
  """

  kind: str
  name: str
  inputs: list[Hashable]
  outputs: list[Hashable]
  options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Graph:
  """A network as a file has it, ops in running order.

  constants: value -> array; what was quantised is real again.
  rounded: constant -> (dtype, error), as `quantisation.note` wants them, where it is
    not stored as float32.
  quantised: value -> how it is stored, where that is as whole numbers.
  unreadable: constants that are stored in a way that cannot be read -> the way.
  input_size: (height, width) of the images, where the file says so.
  """

  ops: list[Op]
  constants: dict[Hashable, np.ndarray]
  rounded: dict[Hashable, tuple[str, float]]
  quantised: dict[Hashable, Quantisation]
  unreadable: dict[Hashable, str]
  inputs: list[Hashable]
  outputs: list[Hashable]
  input_size: tuple[int, int] | None


def settled(graph: Graph) -> Graph:
  """The graph without ops that only store values in another way.

  A value is known as it was before them; if it was of floats then, it is quantised as
  the first of these ops does it.
  """
  origin, quantised, ops = {}, dict(graph.quantised), []
  for op in graph.ops:
    inputs = [origin.get(value, value) for value in op.inputs]
    if op.kind != 'same':
      ops.append(dataclasses.replace(op, inputs=inputs))
      continue
    before, after = inputs[0], op.outputs[0]
    origin[after] = before
    if after in quantised:
      quantised.setdefault(before, quantised[after])
  return dataclasses.replace(
    graph,
    ops=ops,
    quantised=quantised,
    outputs=[origin.get(value, value) for value in graph.outputs],
  )
