"""Ops whose window may reach beyond the image, and those that look at boxes.

As in `image_ops`; a window here is (y, x, height, width) in pixels of the image.
"""

import tensorflow as tf

from input_pipeline import catalogue, keys


def window_of(image, window, fill):
  """A window of (height, width, channels); what lies beyond the image is `fill`.

  Args:
    window: (y, x, height, width), int32 scalars or numbers, in pixels of the image.
    fill: a value for each channel.
  """
  y, x, height, width = window
  rows, columns = tf.unstack(tf.shape(image)[:2])
  top, left = tf.maximum(y, 0), tf.maximum(x, 0)
  bottom, right = tf.minimum(y + height, rows), tf.minimum(x + width, columns)
  part = image[top:bottom, left:right]
  known = [side if isinstance(side, int) else None for side in (height, width)]

  def framed():
    beyond = [[top - y, y + height - bottom], [left - x, x + width - right], [0, 0]]
    filled = tf.cast(tf.constant(fill), image.dtype)
    if image.dtype == tf.uint8:
      # Bytes go round at 256: exact, and the fastest on a large canvas.
      return tf.pad(part - filled, beyond) + filled
    there = tf.pad(tf.ones_like(part[..., :1], tf.bool), beyond)
    return tf.where(there, tf.pad(part, beyond), filled)

  is_whole = (bottom - top == height) & (right - left == width)
  seen = tf.cond(is_whole, lambda: part, framed)
  return tf.ensure_shape(seen, [*known, image.shape[-1]])


def ssd_window(shape, key, covered, area, aspect, whole, boxes=None):
  """(window, share of a box that must be inside for it to stay).

  boxes: float32 (n, 4), of the objects; None where only the image is known.
  """
  drawn = tf.gather(
    tf.constant(covered, tf.float32),
    keys.uniform(key, 0, 0, len(covered), (), tf.int32),
  )
  if boxes is None:
    boxes = tf.zeros([0, 4])
  begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
    shape,
    bounding_boxes=boxes[None],
    seed=key + tf.constant([0, 1], tf.int64),
    min_object_covered=drawn,
    aspect_ratio_range=aspect,
    area_range=area,
    max_attempts=100,
    use_image_if_no_bounding_boxes=True,
  )
  all_of_it = keys.uniform(key, 2) < whole
  begin = tf.where(all_of_it, 0, begin[:2])
  extent = tf.where(all_of_it, shape[:2], extent[:2])
  return (*tf.unstack(begin), *tf.unstack(extent)), drawn


def ssd_crop(image, key, covered, area, aspect, whole):
  window, _ = ssd_window(tf.shape(image), key, covered, area, aspect, whole)
  return window_of(image, window, catalogue.MEAN_PIXEL)


def expand_window(shape, key, largest, prob):
  sides = tf.cast(shape[:2], tf.float32)
  ratio = tf.where(keys.uniform(key, 0) < prob, keys.uniform(key, 1, 1.0, largest), 1.0)
  canvas = tf.cast(sides * ratio, tf.int32)
  free = tf.cast(canvas - shape[:2], tf.float32)
  y = tf.cast(keys.uniform(key, 2) * (free[0] + 1), tf.int32)
  x = tf.cast(keys.uniform(key, 3) * (free[1] + 1), tf.int32)
  return -y, -x, canvas[0], canvas[1]


def expand(image, key, largest, prob):
  window = expand_window(tf.shape(image), key, largest, prob)
  return window_of(image, window, catalogue.MEAN_PIXEL)


def scaled_sides(shape, key, low, high):
  """(height, width) that `scale_crop` scales an image to."""
  factor = keys.uniform(key, 0, low, high) if high > low else low
  sides = tf.round(tf.cast(shape[:2], tf.float32) * factor)
  return tf.maximum(tf.cast(sides, tf.int32), 1)


def scale_window(scaled, key, size):
  """The window of the scaled image; a smaller one lies in its upper left corner."""
  height, width = catalogue.sides_of(size)
  free = tf.cast(tf.maximum(scaled - [height, width], 0) + 1, tf.float32)
  y = tf.cast(keys.uniform(key, 1) * free[0], tf.int32)
  x = tf.cast(keys.uniform(key, 2) * free[1], tf.int32)
  return y, x, height, width


def scale_crop(image, key, size, low, high):
  scaled = scaled_sides(tf.shape(image), key, low, high)
  image = tf.image.resize(image, scaled)
  window = scale_window(scaled, key, size)
  return window_of(image, window, catalogue.MEAN_PIXEL)


def pad_window(shape, size):
  del shape
  return 0, 0, *catalogue.sides_of(size)


def pad(image, key, size):
  del key
  height, width = catalogue.sides_of(size)
  fits = tf.debugging.assert_less_equal(
    tf.shape(image)[:2],
    [height, width],
    message=f'pad({size}): an image is larger; put a resize before it',
  )
  with tf.control_dependencies([] if fits is None else [fits]):
    image = tf.identity(image)
  return window_of(image, pad_window(None, size), catalogue.MEAN_PIXEL)
