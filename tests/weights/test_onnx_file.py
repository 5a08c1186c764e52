"""ONNX files: layers in the order of the network, in our layout, whoever exported."""

import pathlib

import numpy as np
import pytest

from mobilenet.weights import loading, onnx_file
from mobilenet.weights.weight_file import WeightsError
from tests.weights.onnx_writer import SIZE, Writer
from tests.weights.refusals import complaint

RNG = np.random.default_rng(0)


def random(*shape):
  return RNG.normal(size=shape).astype(np.float32)


STEM, STEM_BIAS = random(3, 3, 3, 8), random(8)
DEPTHWISE, DEPTHWISE_BIAS = random(5, 5, 1, 8), random(8)
POINTWISE, POINTWISE_BIAS = random(1, 1, 8, 4), random(4)
DENSE, DENSE_BIAS = random(4, 6), random(6)
SIX = (np.float32(0), np.float32(6))


@pytest.fixture(autouse=True)
def onnx():
  return pytest.importorskip('onnx', reason='onnx is not installed: pip install onnx')


@pytest.fixture
def path(tmp_path):
  return tmp_path / 'model.onnx'


def end(writer, x, path):
  """Pools, a classifier, and the file."""
  x = writer.node('Flatten', writer.node('GlobalAveragePool', x))
  return writer.save(path, writer.node('Gemm', x, DENSE.T.copy(), DENSE_BIAS, transB=1))


def exported(path, **options):
  """As PyTorch's exporters write a small network: BatchNorm folded."""
  writer = Writer(**options)
  x = writer.conv('images', STEM, STEM_BIAS, strides=[2, 2], pads=[1, 1, 1, 1])
  x = writer.node('Clip', x, *SIX)
  x = writer.conv(x, DEPTHWISE, DEPTHWISE_BIAS, pads=[2, 2, 2, 2])
  x = writer.node('Relu', x)
  x = writer.conv(x, POINTWISE, POINTWISE_BIAS)
  return end(writer, x, path)


ARRAYS = {
  '0:conv/kernel': STEM,
  '0:conv/bias': STEM_BIAS,
  '1:depthwise/kernel': DEPTHWISE,
  '1:depthwise/bias': DEPTHWISE_BIAS,
  '2:conv/kernel': POINTWISE,
  '2:conv/bias': POINTWISE_BIAS,
  '3:dense/kernel': DENSE,
  '3:dense/bias': DENSE_BIAS,
}


def assert_arrays(file, arrays=ARRAYS, rtol=0.0):
  assert list(file.tensors) == list(arrays)
  for name, array in arrays.items():
    assert file.tensors[name].dtype == np.float32
    np.testing.assert_allclose(file.tensors[name], array, rtol=rtol, atol=rtol)


def test_layers_in_our_layout(path):
  file = onnx_file.read_onnx(exported(path))
  assert file.dialect == 'onnx'
  assert_arrays(file)
  metadata = file.metadata
  assert [layer['activation'] for layer in metadata['layers']] == [
    *('RELU6', 'RELU', 'NONE', 'NONE')
  ]
  assert metadata['layers'][0] == {
    'name': '0:conv',
    'kind': 'conv',
    'kernel': 3,
    'stride': 2,
    'padding': 'VALID',
    'pad': ((1, 1), (1, 1)),
    'padded_before': False,
    'activation': 'RELU6',
  }
  assert metadata['input_size'] == (SIZE, SIZE)
  assert metadata['output'] == 'logits'
  assert (metadata['layout'], metadata['framework']) == ('NCHW', 'torchvision')
  assert 'quantised' not in metadata
  assert 'input_scale' not in metadata


def test_timm_is_known_by_its_names(path):
  file = onnx_file.read_onnx(exported(path, prefix='conv_stem.'))
  assert file.metadata['framework'] == 'timm'


def test_of_other_opsets(path, onnx):
  """Before 11 Clip and Pad had attributes; Softmax ends, and sizes are free."""
  writer = Writer(('n', 3, 'h', 'w'), opset=10)
  x = writer.node('Pad', 'images', pads=[0, 0, 1, 1, 0, 0, 1, 1])
  x = writer.conv(x, STEM, STEM_BIAS, strides=[2, 2])
  x = writer.node('Clip', x, min=0.0, max=6.0)
  x = writer.node('Flatten', writer.node('GlobalAveragePool', x))
  writer.save(path, writer.node('Softmax', x))
  metadata = onnx_file.read_onnx(path).metadata
  (layer,) = metadata['layers']
  assert (layer['pad'], layer['padded_before']) == (((1, 1), (1, 1)), True)
  assert layer['activation'] == 'RELU6'
  assert metadata['output'] == 'softmax'
  assert 'input_size' not in metadata


def tf2onnx(path):
  """NHWC with transposes; a depthwise convolution's norm is a product and a sum."""
  writer = Writer((1, SIZE, SIZE, 3))
  factor, shift = np.abs(random(1, 8, 1, 1)) + 0.5, random(1, 8, 1, 1)
  x = writer.node('Mul', 'images', np.float32(1 / 127.5))
  x = writer.node('Add', x, np.float32(-1))
  x = writer.node('Transpose', x, perm=[0, 3, 1, 2])
  x = writer.conv(x, STEM, STEM_BIAS, strides=[2, 2], pads=[0, 0, 1, 1])
  three = writer.node('Add', x, np.full((1, 1, 1, 1), 3, np.float32))
  x = writer.node(
    'Mul', x, writer.node('Mul', writer.node('Clip', three, *SIX), np.float32(1 / 6))
  )
  x = writer.conv(x, DEPTHWISE, pads=[2, 2, 2, 2])
  x = writer.node('Add', writer.node('Mul', factor, x), shift)
  x = writer.conv(writer.node('Relu', x), POINTWISE, POINTWISE_BIAS)
  x = writer.node('Squeeze', writer.node('GlobalAveragePool', x), np.array([2, 3]))
  x = writer.node('MatMul', x, DENSE)
  writer.save(path, writer.node('Add', x, DENSE_BIAS))
  return factor.ravel(), shift.ravel()


def test_tf2onnx(path):
  factor, shift = tf2onnx(path)
  file = onnx_file.read_onnx(path)
  own = {'1:depthwise/kernel': DEPTHWISE * factor, '1:depthwise/bias': shift}
  assert_arrays(file, ARRAYS | own, rtol=1e-6)
  metadata = file.metadata
  assert (metadata['layout'], metadata['framework']) == ('NHWC', 'keras.applications')
  assert metadata['input_size'] == (SIZE, SIZE)
  assert metadata['input_scale'] == pytest.approx(1 / 127.5)
  assert metadata['input_offset'] == -1.0


def test_norms_that_were_not_folded(path):
  writer = Writer()
  scale, shift, mean = random(8), random(8), random(8)
  variance = np.abs(random(8)) + np.float32(0.1)
  x = writer.conv('images', STEM, STEM_BIAS, pads=[1, 1, 1, 1])
  x = writer.node('BatchNormalization', x, scale, shift, mean, variance, epsilon=1e-3)
  writer.save(path, writer.node('GlobalAveragePool', x))
  tensors = onnx_file.read_onnx(path).tensors
  factor = scale / np.sqrt(variance + 1e-3)
  np.testing.assert_allclose(tensors['0:conv/kernel'], STEM * factor, rtol=1e-6)
  bias = shift + (STEM_BIAS - mean) * factor
  np.testing.assert_allclose(tensors['0:conv/bias'], bias, rtol=1e-5, atol=1e-6)


def test_branches_come_in_the_order_in_which_they_are_joined(path):
  writer = Writer()
  first, second = random(1, 1, 3, 4), random(1, 1, 3, 5)
  y = writer.conv('images', second)  # the file has the second one first
  x = writer.conv('images', first)
  writer.conv('images', random(1, 1, 3, 2))  # needed by nothing
  x = writer.node('Concat', x, y, axis=1)
  writer.save(path, writer.node('GlobalAveragePool', x))
  tensors = onnx_file.read_onnx(path).tensors
  assert list(tensors) == [f'{n}:conv/{a}' for n in (0, 1) for a in ('kernel', 'bias')]
  np.testing.assert_array_equal(tensors['0:conv/kernel'], first)
  np.testing.assert_array_equal(tensors['1:conv/kernel'], second)


def test_what_is_made_of_constants(path):
  writer = Writer()
  kernel = writer.node(
    'Transpose', STEM.transpose(2, 3, 0, 1).copy(), perm=[1, 0, 2, 3]
  )
  bias = writer.node('Identity', writer.node('Cast', STEM_BIAS.astype(float), to=1))
  zero, six = (writer.node('Constant', value_float=v) for v in (0.0, 6.0))
  x = writer.node('Conv', 'images', kernel, bias)
  writer.save(path, writer.node('Clip', x, zero, six))
  file = onnx_file.read_onnx(path)
  np.testing.assert_array_equal(file.tensors['0:conv/kernel'], STEM)
  np.testing.assert_array_equal(file.tensors['0:conv/bias'], STEM_BIAS)
  assert file.metadata['layers'][0]['activation'] == 'RELU6'


def computed_padding(path, *, even):
  """PyTorch's own sum of TensorFlow's padding, from the map's size while it runs."""
  writer = Writer()
  height = writer.node('Gather', writer.node('Shape', 'images'), np.array(2))
  out = writer.node('Div', writer.node('Add', height, np.array(1)), np.array(2))
  least = writer.node('Mul', writer.node('Sub', out, np.array(1)), np.array(2))
  least = writer.node('Add', least, np.array(3))  # of a kernel of 3
  total = writer.node('Max', writer.node('Sub', least, height), np.array(0))
  half = writer.node('Div', total, np.array(2))
  rest = half if even else writer.node('Sub', total, half)
  one = [writer.node('Reshape', value, np.array([1])) for value in (half, rest)]
  none = np.zeros(2, np.int64)
  pads = writer.node('Concat', none, one[0], one[0], none, one[1], one[1], axis=0)
  x = writer.conv(writer.node('Pad', 'images', pads), STEM, STEM_BIAS, strides=[2, 2])
  return writer.save(path, writer.node('Relu', x))


def test_padding_that_is_computed_is_known_by_its_rule(path):
  (layer,) = onnx_file.read_onnx(computed_padding(path, even=False)).metadata['layers']
  assert (layer['padding'], layer['pad']) == ('SAME', None)
  message = complaint(onnx_file.read_onnx, computed_padding(path, even=True))
  assert 'its Pad before its first layer pads by what is no padding' in message


def quantise(writer, x, scale, zero):
  x = writer.node('QuantizeLinear', x, np.float32(scale), np.uint8(zero))
  return writer.node('DequantizeLinear', x, np.float32(scale), np.uint8(zero))


def qdq(path):
  """As ONNX Runtime writes int8: all around nodes of floats; its ReLUs are ranges."""
  writer = Writer()
  numbers = RNG.integers(-127, 128, (8, 3, 3, 3)).astype(np.int8)
  scales = np.abs(random(8)) / 100 + np.float32(0.001)
  biases = RNG.integers(-1000, 1000, 8).astype(np.int32)
  kernel = writer.node(
    'DequantizeLinear', numbers, scales, np.zeros(8, np.int8), axis=0
  )
  bias = writer.node('DequantizeLinear', biases, scales, np.zeros(8, np.int32), axis=0)
  x = quantise(writer, 'images', 1 / 128, 128)
  x = writer.node('Conv', x, kernel, bias)
  x = writer.node('GlobalAveragePool', quantise(writer, x, 0.02, 0))
  x = writer.node('Flatten', quantise(writer, x, 0.02, 0))
  numbers_of_dense = RNG.integers(0, 256, (8, 6)).astype(np.uint8)
  dense = writer.node(
    'DequantizeLinear', numbers_of_dense, np.float32(0.5), np.uint8(3)
  )
  x = writer.node('Gemm', x, dense)
  writer.save(path, quantise(writer, x, 0.1, 100))
  exact = scales.astype(float)
  return {
    '0:conv/kernel': (numbers * exact[:, None, None, None]).transpose(2, 3, 1, 0),
    '0:conv/bias': biases * exact,
    '1:dense/kernel': 0.5 * (numbers_of_dense.astype(float) - 3),
    '1:dense/bias': np.zeros(6),
  }


def test_quantised(path):
  exact = qdq(path)
  file = onnx_file.read_onnx(path)
  assert_arrays(file, {name: v.astype(np.float32) for name, v in exact.items()})
  assert file.metadata['input_range'] == (-1.0, 127 / 128)
  assert file.metadata['layers'][0]['activation'] == 'RELU6'
  assert 'the file holds int8, uint8 weights' in file.metadata['quantised']


def test_halves(path):
  writer = Writer()
  x = writer.conv('images', STEM.astype(np.float16), STEM_BIAS.astype(np.float16))
  writer.save(path, writer.node('GlobalAveragePool', x))
  file = onnx_file.read_onnx(path)
  kernel = file.tensors['0:conv/kernel']
  assert kernel.dtype == np.float32
  np.testing.assert_array_equal(kernel, STEM.astype(np.float16).astype(np.float32))
  assert 'float16' in file.metadata['quantised']


def conv(**attributes):
  return lambda w: w.conv('images', STEM, **attributes)


def after(name, *inputs, **attributes):
  return lambda w: w.node(name, w.conv('images', STEM), *inputs, **attributes)


def grouped(writer):
  return writer.node('Conv', 'images', random(6, 1, 3, 3), group=3)


def dynamic(writer):
  numbers, _, zero = writer.node('DynamicQuantizeLinear', 'images', outputs=3)
  kernel = np.zeros((8, 3, 1, 1), np.int8)
  return writer.node('ConvInteger', numbers, kernel, zero)


def in_blocks(writer):
  scales = np.ones((8, 2, 3, 3), np.float32)
  kernel = writer.node(
    'DequantizeLinear', np.ones((8, 4, 3, 3), np.int8), scales, axis=1, block_size=2
  )
  return writer.node('Conv', 'images', kernel)


def in_eights(writer):
  onnx = pytest.importorskip('onnx')
  float8 = onnx.TensorProto.FLOAT8E4M3FN
  kernel = onnx.helper.make_tensor('eights', float8, (8, 3, 1, 1), bytes(24), raw=True)
  writer.constants.append(kernel)
  kernel = writer.node('DequantizeLinear', 'eights', np.float32(1))
  return writer.node('Conv', 'images', kernel)


def turned(writer):
  return writer.node('Sub', np.float32(6), writer.conv('images', STEM))


def two_maps(writer):
  x = writer.conv('images', STEM)
  return writer.node('MatMul', x, x)


@pytest.mark.parametrize(
  ('make', 'said'),
  [
    (conv(dilations=[2, 2]), 'layer 0:conv is dilated'),
    (conv(auto_pad='SAME_LOWER'), 'layer 0:conv is padded as SAME_LOWER'),
    (grouped, 'layer 0:depthwise makes 6 channels of 3'),
    (after('Elu'), 'has a Elu after layer 0, which cannot be mapped'),
    (after('Clip', np.float32(-1), np.float32(1)), 'has a Clip after layer 0'),
    (after('HardSigmoid'), 'its HardSigmoid after layer 0 is 0.2 x + 0.5, not'),
    (after('Mul', np.float32(0.5)), 'has Mul with a constant of shape () after layer'),
    (after('LayerNorm', domain='mine'), 'has a LayerNorm after layer 0'),
    (
      after('Pad', np.array([0, 1, 0, 0, 0, 1, 0, 0])),
      'Pad after layer 0 pads by what',
    ),
    (
      after('Pad', np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.float32(1)),
      'Pad after layer 0 pads with something else than zeros',
    ),
    (turned, 'has Sub with a constant of shape () after layer 0, which cannot'),
    (dynamic, 'computes in whole numbers: give the float file, or quantise that in'),
    (
      in_blocks,
      'of layer 0:conv is stored as int8 with scales of blocks, which cannot',
    ),
    (in_eights, 'the kernel of layer 0:conv is stored as float8_e4m3fn, which cannot'),
    (two_maps, 'its MatMul after layer 0 multiplies two maps'),
    (lambda w: w.node('Relu', 'images'), 'no convolution or dense layer'),
  ],
)
def test_what_cannot_be_mapped_is_named(path, make, said):
  writer = Writer(opset=21)  # the first with scales of blocks
  assert said in complaint(onnx_file.read_onnx, writer.save(path, make(writer)))


def test_two_outputs(path):
  writer = Writer()
  x = writer.conv('images', STEM)
  assert 'has 1 inputs and 2 outputs' in complaint(
    onnx_file.read_onnx, writer.save(path, x, writer.node('Relu', x))
  )


def test_truncated(path):
  data = exported(path).read_bytes()
  for length in range(20, len(data), len(data) // 25):
    path.write_bytes(data[:length])
    assert 'truncated' in complaint(onnx_file.read_onnx, path), length


def test_missing_file(path):
  assert 'No such file' in complaint(onnx_file.read_onnx, path)


def test_weights_in_another_file(path, onnx):
  writer = Writer()
  x = writer.conv('images', STEM, STEM_BIAS)
  options = {'save_as_external_data': True, 'location': 'w.bin', 'size_threshold': 0}
  writer.save(path, writer.node('Relu', x), **options)
  tensors = onnx_file.read_onnx(path).tensors
  np.testing.assert_array_equal(tensors['0:conv/kernel'], STEM)
  path.with_name('w.bin').unlink()
  message = complaint(onnx_file.read_onnx, path)
  assert 'keeps its weights in another file, which is not beside it' in message
  assert 'w.bin' in message


def test_without_the_package(path, monkeypatch):
  exported(path)
  monkeypatch.setitem(__import__('sys').modules, 'onnx', None)
  assert complaint(onnx_file.read_onnx, path).endswith(
    'needs the onnx package; pip install onnx'
  )


def test_known_by_its_content(path, tmp_path):
  renamed = tmp_path / 'weights.bin'
  exported(path).rename(renamed)
  assert loading.read(renamed).dialect == 'onnx'
  assert not onnx_file.is_onnx(b'')
  # A header of safetensors that begins with a version and a tag has its own mark.
  head = b'\x08\x05\x12\x00\x00\x00\x00\x00{"a'
  assert onnx_file.is_onnx(head)
  pathlib.Path(renamed).write_bytes(head)
  with pytest.raises(WeightsError, match='safetensors'):
    loading.read(renamed)
