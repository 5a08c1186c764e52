"""Projective transforms of one image: rotation, shear, translation."""

import math

import tensorflow as tf


def project(image, matrix, fill, interpolation):
  """Moves pixels by a 3 x 3 matrix given as its first eight entries.

  Args:
    image: (height, width, channels), uint8 or float32; the size stays.
    matrix: float32 (8,), output (x, y) -> input (x, y), as
      `tf.raw_ops.ImageProjectiveTransformV3` has it.
    fill: value for what comes from outside.
    interpolation: 'NEAREST' or 'BILINEAR'.
  """
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
