"""Which example comes when: endless for training, once for evaluation.

Nothing here decodes an image, so skipping to a position is cheap.
"""

import tensorflow as tf

from input_pipeline import keys
from input_pipeline.errors import DataError
from input_pipeline.source import Source

_FILES_AT_ONCE = 16  # record files read in turn
_RUN = 16  # records taken from a file before the next one's turn


def train_order(
  source: Source,
  *,
  seed: int,
  start: int,
  process_index: int,
  process_count: int,
  shuffle_buffer: int,
):
  """Endless data set of (epoch, index, item): this process's examples from `start` on.

  With random access, every epoch is a permutation of the split, the epochs follow each
  other without a gap, and process p of n takes every n-th place from p on. Records are
  streamed instead: every process permutes the files of its own share, reads them in
  turn and shuffles in a buffer.
  """
  if source.slices is None:
    return _permuted(source.num_examples, seed, start, process_index, process_count)
  slices = source.slices(process_index, process_count)
  return _streamed(slices, seed, start, process_index, shuffle_buffer)


def eval_order(source: Source, *, start: int, process_index: int, process_count: int):
  """Data set of (epoch 0, index, item): this process's share from `start` on, in order.

  Returns it with the size of the largest share of any process.
  """
  largest = -(-source.num_examples // process_count)
  zero = tf.constant(0, tf.int64)
  if source.slices is None:
    first = start * process_count + process_index
    indexes = tf.data.Dataset.range(first, source.num_examples, process_count)
    return indexes.map(lambda index: (zero, index, index)), largest
  slices = source.slices(process_index, process_count)
  records = _files(slices).flat_map(_records).skip(start)
  return records.map(lambda index, record: (zero, index, record)), largest


def _permuted(num_examples, seed, start, process_index, process_count):
  base = keys.named_seed(seed, 'order')
  first_epoch, first_place = divmod(start * process_count + process_index, num_examples)

  def one_epoch(epoch):
    # An exact permutation of all indexes: sorting a million numbers takes a tenth of a
    # second, once per epoch.
    order = tf.random.experimental.stateless_shuffle(
      tf.range(num_examples, dtype=tf.int64), keys.position_key(base, epoch, 0)
    )
    # The first place of this epoch that belongs to this process.
    own = tf.math.floormod(process_index - epoch * num_examples, process_count)
    place = tf.where(epoch == first_epoch, tf.constant(first_place, tf.int64), own)
    indexes = tf.data.Dataset.from_tensor_slices(order[place::process_count])
    return indexes.map(lambda index: (epoch, index, index))

  return tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(one_epoch)


def _streamed(slices, seed, start, process_index, shuffle_buffer):
  share = sum(part.take for part in slices)
  if share == 0:
    raise DataError(f'no examples for process {process_index}: use fewer processes')
  first_epoch, skipped = divmod(start, share)
  files = _columns(slices)
  file_base = keys.named_seed(seed, 'files', process_index)
  buffer_base = keys.named_seed(seed, 'buffer', process_index)

  def one_epoch(epoch):
    order = tf.random.experimental.stateless_shuffle(
      tf.range(len(slices)), keys.position_key(file_base, epoch, 0)
    )
    records = tf.data.Dataset.from_tensor_slices(
      tuple(tf.gather(column, order) for column in files)
    ).interleave(
      _records,
      cycle_length=min(_FILES_AT_ONCE, len(slices)),
      block_length=_RUN,
      num_parallel_calls=tf.data.AUTOTUNE,
      deterministic=True,
    )
    # shuffle() mixes the graph's seed into its own; fixed here, in the graph of this
    # function only, so that nobody's tf.random.set_seed changes the order.
    tf.compat.v1.set_random_seed(1)
    records = records.shuffle(
      min(shuffle_buffer, share),
      seed=buffer_base + epoch,
      reshuffle_each_iteration=False,
    )
    skip = tf.where(epoch == first_epoch, tf.constant(skipped, tf.int64), 0)
    return records.skip(skip).map(lambda index, record: (epoch, index, record))

  return tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(one_epoch)


def _columns(slices):
  return (
    tf.constant([part.filename for part in slices]),
    tf.constant([part.skip for part in slices], tf.int64),
    tf.constant([part.take for part in slices], tf.int64),
    tf.constant([part.start for part in slices], tf.int64),
  )


def _files(slices):
  return tf.data.Dataset.from_tensor_slices(_columns(slices))


def _records(filename, skip, take, start):
  """(index, record) of one file slice."""
  return tf.data.TFRecordDataset(filename).skip(skip).take(take).enumerate(start)
