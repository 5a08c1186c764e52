"""The photos of examples as they are, for people: before any op, upright."""

import functools
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from input_pipeline import decoding, recovery
from input_pipeline.errors import DataError
from input_pipeline.order import eval_order
from input_pipeline.source import Source


def originals(
  source: Source, indexes: Sequence[int], field: str = 'image'
) -> Iterator[tuple[int, np.ndarray]]:
  """Pictures of some examples, one in memory at a time, in the order of the split.

  Args:
    source: an opened split.
    indexes: places in the split, of examples that can be read.
    field: 'image', or 'segmentation' for the masks.

  Yields:
    (index, uint8 (height, width, 3)), of masks (height, width).

  Raises:
    DataError: by then one cannot be read.
  """
  wanted = {int(index) for index in indexes}
  try:
    for index, item in _items(source, wanted):
      yield (
        index,
        recovery.patiently(
          functools.partial(_picture, source, item, field), source, index
        ),
      )
  except tf.errors.OpError as error:  # of a record file
    raise DataError(
      f'{source.name} cannot be read: {recovery.first_line(error)}'
    ) from error


def _picture(source, item, field):
  example = source.read(item)
  if field != 'image':
    return example[field].numpy()
  if 'encoded' in example:
    return decoding.decode(example['encoded']).numpy()
  return decoding.three_channels(example['image']).numpy()


def _items(source: Source, wanted: set[int]):
  """(index, what `source.read` takes) of the wanted examples."""
  if source.slices is None:
    for index in sorted(wanted):
      yield index, tf.constant(index, tf.int64)
    return
  # Records are read in order and only the wanted ones are decoded.
  order, _ = eval_order(source, start=0, process_index=0, process_count=1)
  left = len(wanted)
  for _, index, record in order:
    if not left:
      return
    if int(index) in wanted:
      left -= 1
      yield int(index), record
