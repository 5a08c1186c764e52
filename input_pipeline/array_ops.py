"""The fixed ops of the catalogue on NumPy arrays: evaluation's numbers, no TensorFlow.

Every op takes an image (height, width, 3), uint8 or float32 on the scale 0..255, and
the arguments of its entry in `catalogue`. Results equal those of `image_ops` to float32
rounding.
"""

import numpy as np

from input_pipeline import catalogue
from input_pipeline.errors import DataError

# TensorFlow looks its cubic weights up in a table with this many steps a pixel.
_CUBIC_STEPS = 1024

_IN_CACHE = 65_536  # numbers


def central_window(shape, fraction):
  """The part (y, x, height, width) that `central_fraction` takes of (height, width)."""
  size = np.asarray(shape[:2], np.float32)
  # In float32, because a double can truncate to another pixel.
  y, x = ((size - size * np.float32(fraction)) / np.float32(2)).astype(int).tolist()
  return y, x, shape[0] - 2 * y, shape[1] - 2 * x


def square_window(shape, fraction):
  """The part (y, x, height, width) that `central_square` takes of (height, width)."""
  sides = np.asarray(shape[:2], np.float32)
  side = sides.min() * np.float32(fraction)
  y, x = ((sides - side) / np.float32(2)).astype(int).tolist()
  return y, x, int(side), int(side)


def crop_window(shape, size):
  """The part (y, x, height, width) that `central_crop` takes of (height, width).

  Raises:
    DataError: the image is smaller.
  """
  if min(shape[:2]) < size:
    raise DataError(
      f'central_crop({size}): an image is smaller ({shape[0]} x {shape[1]} pixels); '
      f'put resize_small({size}) before it'
    )
  # Halves to the even side, as `round` does.
  return round((shape[0] - size) / 2), round((shape[1] - size) / 2), size, size


def small_shape(shape, size):
  """(height, width) of the image that `resize_small` makes of (height, width)."""
  return tuple(size * side // min(shape[:2]) for side in shape[:2])


def central_fraction(image, fraction):
  return _part(image, central_window(image.shape, fraction))


def central_square(image, fraction):
  return _part(image, square_window(image.shape, fraction))


def central_crop(image, size):
  return _part(image, crop_window(image.shape, size))


def _part(image, window):
  y, x, height, width = window
  return image[y : y + height, x : x + width]


def resize(image, size, method, antialias, half_pixel_centers):
  method = method if half_pixel_centers else 'corners'
  return resize_to(image, (size, size), method, antialias)


def resize_small(image, size, method, antialias):
  return resize_to(image, small_shape(image.shape, size), method, antialias)


def resize_to(image, shape, method='bilinear', antialias=False):
  """As `tf.image.resize`: rows first, then columns.

  Args:
    image: (H, W, C).
    shape: (height, width) of the result.
    method: one of `catalogue.RESIZE_METHODS`, or 'corners', the bilinear one of
      TensorFlow 1.
    antialias: widens the filter of 'bilinear' and 'bicubic' when the image shrinks.

  Returns:
    float32 (height, width, C); of the image's own type for 'nearest'.
  """
  if method == 'nearest':
    rows, columns = (
      _nearest(old, new) for old, new in zip(image.shape, shape, strict=False)
    )
    return image[rows][:, columns]
  taps = _ANTIALIASED if antialias and method in _ANTIALIASED else _TAPS
  image = _interpolate(image, *taps[method](image.shape[0], shape[0]))
  turned = image.transpose(1, 0, 2)
  turned = _interpolate(turned, *taps[method](turned.shape[0], shape[1]))
  return np.ascontiguousarray(turned.transpose(1, 0, 2))


def _interpolate(image, places, weights):
  """Rows of the result are sums of rows of the image; weights (rows, taps).

  A few rows at a time: what is added up stays in the processor's cache, which all rows
  of a camera's photo would not. The sums, and so every bit, are the same.
  """
  result = np.zeros((len(places), *image.shape[1:]), np.float32)
  at_once = max(1, _IN_CACHE // max(result[:1].size, 1))
  for first in range(0, len(places), at_once):
    rows = slice(first, first + at_once)
    for place, weight in zip(places[rows].T, weights[rows].T, strict=True):
      result[rows] += image[place] * weight[:, None, None]
  return result


# Taps: for a side of `old` pixels resized to `new`, the places (new, taps) of the
# pixels that make up each new one, inside the image, and their weights (new, taps).


def _centres(old, new):
  """Where the new pixels' centres lie on the old ones, counted from pixel edges."""
  return (np.arange(new, dtype=np.float32) + np.float32(0.5)) * _scale(old, new)


def _scale(old, new):
  return np.float32(old) / np.float32(new)


def _nearest(old, new):
  return np.minimum(np.floor(_centres(old, new)).astype(int), old - 1)


def _bilinear(old, new):
  return _between(_centres(old, new) - np.float32(0.5), old)


def _corners(old, new):
  return _between(np.arange(new, dtype=np.float32) * _scale(old, new), old)


def _between(points, old):
  left = np.floor(points)
  share = (points - left)[:, None]
  places = left.astype(int)[:, None] + np.arange(2)
  return places.clip(0, old - 1), np.concatenate([1 - share, share], axis=1)


def _bicubic(old, new):
  centres = _centres(old, new) - np.float32(0.5)
  left = np.floor(centres)
  share = np.rint((centres - left) * _CUBIC_STEPS) / np.float32(_CUBIC_STEPS)
  places = left.astype(int)[:, None] + np.arange(-1, 3)
  weights = _keys_cubic(share[:, None] - np.arange(-1, 3, dtype=np.float32))
  return _inside(places, weights, old)


def _area(old, new):
  scale = old / new
  begin, end = np.arange(new) * scale, np.arange(1, new + 1) * scale
  count = int(np.ceil(scale)) + 1
  places = np.floor(begin).astype(int)[:, None] + np.arange(count)
  overlap = np.minimum(places + 1, end[:, None]) - np.maximum(places, begin[:, None])
  return _inside(places, overlap.clip(0), old)


def _triangle(x):
  return np.maximum(0, 1 - np.abs(x))


def _keys_cubic(x):
  """Keys' cubic convolution with a = -1/2."""
  x = np.abs(x)
  near = (1.5 * x - 2.5) * x * x + 1
  far = ((-0.5 * x + 2.5) * x - 4) * x + 2
  return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _antialiased(kernel, radius):
  """Taps of a kernel that is as wide as the new pixels are, if these are larger."""

  def taps(old, new):
    stretch = max(old / new, 1.0)
    centres = _centres(old, new)
    first = np.ceil(centres - radius * stretch - 0.5).astype(int)
    places = first[:, None] + np.arange(int(np.ceil(2 * radius * stretch)) + 1)
    return _inside(places, kernel((places + 0.5 - centres[:, None]) / stretch), old)

  return taps


def _inside(places, weights, old):
  """Weights that fall outside the image are dropped and the rest adds up to one."""
  weights = np.where((places >= 0) & (places < old), weights, 0)
  weights = weights / weights.sum(axis=1, keepdims=True)
  return places.clip(0, old - 1), weights.astype(np.float32)


_TAPS = {
  'bilinear': _bilinear,
  'corners': _corners,
  'bicubic': _bicubic,
  'area': _area,
}
_ANTIALIASED = {
  'bilinear': _antialiased(_triangle, 1),
  'bicubic': _antialiased(_keys_cubic, 2),
}


def grey(image):
  weights = np.array([0.299, 0.587, 0.114], np.float32)
  return np.repeat((image.astype(np.float32) @ weights)[..., None], 3, axis=-1)


def bgr(image):
  return image[..., ::-1]


def value_range(image, low, high):
  return image.astype(np.float32) * np.float32((high - low) / 255.0) + np.float32(low)


def normalize(image, mean, std):
  scale = np.array([1 / (255.0 * s) for s in std], np.float32)
  offset = np.array([m / s for m, s in zip(mean, std, strict=True)], np.float32)
  return image.astype(np.float32) * scale - offset


def pad_window(shape, size):
  """All of (height, width), and what `pad` adds below and to the right."""
  del shape
  return 0, 0, *catalogue.sides_of(size)


def pad(image, size):
  height, width = catalogue.sides_of(size)
  rows, columns = image.shape[:2]
  if rows > height or columns > width:
    raise DataError(
      f'pad({size}): an image is larger ({rows} x {columns} pixels); put a resize '
      'before it'
    )
  canvas = np.empty((height, width, 3), image.dtype)
  canvas[:] = catalogue.MEAN_PIXEL
  canvas[:rows, :columns] = image
  return canvas


# Op that takes a part of the image, or more than all of it -> which, by the shape and
# the arguments.
WINDOWS = {
  'central_crop': crop_window,
  'central_fraction': central_window,
  'central_square': square_window,
  'pad': pad_window,
}

# Op -> function; the names are those of `catalogue.FIXED_OPS`.
OPS = {
  'bgr': bgr,
  'central_crop': central_crop,
  'central_fraction': central_fraction,
  'central_square': central_square,
  'grey': grey,
  'normalize': normalize,
  'pad': pad,
  'resize': resize,
  'resize_small': resize_small,
  'value_range': value_range,
}
