"""Encoded bytes to pixels, and the ops of a string applied to them."""

import tensorflow as tf

from input_pipeline import image_ops, keys

# The exact cosine transform of Pillow, which other frameworks' weights were trained and
# measured with; TensorFlow's default is darker by 0.8 levels and 2 % faster.
_DCT = 'INTEGER_ACCURATE'


def decode(encoded):
  """JPEG, PNG, GIF (first frame), BMP or WebP to uint8 (height, width, 3).

  Grey images get three equal channels, alpha is dropped, and the EXIF orientation is
  ignored.
  """
  image = tf.cond(
    tf.image.is_jpeg(encoded),
    lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method=_DCT),
    lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
  )
  image.set_shape([None, None, 3])
  return image


def decode_window(encoded, window_of):
  """The part of an image that `window_of(shape)` gives, uint8 (height, width, 3).

  A JPEG is decoded only where the window is, with the shape read from its header; the
  pixels equal those of decoding all of it first.
  """

  def from_jpeg():
    shape = tf.image.extract_jpeg_shape(encoded)
    y, x, height, width = window_of(shape)
    # The colours of the outer columns depend on their neighbours, which the decoder
    # does not look at beyond its window: two columns more on each side make it exact.
    left = tf.maximum(x - 2, 0)
    right = tf.minimum(x + width + 2, shape[1])
    part = tf.image.decode_and_crop_jpeg(
      encoded, tf.stack([y, left, height, right - left]), channels=3, dct_method=_DCT
    )
    return tf.slice(part, [0, x - left, 0], [height, width, 3])

  def from_other():
    image = decode(encoded)
    y, x, height, width = window_of(tf.shape(image))
    return image[y : y + height, x : x + width]

  return tf.cond(tf.image.is_jpeg(encoded), from_jpeg, from_other)


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
  return decode_window(
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
