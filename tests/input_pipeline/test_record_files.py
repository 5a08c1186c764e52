"""Record files that are gone, cut off or damaged: named, with what they cost."""

import itertools
import pathlib
import shutil

import pytest

from input_pipeline import DataError, eval_batches, open_source, train_batches

# Three files of 20, 1 and 20 records; the last holds the examples 21 to 40.
_LAST = 'sharded-train.tfrecord-00002-of-00003'


@pytest.fixture
def opened(sharded_dir, tmp_path):
  """(source, path of its last file)."""
  shutil.copytree(sharded_dir, tmp_path / 'copy')
  source = open_source('sharded', 'train', data_dir=str(tmp_path / 'copy'))
  return source, tmp_path / 'copy' / 'sharded' / '1.0.0' / _LAST


def _trained(source, **kwargs):
  batches = train_batches(source, ops='', batch_size=10, seed=0, **kwargs)
  return list(itertools.islice(batches, 5))


def _evaluated(source, **kwargs):
  return list(eval_batches(source, ops='', batch_size=10, **kwargs))


def _said(source, work, **kwargs):
  with pytest.raises(DataError) as error:
    work(source, **kwargs)
  assert '\n' not in str(error.value)
  return str(error.value)


def _cut(path, records=None, bytes_more=0):
  """Leaves so many whole records of a file, and some bytes more."""
  content = path.read_bytes()
  place = 0
  for _ in range(records):
    place += 16 + int.from_bytes(content[place : place + 8], 'little')
  path.write_bytes(content[: place + bytes_more])


_END = 'ends after 3 of 20 records'
_IN_A_RECORD = 'is cut off in record 4 of 20'


@pytest.mark.parametrize(
  ('work', 'bytes_more', 'expected'),
  [
    (_evaluated, 0, _END),  # TensorFlow sees the end of a file
    (_evaluated, 5, _END),  # and here, too
    (_trained, 30, _IN_A_RECORD),
    pytest.param(_trained, 0, _END, marks=pytest.mark.heavy),
    pytest.param(_trained, 5, _END, marks=pytest.mark.heavy),
    pytest.param(_evaluated, 30, _IN_A_RECORD, marks=pytest.mark.heavy),
  ],
)
def test_a_file_that_is_cut_off(opened, work, bytes_more, expected):
  source, path = opened
  _cut(path, 3, bytes_more)
  said = _said(source, work)
  assert f'{path} {expected}, so that sharded/train[24] to sharded/train[40]' in said
  assert said.endswith('put a whole copy there and give the same command again')


def test_an_empty_file(opened):
  source, path = opened
  path.write_bytes(b'')
  assert 'ends after 0 of 20 records, so that sharded/train[21] to' in _said(
    source, _evaluated
  )


def test_a_damaged_record(opened):
  source, path = opened
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 255
  path.write_bytes(bytes(content))
  said = _said(source, _trained)
  assert f'{path} is damaged in record 11 of 20' in said


@pytest.mark.parametrize('work', [_trained, _evaluated])
def test_a_file_that_vanishes_after_it_was_opened(opened, work):
  source, path = opened
  path.unlink()
  said = _said(source, work)
  assert f'{path} is gone, so that sharded/train[21] to sharded/train[40]' in said


@pytest.mark.heavy
def test_a_file_that_vanishes_during_training(opened):
  source, path = opened
  batches = train_batches(
    source, ops='', batch_size=10, seed=0, shuffle_buffer=1, prefetch=1
  )
  next(batches)
  path.unlink()
  with pytest.raises(DataError, match=f'at step .*{path} is gone'):
    list(itertools.islice(batches, 20))


def test_the_processes_that_do_not_need_a_file_go_on(opened):
  source, path = opened
  path.unlink()
  kwargs = {'process_count': 2}
  assert len(_evaluated(source, process_index=0, **kwargs)) == 3  # 0 to 20
  assert 'sharded/train[21]' in _said(source, _evaluated, process_index=1, **kwargs)


def test_a_file_that_is_missing_from_the_beginning(sharded_dir, tmp_path):
  shutil.copytree(sharded_dir, tmp_path / 'copy')
  folder = tmp_path / 'copy' / 'sharded' / '1.0.0'
  first, *_ = sorted(map(pathlib.Path, folder.glob('*.tfrecord-*')))
  first.unlink()
  with pytest.raises(DataError) as error:
    open_source('sharded', 'train', data_dir=str(tmp_path / 'copy'))
  assert str(error.value).startswith(
    f'1 of the 3 record files of sharded are not there: {first}; put a whole copy'
  )


def test_a_record_that_is_no_image_is_one_example(opened, sharded_dir):
  """The file is whole: its other examples are trained on."""
  import tensorflow as tf

  source, path = opened
  records = [r.numpy() for r in tf.data.TFRecordDataset(str(path))]
  records[4] = records[4].replace(b'PNG', b'GNP', 1)
  with tf.io.TFRecordWriter(str(path)) as writer:
    for record in records:
      writer.write(record)
  for work in (train_batches, eval_batches):
    seed = {'seed': 0} if work is train_batches else {}
    batches = work(source, ops='', batch_size=10, **seed)
    list(itertools.islice(batches, 5))
    assert batches.corrupt == ['sharded/train[25]']
