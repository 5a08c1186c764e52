"""TrivialAugment: its transforms by PIL, its strengths by their formulas, its draws."""

import collections
import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from input_pipeline import keys, trivialaug

BASE = keys.named_seed(0, 'test')


def _image(size=45):
  rng = np.random.default_rng(1)
  coarse = rng.integers(20, 200, (5, 5, 3)).astype(np.float32)
  smooth = tf.image.resize(coarse, (size, size)).numpy()
  return (smooth + rng.integers(0, 9, smooth.shape)).astype(np.uint8)


def _moved(*matrix):
  return lambda image: image.transform(image.size, Image.Transform.AFFINE, matrix)


def _by_pil(name, strength):
  """What torchvision does to a photo of PIL's, without its checks."""
  if name in ('Brightness', 'Color', 'Contrast', 'Sharpness'):
    return lambda image: getattr(ImageEnhance, name)(image).enhance(1 + strength)
  whole = math.trunc(strength)
  return {
    'Identity': lambda image: image,
    'ShearX': _moved(1, strength, 0, 0, 1, 0),
    'ShearY': _moved(1, 0, 0, strength, 1, 0),
    'TranslateX': _moved(1, 0, -whole, 0, 1, 0),
    'TranslateY': _moved(1, 0, 0, 0, 1, -whole),
    'Rotate': lambda image: image.rotate(strength),
    'Posterize': lambda image: ImageOps.posterize(image, whole),
    'Solarize': lambda image: ImageOps.solarize(image, strength),
    'AutoContrast': ImageOps.autocontrast,
    'Equalize': ImageOps.equalize,
  }[name]


@pytest.mark.parametrize('name', trivialaug.TRANSFORMS)
def test_transforms_are_those_of_pil(name):
  image, change = _image(), trivialaug.TRANSFORMS[name][3]
  signs = (1, -1) if trivialaug.TRANSFORMS[name][2] else (1,)
  for place in (0, 7, 30):
    for sign in signs:
      strength = float(sign * trivialaug.strengths(name)[place])
      expected = np.asarray(_by_pil(name, strength)(Image.fromarray(image)))
      ours = change(tf.constant(image), tf.constant(strength)).numpy()
      assert ours.dtype == np.uint8
      difference = np.abs(ours.astype(int) - expected).max(axis=-1)
      if name in ('ShearX', 'ShearY', 'Rotate'):
        # PIL samples at the centres of pixels: along edges the nearest may be the next.
        assert (difference > 12).mean() < 0.12, (place, sign)
      else:
        assert difference.max() <= 1, (place, sign)


def test_strengths_are_the_wide_ranges():
  for name, last in (('ShearX', 0.99), ('TranslateY', 32), ('Rotate', 135)):
    expected = last * np.arange(31) / 30
    np.testing.assert_allclose(trivialaug.strengths(name), expected, rtol=1e-6)
  assert trivialaug.strengths('Solarize')[[0, 2, 30]].tolist() == [255, 238, 0]
  bits = collections.Counter(trivialaug.strengths('Posterize').tolist())
  assert bits == {8: 3, 7: 5, 6: 5, 5: 5, 4: 5, 3: 5, 2: 3}
  assert not trivialaug.strengths('Equalize').any()


@pytest.mark.parity
def test_the_table_is_torchvisions():
  transforms = pytest.importorskip('torchvision.transforms')
  space = transforms.TrivialAugmentWide()._augmentation_space(trivialaug.BINS)
  assert list(space) == list(trivialaug.TRANSFORMS)
  for name, (magnitudes, signed) in space.items():
    assert signed is trivialaug.TRANSFORMS[name][2]
    np.testing.assert_allclose(
      np.broadcast_to(magnitudes.numpy(), 31), trivialaug.strengths(name), rtol=1e-5
    )


def test_every_transform_strength_and_sign_is_as_likely(monkeypatch):
  """Each writes what it was given into the image."""
  names = list(trivialaug.TRANSFORMS)

  def wrote(number):
    return lambda image, strength: image * 0 + tf.stack([float(number), strength, 0.0])

  table = {
    name: (1.0, 31.0, name != 'Solarize', wrote(number))
    for number, name in enumerate(names)
  }
  monkeypatch.setattr(trivialaug, 'TRANSFORMS', table)
  monkeypatch.setattr(
    trivialaug, 'strengths', lambda name: np.arange(1, 32, dtype=np.float32)
  )
  count = 14 * 200

  @tf.function(autograph=False)
  def drawn():
    return tf.map_fn(
      lambda position: trivialaug.trivialaug(
        tf.zeros([1, 1, 3]), keys.position_key(BASE, 0, position)
      )[0, 0],
      tf.range(count),
      fn_output_signature=tf.float32,
    )

  which, strength, _ = drawn().numpy().T
  assert np.bincount(which.astype(int)).min() > 140  # of 200; four deviations
  assert np.bincount(np.abs(strength).astype(int))[1:].min() > 55  # of 90
  negative = strength < 0
  solarized = which == names.index('Solarize')
  assert not negative[solarized].any()
  assert 0.45 < negative[~solarized].mean() < 0.55
