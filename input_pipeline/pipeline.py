"""Batches for training and evaluation, a pure function of (seed, step, process)."""

import functools
import os
import weakref
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from input_pipeline import keys, marks, mixing, preparation, record_files, recovery
from input_pipeline.errors import DataError, some
from input_pipeline.op_string import parse_ops
from input_pipeline.order import (
  check_repeats,
  eval_order,
  neighbour_of,
  train_order,
)
from input_pipeline.source import Source

_CLASS = 'class before mixing'  # a field, inside of `train_batches`


class Batches(Iterator):
  """Iterator over dicts of numpy arrays.

  Attributes:
    corrupt: sorted names of the unreadable examples met so far.
  """

  def __init__(self, batches, unreadable):
    self._batches = batches
    # Also when the process ends: threads that read photos by Python would wait for it
    # for ever, and it for them.
    weakref.finalize(self, batches.close)
    self._unreadable = unreadable

  def __next__(self):
    return next(self._batches)

  @property
  def corrupt(self) -> list[str]:
    return sorted(self._unreadable)


def train_batches(
  source: Source,
  *,
  ops: str,
  batch_ops: str = '',
  batch_size: int,
  seed: int,
  start_step: int = 0,
  process_index: int = 0,
  process_count: int = 1,
  repeats: int = 1,
  shuffle_buffer: int = 10_000,
  corrupt_limit: int = 10,
  threads: int = 0,
  prefetch: int = 2,
) -> Batches:
  """Endless training batches of this process.

  Epochs follow each other without a gap: every example comes once per epoch, and a
  batch may reach from one epoch into the next. Augmentation depends on (seed, epoch,
  example, repeat) alone. What starts at `start_step=k` yields, to the bit, what started
  at 0 yields after k batches.

  Args:
    source: from `open_source`.
    ops: op string for one image, see `catalogue`; it must leave all images alike in
      size.
    batch_ops: op string of mixup and cutmix; '' for none.
    batch_size: examples per batch of this process.
    seed: of the order, the augmentation and the mixing.
    start_step: batches to pass over; nothing of them is decoded.
    process_index: of this process.
    process_count: number of processes; their shares are disjoint. With random access
      (a folder, made images) the shares of all, one after another, are to the bit the
      batch of one process with all the examples, mixed or not. Two things depend on the
      number of processes: the order of a TFDS set, which is streamed (see
      `order.train_order`), and by which other one an unreadable example is replaced,
      since that is of the same share.
    repeats: how often a batch has each of its examples, each time with other draws; an
      epoch's worth of batches then has as many examples fewer. See `order.train_order`.
    shuffle_buffer: undecoded records held for shuffling a TFDS set; a folder is
      permuted exactly and needs none.
    corrupt_limit: different unreadable examples that are tolerated. Each is replaced by
      the next readable one of its batch.
    threads: of tf.data for this iterator; 0 leaves it to TensorFlow.
    prefetch: batches prepared ahead.

  Returns:
    Iterator of {'image': float32 (batch_size, height, width, 3)} and the fields that
    the source's `read` names, 'label': int32 (batch_size,) for classes; with
    `batch_ops` the label is float32 (batch_size, num_classes).

  Raises:
    DataError: here for a wrong argument; by the iterator for more unreadable examples
      than `corrupt_limit`, a record file that is damaged or gone, a store that stays
      away (see `retries`), or a label that is no class.
  """
  image_ops, mix_ops = parse_ops(ops, 'train'), parse_ops(batch_ops, 'batch')
  _check_numbers(batch_size, start_step, process_index, process_count)
  check_repeats(source, repeats, batch_size, process_count)
  if shuffle_buffer < 1:
    raise DataError(f'shuffle_buffer={shuffle_buffer} must be at least 1')
  seed_of_ops = keys.named_seed(seed, 'augment')
  prepare = preparation.of(source, ops, image_ops, seed_of_ops, fixed=False)
  if mix_ops and 'label' not in preparation.example_spec(source):
    raise DataError(f'op string {batch_ops!r} mixes labels, and {source.name} has none')
  # Shares of a batch are mixed as the whole is: each needs the row before it as well.
  neighbour = bool(mix_ops) and process_count > 1 and source.slices is None
  mix_seed = keys.named_seed(seed, 'mixing')
  watch = record_files.Watch()

  @tf.autograph.experimental.do_not_convert
  def mixed(step, batch):
    key = keys.position_key(mix_seed, 0, step)
    image, label = mixing.mix(
      batch['image'], batch['label'], key, mix_ops, source.num_classes
    )
    return {**batch, 'image': image, 'label': label, _CLASS: batch['label']}

  def build(step, guarded):
    examples = train_order(
      source,
      seed=seed,
      start_step=step,
      batch_size=batch_size,
      process_index=process_index,
      process_count=process_count,
      shuffle_buffer=shuffle_buffer,
      repeats=repeats,
      neighbour=neighbour,
      watch=watch if guarded else None,
    ).map(functools.partial(prepare, guarded), _calls(threads))
    batches = examples.batch(batch_size + neighbour, drop_remainder=True)
    if guarded:
      batches = batches.map(recovery.replace_unreadable)
    if mix_ops:
      batches = batches.enumerate(step).map(mixed, tf.data.AUTOTUNE)
    return _configured(batches, threads, prefetch)

  unreadable = set()
  steps = recovery.recovering(
    build,
    start_step,
    doubtful=recovery.Doubts(source, prepare.read),
    damage=lambda: _damage(watch, source, process_index, process_count),
  )

  def batches():
    for step, batch in steps:
      if neighbour:
        batch = _without_row(batch, neighbour_of(process_index))
      ok, index = batch.pop('ok'), batch.pop('index')
      del batch['epoch']
      recovery.note(unreadable, source, index[~ok], corrupt_limit)
      if not ok.any():
        raise DataError(
          f'none of the {len(ok)} images of step {step} can be read: '
          f'{some(sorted(unreadable))}'
        )
      labels = batch.pop(_CLASS, batch.get('label'))
      _check_labels(source, step, index, labels, lowest=0)
      _check_pixels(source, step, index, batch)
      yield batch

  return Batches(batches(), unreadable)


def eval_batches(
  source: Source,
  *,
  ops: str,
  batch_size: int,
  process_index: int = 0,
  process_count: int = 1,
  corrupt_limit: int = 10,
  threads: int = 0,
  prefetch: int = 2,
) -> Batches:
  """Every example of the split once, over all processes, in a fixed order.

  All processes yield the same number of batches, ceil(largest share / batch_size); what
  fills them up has mask 0, index -1 and zeros. An unreadable example keeps its index
  and has mask 0, so that sum(mask) + number of unreadable ones = number of examples.

  Args:
    source, batch_size, process_index, process_count, corrupt_limit, threads, prefetch:
      as in `train_batches`.
    ops: op string without random ops.

  Returns:
    Iterator of {'image': float32 (batch_size, height, width, 3), 'mask': float32
    (batch_size,), 'index': int64 (batch_size,)} and the source's fields.

  Raises:
    DataError: here for a wrong argument; by the iterator for unreadable data.
  """
  image_ops = parse_ops(ops, 'eval')
  _check_numbers(batch_size, 0, process_index, process_count)
  prepare = preparation.of(source, ops, image_ops, 0, fixed=True)
  _, largest = eval_order(
    source, start=0, process_index=process_index, process_count=process_count
  )
  count = -(-largest // batch_size)

  watch = record_files.Watch()

  def build(step, guarded):
    examples, _ = eval_order(
      source,
      start=step * batch_size,
      process_index=process_index,
      process_count=process_count,
      watch=watch if guarded else None,
    )
    examples = examples.map(functools.partial(prepare, guarded), _calls(threads))
    return _configured(examples.batch(batch_size), threads, prefetch)

  unreadable = set()
  steps = recovery.recovering(
    build,
    0,
    doubtful=recovery.Doubts(source, prepare.read),
    damage=lambda: _damage(watch, source, process_index, process_count),
  )

  def batches():
    done, shape = 0, None
    for step, batch in steps:
      ok, index = batch.pop('ok'), batch['index']
      del batch['epoch']
      recovery.note(unreadable, source, index[~ok], corrupt_limit)
      if 'label' in batch:
        _check_labels(source, step, index[ok], batch['label'][ok], lowest=-1)
      _check_pixels(source, step, index, batch)
      shape = batch['image'].shape[1:]
      yield _padded({**batch, 'mask': ok.astype(np.float32)}, batch_size)
      done += 1
    shape = prepare.output_shape if shape is None else shape
    for _ in range(done, count):
      yield _padded(_nothing(shape, prepare.output_fields), batch_size)

  return Batches(batches(), unreadable)


def _without_row(batch, place):
  """A batch without its first or its last row."""
  rows = slice(1, None) if place == 'first' else slice(None, -1)
  return {name: values[rows] for name, values in batch.items()}


def _damage(watch, source, process_index, process_count):
  """What is wrong with the record files that are read, or None."""
  if source.slices is None:
    return None
  return watch.damage(source, source.slices(process_index, process_count))


def _check_numbers(batch_size, start_step, process_index, process_count):
  if batch_size < 1:
    raise DataError(f'batch_size={batch_size} must be at least 1')
  if start_step < 0:
    raise DataError(f'start_step={start_step} must not be negative')
  if not 0 <= process_index < process_count:
    raise DataError(
      f'process_index={process_index} must lie in 0..process_count-1, process_count='
      f'{process_count}'
    )


def _check_labels(source, step, index, labels, lowest):
  """Raises for class numbers under `lowest`, or past the last class."""
  if labels is None or labels.ndim != 1 or labels.dtype.kind != 'i':
    return
  wrong = np.flatnonzero((labels < lowest) | (labels >= source.num_classes))
  if not wrong.size:
    return
  label, place = int(labels[wrong[0]]), int(index[wrong[0]])
  example = source.describe(place)
  if label == -1:
    raise DataError(
      f'{example} has no label (-1), met at step {step}: nothing can be learned from '
      'it; train on a split without such examples: --config.data.train_split='
    )
  raise DataError(
    f'{example} has the label {label}, met at step {step}: the {source.num_classes:,} '
    f'classes of {source.name} have 0 to {source.num_classes - 1}; repair the data, or '
    'choose a split without this example, such as '
    f"'{source.split}[:{place}]+{source.split}[{place + 1}:]'"
  )


def _check_pixels(source, step, index, batch):
  """Raises for pixels of a class that is not there."""
  if (masks := batch.get('segmentation')) is None:
    return
  if not (wrong := masks >= source.num_classes).any():
    return
  wrong &= masks != marks.UNCOUNTED
  rows = np.flatnonzero(wrong.any(axis=(1, 2)))
  if rows.size:
    raise DataError(
      f'the mask of {source.describe(int(index[rows[0]]))}, met at step {step}, has an '
      f'id that is none of the {source.num_classes:,} classes: --job=check_data lists '
      'such masks; add the id to the label map, or repair the mask'
    )


def _calls(threads):
  """Images in work at once: more than threads, so that none waits for the next one.

  tf.data.AUTOTUNE settles on as many as threads, and every image then costs 5 % more.
  """
  return 2 * (threads or os.cpu_count())


def _configured(batches, threads, prefetch):
  options = tf.data.Options()
  options.deterministic = True
  # Images are what is done in parallel: cutting up the work on each of them as well
  # costs 4 % of all.
  options.threading.max_intra_op_parallelism = 1
  options.experimental_warm_start = True  # read ahead from the beginning
  if threads:
    options.threading.private_threadpool_size = threads
  return batches.prefetch(prefetch).with_options(options)


def _nothing(shape, fields):
  return {
    **{
      name: np.zeros((0, *spec.shape), spec.dtype.as_numpy_dtype)
      for name, spec in fields.items()
    },
    'image': np.zeros((0, *shape), np.float32),
    'mask': np.zeros(0, np.float32),
    'index': np.zeros(0, np.int64),
  }


def _padded(batch, size):
  missing = size - len(batch['index'])
  if not missing:
    return batch
  padded = {}
  for name, array in batch.items():
    width = [(0, missing)] + [(0, 0)] * (array.ndim - 1)
    fill = -1 if name == 'index' else marks.NOTHING.get(name, 0)
    padded[name] = np.pad(array, width, constant_values=fill)
  return padded
