"""RandAugment and AutoAugment: which transforms an image gets, and how strongly."""

import functools

import tensorflow as tf

from input_pipeline import keys, transforms

# AutoAugment's ImageNet policy as the EfficientNet recipes have it ('v0'): for every
# image one row is drawn, and each of its two transforms applied with its probability.
# https://arxiv.org/abs/1805.09501
POLICY_V0 = (
  # transform, probability, level; twice
  ('Equalize', 0.8, 1, 'ShearY', 0.8, 4),
  ('Color', 0.4, 9, 'Equalize', 0.6, 3),
  ('Color', 0.4, 1, 'Rotate', 0.6, 8),
  ('Solarize', 0.8, 3, 'Equalize', 0.4, 7),
  ('Solarize', 0.4, 2, 'Solarize', 0.6, 2),
  ('Color', 0.2, 0, 'Equalize', 0.8, 8),
  ('Equalize', 0.4, 8, 'SolarizeAdd', 0.8, 3),
  ('ShearX', 0.2, 9, 'Rotate', 0.6, 8),
  ('Color', 0.6, 1, 'Equalize', 1.0, 2),
  ('Invert', 0.4, 9, 'Rotate', 0.6, 0),
  ('Equalize', 1.0, 9, 'ShearY', 0.6, 3),
  ('Color', 0.4, 7, 'Equalize', 0.6, 0),
  ('Posterize', 0.4, 6, 'AutoContrast', 0.4, 7),
  ('Solarize', 0.6, 8, 'Color', 0.6, 9),
  ('Solarize', 0.2, 4, 'Rotate', 0.8, 9),
  ('Rotate', 1.0, 7, 'TranslateY', 0.8, 9),
  ('ShearX', 0.0, 0, 'Solarize', 0.8, 4),
  ('ShearY', 0.8, 0, 'Color', 0.6, 4),
  ('Color', 1.0, 0, 'Rotate', 0.6, 2),
  ('Equalize', 0.8, 4, 'Equalize', 0.0, 8),
  ('Equalize', 1.0, 4, 'AutoContrast', 0.6, 2),
  ('ShearY', 0.4, 7, 'SolarizeAdd', 0.6, 7),
  ('Posterize', 0.8, 2, 'Solarize', 0.6, 10),
  ('Solarize', 0.6, 8, 'Equalize', 0.6, 1),
  ('Color', 0.8, 6, 'Rotate', 0.4, 5),
)
# AutoAugment's translation is longer than RandAugment's, in pixels of 224.
_AUTOAUG_TRANSLATION = 250.0

# Draws of one layer: the transform's own come first, then these; layers are spaced.
_WHICH, _WHETHER, _NOISE, _LAYER = 4, 5, 6, 8


def _layer_key(key, layer):
  return key + tf.constant([0, layer * _LAYER], tf.int64)


def _apply(image, number, level, key, functions):
  """Runs only the drawn transform: the others cost nothing."""
  branches = [functools.partial(f, image, level, key) for f in functions]
  result = tf.switch_case(number, branches)
  result.set_shape(image.shape)
  return result


def randaug(image, key, layers, magnitude, prob, std, exclude):
  """uint8 (height, width, 3) -> the same shape; see `catalogue.randaug`."""
  functions = [f for n, f in transforms.TRANSFORMS.items() if n not in exclude]
  for layer in range(layers):
    layer_key = _layer_key(key, layer)
    number = keys.uniform(layer_key, _WHICH, 0, len(functions), dtype=tf.int32)
    level = tf.constant(float(magnitude))
    if std:
      noise = std * keys.normal(layer_key, _NOISE)
      level = tf.clip_by_value(level + noise, 0.0, max(10.0, magnitude))
    step = functools.partial(_apply, image, number, level, layer_key, functions)
    if prob < 1:
      before = image
      image = tf.cond(
        keys.uniform(layer_key, _WHETHER) < prob, step, lambda kept=before: kept
      )
    else:
      image = step()
  return image


def autoaug(image, key, policy):
  """uint8 (height, width, 3) -> the same shape; see `catalogue.autoaug`."""
  del policy  # there is one, checked by the catalogue
  functions = dict(transforms.TRANSFORMS)
  for name in ('TranslateX', 'TranslateY'):
    functions[name] = functools.partial(functions[name], longest=_AUTOAUG_TRANSLATION)
  names = list(functions)
  row = keys.uniform(key, 7, 0, len(POLICY_V0), dtype=tf.int32)
  for half in range(2):
    columns = [entry[3 * half : 3 * half + 3] for entry in POLICY_V0]
    number = tf.gather(tf.constant([names.index(c[0]) for c in columns]), row)
    prob = tf.gather(tf.constant([float(c[1]) for c in columns]), row)
    level = tf.gather(tf.constant([float(c[2]) for c in columns]), row)
    half_key = _layer_key(key, half)
    before = image
    image = tf.cond(
      keys.uniform(half_key, _WHETHER) < prob,
      functools.partial(_apply, image, number, level, half_key, functions.values()),
      lambda kept=before: kept,
    )
  return image
