"""TFLite files of small functions: as TensorFlow's converter makes them, and changed.

What today's converter does not write is made of what it does: the files of its
forerunner, which are all that is published of some networks, and four bits a weight.
"""

import contextlib
import io
import warnings

import flatbuffers
import numpy as np

RNG = np.random.default_rng(0)
SIZE = 16  # px
COARSER = 18  # steps of four bits than those of eight, at least


def random(*shape):
  return RNG.normal(size=shape).astype(np.float32)


STEM, STEM_BIAS = random(3, 3, 3, 8), random(8)
DEPTHWISE, DEPTHWISE_BIAS = random(5, 5, 8, 1), random(8)
REDUCE, REDUCE_BIAS = random(1, 1, 8, 4), random(4)
EXPAND, EXPAND_BIAS = random(1, 1, 4, 8), random(8)
DENSE, DENSE_BIAS = random(8, 6), random(6)
# What a file of `small_network` has.
ARRAYS = {
  '0:conv/kernel': STEM,
  '0:conv/bias': STEM_BIAS,
  '1:depthwise/kernel': DEPTHWISE.transpose(0, 1, 3, 2),
  '1:depthwise/bias': DEPTHWISE_BIAS,
  '2:conv/kernel': REDUCE,
  '2:conv/bias': REDUCE_BIAS,
  '3:conv/kernel': EXPAND,
  # The converter adds hard-sigmoid's 3 to this bias; the reader takes it off.
  '3:conv/bias': EXPAND_BIAS,
  '4:dense/kernel': DENSE,
  '4:dense/bias': DENSE_BIAS,
}


def small_network(x):
  """A stem, a depthwise convolution, squeeze-and-excite and a classifier."""
  import tensorflow as tf

  x = x * (1 / 127.5) - 1.0
  # The other way round than SAME's, with which the converter would replace it.
  x = tf.pad(x, ((0, 0), (1, 0), (1, 1), (0, 0)))
  x = tf.nn.relu6(tf.nn.conv2d(x, STEM, 2, 'VALID') + STEM_BIAS)
  x = tf.nn.depthwise_conv2d(x, DEPTHWISE, (1, 1, 1, 1), 'SAME') + DEPTHWISE_BIAS
  x = x * tf.nn.relu6(x + 3.0) * (1 / 6)
  s = tf.reduce_mean(x, (1, 2), keepdims=True)
  s = tf.nn.relu(tf.nn.conv2d(s, REDUCE, 1, 'SAME') + REDUCE_BIAS)
  s = tf.nn.relu6(tf.nn.conv2d(s, EXPAND, 1, 'SAME') + EXPAND_BIAS + 3.0) * 0.16667
  x = tf.reduce_mean(x * s, (1, 2))
  return tf.nn.softmax(tf.matmul(x, DENSE) + DENSE_BIAS)


def converted(function, size=SIZE, **settings):
  """A function of images as the bytes of a TFLite file."""
  import tensorflow as tf

  spec = tf.TensorSpec((1, size, size, 3), tf.float32)
  module = tf.Module()
  module.call = tf.function(function, input_signature=[spec])
  converter = tf.lite.TFLiteConverter.from_concrete_functions(
    [module.call.get_concrete_function()], module
  )
  for name, value in settings.items():
    setattr(converter, name, value)
  # A line for each array, and a warning that statistics come from a calibration.
  with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
    warnings.simplefilter('ignore', UserWarning)
    return converter.convert()


def quantised(function, *, low=0.0, high=255.0, size=SIZE, **settings):
  """A function of images of this range in int8, as `converted` makes it of four."""
  import tensorflow as tf

  rng = np.random.default_rng(1)
  batches = rng.uniform(low, high, (4, 1, size, size, 3)).astype(np.float32)
  batches[0, 0, 0, 0, :2] = low, high  # the whole range, whatever was drawn
  settings = {
    'optimizations': [tf.lite.Optimize.DEFAULT],
    'representative_dataset': lambda: ([batch] for batch in batches),
    **settings,
  }
  return converted(function, size, **settings)


def stored(data):
  """'0/kernel' -> scale * (q - zero) of the numbers in the file, in its own layout."""
  from tensorflow.lite.python import schema_py_generated as schema

  model = schema.ModelT.InitFromPackedBuf(data, 0)
  types, graph, found = schema.TensorType, model.subgraphs[0], {}
  dtypes = {
    types.INT8: np.int8,
    types.UINT8: np.uint8,
    types.INT32: np.int32,
    types.INT64: np.int64,
  }
  for op in graph.operators:
    tensors = [graph.tensors[n] for n in op.inputs]
    if len(tensors) != 3 or tensors[2].quantization is None:
      continue  # no layer
    for tensor, array in zip(tensors[1:], ('kernel', 'bias'), strict=True):
      how = tensor.quantization
      numbers = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
      numbers = numbers.view(dtypes[tensor.type]).reshape(tensor.shape)
      along = [1] * len(tensor.shape)
      along[how.quantizedDimension] = -1
      scale, zero = (np.reshape(v, along) for v in (how.scale, how.zeroPoint))
      found[f'{len(found) // 2}/{array}'] = scale * (numbers.astype(np.float64) - zero)
  return found


def interpreter(data):
  """TensorFlow's, of a file's bytes, ready to run."""
  import tensorflow as tf

  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # that the interpreter has moved
    # The plain kernels: others take fewer kinds of numbers.
    made = tf.lite.Interpreter(
      model_content=data,
      experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
    )
  made.allocate_tensors()
  return made


def run(data, image):
  """What a file makes of one image (1, H, W, 3) of its own numbers."""
  made = interpreter(data)
  made.set_tensor(made.get_input_details()[0]['index'], image)
  made.invoke()
  return made.get_tensor(made.get_output_details()[0]['index'])


def changed(data, change):
  """A file's bytes after `change(schema, model, graph)` of its parts."""
  from tensorflow.lite.python import schema_py_generated as schema

  model = schema.ModelT.InitFromPackedBuf(data, 0)
  change(schema, model, model.subgraphs[0])
  builder = flatbuffers.Builder(len(data))
  builder.Finish(model.Pack(builder), b'TFL3')
  return bytes(builder.Output())


def as_old_uint8(data):
  """An int8 file with one scale an array as the converter of 2018 writes it.

  Its numbers are uint8, in and out too; what begins at zero has no ReLU, since its
  range clips; and numbers of ops are in the field of that time.
  """

  def change(schema, model, graph):
    for tensor in graph.tensors:
      if tensor.type == schema.TensorType.INT8:
        tensor.type = schema.TensorType.UINT8
        tensor.quantization.zeroPoint = tensor.quantization.zeroPoint + 128
        stored = model.buffers[tensor.buffer]
        if stored.data is not None:
          stored.data = np.asarray(stored.data, np.uint8) ^ 0x80
    first, last = graph.operators[0], graph.operators[-1]
    graph.inputs, graph.outputs = first.outputs, last.inputs
    graph.operators = graph.operators[1:-1]
    for op in graph.operators:
      made = graph.tensors[op.outputs[0]].quantization
      if (
        hasattr(op.builtinOptions, 'fusedActivationFunction') and not made.zeroPoint[0]
      ):
        op.builtinOptions.fusedActivationFunction = 0
    for code in model.operatorCodes:
      code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0

  return changed(data, change)


def with_kernels(data, *, bits):
  """An int8 file whose weights are rounded to 4 bits, and stored in 8 or in 4.

  Of two kernels' values that share a byte the first is the lower half. Biases keep
  their 32 bits.
  """

  def coarser(model, tensor, dtype):
    how, stored = tensor.quantization, model.buffers[tensor.buffer]
    how.scale = how.scale * COARSER
    values = np.asarray(stored.data, np.uint8).view(dtype)
    values = np.round(values / COARSER).astype(dtype)
    stored.data = values.view(np.uint8)
    return values

  def change(schema, model, graph):
    for op in graph.operators:
      kernel = graph.tensors[op.inputs[1]] if len(op.inputs) > 2 else None
      if kernel is None or kernel.type != schema.TensorType.INT8:
        continue
      coarser(model, graph.tensors[op.inputs[2]], np.int32)
      values = coarser(model, kernel, np.int8).view(np.uint8)
      if bits == 4:
        kernel.type = schema.TensorType.INT4
        model.buffers[kernel.buffer].data = values[::2] & 15 | values[1::2] << 4

  return changed(data, change)
