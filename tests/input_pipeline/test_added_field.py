"""Examples of a folder with one field more."""

import numpy as np
import pytest

from input_pipeline import DataError, eval_batches, open_source, train_batches
from input_pipeline.added_field import with_field

OPS = 'resize(8)|value_range(-1, 1)'


@pytest.fixture
def source(photos):
  return open_source('folder', 'train', data_dir=str(photos))


def test_batches_carry_the_row_of_each_example(source):
  values = np.arange(30, dtype=np.float32).reshape(15, 2)
  more = with_field(source, 'said', values)
  whole = next(eval_batches(more, ops=OPS, batch_size=15))
  np.testing.assert_array_equal(whole['said'], values)
  batches = [
    next(train_batches(each, ops=OPS, batch_size=6, seed=0)) for each in (source, more)
  ]
  said = batches[1].pop('said')
  for name, array in batches[0].items():
    np.testing.assert_array_equal(array, batches[1][name])
  labels = [source.labels[int(row[0]) // 2] for row in said]
  assert labels == batches[0]['label'].tolist()


def test_an_unreadable_example_takes_its_row_along(source, photos):
  (photos / source.names[3]).write_bytes(b'no photo')
  rows = np.arange(15, dtype=np.int32)
  batches = train_batches(
    with_field(source, 'row', rows), ops=OPS, batch_size=15, seed=0
  )
  batch = next(batches)
  assert 3 not in batch['row']
  assert [source.labels[row] for row in batch['row']] == batch['label'].tolist()
  assert len(batches.corrupt) == 1


def test_other_sources_are_refused(source, sharded_dir):
  with pytest.raises(DataError, match='14 values of said for the 15 examples'):
    with_field(source, 'said', np.zeros(14))
  records = open_source('sharded', 'train', data_dir=sharded_dir)
  with pytest.raises(DataError, match='is read in order'):
    with_field(records, 'said', np.zeros(records.num_examples))
