"""A graph rewritten with the operators that TFLite has, and the ranges with it."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from mobilenet.export import ops
from mobilenet.export.calibration import Range, clipped_by_sigmoid
from mobilenet.export.graph import Graph, Node


def for_tflite(
  graph: Graph, ranges: Mapping[str, Range] | None = None
) -> tuple[Graph, dict[str, Range]]:
  """The graph with TFLite's operators alone.

  Args:
    graph: of a network.
    ranges: of its values that become bytes; None or empty where none do.

  Returns:
    The graph, and the ranges of its values.
  """
  graph, ranges = without_padded_pools(graph, ranges or {})
  return with_plain_sigmoids(graph, ranges) if ranges else (graph, {})


def without_padded_pools(
  graph: Graph, ranges: Mapping[str, Range]
) -> tuple[Graph, dict[str, Range]]:
  """Average pools without padded pixels, as a depthwise convolution and a factor.

  TFLite's own pool knows TensorFlow's padding alone.
  """
  shapes = {graph.input: (1, *graph.image_shape)}
  shapes |= {node.name: node.shape for node in graph.nodes}
  nodes, constants, ranges = [], dict(graph.constants), dict(ranges)
  for node in graph.nodes:
    how = node.attributes
    if node.op != 'average_pool' or not np.any(how['padding']):
      nodes.append(node)
      continue
    _, height, width, channels = shapes[node.inputs[0]]
    window, total = how['kernel'], int(np.prod(how['kernel']))
    counts = ops.window_counts(how, (height, width))
    kernel, factor = f'{node.name}/kernel', f'{node.name}/factor'
    constants[kernel] = np.full((*window, 1, channels), 1 / total, np.float32)
    constants[factor] = np.asarray(total / counts, np.float32)
    summed = f'{node.name}/sum'
    nodes.append(
      Node(
        summed,
        'conv',
        (node.inputs[0], kernel),
        {
          'stride': how['stride'][0],
          'padding': how['padding'],
          'dilation': 1,
          'groups': channels,
          'act': 'linear',
        },
        node.shape,
      )
    )
    nodes.append(Node(node.name, 'mul', (summed, factor), {}, node.shape))
    if node.name in ranges:  # the factor is 1 or more
      ranges[summed] = ranges[node.name]
  return dataclasses.replace(graph, nodes=tuple(nodes), constants=constants), ranges


def with_plain_sigmoids(
  graph: Graph, ranges: Mapping[str, Range]
) -> tuple[Graph, dict[str, Range]]:
  """hard_sigmoid(x) as relu6(x + 3) / 6, whose clipping the layer before takes along.

  TFLite has no operator for it, and every tensor of integers needs a range of its own.
  """
  taken = clipped_by_sigmoid(graph)
  nodes, constants, ranges = {}, dict(graph.constants), dict(ranges)
  for node in graph.nodes:
    if node.op != 'hard_sigmoid':
      nodes[node.name] = node
      continue
    sixth = f'{node.name}/sixth'
    constants[sixth] = np.float32(1 / 6)
    if node.inputs[0] in taken:
      given = nodes[node.inputs[0]]
      clipped, bias = given.name, f'{given.name}/bias_and_3'
      constants[bias] = constants[given.inputs[2]] + np.float32(3)
      nodes[clipped] = dataclasses.replace(
        given,
        inputs=(*given.inputs[:2], bias),
        attributes=given.attributes | {'act': 'relu6'},
      )
    else:
      three, clipped = f'{node.name}/three', f'{node.name}/clipped'
      constants[three] = np.float32(3)
      inputs, how = (node.inputs[0], three), {'act': 'relu6'}
      nodes[clipped] = Node(clipped, 'add', inputs, how, node.shape)
    nodes[node.name] = Node(node.name, 'mul', (clipped, sixth), {}, node.shape)
    if node.name in ranges:
      low, high = ranges[node.name]
      ranges[clipped] = 6 * low, 6 * high
  used = {name for node in nodes.values() for name in node.inputs}
  constants = {name: value for name, value in constants.items() if name in used}
  graph = dataclasses.replace(graph, nodes=tuple(nodes.values()), constants=constants)
  return graph, ranges
