"""Repeated augmentation: a batch has each of its images several times, drawn anew."""

import itertools

import numpy as np
import pytest

from input_pipeline import DataError, Source, open_source, train_batches


def _take(source, count, **kwargs):
  kwargs = {'ops': '', 'batch_size': 6, 'seed': 1, 'repeats': 3, **kwargs}
  return list(itertools.islice(train_batches(source, **kwargs), count))


@pytest.fixture(scope='module')
def counted():
  """Seven images of noise, whose labels are their places."""
  tf = pytest.importorskip('tensorflow')
  noise = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 3), np.uint8)
  return Source(
    name='counted',
    split='train',
    num_examples=7,
    num_classes=7,
    class_names=(),
    describe=lambda index: f'counted[{index}]',
    read=lambda index: {
      'image': tf.constant(noise)[index],
      'label': tf.cast(index, tf.int32),
    },
    image_size=(4, 4),
  )


def _labels(batches):
  return np.stack([batch['label'] for batch in batches])


def test_a_batch_has_each_of_its_images_three_times(counted):
  batches = _take(counted, 14)
  labels = _labels(batches)
  once = _labels(_take(counted, 14, batch_size=2, repeats=1))
  # The images are those of batches of two; all of them, and all of them again.
  np.testing.assert_array_equal(labels, np.tile(once, 3))
  assert (labels != np.roll(labels, 1, axis=1)).all()
  # Seven batches hold two epochs' images, each of them three times an epoch.
  assert np.bincount(labels[:7].ravel()).tolist() == [6] * 7


def test_every_repeat_is_drawn_anew(counted):
  """Over epochs, too: no draw of an image comes twice."""
  batches = _take(counted, 21, ops='color(brightness=0.5)|value_range(0, 1)')
  images = np.concatenate([batch['image'] for batch in batches])
  assert len(np.unique(images, axis=0)) == 21 * 6


def test_without_repeats_nothing_changes(counted):
  ops = 'color|value_range(0, 1)'
  for one, other in zip(
    _take(counted, 5, ops=ops, repeats=1),
    itertools.islice(train_batches(counted, ops=ops, batch_size=6, seed=1), 5),
    strict=True,
  ):
    np.testing.assert_array_equal(one['image'], other['image'])


@pytest.mark.parametrize(
  ('processes', 'batch_ops'),
  [(2, 'mixup(0.8)'), pytest.param(4, '', marks=pytest.mark.heavy)],
)
def test_processes_together_have_the_batches_of_one(counted, processes, batch_ops):
  """And each begins at any step: here at the fourth, over the end of an epoch."""
  kwargs = {'ops': 'color|value_range(0, 1)', 'batch_ops': batch_ops}
  whole = _take(counted, 7, batch_size=12, **kwargs)[3:]
  shares = [
    _take(
      counted, 4, batch_size=12 // processes, start_step=3, process_index=index,
      process_count=processes, **kwargs,
    )
    for index in range(processes)
  ]  # fmt: skip
  for batch, *parts in zip(whole, *shares, strict=True):
    for name in batch:
      together = np.concatenate([part[name] for part in parts])
      np.testing.assert_array_equal(together, batch[name])


def test_records_are_repeated_within_the_share_of_a_process(sharded_dir):
  source = open_source('sharded', 'train', data_dir=sharded_dir)
  kwargs = {'ops': 'value_range(0, 255)', 'process_count': 2}
  seen = []
  for index in range(2):
    batches = _take(source, 9, process_index=index, **kwargs)
    places = np.stack([batch['image'][:, 0, 0, 0] for batch in batches])
    np.testing.assert_array_equal(places, np.tile(places[:, :2], 3))
    seen.append(set(places.ravel()))
    resumed = _take(source, 4, process_index=index, start_step=5, **kwargs)
    for one, other in zip(batches[5:], resumed, strict=True):
      np.testing.assert_array_equal(one['image'], other['image'])
  assert not seen[0] & seen[1]


def test_repeats_that_do_not_divide_a_batch(counted, sharded_dir):
  with pytest.raises(DataError) as error:
    _take(counted, 1, repeats=4)
  assert str(error.value) == (
    '--config.data.repeats=4 does not divide the batch of 6: choose a '
    '--config.batch_size that is a multiple of 4'
  )
  with pytest.raises(DataError, match='repeats=0 must be a whole number, at least 1'):
    _take(counted, 1, repeats=0)
  # The batch of all, not that of a process: but for records, which each repeats.
  assert len(_take(counted, 1, batch_size=3, repeats=2, process_count=2)) == 1
  records = open_source('sharded', 'train', data_dir=sharded_dir)
  with pytest.raises(DataError, match=r'batch of 6 of 2 processes: .* multiple of 4'):
    _take(records, 1, batch_size=3, repeats=2, process_count=2)
