"""What each op of a graph computes, in TensorFlow's own operators; see `ops`.

An op's function takes TensorFlow, the op's attributes and its inputs: images NHWC,
kernels HWIO and (I, O).
"""

from collections.abc import Callable, Mapping
from typing import Any

from mobilenet.export import ops
from mobilenet.export.graph import Graph


def run(tf, graph: Graph, images, constants: Mapping[str, Any]):
  """Evaluates a graph: images (N, H, W, 3) to its outputs, a tuple.

  Args:
    tf: the module tensorflow.
    constants: the graph's, as tensors.
  """
  values = {**constants, graph.input: images}
  for node in graph.nodes:
    inputs = [values[name] for name in node.inputs]
    values[node.name] = OPS[node.op](tf, node.attributes, *inputs)
  return tuple(values[name] for name in graph.outputs)


ACTIVATIONS: dict[str, Callable] = {
  'linear': lambda tf, x: x,
  'relu': lambda tf, x: tf.nn.relu(x),
  'relu6': lambda tf, x: tf.nn.relu6(x),
  'hard_sigmoid': lambda tf, x: tf.nn.relu6(x + 3) * (1 / 6),
  'hard_swish': lambda tf, x: x * tf.nn.relu6(x + 3) * (1 / 6),
  'gelu': lambda tf, x: tf.nn.gelu(x, approximate=False),
  'sigmoid': lambda tf, x: tf.nn.sigmoid(x),
  'exp': lambda tf, x: tf.exp(x),
}


def _conv(tf, how, x, kernel, bias=None):
  groups, channels = how['groups'], x.shape[-1]
  padding = [(0, 0), *how['padding'], (0, 0)]
  dilations = [how['dilation']] * 2

  def full(x, kernel):
    return tf.nn.conv2d(x, kernel, how['stride'], padding, dilations=dilations)

  if groups == 1:
    y = full(x, kernel)
  elif groups == channels:
    height, width, _, outputs = kernel.shape
    # Padded apart: with explicit pads in the convolution itself, the optimiser of
    # TensorFlow 2.21 ends the process where oneDNN is on (Intel's AVX-512).
    y = tf.nn.depthwise_conv2d(
      tf.pad(x, padding) if any(map(any, padding)) else x,
      tf.reshape(kernel, (height, width, channels, outputs // channels)),
      [1, how['stride'], how['stride'], 1],
      'VALID',
      dilations=dilations,
    )
  else:  # TensorFlow has such convolutions in some of its builds only
    parts = map(full, tf.split(x, groups, -1), tf.split(kernel, groups, -1))
    y = tf.concat(list(parts), -1)
  return _finished(tf, how, y, bias)


def _dense(tf, how, x, kernel, bias=None):
  return _finished(tf, how, tf.matmul(x, kernel), bias)


def _finished(tf, how, y, bias):
  y = y if bias is None else tf.nn.bias_add(y, bias)
  return ACTIVATIONS[how['act']](tf, y)


def _max_pool(tf, how, x):
  padding = [(0, 0), *how['padding'], (0, 0)]
  x = tf.pad(x, padding, constant_values=x.dtype.min)
  return tf.nn.max_pool2d(x, how['kernel'], how['stride'], 'VALID')


def _average_pool(tf, how, x):
  counts = ops.window_counts(how, tuple(x.shape[1:3]))
  x = tf.pad(x, [(0, 0), *how['padding'], (0, 0)])
  y = tf.nn.avg_pool2d(x, how['kernel'], how['stride'], 'VALID')
  height, width = how['kernel']
  return y if (counts == height * width).all() else y * (height * width / counts)


def _local_norm(tf, how, x):
  radius = how['size'] // 2
  return tf.nn.local_response_normalization(
    x, radius, how['k'], how['alpha'], how['beta']
  )


def _slice(tf, how, x):
  part = [slice(None)] * x.shape.rank
  part[how['axis']] = slice(how['start'], how['stop'])
  return x[tuple(part)]


def _shuffle(tf, how, x):
  groups, (height, width, channels) = how['groups'], x.shape[1:]
  parts = tf.reshape(x, (-1, height, width, groups, channels // groups))
  parts = tf.transpose(parts, (0, 1, 2, 4, 3))
  return tf.reshape(parts, (-1, height, width, channels))


OPS: dict[str, Callable] = {
  'conv': _conv,
  'dense': _dense,
  'add': lambda tf, how, a, b: ACTIVATIONS[how['act']](tf, a + b),
  'mul': lambda tf, how, a, b: a * b,
  **{
    name: lambda tf, how, x, act=ACTIVATIONS[name]: act(tf, x) for name in ops.POINTWISE
  },
  'mean': lambda tf, how, x: tf.reduce_mean(x, (1, 2), keepdims=how['keep']),
  'max_pool': _max_pool,
  'average_pool': _average_pool,
  'resize': lambda tf, how, x: tf.image.resize(x, how['size']),
  'argmax': lambda tf, how, x: tf.argmax(x, -1, output_type=tf.int32),
  'limit': lambda tf, how, x: tf.minimum(x, how['highest']),
  'local_norm': _local_norm,
  'concat': lambda tf, how, *xs: tf.concat(xs, how['axis']),
  'slice': _slice,
  'reshape': lambda tf, how, x: tf.reshape(x, (-1, *how['shape'][1:])),
  'transpose': lambda tf, how, x: tf.transpose(x, how['axes']),
  'shuffle': _shuffle,
  'prelu': lambda tf, how, x, slope: tf.nn.relu(x) + slope * tf.minimum(x, 0),
  'unit': lambda tf, how, x: tf.math.l2_normalize(x, -1),
  'softmax': lambda tf, how, x: tf.nn.softmax(x),
  'matmul': lambda tf, how, a, b: tf.matmul(a, b, transpose_b=how['transposed']),
  'einsum': lambda tf, how, *xs: tf.einsum(how['formula'], *xs),
}
