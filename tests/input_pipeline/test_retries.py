"""A store that is away for a while: the same batches, or one line."""

import errno
import itertools
import os
import pathlib
import shutil

import numpy as np
import pytest

from input_pipeline import (
  DataError,
  eval_batches,
  open_source,
  photos,
  retries,
  train_batches,
)

_KWARGS = {'ops': 'inception_crop(8)|flip', 'batch_size': 5, 'seed': 0}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
  monkeypatch.setattr(retries, 'WAITS', (0.1, 0.2, 0.2, 0.2))
  monkeypatch.setattr(retries._Store, 'silent', False)


class Store:
  """A file system of which some names fail for some time."""

  def __init__(self):
    self.error, self.away, self.failures = errno.EIO, '', 10**9

  def read(self, path):
    path = path.decode()
    if self.away and self.away in path and self.failures > 0:
      self.failures -= 1
      raise OSError(self.error, os.strerror(self.error), path)
    return pathlib.Path(path).read_bytes()


@pytest.fixture
def store(monkeypatch):
  """What `tf.io.read_file` reads from."""
  import tensorflow as tf

  store = Store()

  def read_file(path):
    return tf.ensure_shape(tf.numpy_function(store.read, [path], tf.string), [])

  monkeypatch.setattr(tf.io, 'read_file', read_file)
  return store


def _take(source, count=4, **kwargs):
  return list(itertools.islice(train_batches(source, **_KWARGS, **kwargs), count))


def _same(first, second):
  for a, b in zip(first, second, strict=True):
    for name in a:
      np.testing.assert_array_equal(a[name], b[name], strict=True)


def test_training_goes_on_as_if_nothing_had_been(photos, store, capsys):
  source = open_source('folder', 'train', data_dir=str(photos))
  undisturbed = _take(source)
  store.away, store.failures = 'birch', 3
  _same(_take(source), undisturbed)
  notes = capsys.readouterr().out.splitlines()
  assert len(notes) == 1
  assert notes[0].startswith('note: reading ')
  assert 'next attempt in 0.1 s' in notes[0]


@pytest.mark.heavy
def test_beside_an_image_that_cannot_be_read(photos, store):
  """Guarded batches leave nothing out that is only away."""
  spoiled = photos / 'train' / 'ash' / '1.jpg'
  spoiled.write_bytes(b'no image')
  source = open_source('folder', 'train', data_dir=str(photos))
  undisturbed = _take(source)
  batches = train_batches(source, **_KWARGS)
  found = [next(batches) for _ in range(3)]  # an epoch: by now it is guarded
  assert batches.corrupt == [str(spoiled)]
  store.away, store.failures = 'cedar', 3
  restarted = train_batches(source, **_KWARGS, corrupt_limit=1)
  _same(list(itertools.islice(restarted, 4)), undisturbed)
  assert restarted.corrupt == [str(spoiled)]
  _same(found, undisturbed[:3])


def test_a_store_that_stays_away_ends_it_in_a_line(photos, store):
  source = open_source('folder', 'train', data_dir=str(photos))
  store.away = 'birch'
  for batches in (
    train_batches(source, **_KWARGS),
    eval_batches(source, ops='resize(8)', batch_size=4),
  ):
    with pytest.raises(DataError) as error:
      list(itertools.islice(batches, 6))
    said = str(error.value)
    assert 'birch' in said
    assert 'Input/output error' in said
    assert '(5 attempts in 0.7 s)' in said
    assert '\n' not in said


def test_what_does_not_pass_is_not_waited_for(photos, capsys):
  gone = photos / 'train' / 'cedar' / '4.jpg'
  barred = photos / 'train' / 'cedar' / '3.jpg'
  source = open_source('folder', 'train', data_dir=str(photos))
  gone.unlink()
  barred.unlink()
  barred.mkdir()
  batches = eval_batches(source, ops='resize(8)', batch_size=15)
  assert next(batches)['mask'].sum() == 13
  assert batches.corrupt == [str(barred), str(gone)]
  assert capsys.readouterr().out == ''


@pytest.mark.heavy
@pytest.mark.skipif(not os.path.exists('/proc/self/mem'), reason='it is of Linux')
@pytest.mark.parametrize('comes_back', [True, False])
def test_record_files(sharded_dir, tmp_path, capsys, monkeypatch, comes_back):
  """The start of a process' memory is a file that opens and gives EIO."""
  shutil.copytree(sharded_dir, tmp_path / 'copy')
  source = open_source('sharded', 'train', data_dir=str(tmp_path / 'copy'))
  undisturbed = _take(source)
  path = (
    tmp_path / 'copy' / 'sharded' / '1.0.0' / 'sharded-train.tfrecord-00002-of-00003'
  )
  whole = path.rename(path.with_name('whole'))
  path.symlink_to('/proc/self/mem')

  def sleep_and_mend(seconds):
    slept.append(seconds)
    if comes_back and len(slept) == 2:
      path.unlink()
      whole.rename(path)

  slept = []
  monkeypatch.setattr(retries, 'sleep', sleep_and_mend)
  if comes_back:
    _same(_take(source), undisturbed)
    assert (
      f'note: reading {path} failed (Input/output error)' in capsys.readouterr().out
    )
    assert slept == [0.1, 0.2]
  else:
    with pytest.raises(DataError, match=f'{path} cannot be read: Input/output error'):
      _take(source)
    assert slept == list(retries.WAITS)


def test_photos_of_a_prediction(tmp_path, jpeg, monkeypatch, capsys):
  path = tmp_path / 'a.jpg'
  path.write_bytes(jpeg(0))
  expected = photos.read_photo(path)
  real, failures = pathlib.Path.read_bytes, []

  def read_bytes(self):
    if len(failures) < 2:
      failures.append(self)
      raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(self))
    return real(self)

  monkeypatch.setattr(pathlib.Path, 'read_bytes', read_bytes)
  np.testing.assert_array_equal(photos.read_photo(path), expected)
  assert capsys.readouterr().out.count(f'note: reading {path} failed (Stale') == 1
  failures[:] = []


def test_many_photos_are_not_waited_for_each(tmp_path, monkeypatch):
  """Only the first, until one can be read."""
  waited = []
  monkeypatch.setattr(retries, 'sleep', waited.append)
  calls = []

  def away():
    calls.append(1)
    raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

  for _ in range(3):
    with pytest.raises(OSError, match='timed out'):
      retries.read(away, 'photo.jpg')
  assert waited == list(retries.WAITS)
  assert len(calls) == len(retries.WAITS) + 1 + 2
  assert retries.read(lambda: b'here', 'photo.jpg') == b'here'
  with pytest.raises(OSError, match='timed out'):
    retries.read(away, 'photo.jpg')
  assert waited == 2 * list(retries.WAITS)


def test_a_file_that_is_not_there_is_not_waited_for(tmp_path, monkeypatch):
  monkeypatch.setattr(retries, 'sleep', lambda seconds: pytest.fail('it waits'))
  with pytest.raises(DataError, match='No such file'):
    photos.read_photo(tmp_path / 'a.jpg')
