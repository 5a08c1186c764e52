"""Quantised TFLite files: what whole numbers stand for, exactly, and what is said."""

import numpy as np
import pytest

from mobilenet.weights import tflite_graph
from mobilenet.weights.weight_file import WeightsError
from tests.weights import tflite_writer
from tests.weights.tflite_writer import (
  ARRAYS,
  DEPTHWISE,
  EXPAND_BIAS,
  REDUCE,
  SIZE,
  STEM,
  STEM_BIAS,
  as_old_uint8,
  changed,
  converted,
  quantised,
  run,
  small_network,
  stored,
  with_kernels,
)

tf = pytest.importorskip('tensorflow')

PER_TENSOR = {'_experimental_disable_per_channel': True}
IMAGE = np.random.default_rng(2).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope='module')
def files():
  """Of `small_network`: name -> bytes."""
  int8 = quantised(small_network)
  whole = {
    f'inference_{end}_type': tf.uint8 for end in ('input', 'output')
  }  # as the Coral boards want it
  per_tensor = quantised(small_network, **PER_TENSOR)
  return {
    'int8': int8,
    'uint8 in and out': quantised(small_network, **whole),
    'one scale': per_tensor,
    'uint8': as_old_uint8(per_tensor),
    'int4': with_kernels(int8, bits=4),
    'four bits in int8': with_kernels(int8, bits=8),
  }


NAMES = ('int8', 'uint8 in and out', 'one scale', 'uint8', 'int4')


@pytest.mark.parametrize('name', ['int8', 'uint8 in and out', 'one scale', 'uint8'])
def test_arrays_are_what_the_numbers_stand_for(files, read_tflite, name):
  tensors, numbers = read_tflite(files[name]).tensors, stored(files[name])
  assert list(tensors) == list(ARRAYS)
  for (full, array), (short, exact) in zip(
    tensors.items(), numbers.items(), strict=True
  ):
    if array.ndim > 1:
      exact = exact.transpose(tflite_graph.AXES[full.split(':')[1].split('/')[0]])
    if short == '3/bias':  # squeeze-and-excite's gate has hard-sigmoid's 3 in it
      np.testing.assert_array_equal(array, exact.astype(np.float32) - np.float32(3))
    else:
      np.testing.assert_array_equal(array, exact.astype(np.float32), err_msg=full)


@pytest.mark.parametrize(
  ('name', 'levels'), [('int8', 127), ('one scale', 127), ('uint8', 127), ('int4', 7)]
)
def test_arrays_are_within_half_a_step_of_the_network(files, read_tflite, name, levels):
  per_channel = name in ('int8', 'int4')
  tensors = read_tflite(files[name]).tensors
  for full, array in ARRAYS.items():
    axes = tuple(range(array.ndim - 1)) if per_channel else None
    step = np.abs(array).max(axis=axes) / levels
    if name == 'int4':  # rounded twice, and to a step that is a little coarser
      step = 1.1 * step
    if full.endswith('bias'):  # of the kernel's step and the input's, with 32 bits
      step = 0.04 if name == 'int4' else 0.01
    assert np.all(np.abs(tensors[full] - array) <= 0.501 * step), full


def test_old_files_hold_what_the_new_one_does(files, read_tflite):
  new, old = read_tflite(files['one scale']), read_tflite(files['uint8'])
  for name, array in new.tensors.items():
    np.testing.assert_array_equal(old.tensors[name], array)
  # The interpreter takes the old file for what it was made of, too; to a few steps.
  after = run(files['one scale'], IMAGE.astype(np.float32))
  before = run(files['uint8'], IMAGE) / 256
  assert np.abs(before - after).max() <= 4 / 256


def test_what_a_range_clips_is_an_activation(files, read_tflite):
  for name in NAMES:
    layers = read_tflite(files[name]).metadata['layers']
    activations = [layer['activation'] for layer in layers]
    assert activations == ['RELU6', 'NONE', 'RELU', 'HARD_SIGMOID', 'NONE'], name


def test_two_weights_a_byte(files, read_tflite):
  # The interpreter shows which half of a byte comes first.
  image = IMAGE.astype(np.float32)
  of_bytes, of_halves = files['four bits in int8'], files['int4']
  np.testing.assert_array_equal(run(of_halves, image), run(of_bytes, image))
  one, other = read_tflite(of_bytes).tensors, read_tflite(of_halves).tensors
  for name, array in one.items():
    np.testing.assert_array_equal(other[name], array)


@pytest.mark.parametrize('name', NAMES)
def test_the_input_is_of_pixels_that_the_file_scales(files, read_tflite, name):
  metadata = read_tflite(files[name]).metadata
  assert metadata['input_scale'] == pytest.approx(1 / 127.5, rel=1e-3)
  assert metadata['input_offset'] == pytest.approx(-1.0, rel=1e-3)
  assert metadata['input_range'] == pytest.approx((0, 255), abs=0.1)
  assert metadata['input_size'] == (SIZE, SIZE)
  assert metadata['output'] == 'softmax'


def slims_hard_swish(x):
  x = tf.nn.conv2d(x, STEM, 1, 'SAME') + STEM_BIAS
  x = x * (tf.nn.relu6(x + 3.0) * 0.16667)
  return tf.nn.conv2d(x, REDUCE, 1, 'SAME')


def test_hard_swish_that_is_written_out(read_tflite):
  data = quantised(slims_hard_swish, low=-1, high=1)
  graph, _ = tflite_graph.parse(data)
  kinds = [op.kind for op in graph.ops]
  assert kinds == ['same', 'conv', 'add', 'mul', 'mul', 'conv', 'same']
  file = read_tflite(data)
  assert file.metadata['input_range'] == pytest.approx((-1, 1), abs=0.01)
  assert np.abs(file.tensors['0:conv/kernel'] - STEM).max() <= np.abs(STEM).max() / 254
  np.testing.assert_allclose(file.tensors['0:conv/bias'], STEM_BIAS, atol=1e-3)


def test_a_constant_that_is_no_hard_sigmoids_is_refused(read_tflite):
  def doubled(x):
    x = tf.nn.conv2d(x, STEM, 1, 'SAME')
    return tf.nn.conv2d(x * tf.nn.relu6(x + 2.9), REDUCE, 1, 'SAME')

  with pytest.raises(WeightsError, match='has ADD with a constant of shape'):
    read_tflite(quantised(doubled, low=-1, high=1))


def wide(x):
  x = tf.nn.conv2d(x, np.tile(STEM, (1, 1, 1, 8)), 1, 'SAME')
  return tf.nn.depthwise_conv2d(x, np.tile(DEPTHWISE, (1, 1, 8, 1)), (1,) * 4, 'SAME')


def test_weights_alone(read_tflite):
  """Dynamic range: large kernels are int8, the rest is float32."""
  file = read_tflite(converted(wide, optimizations=[tf.lite.Optimize.DEFAULT]))
  step = np.tile(np.abs(STEM).max((0, 1, 2)), 8) / 127
  kernel = np.tile(STEM, (1, 1, 1, 8))
  off = np.abs(file.tensors['0:conv/kernel'] - kernel)
  assert off.max() > 0
  assert np.all(off <= 0.501 * step)
  assert 'input_range' not in file.metadata
  assert file.metadata['quantised'].startswith('the file holds int8 weights')


def test_what_rounding_cost_is_told(files, read_tflite):
  told = read_tflite(files['one scale']).metadata['quantised']
  tensors = read_tflite(files['one scale']).tensors
  errors = []
  for name, array in ARRAYS.items():
    if name.endswith('kernel'):
      off = np.sqrt(np.mean(np.square(tensors[name] - array)))
      errors.append(100 * off / np.sqrt(np.mean(np.square(array))))
  worst = list(ARRAYS)[2 * int(np.argmax(errors))].split('/')[0]
  assert 'the file holds int8 weights' in told
  assert f'% in layer {worst})' in told
  assert 'is not restored' in told
  typical, most = (float(part.split()[-1]) for part in told.split(' %')[:2])
  # What it says is an estimate; these are small arrays.
  assert typical == pytest.approx(np.median(errors), rel=0.25)
  assert most == pytest.approx(max(errors), rel=0.25)


def test_a_float_file_is_not_called_quantised(read_tflite):
  assert 'quantised' not in read_tflite(converted(small_network)).metadata


def test_compiled_for_the_edge_tpu(files, read_tflite):
  def compile_all(schema, model, graph):
    code = model.operatorCodes[graph.operators[1].opcodeIndex]
    code.builtinCode = schema.BuiltinOperator.CUSTOM
    code.deprecatedBuiltinCode = code.builtinCode
    code.customCode = b'edgetpu-custom-op'

  with pytest.raises(WeightsError) as error:
    read_tflite(changed(files['int8'], compile_all))
  assert 'give the file that it was compiled from' in str(error.value)
  assert '\n' not in str(error.value)


def kernel_of(graph):
  return graph.tensors[graph.operators[4].inputs[1]]


def in_blocks(schema, model, graph):
  how = kernel_of(graph).quantization
  how.detailsType = schema.QuantizationDetails.BlockwiseQuantization
  how.details = schema.BlockwiseQuantizationT()


def without_scale(schema, model, graph):
  kernel_of(graph).quantization = None


def in_two_bits(schema, model, graph):
  kernel_of(graph).type = schema.TensorType.INT2


@pytest.mark.parametrize(
  ('change', 'said'),
  [
    (in_blocks, 'the kernel of layer 0:conv is stored as int8 with scales of blocks'),
    (without_scale, 'the kernel of layer 0:conv is of int8 without a scale'),
    (in_two_bits, 'the kernel of layer 0:conv is stored as int2, which cannot be read'),
  ],
)
def test_what_cannot_be_read_is_named(files, read_tflite, change, said):
  with pytest.raises(WeightsError) as error:
    read_tflite(changed(files['int8'], change))
  assert said in str(error.value)
  assert '\n' not in str(error.value)


def test_scales_that_do_not_fit_are_damage(files, read_tflite):
  def one_less(schema, model, graph):
    how = kernel_of(graph).quantization
    how.scale, how.zeroPoint = how.scale[1:], how.zeroPoint[1:]

  with pytest.raises(WeightsError, match='truncated or damaged'):
    read_tflite(changed(files['int8'], one_less))


def test_the_gates_three_is_taken_off(files, read_tflite):
  for name in NAMES[:-1]:
    bias = read_tflite(files[name]).tensors['3:conv/bias']
    np.testing.assert_allclose(bias, EXPAND_BIAS, atol=0.01, err_msg=name)


def test_the_writer_leaves_a_file_as_it_is_where_nothing_changes(files, read_tflite):
  same = tflite_writer.changed(files['int8'], lambda *parts: None)
  for name, array in read_tflite(files['int8']).tensors.items():
    np.testing.assert_array_equal(read_tflite(same).tensors[name], array)
