"""Boxes and masks go with the image: after every op they still frame what they did."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline import (
  DataError,
  eval_batches,
  open_source,
  originals,
  parse_ops,
  train_batches,
)

COLOUR = (250, 10, 20)
# Every op that moves marks, with sizes that force cropping, padding and stretching.
MOVING = [
  'resize(96)',
  'resize(96, half_pixel_centers=False)',
  'resize_small(50)',
  'flip(1.0)',
  'flip(1.0)|flip(1.0)',
  'resize(64)|turn',
  'inception_crop(64)',
  'random_crop(60)',
  'random_crop(60, pad=9)',
  'central_crop(50)',
  'central_fraction(0.6)',
  'central_square(0.8)',
  'ssd_crop',
  'ssd_crop(whole=0, covered=(0.9,))|resize(64)',
  'expand(3, prob=1)',
  'scale_crop(90, 0.5, 2)',
  'scale_crop((60, 110), 0.4, 0.6)',
  'pad(120)',
  'pad((100, 130))',
  'ssd_crop|expand|resize(64)|flip|color|value_range(0, 255)',
]


def _draw(rng, height=70, width=100):
  """A picture with one rectangle in colour; (image, its box in shares, its mask)."""
  top, left = rng.integers(0, height - 24), rng.integers(0, width - 24)
  bottom = top + rng.integers(12, height - top + 1)
  right = left + rng.integers(12, width - left + 1)
  image = np.full((height, width, 3), (40, 60, 50), np.uint8)
  image[top:bottom, left:right] = COLOUR
  mask = np.zeros((height, width), np.uint8)
  mask[top:bottom, left:right] = 1
  box = np.array([top / height, left / width, bottom / height, right / width])
  return image, box.astype(np.float32), mask


def _apply(string, image, box, mask, seed):
  """(image, boxes, classes, mask) after the ops; the second box is padding."""
  import tensorflow as tf

  from input_pipeline import keys, marks

  own = {
    'boxes': tf.constant([box, [0, 0, 0, 0]], tf.float32),
    'classes': tf.constant([5, -1]),
    'crowd': tf.constant([True, False]),
    'segmentation': tf.constant(mask),
  }
  key = keys.position_key(3, 0, seed)
  moved, own = marks.apply_ops(tf.constant(image), own, parse_ops(string), key)
  return moved.numpy(), {name: value.numpy() for name, value in own.items()}


def _frame(coloured):
  rows, columns = np.flatnonzero(coloured.any(1)), np.flatnonzero(coloured.any(0))
  return np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])


@pytest.mark.parametrize('string', MOVING)
def test_a_box_frames_its_pixels_and_a_mask_covers_them(string):
  rng, stayed = np.random.default_rng(0), 0
  for seed in range(12):
    image, own = _apply(string, *_draw(rng), seed)
    size = image.shape[:2]
    assert own['segmentation'].shape == size
    coloured = (image[..., 0] > 145) & (image[..., 1] < 90)
    mask = own['segmentation'] == 1
    if 'color' not in string:
      # Between two pixels a bilinear edge is half of each.
      near = coloured ^ mask
      assert near.sum() <= 2 * (size[0] + size[1])
    assert own['classes'][1] == -1
    assert not own['boxes'][1].any()
    if own['classes'][0] == -1:
      assert not own['boxes'][0].any()
      assert not own['crowd'][0]
      continue
    stayed += 1
    assert own['crowd'][0]
    box = own['boxes'][0] * np.tile(size, 2)
    assert (np.abs(box - _frame(mask)) <= 1).all(), (seed, box, _frame(mask))
    if 'color' not in string:
      assert (np.abs(box - _frame(coloured)) <= 1.01).all()
  assert stayed >= 4


def test_what_is_added_around_is_the_mean_and_does_not_count():
  image, box, mask = _draw(np.random.default_rng(1))
  moved, own = _apply('pad((90, 130))', image, box, mask, 0)
  np.testing.assert_array_equal(moved[:70, :100], image)
  assert (own['segmentation'][70:] == 255).all()
  assert (own['segmentation'][:, 100:] == 255).all()
  np.testing.assert_array_equal(own['segmentation'][:70, :100], mask)
  assert (moved[80, 120] == (124, 116, 104)).all()
  moved, own = _apply('expand(4, prob=1)', image, box, mask, 0)
  assert ((own['segmentation'] == 255) == (moved == (124, 116, 104)).all(-1)).all()


def test_flipping_twice_and_turning_nothing_change_nothing():
  image, box, mask = _draw(np.random.default_rng(2))
  moved, own = _apply('flip(1.0)|flip(1.0)', image, box, mask, 0)
  np.testing.assert_array_equal(moved, image)
  np.testing.assert_array_equal(own['segmentation'], mask)
  np.testing.assert_allclose(own['boxes'][0], box, atol=1e-6)
  _, own = _apply('flip(1.0)', image, box, mask, 0)
  np.testing.assert_allclose(own['boxes'][0][[1, 3]], 1 - box[[3, 1]], atol=1e-6)


def test_a_box_stays_while_its_centre_is_inside():
  image = np.zeros((40, 40, 3), np.uint8)
  mask = np.zeros((40, 40), np.uint8)
  # The crop is pixels 10 to 30; centres at 0.5 and 0.2 of the picture.
  _, own = _apply('central_crop(20)', image, [0.2, 0.3, 0.4, 0.7], mask, 0)
  np.testing.assert_allclose(own['boxes'][0], [0, 0.1, 0.3, 0.9], atol=1e-6)
  _, own = _apply('central_crop(20)', image, [0.0, 0.3, 0.4, 0.7], mask, 0)
  assert own['classes'].tolist() == [-1, -1]


def test_boxes_that_are_left_come_first_in_their_order():
  import tensorflow as tf

  from input_pipeline import keys, marks

  own = {
    'boxes': tf.constant(
      [[0, 0, 0.1, 0.1], [0.4, 0.4, 0.6, 0.6], [0.3, 0.3, 0.5, 0.5]]
    ),
    'classes': tf.constant([7, 8, 9]),
    'crowd': tf.constant([True, False, True]),
  }
  ops, key = parse_ops('central_crop(20)'), keys.position_key(0, 0, 0)
  _, own = marks.apply_ops(tf.zeros([40, 40, 3], tf.uint8), own, ops, key)
  assert own['classes'].numpy().tolist() == [8, 9, -1]
  assert own['crowd'].numpy().tolist() == [False, True, False]
  assert not own['boxes'][2].numpy().any()


def test_a_crop_of_ssd_covers_what_it_has_to():
  rng, shares = np.random.default_rng(3), []
  for seed in range(20):
    image, box, mask = _draw(rng)
    moved, own = _apply('ssd_crop(covered=(0.7,), whole=0)', image, box, mask, seed)
    assert own['classes'][0] == 5  # the only object is the one that is covered
    inside = (own['segmentation'] == 1).sum() / mask.sum()
    assert inside >= 0.69
    shares.append(moved.size / image.size)
  assert min(shares) < 0.6
  # Nothing to look for: all of the picture.
  _, own = _apply('ssd_crop(whole=1)', image, box, mask, 0)
  assert own['segmentation'].shape == mask.shape


@pytest.mark.parametrize(
  ('name', 'ops', 'message'),
  [
    ('made_boxes', 'rotate(9)|resize(32)', 'rotate moves the image and not its boxes'),
    ('made_masks', 'shift(3)|resize(32)', 'shift moves the image and not its masks'),
    ('made_masks', 'randaug(2, 9)|resize(32)', 'randaug moves the image'),
  ],
)
def test_an_op_that_leaves_marks_behind_is_refused(name, ops, message):
  source = open_source(name, 'train', made_examples=4, made_size=32)
  with pytest.raises(DataError, match=message) as raised:
    train_batches(source, ops=ops, batch_size=2, seed=0)
  assert '\n' not in str(raised.value)


def test_boxes_are_evaluated_on_all_of_the_picture():
  source = open_source('made_boxes', 'test', made_examples=4, made_size=32)
  for ops in ('central_crop(24)', 'pad(40)', 'central_fraction(0.9)|resize(32)'):
    with pytest.raises(DataError, match='which part of the picture is seen'):
      eval_batches(source, ops=ops, batch_size=2)


def _train(source, ops, **how):
  return train_batches(source, ops=ops, batch_size=3, seed=1, threads=1, **how)


@pytest.mark.parametrize(
  ('name', 'ops'),
  [
    ('made_boxes', 'ssd_crop|expand|resize(32)|flip|color|value_range(-1, 1)'),
    ('made_masks', 'scale_crop(32, 0.5, 2)|flip|value_range(-1, 1)'),
  ],
)
def test_batches_and_resuming(name, ops):
  source = open_source(name, 'train', made_examples=10, made_size=48)
  batches = _train(source, ops)
  first = [next(batches) for _ in range(5)]
  again = next(_train(source, ops, start_step=4))
  assert set(again) == set(first[4])
  for field, values in again.items():
    np.testing.assert_array_equal(values, first[4][field])
  batch = first[0]
  assert batch['image'].shape == (3, 32, 32, 3)
  if name == 'made_masks':
    assert batch['segmentation'].shape == (3, 32, 32)
    assert batch['segmentation'].dtype == np.uint8
    assert 'size' not in batch
    return
  types = {'boxes': np.float32, 'classes': np.int32, 'crowd': bool, 'size': np.int32}
  shapes = {'boxes': (3, 4, 4), 'classes': (3, 4), 'crowd': (3, 4), 'size': (3, 2)}
  assert {field: batch[field].dtype for field in types} == types
  assert {field: batch[field].shape for field in types} == shapes
  assert (batch['size'] == 48).all()


def test_evaluation_fills_up_with_nothing():
  source = open_source('made_boxes', 'test', made_examples=20, made_size=32)
  *_, last = eval_batches(source, ops='resize(32)', batch_size=4)
  assert last['mask'].tolist() == [1, 0, 0, 0]
  assert (last['classes'][1:] == -1).all()
  source = open_source('made_masks', 'test', made_examples=20, made_size=32)
  *_, last = eval_batches(source, ops='pad(40)', batch_size=4)
  assert (last['segmentation'][1:] == 255).all()
  assert (last['segmentation'][0, 32:] == 255).all()


def test_made_pictures_are_what_their_marks_say():
  from input_pipeline.made_shapes import SHAPES

  boxes = open_source('made_boxes', 'train', made_examples=8, made_size=64)
  masks = open_source('made_masks', 'train', made_examples=8, made_size=64)
  kinds = list(SHAPES.values())
  for index in range(8):
    example = {k: v.numpy() for k, v in boxes.read(np.int64(index)).items()}
    mask = masks.read(np.int64(index))['segmentation'].numpy()
    drawn = np.zeros((64, 64), np.uint8)
    for box, kind in zip(example['boxes'], example['classes'], strict=True):
      if kind < 0:
        continue
      top, left, bottom, right = np.rint(box * 64).astype(int)
      part = (example['image'][top:bottom, left:right] == kinds[kind][1]).all(-1)
      assert part.any(1).all()
      assert part.any(0).all()
      drawn[top:bottom, left:right][part] = 2 if kinds[kind][0] else 1
    np.testing.assert_array_equal(drawn, mask)
  pictures = dict(originals(boxes, [3, 5]))
  assert set(pictures) == {3, 5}
  assert pictures[3].shape == (64, 64, 3)


def _write_pictures(folder):
  """Four pictures of their own heights; of the third the end is missing."""
  folder.mkdir()
  for number in range(4):
    Image.new('RGB', (12, 8 + number)).save(folder / f'{number}.png')
  broken = folder / '2.png'
  broken.write_bytes(broken.read_bytes()[:40])
  return str(broken)


def test_a_broken_picture_is_replaced_with_its_boxes(tmp_path):
  broken = _write_pictures(tmp_path / 'images')
  (tmp_path / 'labels').mkdir()
  for number in range(4):
    text = f'{number} 0.5 0.5 0.{number + 2} 0.5\n'
    (tmp_path / 'labels' / f'{number}.txt').write_text(text)
  source = open_source('boxes', 'all', data_dir=str(tmp_path))
  batches = train_batches(source, ops='resize(8)', batch_size=4, seed=0)
  batch = next(batches)
  assert batches.corrupt == [broken]
  labels = batch['classes'][:, 0]
  assert sorted(set(labels)) == [0, 1, 3]
  for label, size, box in zip(labels, batch['size'], batch['boxes'][:, 0], strict=True):
    assert size.tolist() == [8 + label, 12]
    assert box[3] - box[1] == pytest.approx((label + 2) / 10, abs=1e-6)


def test_a_broken_picture_is_evaluated_with_a_mask_that_does_not_count(tmp_path):
  broken = _write_pictures(tmp_path / 'images')
  (tmp_path / 'masks').mkdir()
  (tmp_path / 'classes.txt').write_text('a\nb\nc\nd\n')
  for number in range(4):
    mask = Image.new('L', (12, 8 + number), number)
    mask.save(tmp_path / 'masks' / f'{number}.png')
  source = open_source('masks', 'all', data_dir=str(tmp_path))
  batches = eval_batches(source, ops='resize(8)', batch_size=4)
  (batch,) = list(batches)
  assert batches.corrupt == [broken]
  assert batch['mask'].tolist() == [1, 1, 0, 1]
  assert batch['segmentation'][:, 0, 0].tolist() == [0, 1, 255, 3]
