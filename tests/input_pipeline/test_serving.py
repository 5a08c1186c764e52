"""Photos in a TensorFlow server's graph, beside `photos.prepare`."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import input_pipeline
from input_pipeline import exif, photos

OPS = input_pipeline.parse_ops(
  'resize_small(18)|central_crop(16)|value_range(-1, 1)', 'eval'
)


def photo(kind, orientation=1):
  """A smooth picture, which a JPEG changes little."""
  y, x = np.mgrid[:24, :36]
  pixels = np.stack([7 * y, 5 * x, 255 - 5 * x], axis=-1).astype(np.uint8)
  tags = Image.Exif()
  tags[0x0112] = orientation
  data = io.BytesIO()
  options = {'quality': 95} if kind == 'JPEG' else {}
  Image.fromarray(pixels).save(data, kind, exif=tags, **options)
  return data.getvalue()


@pytest.fixture(scope='module')
def in_graph():
  function = tf.function(
    lambda data: input_pipeline.prepare_in_graph(data, OPS, 16),
    input_signature=[tf.TensorSpec((None,), tf.string)],
  )
  graph = function.get_concrete_function().graph.as_graph_def()
  ops = {n.op for n in graph.node}
  ops |= {n.op for f in graph.library.function for n in f.node_def}
  assert not ops & {'PyFunc', 'PyFuncStateless', 'EagerPyFunc'}
  return lambda *data: function(tf.constant(data)).numpy()


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_every_orientation_is_prepared_as_for_evaluation(in_graph, tmp_path, kind):
  files = [photo(kind, orientation) for orientation in range(1, 9)]
  expected = []
  for number, data in enumerate(files):
    assert exif.orientation(data) == number + 1
    path = tmp_path / f'{number}.{kind.lower()}'
    path.write_bytes(data)
    expected.append(photos.prepare(photos.read_photo(path), OPS))
  np.testing.assert_allclose(in_graph(*files), np.stack(expected), atol=1e-4)
  assert np.abs(expected[0] - expected[2]).max() > 0.5


def test_the_orientation_of_a_preview_does_not_count(in_graph):
  data = photo('JPEG', 6)
  # As a preview's entry would lie: behind that of the photo, in the same block.
  entry = data.index(b'\x01\x12\x00\x03' if b'MM\0*' in data else b'\x12\x01\x03\x00')
  length = int.from_bytes(data[4:6])
  preview = data[entry : entry + 8] + data[entry + 8 : entry + 12].replace(b'\6', b'\3')
  end = 4 + length
  both = data[:4] + (length + len(preview)).to_bytes(2) + data[6:end] + preview
  both += data[end:]
  assert exif.orientation(both) == 6
  np.testing.assert_array_equal(in_graph(both), in_graph(data))


def test_other_formats_are_refused_by_tensorflow_itself(in_graph):
  data = io.BytesIO()
  Image.new('RGB', (20, 20)).save(data, 'TIFF')
  with pytest.raises(tf.errors.InvalidArgumentError, match='Unknown image file format'):
    in_graph(data.getvalue())
