"""Unreadable images are named, counted, and skipped up to a limit."""

import itertools

import numpy as np
import pytest

from input_pipeline import DataError, eval_batches, open_source, train_batches

_KWARGS = {'ops': 'inception_crop(8)|flip', 'batch_size': 5, 'seed': 0}


@pytest.fixture
def spoiled(photos):
  """(source, names): one photo cut off, one no image at all, one empty."""
  paths = [photos / 'train' / f for f in ('ash/1.jpg', 'birch/3.jpg', 'cedar/0.jpg')]
  paths[0].write_bytes(paths[0].read_bytes()[:300])
  paths[1].write_bytes(b'this is no image')
  paths[2].write_bytes(b'')
  source = open_source('folder', 'train', data_dir=str(photos))
  return source, [str(path) for path in paths]


def _take(iterator, count):
  return list(itertools.islice(iterator, count))


def _images(source):
  batches = _take(train_batches(source, **_KWARGS), 3)
  return np.concatenate([batch['image'] for batch in batches])


def test_training_goes_on_and_names_them(spoiled):
  source, names = spoiled
  iterator = train_batches(source, **_KWARGS)
  assert iterator.corrupt == []
  batches = _take(iterator, 6)  # two epochs
  assert iterator.corrupt == names
  for batch in batches:
    assert batch['image'].shape == (5, 8, 8, 3)
    # No black stand-in: the place holds another image of the batch.
    assert (batch['image'].max(axis=(1, 2, 3)) > 0).all()
  images = np.concatenate([b['image'] for b in batches[:3]])
  assert len(np.unique(images, axis=0)) == 12


@pytest.mark.parametrize('start', [pytest.param(1, marks=pytest.mark.heavy), 4])
def test_positions_stay(spoiled, start):
  source, _ = spoiled
  batches = _take(train_batches(source, **_KWARGS), 6)
  resumed = _take(train_batches(source, **_KWARGS, start_step=start), 6 - start)
  for a, b in zip(batches[start:], resumed, strict=True):
    np.testing.assert_array_equal(a['image'], b['image'])
    np.testing.assert_array_equal(a['label'], b['label'])


def test_readable_examples_are_what_they_were(photos, jpeg):
  """One file spoiled changes its own places only."""
  source = open_source('folder', 'train', data_dir=str(photos))
  clean = _images(source)
  (photos / 'train' / 'ash' / '1.jpg').write_bytes(b'spoiled')
  spoiled = _images(source)
  changed = (clean != spoiled).any(axis=(1, 2, 3))
  assert changed.sum() == 1
  place = int(np.flatnonzero(changed)[0])
  following = place + 1 if (place + 1) % 5 else place - 4
  np.testing.assert_array_equal(spoiled[place], clean[following])


def test_mixing_sees_replacements_only(spoiled):
  source, names = spoiled
  iterator = train_batches(source, **_KWARGS, batch_ops='mixup(1.0)')
  batches = _take(iterator, 3)
  assert iterator.corrupt == names
  for batch in batches:
    assert (batch['image'].max(axis=(1, 2, 3)) > 0).all()
    np.testing.assert_allclose(batch['label'].sum(axis=1), 1, rtol=1e-6)


def test_limit(spoiled):
  source, names = spoiled
  with pytest.raises(DataError) as error:
    _take(train_batches(source, **_KWARGS, corrupt_limit=2), 3)
  assert '3 unreadable images, more than the limit of 2' in str(error.value)
  assert all(name in str(error.value) for name in names)
  assert '\n' not in str(error.value)
  _take(train_batches(source, **_KWARGS, corrupt_limit=3), 6)


def test_evaluation_masks_them(spoiled):
  source, names = spoiled
  iterator = eval_batches(source, ops='resize(8)', batch_size=4)
  batches = list(iterator)
  assert iterator.corrupt == names
  mask = np.concatenate([b['mask'] for b in batches])
  index = np.concatenate([b['index'] for b in batches])
  assert mask.sum() == 12
  assert index.tolist() == [*range(15), -1]
  assert {source.describe(i) for i in index[:15][mask[:15] == 0]} == set(names)


def test_a_deleted_file_is_unreadable(photos):
  source = open_source('folder', 'train', data_dir=str(photos))
  gone = photos / 'train' / 'cedar' / '4.jpg'
  gone.unlink()
  iterator = eval_batches(source, ops='resize(8)', batch_size=15)
  assert next(iterator)['mask'].tolist() == [1] * 14 + [0]
  assert iterator.corrupt == [str(gone)]


def test_nothing_readable_in_a_batch(photos):
  for path in (photos / 'train').glob('*/*.jpg'):
    path.write_bytes(b'x')
  source = open_source('folder', 'train', data_dir=str(photos))
  with pytest.raises(DataError, match='none of the 5 images of step 0 can be read'):
    next(train_batches(source, **_KWARGS, corrupt_limit=100))


def test_a_failing_op_is_not_a_corrupt_image(photos):
  source = open_source('folder', 'train', data_dir=str(photos))
  iterator = train_batches(source, **{**_KWARGS, 'ops': 'central_crop(100)'})
  with pytest.raises(DataError) as error:
    next(iterator)
  assert 'put resize_small(100) before it' in str(error.value)
  assert '\n' not in str(error.value)
