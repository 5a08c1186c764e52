"""TFRecord files: read and counted; the damaged one is found when reading fails."""

import os

import tensorflow as tf

from input_pipeline.errors import some
from input_pipeline.source import FileSlice, Source

# A set with fewer examples would be another set: nothing is left out for a file.
_REMEDY = 'put a whole copy there and give the same command again'


def records(filename, skip, take, start):
  """Data set of (index, record) of one slice; fails if the file has too few.

  TensorFlow takes a file that ends between two records, or in the first numbers of one,
  for a whole one: examples would be missing and nobody would know.
  """
  part = tf.data.TFRecordDataset(filename).skip(skip).take(take).enumerate(start)
  # Last: what reads ahead goes on after an error, and `enumerate` then says that it is
  # at its end.
  return part.apply(tf.data.experimental.assert_cardinality(take))


class Watch:
  """Knows which slices are begun and not ended, since errors name no file.

  It calls Python twice for each file, so it is used only after something has failed.
  """

  def __init__(self):
    self._begun: dict[tuple[str, int], None] = {}

  def records(self, filename, skip, take, start):
    """As the function `records`."""

    def begin(name, first):
      self._begun[name.decode(), int(first)] = None
      return name

    def end(name, first):
      self._begun.pop((name.decode(), int(first)), None)
      return False

    name = tf.numpy_function(begin, [filename, start], tf.string)
    found = records(tf.ensure_shape(name, []), skip, take, start)
    # No element, but it is asked for one when the records have come to their end.
    nothing = tf.data.Dataset.from_tensors((filename, start)).filter(
      lambda *slice_: tf.ensure_shape(tf.numpy_function(end, slice_, tf.bool), [])
    )
    return found.concatenate(nothing.map(lambda name, first: (first, name)))

  def damage(self, source: Source, slices: tuple[FileSlice, ...]) -> str | None:
    """What is wrong with the first damaged slice among those; None if none is."""
    by_place = {(part.filename, part.start): part for part in slices}
    for place in list(self._begun):
      if place in by_place and (said := _damage(source, by_place[place])):
        return said
    return None


def missing(name: str, files: list[str]) -> str | None:
  """Names the files of a set that are not there; None if all are.

  A folder is listed once: asking for each of a thousand files takes long on a store
  that is far away.
  """
  files = list(dict.fromkeys(files))
  listed = {}
  for folder in {os.path.dirname(path) for path in files}:
    try:
      listed[folder] = set(tf.io.gfile.listdir(folder))
    except tf.errors.OpError:
      listed[folder] = set()
  gone = [
    path
    for path in files
    if os.path.basename(path) not in listed[os.path.dirname(path)]
  ]
  if not gone:
    return None
  return (
    f'{len(gone):,} of the {len(files):,} record files of {name} are not there: '
    f'{some(gone)}; {_REMEDY}'
  )


def _damage(source, part):
  """What is wrong with a slice, and which examples it costs."""
  path, wanted = part.filename, part.skip + part.take
  good = 0
  try:
    for _ in tf.data.TFRecordDataset(path).take(wanted):
      good += 1
    if good == wanted:
      return None
    what = f'{path} ends after {good:,} of {wanted:,} records'
  except tf.errors.NotFoundError:
    what = f'{path} is gone'
  except tf.errors.DataLossError as error:
    how = 'cut off' if 'truncated' in error.message else 'damaged'
    what = f'{path} is {how} in record {good + 1:,} of {wanted:,}'
  except tf.errors.OpError as error:
    what = f'{path} cannot be read: {error.message.rpartition("; ")[2]}'
  first = part.start + max(good - part.skip, 0)
  last = part.start + part.take - 1
  lost = source.describe(first)
  if first < last:
    lost += f' to {source.describe(last)}'
  return f'{what}, so that {lost} cannot be read; {_REMEDY}'
