"""A network at inference as a small graph, which all formats are written from.

    network = graph.of_program(program, 'ONNX')
    logits = graph.run(network, images)

About two dozen ops (`ops.OPS`), NHWC, in running order. It is found in the equations
that JAX traces, so the networks themselves are written down once, in `models`.
"""

import collections
import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from mobilenet.export import ops, patterns, tracing
from mobilenet.export.answers import EXACT
from mobilenet.export.errors import ExportError
from mobilenet.export.program import Program
from mobilenet.export.steps import Constant, Step, Value, ordered, rewrite

INPUT = 'images'
# Parts of a scope that say nothing of where in a network it is.
UNSAID = re.compile(
  r'(Classifier|Detector|Segmenter)(\.\w+)?|backbone|ConvNorm_\d+|conv|.*->.*'
)


@dataclasses.dataclass(frozen=True)
class Node:
  """One op.

  name: of the node and of its output, after its module: 'block_03/expand',
    'block_03/add'.
  op: of `ops.OPS`, which says what inputs and attributes it has.
  inputs: names of other nodes, of the graph's input, or of constants.
  shape: of the output, for one image: (1, H, W, C).
  """

  name: str
  op: str
  inputs: tuple[str, ...]
  attributes: dict[str, Any]
  shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Graph:
  """Nodes in running order, and their constants, float32.

  constants: name -> array; a variable by its path ('params/backbone/stem/conv/kernel').
    What was computed of several has the name of the first.
  input: name of the images, (N, *image_shape), prepared.
  outputs: names of the nodes that give the answers, in their order.
  exact: names of the nodes that are never rounded to bytes, see `answers.EXACT`.
  """

  nodes: tuple[Node, ...]
  constants: dict[str, np.ndarray]
  input: str
  outputs: tuple[str, ...]
  image_shape: tuple[int, int, int]
  exact: frozenset[str] = frozenset()


def of(function, variables, image_shape: tuple[int, int, int], what: str) -> Graph:
  """The graph of a function.

  Args:
    function: (variables, images float32 (N, H, W, 3)) -> logits (N, K), or a tuple of
      arrays (N, ...); convolutions not `native`, so that each is one equation.
    variables: a tree of NumPy arrays.
    what: is made of it, for the error: 'ONNX'.

  Raises:
    ExportError: an equation that no rule or pattern knows.
  """
  outputs = tracing.trace(function, variables, image_shape, what)
  outputs = rewrite(outputs, patterns.RECOGNISED)
  outputs = rewrite(outputs, patterns.FUSED)
  ends = (tracing.INPUT, tracing.OUTPUTS)
  steps = [step for step in ordered(outputs) if step.op not in ends]
  for step in steps:
    if step.op not in ops.OPS or not _keeps_batch(step):
      raise ExportError(
        f'{what} has nothing for {step.op} to {step.shape} in '
        f'{step.scope or "the network"}, which is part of no pattern'
      )
  return _named(steps, outputs.inputs, image_shape)


def _keeps_batch(step: Step) -> bool:
  """Whether the first axis of what a step gives is that of the images."""
  if step.op == 'transpose':
    return step.attributes['axes'][0] == 0
  if step.op == 'einsum':
    given, made = step.attributes['formula'].split('->')
    firsts = [
      letters[0]
      for letters, value in zip(given.split(','), step.inputs, strict=True)
      if isinstance(value, Step)
    ]
    return set(firsts) == {made[0]}
  return step.shape[:1] == (1,)


def of_program(program: Program, what: str) -> Graph:
  """The graph of a program; see `of`."""
  return of(program.applied(), program.variables, program.image_shape(), what)


def _named(
  steps: list[Step], outputs: tuple[Step, ...], image_shape: tuple[int, int, int]
) -> Graph:
  taken, names, nodes, constants = collections.Counter({INPUT: 1}), {}, [], {}

  def unique(name: str) -> str:
    taken[name] += 1
    return name if taken[name] == 1 else f'{name}_{taken[name]}'

  def name_of(value: Value, node: str) -> str:
    if value not in names and isinstance(value, Constant):
      names[value] = unique(value.name or f'{node}/constant')
      constants[names[value]] = np.asarray(value.array, np.float32)
    return names.get(value, INPUT)

  for step in steps:
    names[step] = name = unique(_node_name(step))
    inputs = tuple(name_of(value, name) for value in step.inputs)
    nodes.append(Node(name, step.op, inputs, step.attributes, step.shape))
  exact = frozenset(names[step] for step in steps if EXACT in step.scope.split('/'))
  given = tuple(names[step] for step in outputs)
  return Graph(tuple(nodes), constants, INPUT, given, image_shape, exact)


def _node_name(step: Step) -> str:
  """Layers are called as their module is, what is done in a module by its op."""
  parts = [part for part in step.scope.split('/') if not UNSAID.fullmatch(part)]
  if step.op not in ('conv', 'dense') or not parts:
    parts.append(step.op)
  return '/'.join(parts)


def run(
  graph: Graph,
  images: jax.Array,
  constants: Mapping[str, jax.Array] | None = None,
  after: Callable[[Node | None, jax.Array], jax.Array] | None = None,
  lowering: str = 'auto',
) -> jax.Array | tuple[jax.Array, ...]:
  """Evaluates a graph in JAX: images (N, H, W, 3) to what the traced function gives.

  That is an array, or a tuple where the graph has several outputs.

  Differentiable in images and constants, and traceable by `jax.jit` and `jax.export`.

  Args:
    constants: in the place of the graph's own.
    after: gives what every node's output, activation included, is to be; the node is
      None for the images.
    lowering: of convolutions; 'native' for exporters.
  """
  after = after or (lambda node, value: value)
  values = dict(graph.constants if constants is None else constants)
  values[graph.input] = after(None, images)
  last_use = {name: n for n, node in enumerate(graph.nodes) for name in node.inputs}
  last_use |= dict.fromkeys(graph.outputs)
  for n, node in enumerate(graph.nodes):
    inputs = [values[name] for name in node.inputs]
    made = ops.OPS[node.op](node.attributes, lowering, *inputs)
    values[node.name] = after(node, made)
    for name in set(node.inputs):  # else every map is held until the end
      if last_use[name] == n:
        del values[name]
  outputs = tuple(values[name] for name in graph.outputs)
  return outputs if len(outputs) > 1 else outputs[0]
