"""Graphs rewritten with the operators that a format has."""

import dataclasses

import numpy as np

from mobilenet.export import ops
from mobilenet.export.graph import Graph, Node


def without_padded_pools(graph: Graph) -> Graph:
  """Average pools without padded pixels, as a depthwise convolution and a factor.

  TFLite's own pool knows TensorFlow's padding alone.
  """
  shapes = {graph.input: (1, *graph.image_shape)}
  shapes |= {node.name: node.shape for node in graph.nodes}
  nodes, constants = [], dict(graph.constants)
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
  return dataclasses.replace(graph, nodes=tuple(nodes), constants=constants)


def with_plain_sigmoids(graph: Graph) -> Graph:
  """hard_sigmoid(x) as relu6(x + 3) / 6, whose clipping the layer before takes along.

  TFLite has no operator for it, and every tensor of integers needs a range of its own.
  """
  uses: dict[str, int] = {}
  for node in graph.nodes:
    for name in node.inputs:
      uses[name] = uses.get(name, 0) + 1
  nodes, constants = {}, dict(graph.constants)
  for node in graph.nodes:
    nodes[node.name] = node
    if node.op != 'hard_sigmoid':
      continue
    given = nodes.get(node.inputs[0])
    sixth = f'{node.name}/sixth'
    constants[sixth] = np.float32(1 / 6)
    layer = (
      given is not None and given.op in ('conv', 'dense') and uses[given.name] == 1
    )
    if layer and given.attributes['act'] == 'linear' and len(given.inputs) == 3:
      bias = f'{given.name}/bias_and_3'
      constants[bias] = constants[given.inputs[2]] + np.float32(3)
      nodes[given.name] = dataclasses.replace(
        given,
        inputs=(*given.inputs[:2], bias),
        attributes=given.attributes | {'act': 'relu6'},
      )
      clipped = given.name
    else:
      three, clipped = f'{node.name}/three', f'{node.name}/clipped'
      constants[three] = np.float32(3)
      nodes[clipped] = Node(
        clipped, 'add', (node.inputs[0], three), {'act': 'relu6'}, node.shape
      )
      del nodes[node.name]  # after the new one
    nodes[node.name] = Node(node.name, 'mul', (clipped, sixth), {}, node.shape)
  used = {name for node in nodes.values() for name in node.inputs}
  return dataclasses.replace(
    graph,
    nodes=tuple(nodes.values()),
    constants={name: value for name, value in constants.items() if name in used},
  )
