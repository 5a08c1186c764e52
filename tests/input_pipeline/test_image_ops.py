"""Each op: shape, range, determinism, and that it obeys its key."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import (
  DataError,
  decoding,
  image_ops,
  keys,
  parse_ops,
  transforms,
)


def _key(position, seed=0):
  return keys.position_key(keys.named_seed(seed, 'test'), 0, position)


def _image(height=40, width=52, seed=0):
  rng = np.random.default_rng(seed)
  coarse = rng.integers(0, 256, (5, 5, 3)).astype(np.float32)
  image = tf.image.resize(coarse, (height, width), 'bilinear').numpy()
  return (image + rng.integers(0, 8, image.shape)).clip(0, 255).astype(np.uint8)


@functools.cache
def _traced(string):
  """One trace serves every image, position and seed."""
  ops = parse_ops(string)
  return tf.function(
    lambda image, key: decoding.apply_ops(image, ops, key, encoded=False),
    autograph=False,
  )


def _apply(string, image, position=0, seed=0):
  """Result at one position, or stacked results at several."""
  if np.ndim(position):
    return np.stack([_apply(string, image, p, seed) for p in position])
  return _traced(string)(tf.constant(image), _key(position, seed)).numpy()


@pytest.mark.parametrize(
  ('string', 'shape'),
  [
    ('inception_crop(24)', (24, 24, 3)),
    ('random_crop(32, pad=4)', (32, 32, 3)),
    ('flip(0.5)', (40, 52, 3)),
    ('color(hue=0.2, contrast=(0.5, 1.5))', (40, 52, 3)),
    ('erase(0.9)', (40, 52, 3)),
    ('rotate(20)', (40, 52, 3)),
    ('shift(5)', (40, 52, 3)),
    ('randaug(2, 9)', (40, 52, 3)),
    ('autoaug()', (40, 52, 3)),
  ],
)
def test_random_ops(string, shape):
  image = _image()
  first = _apply(string, image, range(8))
  assert first.shape == (8, *shape)
  assert first.dtype == np.float32
  assert first.min() >= 0
  assert first.max() <= 255
  np.testing.assert_array_equal(first, _apply(string, image, range(8)))
  assert len({result.tobytes() for result in first}) > 1, 'it ignores the position'
  assert not np.array_equal(first, _apply(string, image, range(8), seed=1))


@pytest.mark.parametrize(
  ('string', 'shape'),
  [
    ('resize(20)', (20, 20, 3)),
    ('resize(20, antialias=True)', (20, 20, 3)),
    ('resize_small(20)', (20, 26, 3)),
    ('central_crop(30)', (30, 30, 3)),
    ('central_fraction(0.5)', (20, 26, 3)),
    ('grey', (40, 52, 3)),
    ('normalize()', (40, 52, 3)),
    ('value_range(0, 1)', (40, 52, 3)),
  ],
)
def test_fixed_ops(string, shape):
  first, second = _apply(string, _image(), [0, 1])
  assert first.shape == shape
  np.testing.assert_array_equal(first, second)


def test_the_same_op_twice_draws_twice():
  image = _image()
  once = _apply('shift(6)', image, range(6))
  twice = _apply('shift(6)|shift(0)', image, range(6))
  np.testing.assert_array_equal(once, twice)
  moved = _apply('shift(0)|shift(6)', image, range(6))
  assert not np.array_equal(once, moved), 'the second op repeats the first one’s draw'


def test_seeded_alike_whatever_the_global_seed():
  image = _image()
  first = _apply('inception_crop(8)|color()', image)
  tf.random.set_seed(5)
  np.testing.assert_array_equal(first, _apply('inception_crop(8)|color()', image))


def test_colour_is_what_tensorflow_makes_of_it_in_either_order():
  image = _image()
  op = parse_ops('color')[0]
  backwards = 0
  for position in range(8):
    key = keys.op_key(_key(position), 0)
    added = keys.uniform(key, 0, -op.args['brightness'], op.args['brightness'])
    factor = keys.uniform(key, 1, *op.args['saturation'])
    x = tf.cast(image, tf.float32) / 255.0
    if keys.uniform(key, 4) < 0.5:
      x = tf.image.adjust_saturation(x + added, factor)
    else:
      x = tf.image.adjust_saturation(x, factor) + added
      backwards += 1
    expected = tf.clip_by_value(x, 0.0, 1.0) * 255.0
    np.testing.assert_allclose(_apply('color', image, position), expected, atol=1e-3)
  assert 0 < backwards < 8


@pytest.mark.parametrize('factor', [0.0, 0.5, 1.5, 20.0])
def test_saturation_beyond_the_range_and_of_greys(factor):
  rng = np.random.default_rng(0)
  image = rng.uniform(-0.3, 1.3, (6, 7, 3)).astype(np.float32)
  image[0] = image[0, :, :1]
  image[1], image[2, :, 0] = 0, 0
  np.testing.assert_allclose(
    image_ops._saturate(tf.constant(image), factor),
    tf.image.adjust_saturation(image, factor),
    atol=1e-5,
  )


def test_colour_of_images_of_any_size_is_that_of_one_size():
  image = _image()
  ops = parse_ops('color(contrast=(0.5, 1.5))')
  any_size = tf.function(
    lambda image, key: decoding.apply_ops(image, ops, key, encoded=False),
    input_signature=[
      tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([2], tf.int64)
    ],
    autograph=False,
  )  # fmt: skip
  for position in range(4):
    np.testing.assert_allclose(
      any_size(image, _key(position)),
      _apply('color(contrast=(0.5, 1.5))', image, position),
      atol=1e-3,
    )


def test_turn_gives_the_eight_of_a_square_alike_often():
  image = np.arange(3 * 3 * 3, dtype=np.uint8).reshape(3, 3, 3)
  eight = [np.rot90(side, n) for side in (image, image[:, ::-1]) for n in range(4)]
  found = np.zeros(8, int)
  for result in _apply('turn', image, range(400)):
    same = [np.array_equal(result, each) for each in eight]
    assert sum(same) == 1
    found[np.argmax(same)] += 1
  assert found.min() > 20  # 50 - 4.5 standard deviations
  with pytest.raises(ValueError, match='turn needs square images'):
    _apply('turn', image[:2], range(1))


def test_flip_is_horizontal_and_half_of_the_time():
  image = _image(4, 5)
  flipped = 0
  for result in _apply('flip', image, range(200)):
    mirrored = np.array_equal(result, image[:, ::-1])
    assert mirrored or np.array_equal(result, image)
    flipped += mirrored
  assert 70 < flipped < 130  # 100 +- 4 standard deviations


def test_central_ops_take_the_centre():
  image = _image(41, 53)
  np.testing.assert_array_equal(
    _apply('central_crop(20)', image), image[10:30, 16:36].astype(np.float32)
  )
  np.testing.assert_array_equal(
    _apply('central_fraction(0.875)', image),
    tf.image.central_crop(image, 0.875).numpy().astype(np.float32),
  )


def test_central_crop_of_a_smaller_image_says_what_to_do():
  said = r'put resize_small\(64\)'
  with pytest.raises(DataError, match=said):
    _apply('central_crop(64)', _image())
  unknown = tf.function(
    lambda image: image_ops.central_crop(image, None, 64),
    input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)],
  )
  with pytest.raises(tf.errors.InvalidArgumentError, match=said):
    unknown(_image())


def test_scales():
  image = np.zeros((1, 2, 3), np.uint8)
  image[0, 1] = 255
  np.testing.assert_allclose(_apply('value_range(-1, 1)', image)[0, :, 0], [-1, 1])
  expected = (image / 255.0 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
  np.testing.assert_allclose(_apply('normalize()', image), expected, rtol=1e-5)
  grey = _apply('grey', np.array([[[10, 20, 30]]], np.uint8))
  np.testing.assert_allclose(grey[0, 0], [0.299 * 10 + 0.587 * 20 + 0.114 * 30] * 3)


def test_shift_and_rotate_move_pixels():
  image = np.zeros((9, 9, 3), np.uint8)
  image[4, 4] = 200
  places = {tuple(np.argwhere(r)[0][:2]) for r in _apply('shift(2)', image, range(150))}
  assert places == {(y, x) for y in range(2, 7) for x in range(2, 7)}
  line = np.zeros((9, 9, 3), np.uint8)
  line[4] = 200
  np.testing.assert_array_equal(_apply('rotate(0)', line), line)
  turned = _apply('rotate(180)', line, range(3))
  assert not np.array_equal(turned[0], line)
  np.testing.assert_allclose(turned[:, 4, 4], 200, atol=1)  # the centre stays


def test_erase_stays_within_its_area():
  image = np.full((50, 50, 3), 255, np.uint8)
  results = _apply('erase(1.0, area=(0.1, 0.2), fill="black")', image, range(30))
  shares = (results[..., 0] == 0).mean(axis=(1, 2))
  assert shares.min() > 0.08
  assert shares.max() < 0.22
  noisy = _apply('erase(1.0, fill="noise")', image)
  assert len(np.unique(noisy)) > 100
  np.testing.assert_array_equal(_apply('erase(0.0)', image), image)


@pytest.mark.parametrize('shape', [(7, 5), (16, 16), (30, 33), (90, 40)])
def test_bytes_are_resized_as_tensorflow_resizes_them(shape):
  """Whether they are made floats first (all but the largest) or not: the same bits."""
  image = _image(*shape)
  np.testing.assert_array_equal(
    _apply('resize(16)', image), tf.image.resize(image, (16, 16)).numpy()
  )


def test_inception_crop_keeps_to_its_area_and_aspect():
  shape = tf.constant([300, 400, 3])
  windows = np.stack(
    [
      image_ops.inception_window(shape, _key(i), 8, (0.05, 0.08), (0.75, 4 / 3), False)
      for i in range(50)
    ]
  )
  area = windows[:, 2] * windows[:, 3] / (300 * 400)
  assert area.min() > 0.047
  assert area.max() < 0.083
  aspect = windows[:, 3] / windows[:, 2]
  assert aspect.min() > 0.74
  assert aspect.max() < 1.35
  assert (windows[:, :2] + windows[:, 2:] <= [300, 400]).all()
  assert len(np.unique(windows, axis=0)) == 50


@pytest.mark.parametrize('string', ['inception_crop(24)', 'central_fraction(0.7)'])
def test_fused_crop_equals_decode_then_crop(jpeg, string):
  ops = parse_ops(string)
  for number in range(12):
    encoded = jpeg(number, 40 + 7 * number, 90 - 5 * number)
    key = _key(number)
    part = decoding.read_image({'encoded': tf.constant(encoded)}, ops, key)
    fused = decoding.apply_ops(part, ops, key, encoded=True)
    whole = decoding.apply_ops(decoding.decode(encoded), ops, key, encoded=False)
    np.testing.assert_array_equal(fused, whole)


def test_formats_and_channels():
  image = _image(8, 9)
  alpha = np.concatenate([image, np.full((8, 9, 1), 128, np.uint8)], axis=-1)
  np.testing.assert_array_equal(decoding.decode(tf.io.encode_png(image)), image)
  np.testing.assert_array_equal(decoding.decode(tf.io.encode_png(alpha)), image)
  grey = decoding.decode(tf.io.encode_png(image[..., :1]))
  np.testing.assert_array_equal(grey, np.repeat(image[..., :1], 3, -1))
  assert decoding.decode(tf.io.encode_jpeg(image[..., :1])).shape == (8, 9, 3)
  np.testing.assert_array_equal(
    decoding.three_channels(image[..., :1]), np.repeat(image[..., :1], 3, -1)
  )
  np.testing.assert_array_equal(decoding.three_channels(alpha), image)


def test_random_bytes_are_all_as_likely_and_of_their_key():
  shape, key = [64, 65, 3], tf.constant([3, 4], tf.int64)
  drawn = keys.random_bytes(key, 5, shape).numpy()
  assert drawn.shape == tuple(shape)
  counts = np.bincount(drawn.ravel(), minlength=256)
  # 255 degrees of freedom: below 340 but once in five thousand.
  expected = drawn.size / 256
  assert ((counts - expected) ** 2 / expected).sum() < 340
  np.testing.assert_array_equal(drawn, keys.random_bytes(key, 5, shape))
  assert (drawn != keys.random_bytes(key, 6, shape).numpy()).mean() > 0.98


def test_changes_of_pixels_are_the_same_where_the_size_is_unknown():
  """Then they are computed op by op, and else by one program."""
  image = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)
  key = tf.constant([1, 2], tf.int64)
  any_size = tf.TensorSpec([None, None, 3], tf.uint8)
  for name, change in transforms.TRANSFORMS.items():

    def run(image, change=change):
      return change(image, tf.constant(6.3), key)

    traced = tf.function(run, autograph=False).get_concrete_function(any_size)
    expected, found = traced(tf.constant(image)), run(tf.constant(image))
    away = np.abs(found.numpy().astype(int) - expected.numpy())
    assert away.max() <= 1, name
    assert (away > 0).mean() < 0.01, name
