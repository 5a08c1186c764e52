"""`exif` in a TensorFlow graph."""

import numpy as np
import tensorflow as tf

from input_pipeline import exif


def may_be_turned(encoded):
  """False for a JPEG or PNG that is upright as it is stored; no Python runs for it."""
  return tf.strings.regex_full_match(
    tf.strings.substr(encoded, 0, exif.HEAD), exif.TURNED
  )


def orientation(encoded):
  """`exif.orientation`, int32, by Python."""
  head = tf.strings.substr(encoded, 0, exif.HEAD)
  found = tf.numpy_function(
    lambda data: np.int32(exif.orientation(as_bytes(data))),
    [head],
    tf.int32,
    stateful=False,
  )
  return tf.ensure_shape(found, [])


def as_bytes(data) -> bytes:
  """A string as `tf.numpy_function` hands it over: outside of a graph in an array."""
  return data if isinstance(data, bytes) else data.item()


def stored_window(window_of, sides, orientation):
  """Where a window of the upright photo lies in the stored one.

  Args:
    window_of: (height, width, 3) of the upright photo -> (y, x, height, width) in it.
    sides: (height, width) of the stored photo, int32.
    orientation: int32.

  Returns:
    (y, x, height, width) in the stored photo, int32 scalars.
  """
  transposed, rows, columns = _turn(orientation)
  sides = tf.where(transposed, sides[::-1], sides)
  y, x, height, width = window_of(tf.concat([sides, [3]], axis=0))
  y = tf.where(rows, sides[0] - y - height, y)
  x = tf.where(columns, sides[1] - x - width, x)
  window = tf.stack([y, x, height, width])
  return tf.unstack(tf.where(transposed, tf.gather(window, [1, 0, 3, 2]), window))


def upright(image, orientation):
  """As `exif.upright`."""
  transposed, rows, columns = _turn(orientation)
  image = tf.cond(transposed, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
  return tf.reverse(image, tf.boolean_mask([0, 1], tf.stack([rows, columns])))


def _turn(orientation):
  return tf.unstack(tf.gather(tf.constant(exif.TURNS), orientation - 1))
