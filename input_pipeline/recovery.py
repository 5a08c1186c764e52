"""Unreadable images: noticed, named, counted, replaced; a run survives a few.

As long as everything can be read, none of this costs anything: the pipeline is built
without guards, and once more with them only when something failed.
"""

import tensorflow as tf

from input_pipeline.errors import DataError, some

# What TensorFlow raises for an image, a record or a file that cannot be read.
_READ_ERRORS = (
  tf.errors.InvalidArgumentError,
  tf.errors.NotFoundError,
  tf.errors.PermissionDeniedError,
  tf.errors.FailedPreconditionError,
  tf.errors.DataLossError,
  tf.errors.UnknownError,
)


def recovering(build, start):
  """(step, batch) of `build(step, guarded)`: fast until something cannot be read.

  Then the pipeline is built once more, guarded, at the very step that failed; its
  batches are the same, except for the examples that cannot be read. Reading begins now,
  not with the first batch that is asked for.
  """
  return _recovering(build, start, build(start, False).as_numpy_iterator())


def _recovering(build, step, batches):
  guarded = False
  while True:
    try:
      batch = next(batches)
    except StopIteration:
      return
    except _READ_ERRORS as error:
      if guarded:
        raise DataError(f'at step {step}: {first_line(error)}') from error
      guarded = True
      batches = build(step, guarded).as_numpy_iterator()
      continue
    yield step, batch
    step += 1


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
      {name: tf.zeros(spec.shape, spec.dtype) for name, spec in fields.items()},
      tf.zeros([2], tf.int64),
    )
  )
  either = tried.ignore_errors().concatenate(failed).take(1)
  return either.get_single_element()


def replace_unreadable(batch):
  """Each unreadable example by the next readable one, going round the batch."""
  ok = batch['ok']
  size = tf.shape(ok)[0]
  content = {name: batch[name] for name in batch if name not in ('ok', 'index')}

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
  return lines[0].split('}} ')[-1] if lines else type(error).__name__
