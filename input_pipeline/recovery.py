"""Unreadable images: noticed, named, counted, replaced; a run survives a few.

As long as everything can be read, none of this costs anything: the pipeline is built
without guards, and once more with them only when something failed.
"""

import re

import numpy as np
import tensorflow as tf

from input_pipeline import retries
from input_pipeline.errors import DataError, some

# What says where in a graph an error arose, before what it is.
_OF_GRAPH = re.compile(r'^Error in user-defined function .*? with iterator: \S+: ')
_OP = re.compile(r' \[Op:\w+\].*$')  # and after it
# What TensorFlow raises while a store is away: ESTALE is Aborted, and errors without a
# class of their own, as EIO, are Unknown.
_PASSING_ERRORS = (
  tf.errors.AbortedError,
  tf.errors.DeadlineExceededError,
  tf.errors.ResourceExhaustedError,
  tf.errors.UnavailableError,
  tf.errors.UnknownError,
)
# What TensorFlow raises for an image, a record or a file that cannot be read.
_READ_ERRORS = (
  tf.errors.InvalidArgumentError,
  tf.errors.NotFoundError,
  tf.errors.PermissionDeniedError,
  tf.errors.FailedPreconditionError,
  tf.errors.DataLossError,
)


def recovering(build, start, *, doubtful, damage):
  """(step, batch) of `build(step, guarded)`: fast until something cannot be read.

  Then the pipeline is built once more, guarded, at the very step that failed; its
  batches are the same, except for the examples that cannot be read. Where a store was
  away it is built once more after a while, as often as `retries` says, and the batches
  are those that it would have given at once. Reading begins now, not with the first
  batch that is asked for.

  Args:
    build: (step, guarded) -> data set of batches from that step on.
    start: first step.
    doubtful: a guarded batch -> (what, reason) if something in it may only be away for
      a while, else None.
    damage: () -> what is wrong with the files that are read, or None.
  """
  batches = build(start, False).as_numpy_iterator()
  return _recovering(build, start, batches, doubtful, damage)


def _recovering(build, step, batches, doubtful, damage):
  guarded, attempts = False, retries.Attempts()
  while True:
    try:
      batch = next(batches)
      away = doubtful(batch) if guarded else None
    except StopIteration:
      return
    except _PASSING_ERRORS as error:
      away = place_and_reason(error)
    except _READ_ERRORS as error:
      if guarded:
        reason = damage() or first_line(error)
        raise DataError(f'at step {step}: {reason}') from error
      guarded = True
      batches = build(step, guarded).as_numpy_iterator()
      continue
    if away is not None:
      attempts.failed(*away)
      batches = build(step, guarded).as_numpy_iterator()
      continue
    attempts.succeeded()
    yield step, batch
    step += 1


class Doubts:
  """Looks again at what a guarded batch leaves out: was only the store away?

  `attempt` drops an example for any reason. A store that is away is no reason to leave
  an example out.
  """

  def __init__(self, source, read):
    """read: (epoch, index, item) -> whatever is made of it, or raises."""
    self._source = source
    # In a graph, as in the pipeline: there a Python function's errors are TensorFlow's.
    self._read = tf.function(read, autograph=False)
    self._settled: set[int] = set()  # they cannot be read
    self._returned: set[int] = set()  # they could be read, alone

  def __call__(self, batch) -> tuple[str, str] | None:
    """(what, reason) if something is to be tried again, else None."""
    if self._source.slices is not None:
      return None  # records are in memory when they are attempted
    for row in np.flatnonzero(~batch['ok']):
      index = int(batch['index'][row])
      if index in self._settled:
        continue
      reason = self._reason_to_wait(index, batch['epoch'][row])
      if reason is not None:
        return self._source.describe(index), reason
      self._settled.add(index)
    return None

  def _reason_to_wait(self, index, epoch):
    place = tf.constant(index, tf.int64)
    try:
      self._read(tf.constant(epoch, tf.int64), place, place)
    except _PASSING_ERRORS as error:
      return place_and_reason(error)[1]
    except _READ_ERRORS:
      return None
    if index in self._returned:
      return None
    self._returned.add(index)
    return 'for a moment'


def patiently(read, source, index):
  """What `read` makes of one example; it is called again while a store is away.

  Raises:
    DataError: the example cannot be read; the message names it.
  """
  attempts, name = retries.Attempts(), source.describe(index)
  while True:
    try:
      return read()
    except _PASSING_ERRORS as error:
      attempts.failed(name, place_and_reason(error)[1])
    except (DataError, *_READ_ERRORS) as error:
      reason = place_and_reason(error)[1]
      raise DataError(f'{name} cannot be read: {reason}') from error


def attempt(read, fields, epoch, index, item):
  """(ok, image, fields, key) of a read that may fail; fields are specs by name.

  TensorFlow has no exceptions inside a graph; a data set of one element, dropped if it
  fails, comes closest. It costs 0.1 to 0.2 ms per image, which is why the guarded
  pipeline is built only once something could not be read.
  """
  tried = tf.data.Dataset.from_tensors((epoch, index, item)).map(
    lambda *element: (True, *read(*element))
  )
  failed = tf.data.Dataset.from_tensors(
    (
      False,
      tf.zeros([1, 1, 3], tf.uint8),
      {
        # As of the image, one pixel of a mask stands for any number.
        name: tf.zeros([side or 1 for side in spec.shape], spec.dtype)
        for name, spec in fields.items()
      },
      tf.zeros([2], tf.int64),
    )
  )
  either = tried.ignore_errors().concatenate(failed).take(1)
  return either.get_single_element()


_POSITION = ('ok', 'epoch', 'index')  # of a place, whatever is put there


def replace_unreadable(batch):
  """Each unreadable example by the next readable one, going round the batch."""
  ok = batch['ok']
  size = tf.shape(ok)[0]
  content = {name: batch[name] for name in batch if name not in _POSITION}

  def replaced():
    # Row i: the places i, i+1, ... in turn; the first readable one is taken.
    turn = (tf.range(size)[:, None] + tf.range(size)[None, :]) % size
    steps = tf.argmax(tf.cast(tf.gather(ok, turn), tf.int32), axis=1)
    place = (tf.range(size) + tf.cast(steps, tf.int32)) % size
    return {name: tf.gather(values, place) for name, values in content.items()}

  mended = tf.cond(tf.reduce_all(ok), lambda: content, replaced)
  for name, values in mended.items():
    batch[name] = tf.ensure_shape(values, content[name].shape)
  return batch


def note(unreadable, source, indexes, limit):
  unreadable.update(source.describe(int(index)) for index in indexes)
  if len(unreadable) > limit:
    raise DataError(
      f'{len(unreadable)} unreadable images, more than the limit of {limit}: '
      f'{some(sorted(unreadable))}; repair or remove them, or raise '
      '--config.data.corrupt_limit'
    )


def first_line(error):
  text = getattr(error, 'message', None) or str(error)
  lines = [line for line in text.splitlines() if line.strip()]
  if not lines:
    return type(error).__name__
  line = _OF_GRAPH.sub('', lines[0].split('}} ')[-1])
  return _OP.sub('', line).strip()


def place_and_reason(error):
  """('photo.jpg', 'Input/output error'), as far as TensorFlow says."""
  place, _, reason = first_line(error).rpartition('; ')
  return place or 'the data', reason
