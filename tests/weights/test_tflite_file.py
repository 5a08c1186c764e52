"""TFLite files: what the converter makes of small functions, read back."""

import io
import zipfile

import flatbuffers
import numpy as np
import pytest

from mobilenet.weights import tflite_file, tflite_metadata
from mobilenet.weights.weight_file import WeightsError
from tests.weights.refusals import complaint
from tests.weights.tflite_writer import (
  ARRAYS,
  REDUCE,
  SIZE,
  STEM,
  STEM_BIAS,
  converted,
  random,
  small_network,
)

tf = pytest.importorskip('tensorflow')

WIDE = random(3, 3, 3, 64)


@pytest.fixture(scope='module')
def small():
  return converted(small_network)


def test_layers_come_in_running_order_in_our_layout(read_tflite, small):
  file = read_tflite(small)
  assert file.dialect == 'tflite'
  assert list(file.tensors) == list(ARRAYS)
  for name, array in ARRAYS.items():
    assert file.tensors[name].dtype == np.float32
    np.testing.assert_allclose(file.tensors[name], array, rtol=0, atol=1e-6)


def test_metadata_says_what_a_contract_needs(read_tflite, small):
  metadata = read_tflite(small).metadata
  layers = metadata['layers']
  assert layers[0] == {
    'name': '0:conv',
    'kind': 'conv',
    'kernel': 3,
    'stride': 2,
    'padding': 'VALID',
    'pad': ((1, 0), (1, 1)),
    'padded_before': True,
    'activation': 'RELU6',
  }
  assert [layer['padding'] for layer in layers[1:4]] == ['SAME'] * 3
  activations = [layer['activation'] for layer in layers]
  assert activations == ['RELU6', 'NONE', 'RELU', 'HARD_SIGMOID', 'NONE']
  assert metadata['input_size'] == (SIZE, SIZE)
  assert metadata['output'] == 'softmax'
  assert metadata['input_scale'] == pytest.approx(1 / 127.5)
  assert metadata['input_offset'] == pytest.approx(-1.0)
  assert 'labels' not in metadata
  assert 'normalisation' not in metadata


def test_input_scaled_by_channel_and_logits(read_tflite):
  mean = np.array([123.0, 117.0, 104.0], np.float32)
  file = read_tflite(
    converted(lambda x: tf.nn.conv2d((x - mean) / 58.0, STEM, 1, 'SAME'))
  )
  # The converter may move the division into the kernel.
  scale, offset = file.metadata['input_scale'], file.metadata['input_offset']
  np.testing.assert_allclose(np.divide(offset, scale), -mean, rtol=1e-6)
  kernel = file.tensors['0:conv/kernel']
  np.testing.assert_allclose(np.multiply(kernel, scale), STEM / 58, atol=1e-8)
  assert file.metadata['output'] == 'logits'
  np.testing.assert_array_equal(file.tensors['0:conv/bias'], np.zeros(8))


def test_float16_is_widened(read_tflite):
  settings = {
    'optimizations': [tf.lite.Optimize.DEFAULT],
    'target_spec': tf.lite.TargetSpec(supported_types=[tf.float16]),
  }
  data = converted(lambda x: tf.nn.conv2d(x, WIDE, 1, 'SAME'), **settings)
  assert len(data) < WIDE.nbytes  # the file does hold halves
  kernel = read_tflite(data).tensors['0:conv/kernel']
  assert kernel.dtype == np.float32
  np.testing.assert_array_equal(kernel, WIDE.astype(np.float16).astype(np.float32))


def depthwise_of_two(x):
  return tf.nn.depthwise_conv2d(x, random(3, 3, 3, 2), (1, 1, 1, 1), 'SAME')


def scaled_by_channel(x):
  return tf.nn.relu(tf.nn.conv2d(x, STEM, 1, 'SAME')) * np.abs(STEM_BIAS)


def halved(x):
  return tf.nn.relu(tf.nn.conv2d(x, STEM, 1, 'SAME')) * 0.5


def turned(x):
  return 6.0 - tf.nn.relu(tf.nn.conv2d(x, STEM, 1, 'SAME'))


def joined_with_a_constant(x):
  x = tf.nn.relu(tf.nn.conv2d(x, STEM, 1, 'SAME'))
  return tf.concat([x, np.ones((1, SIZE, SIZE, 1), np.float32)], axis=-1)


def transposed(x):
  kernel = random(3, 3, 8, 3)
  return tf.nn.conv2d_transpose(x, kernel, (1, 32, 32, 8), 2)


def sixth_in_the_kernel(x):
  x = tf.nn.conv2d(x, STEM, 1, 'SAME')
  return tf.nn.conv2d(x * tf.nn.relu6(x + 3.0), REDUCE / 6, 1, 'SAME')


def channels_reversed(x):
  x = tf.stack([x[..., 2], x[..., 1], x[..., 0]], axis=-1)
  return tf.nn.conv2d(x, STEM, 1, 'SAME')


def padded_and_pooled(x):
  x = tf.nn.relu(tf.nn.conv2d(x, STEM, 1, 'SAME'))
  return tf.nn.max_pool2d(tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), 3, 2, 'VALID')


@pytest.mark.parametrize(
  ('function', 'said'),
  [
    (depthwise_of_two, 'depthwise multiplier'),
    (lambda x: tf.nn.conv2d(x, STEM, 1, 'VALID', dilations=2), 'dilated'),
    (
      scaled_by_channel,
      'MUL with a constant of shape (8,) after layer 0, which cannot',
    ),
    (turned, 'SUB with a constant of shape () after layer 0, which cannot be mapped'),
    (joined_with_a_constant, 'CONCATENATION with a constant of shape (1, 16, 16, 1)'),
    (halved, 'MUL with a constant of shape () after layer 0, which cannot be mapped'),
    (transposed, 'TRANSPOSE_CONV before its first layer, which cannot be mapped'),
    (padded_and_pooled, 'PAD that is not before a convolution'),
    (tf.nn.relu, 'no convolution'),
    (sixth_in_the_kernel, 'adds 1 times the 3 of hard-swish and divides 0 times'),
    (channels_reversed, 'before its first layer'),
  ],
)
def test_what_cannot_be_mapped_is_named(read_tflite, function, said):
  assert said in complaint(read_tflite, converted(function), 'model.tflite')


def test_truncated(read_tflite, small):
  for length in range(16, len(small), len(small) // 25):
    assert 'truncated' in complaint(read_tflite, small[:length], 'model.tflite'), length


def test_no_tflite_file(read_tflite):
  assert 'no TFLite file' in complaint(read_tflite, b'', 'model.tflite')
  assert 'no TFLite file' in complaint(
    read_tflite, b'PK\x03\x04' + bytes(100), 'model.tflite'
  )


def test_missing_file(tmp_path):
  with pytest.raises(WeightsError, match='No such file'):
    tflite_file.read_tflite(tmp_path / 'model.tflite')


def zipped(files):
  stream = io.BytesIO()
  with zipfile.ZipFile(stream, 'w') as archive:
    for name, text in files.items():
      archive.writestr(name, text)
  return stream.getvalue()


@pytest.mark.parametrize(
  ('files', 'labels'),
  [
    (
      {'labels.txt': 'cat\nsea lion \n\n', 'labels-de.txt': 'Katze'},
      ['cat', 'sea lion'],
    ),
    ({'labels_mobilenet.txt': 'a\nb'}, ['a', 'b']),
    ({'one.txt': 'a', 'two.txt': 'b'}, None),
  ],
)
def test_labels_of_the_archive_behind_the_model(read_tflite, small, files, labels):
  assert read_tflite(small + zipped(files)).metadata.get('labels') == labels


def metadata_buffer(mean, std):
  """ModelMetadata with one normalised input, as metadata_schema.fbs lays it out."""
  builder = flatbuffers.Builder()

  def floats(values):
    return builder.CreateNumpyVector(np.array(values, np.float32))

  def table(size, **slots):
    builder.StartObject(size)
    for slot, (kind, value) in slots.items():
      place = int(slot.removeprefix('slot'))
      if kind == 'offset':
        builder.PrependUOffsetTRelativeSlot(place, value, 0)
      else:
        builder.PrependUint8Slot(place, value, 0)
    return builder.EndObject()

  def vector(*tables):
    builder.StartVector(4, len(tables), 4)
    for one in reversed(tables):
      builder.PrependUOffsetTRelative(one)
    return builder.EndVector()

  means, stds = floats(mean), floats(std)
  options = table(2, slot0=('offset', means), slot1=('offset', stds))
  other = table(2, slot0=('byte', 3))  # thresholds: passed over
  unit = table(2, slot0=('byte', 1), slot1=('offset', options))
  tensor = table(7, slot4=('offset', vector(other, unit)))
  subgraph = table(6, slot2=('offset', vector(tensor)))
  model = table(8, slot3=('offset', vector(subgraph)))
  builder.Finish(model, b'M001')
  return bytes(builder.Output())


def test_normalisation_of_the_metadata():
  found = tflite_metadata.normalisation(metadata_buffer([127.5], [127.5]))
  assert found == {'mean': (127.5,), 'std': (127.5,)}
  found = tflite_metadata.normalisation(metadata_buffer([1, 2, 3], [4, 5, 6]))
  assert found == {'mean': (1.0, 2.0, 3.0), 'std': (4.0, 5.0, 6.0)}


def test_metadata_without_normalisation():
  builder = flatbuffers.Builder()
  builder.StartObject(8)
  builder.Finish(builder.EndObject(), b'M001')
  assert tflite_metadata.normalisation(bytes(builder.Output())) is None
