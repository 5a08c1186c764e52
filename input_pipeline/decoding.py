"""Encoded bytes to pixels, and the ops of a string applied to them."""

import functools

import tensorflow as tf

from input_pipeline import exif, exif_ops, image_ops, keys, photo_reader

# The exact cosine transform of Pillow, which other frameworks' weights were trained and
# measured with; TensorFlow's default is darker by 0.8 levels and 2 % faster.
_DCT = 'INTEGER_ACCURATE'


def decode(encoded, window_of=None):
  """An encoded image to uint8 (height, width, 3), upright by its EXIF orientation.

  The formats and the pixels are those of `photo_reader.pixels`. JPEG and PNG are
  decoded here; other formats, and JPEGs of four channels, by Pillow.

  Args:
    encoded: string, a file's content.
    window_of: the (height, width, 3) of the upright image, int32, -> (y, x, height,
      width), the part of it that is wanted. A JPEG is then decoded only there, with the
      shape read from its header; the pixels equal those of decoding all of it first.
  """
  encoded = tf.convert_to_tensor(encoded)
  from_jpeg, from_png, from_other = (
    functools.partial(read, encoded, window_of)
    for read in (_from_jpeg, _from_png, _from_other)
  )

  def no_jpeg():
    is_png = tf.strings.substr(encoded, 0, len(exif.PNG)) == exif.PNG
    return tf.cond(is_png, from_png, from_other)

  image = tf.cond(tf.image.is_jpeg(encoded), from_jpeg, no_jpeg)
  image.set_shape([None, None, 3])
  return image


def _from_jpeg(encoded, window_of):
  shape = tf.image.extract_jpeg_shape(encoded)

  def straight():
    return _jpeg_part(encoded, window_of and window_of(shape), shape)

  def turned():
    orientation = exif_ops.orientation(encoded)
    window = window_of and exif_ops.stored_window(window_of, shape[:2], orientation)
    return exif_ops.upright(_jpeg_part(encoded, window, shape), orientation)

  # Of CMYK TensorFlow's own conversion differs by a level.
  usual = _is_small(shape) & (shape[2] < 4)
  return tf.cond(
    usual & ~exif_ops.may_be_turned(encoded),
    straight,
    lambda: tf.cond(usual, turned, lambda: _from_other(encoded, window_of)),
  )


def decode_jpeg(encoded):
  """All of a JPEG as it is stored, uint8 (height, width, 3)."""
  return tf.io.decode_jpeg(encoded, channels=3, dct_method=_DCT)


def _jpeg_part(encoded, window, shape):
  """The window of a JPEG as it is stored, or all of it."""
  if window is None:
    return decode_jpeg(encoded)
  y, x, height, width = window
  # The colours of the outer columns depend on their neighbours, which the decoder does
  # not look at beyond its window: two columns more on each side make it exact.
  left = tf.maximum(x - 2, 0)
  right = tf.minimum(x + width + 2, shape[1])
  part = tf.image.decode_and_crop_jpeg(
    encoded, tf.stack([y, left, height, right - left]), channels=3, dct_method=_DCT
  )
  return tf.slice(part, [0, x - left, 0], [height, width, 3])


def _from_png(encoded, window_of):
  sides = tf.io.decode_raw(
    tf.strings.substr(encoded, 16, 8), tf.int32, little_endian=False, fixed_length=8
  )

  def straight():
    return tf.io.decode_png(encoded, channels=3)

  def turned():
    return exif_ops.upright(straight(), exif_ops.orientation(encoded))

  usual = _is_small(sides)
  image = tf.cond(
    usual & ~exif_ops.may_be_turned(encoded),
    straight,
    lambda: tf.cond(usual, turned, lambda: _from_other(encoded, None)),
  )
  return _part(image, window_of)


def _is_small(sides):
  """Whether it is not too large to be read; what is, Pillow refuses."""
  return tf.reduce_prod(tf.cast(sides[:2], tf.int64)) <= photo_reader.largest()


def _from_other(encoded, window_of):
  image = tf.numpy_function(
    lambda data: photo_reader.pixels(exif_ops.as_bytes(data)),
    [encoded],
    tf.uint8,
    stateful=False,
  )
  return _part(tf.ensure_shape(image, [None, None, 3]), window_of)


def _part(image, window_of):
  if window_of is None:
    return image
  y, x, height, width = window_of(tf.shape(image))
  return image[y : y + height, x : x + width]


def read_image(example, ops, key):
  """The pixels of an example, after the first op's window where it has one.

  Args:
    example: with 'encoded' or 'image'.
    ops: tuple of `op_string.Op`.
    key: of the example.
  """
  if 'encoded' not in example:
    return three_channels(example['image'])
  if not starts_with_window(ops, encoded=True):
    return decode(example['encoded'])
  window, _ = image_ops.WINDOWED[ops[0].name]
  first_key = keys.op_key(key, 0)
  return decode(
    example['encoded'], lambda shape: window(shape, first_key, **ops[0].args)
  )


def apply_ops(image, ops, key, encoded):
  """What remains after `read_image`; float32 (height, width, 3)."""
  for number, op in enumerate(ops):
    if number == 0 and starts_with_window(ops, encoded):
      _, finish = image_ops.WINDOWED[op.name]
      image = finish(image, **op.args)
    else:
      image = image_ops.OPS[op.name](image, keys.op_key(key, number), **op.args)
  return tf.cast(image, tf.float32)


def starts_with_window(ops, encoded):
  """Whether decoding does the work of the first op's window."""
  return encoded and bool(ops) and ops[0].name in image_ops.WINDOWED


def three_channels(image):
  """uint8 (height, width, 1, 3 or 4) to three channels; alpha is dropped."""
  channels = image.shape[-1]
  return tf.repeat(image, 3, axis=-1) if channels == 1 else image[..., :3]
