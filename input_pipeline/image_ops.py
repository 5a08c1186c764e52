"""What the ops of the catalogue do to one image.

Every op takes an image (height, width, 3), uint8 or float32 on the scale 0..255, a key
(see `keys`), and the arguments of its entry in `catalogue`, all by name. Images stay
uint8 until an op needs fractions.
"""

import functools
import math

import tensorflow as tf

from input_pipeline import (
  affine,
  canvas_ops,
  catalogue,
  keys,
  randaug,
  transforms,
  trivialaug,
)
from input_pipeline.errors import DataError
from input_pipeline.one_pass import one_pass


def _floats(image):
  return tf.cast(image, tf.float32)


def _bytes(image):
  """uint8; fractions (after a resize) are rounded."""
  return image if image.dtype == tf.uint8 else _rounded(image)


@one_pass
def _rounded(image):
  return tf.saturate_cast(tf.round(image), tf.uint8)


def _part(image, window):
  y, x, height, width = window
  return image[y : y + height, x : x + width]


# Windows: which part of an image of a given shape an op takes, (y, x, height, width),
# int32 scalars. They need only the shape, so that a JPEG can be cropped while it is
# decoded.


def inception_window(shape, key, size, area, aspect, antialias):
  del size, antialias
  begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
    shape,
    bounding_boxes=tf.constant([0.0, 0.0, 1.0, 1.0], shape=[1, 1, 4]),
    seed=key,
    # At its default of 0.1 this would cut off areas below a tenth of the image.
    min_object_covered=0.0,
    aspect_ratio_range=aspect,
    area_range=area,
    max_attempts=100,
  )
  return *tf.unstack(begin)[:2], *tf.unstack(extent)[:2]


def central_window(shape, key, fraction):
  del key
  size = tf.cast(shape[:2], tf.float32)
  # Truncated on both sides alike, as tf.image.central_crop does.
  begin = tf.cast((size - size * fraction) / 2, tf.int32)
  return *tf.unstack(begin), *tf.unstack(shape[:2] - 2 * begin)


def square_window(shape, key, fraction):
  del key
  sides = tf.cast(shape[:2], tf.float32)
  side = tf.reduce_min(sides) * fraction
  begin = tf.cast((sides - side) / 2, tf.int32)
  side = tf.cast(side, tf.int32)
  return *tf.unstack(begin), side, side


def inception_finish(image, size, area, aspect, antialias):
  del area, aspect
  return resize(image, None, size, 'bilinear', antialias, True)


def central_finish(image, fraction):
  del fraction
  return image


# Op -> (window, what remains to be done to the part).
WINDOWED = {
  'inception_crop': (inception_window, inception_finish),
  'central_fraction': (central_window, central_finish),
  'central_square': (square_window, central_finish),
}


def _windowed(name, image, key, **args):
  window, finish = WINDOWED[name]
  return finish(_part(image, window(tf.shape(image), key, **args)), **args)


def random_window(shape, key, size):
  free = tf.cast(shape[:2] - size + 1, tf.float32)
  y = tf.cast(keys.uniform(key, 0) * free[0], tf.int32)
  x = tf.cast(keys.uniform(key, 1) * free[1], tf.int32)
  return y, x, size, size


def random_crop(image, key, size, pad):
  if pad:
    image = tf.pad(image, [[pad, pad], [pad, pad], [0, 0]])
  image = _large_enough(image, size, 'random_crop')
  y, x, _, _ = random_window(tf.shape(image), key, size)
  return tf.ensure_shape(image[y : y + size, x : x + size], [size, size, 3])


def middle_window(shape, key, size):
  del key
  # Halves to the even side, as `tf.round` does.
  y, x = tf.unstack(tf.cast(tf.round((shape[:2] - size) / 2), tf.int32))
  return y, x, size, size


def central_crop(image, key, size):
  image = _large_enough(image, size, 'central_crop')
  y, x, _, _ = middle_window(tf.shape(image), key, size)
  return tf.ensure_shape(image[y : y + size, x : x + size], [size, size, 3])


def _large_enough(image, size, name):
  """The image, after a check that it holds size x size pixels."""
  message = f'{name}({size}): an image is smaller; put resize_small({size}) before it'
  known = [side for side in image.shape[:2] if side is not None]
  if known and min(known) < size:
    raise DataError(message)
  check = tf.debugging.assert_greater_equal(
    tf.reduce_min(tf.shape(image)[:2]), size, message=message
  )
  with tf.control_dependencies([] if check is None else [check]):
    return tf.identity(image)


def resize(image, key, size, method, antialias, half_pixel_centers):
  del key
  if not half_pixel_centers:
    return tf.raw_ops.ResizeBilinear(images=image[None], size=[size, size])[0]

  def resized(image):
    return tf.image.resize(image, [size, size], method, antialias=antialias)

  if image.dtype != tf.uint8 or method != 'bilinear' or antialias:
    return resized(image)
  # TensorFlow interpolates floats by vector instructions and loads bytes one by one.
  # The result is the same to the bit, and worth a pass over all pixels unless only a
  # small share of them is read.
  few = tf.size(image) <= 4 * 3 * size * size
  return tf.cond(few, lambda: resized(_floats(image)), lambda: resized(image))


def resize_small(image, key, size, method, antialias):
  del key
  sides = tf.cast(tf.shape(image)[:2], tf.int64)
  shape = tf.cast(size * sides // tf.reduce_min(sides), tf.int32)
  return tf.image.resize(image, shape, method, antialias=antialias)


def flip(image, key, prob):
  return tf.cond(
    keys.uniform(key, 0) < prob, lambda: tf.reverse(image, [1]), lambda: image
  )


def turn(image, key):
  # Quarter turns of a square are made of mirrored and swapped sides.
  for place, axes in enumerate(([0], [1])):
    image = tf.where(keys.uniform(key, place) < 0.5, tf.reverse(image, axes), image)
  if image.shape[0] is None or image.shape[0] != image.shape[1]:
    raise ValueError('turn needs square images: put resize or a crop before it')
  swapped = tf.transpose(image, [1, 0, 2])
  return tf.where(keys.uniform(key, 2) < 0.5, swapped, image)


def color(image, key, brightness, saturation, contrast, hue):
  steps = []
  if brightness:
    added = keys.uniform(key, 0, -brightness, brightness)
    steps.append(lambda x: x + added)
  if tuple(saturation) != (1, 1):
    saturated = keys.uniform(key, 1, *saturation)
    steps.append(lambda x: _saturate(x, saturated))
  if hue:
    turned = keys.uniform(key, 2, -hue, hue)
    steps.append(lambda x: tf.image.adjust_hue(x, turned))
  if tuple(contrast) != (1, 1):
    contrasted = keys.uniform(key, 3, *contrast)
    steps.append(lambda x: tf.image.adjust_contrast(x, contrasted))

  def distorted(steps):
    @one_pass
    def run(image):
      x = functools.reduce(lambda x, step: step(x), steps, _floats(image) / 255.0)
      return tf.clip_by_value(x, 0.0, 1.0) * 255.0

    return run(image)

  return tf.cond(
    keys.uniform(key, 4) < 0.5, lambda: distorted(steps), lambda: distorted(steps[::-1])
  )


def _saturate(image, factor):
  """Saturation times `factor`, at most 1, with hue and value as they are.

  That of `tf.image.adjust_saturation`, written without the hue, which cancels out:
  every channel keeps its place between the value and none of it.
  """
  channels = tf.split(image, 3, axis=-1)
  value = functools.reduce(tf.maximum, channels)
  spread = value - functools.reduce(tf.minimum, channels)
  full = tf.math.divide_no_nan(tf.maximum(value, 0.0), spread)
  return value - (value - image) * tf.minimum(factor, full)


def erase(image, key, prob, area, aspect, fill):
  def erased():
    rows, columns = tf.shape(image)[0], tf.shape(image)[1]
    size = tf.cast(rows * columns, tf.float32) * keys.uniform(key, 1, *area)
    ratio = tf.exp(keys.uniform(key, 2, math.log(aspect[0]), math.log(aspect[1])))
    height = tf.minimum(tf.cast(tf.round(tf.sqrt(size / ratio)), tf.int32), rows)
    width = tf.minimum(tf.cast(tf.round(tf.sqrt(size * ratio)), tf.int32), columns)
    free_y, free_x = tf.cast(rows - height + 1, tf.float32), columns - width + 1
    y = tf.cast(keys.uniform(key, 3) * free_y, tf.int32)
    x = tf.cast(keys.uniform(key, 4) * tf.cast(free_x, tf.float32), tf.int32)
    if fill == 'noise':
      # Drawn here: XLA takes sixty times as long for so many.
      filled = keys.random_bytes(key, 5, tf.shape(image))
    else:
      filled = tf.constant(
        {'black': 0, 'grey': 128, 'mean': catalogue.MEAN_PIXEL}[fill]
      )
    return _filled(image, y, x, height, width, filled)

  return tf.cond(keys.uniform(key, 0) < prob, erased, lambda: image)


@one_pass
def _filled(image, y, x, height, width, filled):
  """A window filled with what is given: for each value, or for each channel."""
  rows, columns = (tf.range(side) for side in tf.unstack(tf.shape(image)[:2]))
  in_rows = (rows >= y) & (rows < y + height)
  in_columns = (columns >= x) & (columns < x + width)
  hole = (in_rows[:, None] & in_columns[None, :])[..., None]
  return tf.where(hole, tf.cast(filled, image.dtype), image)


def rotate(image, key, degrees, fill):
  angle = keys.uniform(key, 0, -degrees, degrees) if degrees else tf.constant(0.0)
  return affine.rotate(image, angle, fill, 'BILINEAR')


def shift(image, key, pixels, fill):
  moves = keys.uniform(key, 0, -pixels, pixels + 1, [2], tf.int32)
  right, down = tf.unstack(tf.cast(moves, tf.float32))
  return affine.translate(image, right, down, fill)


def grey(image, key):
  del key
  return transforms.luma(image) * tf.ones([1, 1, 3])


def bgr(image, key):
  del key
  return tf.reverse(image, [-1])


def value_range(image, key, low, high):
  del key
  return _floats(image) * ((high - low) / 255.0) + low


def normalize(image, key, mean, std):
  del key
  scale = tf.constant([1 / (255.0 * s) for s in std])
  offset = tf.constant([m / s for m, s in zip(mean, std, strict=True)])
  return _floats(image) * scale - offset


def _on_bytes(op, image, key, **args):
  return op(_bytes(image), key, **args)


def _random_beyond(shape, key, size, pad):
  y, x, _, _ = random_window(shape[:2] + 2 * pad, key, size)
  return y - pad, x - pad, size, size


# Op -> its window, which may reach beyond the image.
WINDOWS = {
  'central_crop': middle_window,
  'expand': canvas_ops.expand_window,
  'random_crop': _random_beyond,
}
# Op -> function; the names are those of `catalogue.IMAGE_OPS`.
OPS = {
  'autoaug': functools.partial(_on_bytes, randaug.autoaug),
  'bgr': bgr,
  'central_crop': central_crop,
  'central_fraction': functools.partial(_windowed, 'central_fraction'),
  'central_square': functools.partial(_windowed, 'central_square'),
  'color': color,
  'erase': erase,
  'expand': canvas_ops.expand,
  'flip': flip,
  'grey': grey,
  'inception_crop': functools.partial(_windowed, 'inception_crop'),
  'normalize': normalize,
  'pad': canvas_ops.pad,
  'randaug': functools.partial(_on_bytes, randaug.randaug),
  'random_crop': random_crop,
  'resize': resize,
  'resize_small': resize_small,
  'rotate': rotate,
  'scale_crop': canvas_ops.scale_crop,
  'shift': shift,
  'ssd_crop': canvas_ops.ssd_crop,
  'trivialaug': functools.partial(_on_bytes, trivialaug.trivialaug),
  'turn': turn,
  'value_range': value_range,
}
