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
  if (interpolation, image.dtype) == ('NEAREST', tf.uint8) and image.shape[-1] == 3:
    return _nearest(image, matrix, tf.cast(fill, tf.int32))
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
  """As the op of TensorFlow has it, but for pixels that lie between two."""
  shape = tf.shape(image)
  height, width = tf.unstack(shape[:2])
  x = tf.cast(tf.range(width), tf.float32)
  y = tf.cast(tf.range(height), tf.float32)[:, None]
  from_x = matrix[0] * x + matrix[1] * y + matrix[2]
  from_y = matrix[3] * x + matrix[4] * y + matrix[5]
  column, row = _rounded(from_x), _rounded(from_y)
  inside = (from_x > -0.5) & (from_y > -0.5) & (column < width) & (row < height)
  # The bytes of a pixel are moved as one number.
  pixels = tf.bitcast(tf.pad(image, [[0, 0], [0, 0], [0, 1]]), tf.int32)
  moved = tf.gather(tf.reshape(pixels, [-1]), tf.where(inside, row * width + column, 0))
  moved = tf.where(inside, moved, fill * 0x010101)
  return tf.reshape(tf.bitcast(moved, tf.uint8)[..., :3], shape)


def _rounded(values):
  """To whole numbers, halves up."""
  below = tf.floor(values)
  return tf.cast(below, tf.int32) + tf.cast(values - below >= 0.5, tf.int32)


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
