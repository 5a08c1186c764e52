"""Projective transforms of one image: rotation, shear, translation."""

import math

import tensorflow as tf

from input_pipeline.one_pass import one_pass


def project(image, matrix, fill, interpolation):
  """Moves pixels by a 3 x 3 matrix given as its first eight entries.

  Args:
    image: (height, width, channels), uint8 or float32; the size stays.
    matrix: float32 (8,), output (x, y) -> input (x, y), as
      `tf.raw_ops.ImageProjectiveTransformV3` has it.
    fill: value for what comes from outside.
    interpolation: 'NEAREST' or 'BILINEAR'.
  """
  if interpolation == 'NEAREST':
    return _nearest(image, matrix, tf.cast(fill, image.dtype))
  moved = tf.raw_ops.ImageProjectiveTransformV3(
    images=image[None],
    transforms=tf.cast(matrix, tf.float32)[None],
    output_shape=tf.shape(image)[:2],
    fill_value=tf.cast(fill, tf.float32),
    interpolation=interpolation,
    fill_mode='CONSTANT',
  )[0]
  moved.set_shape(image.shape)
  return moved


@one_pass
def _nearest(image, matrix, fill):
  """As TensorFlow's op has it, in a fifth of the time."""
  height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
  x, y = tf.range(width), tf.range(height)[:, None]
  column = tf.floor(matrix[0] * x + matrix[1] * y + matrix[2] + 0.5)
  row = tf.floor(matrix[3] * x + matrix[4] * y + matrix[5] + 0.5)
  inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
  # Places are whole numbers, exact in float32 up to 16 million pixels.
  places = tf.cast(tf.where(inside, row * width + column, 0.0), tf.int32)
  moved = tf.gather(tf.reshape(image, [-1, image.shape[-1]]), places)
  return tf.where(inside[..., None], moved, fill)


def rotate(image, degrees, fill, interpolation):
  """About the centre, counter-clockwise for positive degrees."""
  angle = degrees * (math.pi / 180)
  cos, sin = tf.cos(angle), tf.sin(angle)
  last_y, last_x = tf.unstack(tf.cast(tf.shape(image)[:2] - 1, tf.float32))
  offset_x = (last_x - (cos * last_x - sin * last_y)) / 2
  offset_y = (last_y - (sin * last_x + cos * last_y)) / 2
  matrix = tf.stack([cos, -sin, offset_x, sin, cos, offset_y, 0.0, 0.0])
  return project(image, matrix, fill, interpolation)


def translate(image, right, down, fill):
  """By a number of pixels, whole or not (the nearest pixel is taken)."""
  matrix = tf.stack([1.0, 0.0, -right, 0.0, 1.0, -down, 0.0, 0.0])
  return project(image, matrix, fill, 'NEAREST')


def shear(image, across, down, fill):
  """x moves by `across` times y, y by `down` times x."""
  matrix = tf.stack([1.0, across, 0.0, down, 1.0, 0.0, 0.0, 0.0])
  return project(image, matrix, fill, 'NEAREST')
