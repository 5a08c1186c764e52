"""Which example comes when: endless for training, once for evaluation.

Nothing here decodes an image, so skipping to a position is cheap.
"""

import numpy as np
import tensorflow as tf

from input_pipeline import keys, record_files
from input_pipeline.errors import DataError
from input_pipeline.source import Source

_FILES_AT_ONCE = 16  # record files read in turn
_RUN = 16  # records taken from a file before the next one's turn


def train_order(
  source: Source,
  *,
  seed: int,
  start_step: int,
  batch_size: int,
  process_index: int,
  process_count: int,
  shuffle_buffer: int,
  repeats: int = 1,
  neighbour: bool = False,
  watch: record_files.Watch | None = None,
):
  """Endless data set of (draw, index, item): this process's examples from a step on.

  The draw is the epoch, as long as nothing is repeated. An example and a draw have one
  augmentation.

  With random access, every epoch is a permutation of the split and the epochs follow
  each other without a gap. Process p of n takes the rows p * batch_size to (p + 1) *
  batch_size - 1 of each n * batch_size: put together, the batches of all processes are
  those of one process with batches of that size.

  With `repeats` R, a batch of B rows has B / R examples: all of them, then all of them
  again, R times, with draws epoch * R to epoch * R + R - 1 (1901.09335; timm's
  RepeatAugSampler and torchvision's RASampler). Neighbouring rows are different
  examples, so that mixing does not mix an example with itself. What other samplers call
  an epoch, as many rows as there are examples, has an R-th of the examples here too.
  They draw a new R-th each time; here R of those epochs have every example, R times.
  The rows are those of the batch of all processes, or of each process's own batch if
  records are streamed.

  Records are streamed instead: every process permutes the files of its own share, reads
  them in turn and shuffles in a buffer. Each example comes once in an epoch of its
  process, but their order, and which of them share a batch, depend on the number of
  processes.

  Args:
    source: the split.
    seed: of the order.
    start_step: batches to pass over.
    batch_size: examples in a batch of this process, the same for all processes.
    process_index, process_count: of this process.
    shuffle_buffer: records that are held, of a streamed source.
    repeats: how often a batch has each of its examples; it divides the batch.
    neighbour: with random access, take one more row for each batch, see `neighbour_of`.
    watch: over the record files; None where nothing has failed.
  """
  if source.slices is None:
    rows = _own_rows(batch_size, process_index, process_count, neighbour)
    # Whether an example of the batch stands in a row of this process.
    own = rows.reshape(repeats, -1).any(axis=0)
    order = _permuted(source.num_examples, seed, start_step, len(rows) // repeats, own)
  else:
    rows = np.ones(batch_size, bool)
    own = rows.reshape(repeats, -1).any(axis=0)
    slices = source.slices(process_index, process_count)
    records = (watch or record_files).records
    start = start_step * batch_size // repeats
    order = _streamed(slices, seed, start, process_index, shuffle_buffer, records)
  return order if repeats == 1 else _repeated(order, rows, own, repeats)


def check_repeats(
  source: Source, repeats: int, batch_size: int, process_count: int
) -> None:
  """Checks that a batch can hold each of its examples `repeats` times.

  Raises:
    DataError: it cannot.
  """
  if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
    raise DataError(
      f'--config.data.repeats={repeats!r} must be a whole number, at least 1'
    )
  # Records are streamed: each process repeats what is in its own share of a batch.
  shares = 1 if source.slices is None else process_count
  rows, multiple = batch_size * process_count, repeats * shares
  if rows % multiple:
    of = '' if shares == 1 else f' of {shares} processes'
    raise DataError(
      f'--config.data.repeats={repeats} does not divide the batch of {rows}{of}: '
      f'choose a --config.batch_size that is a multiple of {multiple}'
    )


def neighbour_of(process_index: int) -> str:
  """Where a batch of `train_order(neighbour=True)` has its additional row.

  It is the row before the share of a process in the batch of all, going round; for
  process 0 this is the last row of all, and comes last.
  """
  return 'last' if process_index == 0 else 'first'


def eval_order(
  source: Source,
  *,
  start: int,
  process_index: int,
  process_count: int,
  watch: record_files.Watch | None = None,
):
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
  files = tf.data.Dataset.from_tensor_slices(_columns(slices))
  records = files.flat_map((watch or record_files).records).skip(start)
  return records.map(lambda index, record: (zero, index, record)), largest


def _own_rows(batch_size, process_index, process_count, neighbour):
  """bool (rows of the batch of all,): which of them this process takes."""
  rows = np.arange(batch_size * process_count)
  own = rows // batch_size == process_index
  if neighbour:
    own |= rows == (process_index * batch_size - 1) % len(rows)
  return own


def _permuted(num_examples, seed, start_step, whole_batch, own_rows):
  base = keys.named_seed(seed, 'order')
  # Places are counted from the first of epoch 0, on and on.
  first = start_step * whole_batch
  first_epoch = first // num_examples
  own_rows = tf.constant(own_rows)

  def one_epoch(epoch):
    # An exact permutation of all indexes: sorting a million numbers takes a tenth of a
    # second, once per epoch.
    order = tf.random.experimental.stateless_shuffle(
      tf.range(num_examples, dtype=tf.int64), keys.position_key(base, epoch, 0)
    )
    places = epoch * num_examples + tf.range(num_examples, dtype=tf.int64)
    own = tf.gather(own_rows, places % whole_batch) & (places >= first)
    indexes = tf.data.Dataset.from_tensor_slices(order[own])
    return indexes.map(lambda index: (epoch, index, index))

  return tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(one_epoch)


def _repeated(order, rows, own, repeats):
  """Rows of batches from their examples; see `train_order`.

  Args:
    order: of (epoch, index, item), the examples of `own` of each batch.
    rows: bool (rows of the batch,), which of them are wanted.
    own: bool (examples of the batch,), which of them stand in those rows.
    repeats: rows of the batch to one of its examples.
  """
  draws, examples = np.divmod(np.flatnonzero(rows), len(own))
  places = tf.constant((np.cumsum(own) - 1)[examples])
  draws = tf.constant(draws, tf.int64)

  def of_batch(epoch, index, item):
    return (
      tf.gather(epoch, places) * repeats + draws,
      tf.gather(index, places),
      tf.gather(item, places),
    )

  return order.batch(int(own.sum()), drop_remainder=True).map(of_batch).unbatch()


def _streamed(slices, seed, start, process_index, shuffle_buffer, read):
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
      read,
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
