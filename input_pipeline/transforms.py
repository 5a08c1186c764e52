"""The sixteen transforms of RandAugment and AutoAugment, on uint8 images.

Names and strengths are those of the EfficientNet recipes, in which the MobileNet
results with these augmentations were obtained: https://arxiv.org/abs/1805.09501,
https://arxiv.org/abs/1909.13719. Each takes an image uint8 (height, width, 3), a level
(float32 scalar, 0..10) and a key, and returns an image of the same shape. As published,
Posterize keeps `0.4 * level` bits and Solarize inverts above `25.6 * level`: both grow
weaker with the level.
"""

import tensorflow as tf

from input_pipeline import affine, keys
from input_pipeline.one_pass import one_pass

MAX_LEVEL = 10.0
GREY = 128  # what comes from outside the image
# The published lengths are pixels of a 224 px image; other sizes scale them.
_PUBLISHED_SIDE = 224.0


def _blend(first, second, factor):
  """first + factor * (second - first), which extrapolates beyond 1."""
  first = tf.cast(first, tf.float32)
  mixed = first + factor * (tf.cast(second, tf.float32) - first)
  return tf.cast(tf.clip_by_value(mixed, 0.0, 255.0), tf.uint8)


def _signed(value, key):
  return tf.where(keys.uniform(key, 0) < 0.5, -value, value)


def _scale(image):
  return tf.cast(tf.reduce_min(tf.shape(image)[:2]), tf.float32) / _PUBLISHED_SIDE


def luma(image):
  """ITU-R BT.601 luma, float32 (height, width, 1), on the scale of the image."""
  weights = tf.constant([[0.299], [0.587], [0.114]])
  return tf.tensordot(tf.cast(image, tf.float32), weights, 1)


def autocontrast(image, level, key):
  del level, key
  return _stretched(image)


@one_pass
def _stretched(image):
  shape = tf.shape(image)
  # By columns first: neighbours in memory are not of one channel.
  rows = tf.reshape(image, [shape[0], -1])
  low, high = (
    tf.cast(extreme(tf.reshape(extreme(rows, 0), shape[1:]), 0), tf.float32)
    for extreme in (tf.reduce_min, tf.reduce_max)
  )
  stretched = (tf.cast(image, tf.float32) - low) * (255.0 / tf.maximum(high - low, 1.0))
  stretched = tf.cast(tf.clip_by_value(stretched, 0.0, 255.0), tf.uint8)
  return tf.where(high > low, stretched, image)


def equalize(image, level, key):
  """As PIL does it: per channel, by the cumulated histogram."""
  del level, key
  counts = tf.math.bincount(_places(image), minlength=3 * 256, maxlength=3 * 256)
  counts, values = tf.reshape(counts, [3, 256]), tf.range(256)
  brightest = tf.reduce_max(tf.where(counts > 0, values, 0), axis=1)
  of_brightest = tf.gather(counts, brightest, axis=1, batch_dims=1)
  step = ((tf.reduce_sum(counts, axis=1) - of_brightest) // 255)[:, None]
  before = tf.cumsum(counts, axis=1, exclusive=True)
  table = (before + step // 2) // tf.maximum(step, 1)
  table = tf.where(step > 0, tf.clip_by_value(table, 0, 255), values)
  return _looked_up(image, tf.cast(tf.reshape(table, [-1]), tf.uint8))


@one_pass
def _places(image):
  """Of each value the place in three tables of 256, one after the other; flat."""
  return tf.reshape(tf.cast(image, tf.int32) + tf.constant([0, 256, 512]), [-1])


@one_pass
def _looked_up(image, table):
  return tf.reshape(tf.gather(table, _places(image)), tf.shape(image))


def invert(image, level, key):
  del level, key
  return 255 - image


def rotate(image, level, key):
  degrees = _signed(level / MAX_LEVEL * 30.0, key)
  return affine.rotate(image, degrees, GREY, 'NEAREST')


def posterize(image, level, key):
  del key
  return to_bits(image, tf.cast(level / MAX_LEVEL * 4.0, tf.int32))


@one_pass
def to_bits(image, bits):
  """The highest `bits` of every value, an int32 scalar from 0 to 8."""
  # A shift by 8 of 8 bits is undefined, hence 16 bits in between.
  wide, dropped = tf.cast(image, tf.uint16), tf.cast(8 - bits, tf.uint16)
  shifted = tf.bitwise.right_shift(wide, dropped)
  return tf.cast(tf.bitwise.left_shift(shifted, dropped), tf.uint8)


def solarize(image, level, key):
  del key
  return inverted_from(image, tf.floor(level / MAX_LEVEL * 256.0))


@one_pass
def inverted_from(image, threshold):
  """Values of `threshold` (a float32 scalar) and above inverted."""
  return tf.where(tf.cast(image, tf.float32) < threshold, image, 255 - image)


def solarize_add(image, level, key):
  del key
  return _added(image, tf.cast(level / MAX_LEVEL * 110.0, tf.int32))


@one_pass
def _added(image, more):
  added = tf.cast(image, tf.int32) + more
  added = tf.cast(tf.clip_by_value(added, 0, 255), tf.uint8)
  return tf.where(image < 128, added, image)


def _strength(level):
  return level / MAX_LEVEL * 1.8 + 0.1


def color(image, level, key):
  del key
  return coloured(image, _strength(level))


def contrast(image, level, key):
  del key
  return contrasted(image, _strength(level))


def brightness(image, level, key):
  del key
  return brightened(image, _strength(level))


def sharpness(image, level, key):
  del key
  return sharpened(image, _strength(level))


# PIL's enhancers: at 1 the image stays as it is.
@one_pass
def coloured(image, factor):
  """Towards grey (0), or away from it."""
  grey = tf.floor(luma(image)) + tf.zeros([1, 1, 3])
  return _blend(grey, image, factor)


@one_pass
def contrasted(image, factor):
  """Towards the mean brightness (0), or away from it."""
  mean = tf.floor(tf.reduce_mean(tf.floor(luma(image))) + 0.5)
  return _blend(tf.fill(tf.shape(image), mean), image, factor)


@one_pass
def brightened(image, factor):
  """Towards black (0), or away from it."""
  return _blend(tf.zeros_like(image), image, factor)


def sharpened(image, factor):
  """Towards a 3 x 3 smoothing (0), or away from it; the border pixels stay."""
  return _sharpened(tf.pad(image, [[1, 1], [1, 1], [0, 0]]), factor)


@one_pass
def _sharpened(framed, factor):
  """framed: with a pixel more on every side, of any value."""
  height, width, channels = tf.unstack(tf.shape(framed) - [2, 2, 0])
  # Rows of values, since XLA's loops over three channels would be as short as that.
  values = tf.cast(tf.reshape(framed, [height + 2, -1]), tf.float32)
  # Rows first, then columns: sums of whole numbers, exact in any order.
  rows = values[:-2] + values[1:-1] + values[2:]
  total = (
    rows[:, : -2 * channels] + rows[:, channels:-channels] + rows[:, 2 * channels :]
  )
  centre = values[1:-1, channels:-channels]
  smooth = tf.floor((total + 4.0 * centre) / 13.0)
  y, x = tf.range(height)[:, None], tf.range(width * channels) // channels
  inside = (y > 0) & (y < height - 1) & (x > 0) & (x < width - 1)
  mixed = _blend(tf.where(inside, smooth, centre), centre, factor)
  return tf.reshape(mixed, [height, width, channels])


def shear_x(image, level, key):
  return affine.shear(image, _signed(level / MAX_LEVEL * 0.3, key), 0.0, GREY)


def shear_y(image, level, key):
  return affine.shear(image, 0.0, _signed(level / MAX_LEVEL * 0.3, key), GREY)


def translate_x(image, level, key, longest=100.0):
  pixels = _signed(level / MAX_LEVEL * longest * _scale(image), key)
  return affine.translate(image, pixels, 0.0, GREY)


def translate_y(image, level, key, longest=100.0):
  pixels = _signed(level / MAX_LEVEL * longest * _scale(image), key)
  return affine.translate(image, 0.0, pixels, GREY)


def cutout(image, level, key, half_side=40.0):
  """A grey square of 80 px (of 224) around a random pixel, whatever the level."""
  del level
  size = tf.cast(tf.shape(image)[:2], tf.float32)
  center_y, center_x = keys.uniform(key, 1) * size[0], keys.uniform(key, 2) * size[1]
  return _cut_out(image, center_y, center_x, half_side * _scale(image))


@one_pass
def _cut_out(image, center_y, center_x, half):
  size = tf.cast(tf.shape(image)[:2], tf.float32)
  rows = tf.abs(tf.range(size[0]) - tf.floor(center_y)) < half
  columns = tf.abs(tf.range(size[1]) - tf.floor(center_x)) < half
  hole = (rows[:, None] & columns[None, :])[..., None]
  return tf.where(hole, tf.constant(GREY, tf.uint8), image)


TRANSFORMS = {
  'AutoContrast': autocontrast,
  'Equalize': equalize,
  'Invert': invert,
  'Rotate': rotate,
  'Posterize': posterize,
  'Solarize': solarize,
  'Color': color,
  'Contrast': contrast,
  'Brightness': brightness,
  'Sharpness': sharpness,
  'ShearX': shear_x,
  'ShearY': shear_y,
  'TranslateX': translate_x,
  'TranslateY': translate_y,
  'Cutout': cutout,
  'SolarizeAdd': solarize_add,
}
