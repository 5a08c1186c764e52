"""TrivialAugment: one transform for an image, and one of 31 strengths.

https://arxiv.org/abs/2103.10158, with the wide ranges of torchvision's
TrivialAugmentWide, by which its second weights of MobileNetV2 and V3 were trained.
"""

import functools

import numpy as np
import tensorflow as tf

from input_pipeline import affine, keys, transforms

BINS = 31
_BLACK = 0
_WHICH, _HOW_MUCH, _SIGN = 0, 1, 2  # draws


def _by_pil(change):
  """One of PIL's enhancers, by how much it differs from leaving the image."""
  return lambda image, strength: change(image, 1.0 + strength)


def _shear_x(image, strength):
  return affine.shear(image, strength, 0.0, _BLACK)


def _shear_y(image, strength):
  return affine.shear(image, 0.0, strength, _BLACK)


def _translate_x(image, strength):
  return affine.translate(image, _whole(strength), 0.0, _BLACK)


def _translate_y(image, strength):
  return affine.translate(image, 0.0, _whole(strength), _BLACK)


def _whole(pixels):
  return tf.cast(tf.cast(pixels, tf.int32), tf.float32)  # towards zero


def _rotate(image, strength):
  return affine.rotate(image, strength, _BLACK, 'NEAREST')


def _posterize(image, strength):
  return transforms.to_bits(image, tf.cast(strength, tf.int32))


def _without(change):
  """A transform that has no strength."""
  return lambda image, strength: change(image, strength, None)


# Transform -> (strength of the first bin, of the last, whether a sign is drawn, what it
# does). Translations are in pixels, whatever the size of the image; rotations in
# degrees; Posterize keeps bits.
TRANSFORMS = {
  'Identity': (0.0, 0.0, False, lambda image, strength: image),
  'ShearX': (0.0, 0.99, True, _shear_x),
  'ShearY': (0.0, 0.99, True, _shear_y),
  'TranslateX': (0.0, 32.0, True, _translate_x),
  'TranslateY': (0.0, 32.0, True, _translate_y),
  'Rotate': (0.0, 135.0, True, _rotate),
  'Brightness': (0.0, 0.99, True, _by_pil(transforms.brightened)),
  'Color': (0.0, 0.99, True, _by_pil(transforms.coloured)),
  'Contrast': (0.0, 0.99, True, _by_pil(transforms.contrasted)),
  'Sharpness': (0.0, 0.99, True, _by_pil(transforms.sharpened)),
  'Posterize': (8.0, 2.0, False, _posterize),
  'Solarize': (255.0, 0.0, False, transforms.inverted_from),
  'AutoContrast': (0.0, 0.0, False, _without(transforms.autocontrast)),
  'Equalize': (0.0, 0.0, False, _without(transforms.equalize)),
}


def strengths(name: str) -> np.ndarray:
  """float32 (31,): the strengths of a transform, without a sign."""
  first, last, _, _ = TRANSFORMS[name]
  values = np.linspace(first, last, BINS)
  # Bits are whole.
  if name == 'Posterize':
    values = 8 - np.round(np.arange(BINS) / ((BINS - 1) / 6))
  return values.astype(np.float32)


def trivialaug(image, key):
  """uint8 (height, width, 3) -> the same shape; see `catalogue.trivialaug`."""
  which = keys.uniform(key, _WHICH, 0, len(TRANSFORMS), dtype=tf.int32)
  place = keys.uniform(key, _HOW_MUCH, 0, BINS, dtype=tf.int32)
  table = tf.constant(np.stack([strengths(name) for name in TRANSFORMS]))
  signed = tf.constant([entry[2] for entry in TRANSFORMS.values()])
  strength = table[which, place]
  negative = signed[which] & (keys.uniform(key, _SIGN) < 0.5)
  strength = tf.where(negative, -strength, strength)
  # Only the drawn transform is run.
  changes = [entry[3] for entry in TRANSFORMS.values()]
  result = tf.switch_case(
    which, [functools.partial(change, image, strength) for change in changes]
  )
  result.set_shape(image.shape)
  return result
