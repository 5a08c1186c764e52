"""ONNX files of a few nodes, written with the package's own helpers."""

import itertools

import numpy as np

SIZE = 8  # px
OPSET = 17


class Writer:
  """Nodes one after the other: `x = writer.node('Relu', x)`.

  `writer.constant(array)` gives the name of an initializer; arrays among the inputs of
  a node are made such.
  """

  def __init__(self, shape=(1, 3, SIZE, SIZE), opset=OPSET, prefix=''):
    import onnx

    self.onnx, self.opset, self.prefix = onnx, opset, prefix
    self.nodes, self.constants, self.numbers = [], [], itertools.count()
    made = onnx.helper.make_tensor_value_info
    self.images = made('images', onnx.TensorProto.FLOAT, shape)

  def constant(self, array) -> str:
    name = f'{self.prefix}array_{next(self.numbers)}'
    self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(array), name))
    return name

  def node(self, name, *inputs, outputs=1, **attributes):
    """Adds a node; its output's name, or a tuple of them."""
    inputs = [i if isinstance(i, str) else self.constant(i) for i in inputs]
    made = [f'{self.prefix}value_{next(self.numbers)}' for _ in range(outputs)]
    node = self.onnx.helper.make_node(name, inputs, made, made[0], **attributes)
    self.nodes.append(node)
    return made[0] if outputs == 1 else tuple(made)

  def conv(self, x, kernel, bias=None, **attributes):
    """A convolution whose kernel is in our layout; depthwise if it has one input."""
    if kernel.shape[2] == 1 < kernel.shape[3]:
      attributes['group'] = kernel.shape[3]
    arrays = (kernel.transpose(3, 2, 0, 1).copy(), *(() if bias is None else (bias,)))
    return self.node('Conv', x, *arrays, **attributes)

  def save(self, path, *outputs, **options):
    helper, float32 = self.onnx.helper, self.onnx.TensorProto.FLOAT
    graph = helper.make_graph(
      self.nodes,
      'network',
      [self.images],
      [helper.make_tensor_value_info(name, float32, None) for name in outputs],
      self.constants,
    )
    opsets = [helper.make_opsetid('', self.opset)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name='writer')
    self.onnx.save(model, path, **options)
    return path
