"""The transforms of RandAugment and AutoAugment."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from input_pipeline import keys, randaug, transforms


def _key(position=0):
  return keys.position_key(keys.named_seed(0, 'test'), 0, position)


def _image(size=48):
  rng = np.random.default_rng(1)
  coarse = rng.integers(20, 200, (5, 5, 3)).astype(np.float32)
  smooth = tf.image.resize(coarse, (size, size)).numpy()
  return (smooth + rng.integers(0, 9, smooth.shape)).astype(np.uint8)


def _run(name, level, image=None, position=0):
  image = _image() if image is None else image
  function = transforms.TRANSFORMS[name]
  return function(tf.constant(image), tf.constant(float(level)), _key(position)).numpy()


@pytest.mark.parametrize('name', transforms.TRANSFORMS)
def test_shape_type_and_effect(name):
  image = _image()
  result = _run(name, 4)
  assert result.shape == image.shape
  assert result.dtype == np.uint8
  assert not np.array_equal(result, image)
  np.testing.assert_array_equal(result, _run(name, 4))


def test_above_ten_the_ranges_go_on():
  """V4's magnitude 15: six bits, one and a half times the angle; 20 is defined too."""
  image = _image()
  expected = np.asarray(ImageOps.posterize(Image.fromarray(image), 6))
  np.testing.assert_array_equal(_run('Posterize', 15, image), expected)
  np.testing.assert_array_equal(_run('Posterize', 20, image), image)
  np.testing.assert_array_equal(_run('Solarize', 15, image), image)
  line = np.zeros((41, 41, 3), np.uint8)
  line[20] = 255
  turned = _run('Rotate', 15, line)  # by 45 degrees: a diagonal
  assert turned[6:9, 6:9].max() + turned[6:9, 32:35].max() > 200


@pytest.mark.parametrize(
  ('name', 'level', 'reference'),
  [
    ('Equalize', 0, ImageOps.equalize),
    ('Invert', 0, ImageOps.invert),
    ('Posterize', 9, lambda image: ImageOps.posterize(image, 3)),
    ('Solarize', 5, lambda image: ImageOps.solarize(image, 128)),
  ],
)
def test_equals_pil(name, level, reference):
  expected = np.asarray(reference(Image.fromarray(_image())))
  np.testing.assert_array_equal(_run(name, level), expected)


@pytest.mark.parametrize(
  ('name', 'enhancer'),
  [
    ('Color', 'Color'),
    ('Contrast', 'Contrast'),
    ('Brightness', 'Brightness'),
    ('Sharpness', 'Sharpness'),
    ('AutoContrast', None),
  ],
)
def test_close_to_pil(name, enhancer):
  """Apart from rounding; level 9 is a factor of 1.72."""
  from PIL import ImageEnhance

  image = Image.fromarray(_image())
  if enhancer is None:
    expected = ImageOps.autocontrast(image)
  else:
    expected = getattr(ImageEnhance, enhancer)(image).enhance(1.72)
  difference = np.abs(_run(name, 9).astype(int) - np.asarray(expected).astype(int))
  assert difference.max() <= 2


def test_geometry():
  image = np.full((224, 224, 3), 200, np.uint8)
  for position in range(4):
    moved = _run('TranslateX', 5, image, position)
    grey = (moved == transforms.GREY).all(axis=(0, 2))
    assert grey.sum() == 50  # half of 100 px
    assert grey[:50].all() or grey[-50:].all()
  small = _run('TranslateX', 5, image[:112, :112])
  assert (small == transforms.GREY).all(axis=(0, 2)).sum() == 25
  hole = _run('Cutout', 0, image, 3) == transforms.GREY
  assert 40 * 40 <= hole[..., 0].sum() <= 80 * 80
  assert (_run('SolarizeAdd', 10, np.full((4, 4, 3), 100, np.uint8)) == 210).all()
  sheared = _run('ShearX', 10, image)
  assert (sheared[0] == 200).all()
  assert 60 < (sheared[-1, :, 0] == transforms.GREY).sum() < 70  # 0.3 * 223


def test_sign_of_geometry_is_drawn():
  image = _image()
  assert len({_run('Rotate', 9, image, p).tobytes() for p in range(10)}) == 2


def test_constant_image_survives():
  image = np.full((16, 16, 3), 77, np.uint8)
  for name in ('AutoContrast', 'Equalize', 'Contrast', 'Color', 'Sharpness'):
    result = _run(name, 9, image)
    assert result.std(axis=(0, 1)).max() == 0
  np.testing.assert_array_equal(_run('Equalize', 0, image), image)


def test_policy_is_whole():
  assert len(randaug.POLICY_V0) == 25
  for row in randaug.POLICY_V0:
    for name, prob, level in (row[:3], row[3:]):
      assert name in transforms.TRANSFORMS
      assert 0 <= prob <= 1
      assert 0 <= level <= 10


@pytest.fixture(scope='module')
def traced():
  @tf.function(autograph=False)
  def run(image, position):
    others = tuple(n for n in transforms.TRANSFORMS if n not in ('Invert', 'Equalize'))
    return randaug.randaug(image, _key(position), 1, 9, 0.5, 0.5, others)

  return run


def test_randaug_draws_among_what_is_left(traced):
  image = _image()
  results = [traced(image, tf.constant(p, tf.int64)).numpy() for p in range(60)]
  expected = [image, _run('Invert', 9), _run('Equalize', 9)]
  counts = [sum(np.array_equal(r, e) for r in results) for e in expected]
  assert sum(counts) == 60
  assert 18 <= counts[0] <= 42  # prob 0.5: 30 +- 3 standard deviations
  assert min(counts[1:]) >= 5
