"""A graph rewritten as TFLite and its users have them, and the ranges with it."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from mobilenet.export import ops
from mobilenet.export.calibration import Range, clipped_by_sigmoid
from mobilenet.export.graph import Graph, Node
from mobilenet.weights.contract import Contract

NORMALISED = 'normalised'


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


def with_one_mean(
  graph: Graph, ranges: Mapping[str, Range], contract: Contract
) -> tuple[Graph, dict[str, Range], Contract]:
  """A graph of images that are normalised by one mean and std for all channels.

  MediaPipe normalises by no others. Where the network's are by channel, a depthwise
  convolution of 1x1 takes values of 0..1 to them: of these the 256 levels of a photo
  are bytes to the last digit, while -1..1 would round each by half a level.

  Returns:
    The graph, the ranges, and the contract of the graph's images.
  """
  if len({*contract.mean}) == len({*contract.std}) == 1:
    return graph, dict(ranges), contract
  plain = dataclasses.replace(contract, mean=(0.0,) * 3, std=(1.0,) * 3)
  offset = plain.renormalised(np.zeros(3), contract)
  scale = plain.renormalised(np.ones(3), contract) - offset
  kernel, bias = f'{NORMALISED}/kernel', f'{NORMALISED}/bias'
  first = Node(
    NORMALISED,
    'conv',
    (graph.input, kernel, bias),
    {
      'stride': 1,
      'padding': ((0, 0), (0, 0)),
      'dilation': 1,
      'groups': 3,
      'act': 'linear',
    },
    (1, *graph.image_shape),
  )
  rest = (
    dataclasses.replace(
      node,
      inputs=tuple(NORMALISED if name == graph.input else name for name in node.inputs),
    )
    for node in graph.nodes
  )
  constants = {kernel: scale.reshape(1, 1, 1, 3), bias: offset, **graph.constants}
  ranges = dict(ranges)
  if graph.input in ranges:
    ranges[NORMALISED], ranges[graph.input] = ranges[graph.input], (0.0, 1.0)
  graph = dataclasses.replace(graph, nodes=(first, *rest), constants=constants)
  return graph, ranges, plain


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
