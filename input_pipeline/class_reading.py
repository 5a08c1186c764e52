"""Which classes a split has examples of, where only its records tell."""

import numpy as np
import tensorflow as tf

from input_pipeline.errors import DataError
from input_pipeline.order import eval_order
from input_pipeline.source import Source


def classes_there(source: Source) -> tuple[int, ...]:
  """The classes of a split's examples, ascending.

  Records are read for it, whole, but no image is decoded.

  Raises:
    DataError: a record cannot be read, or a label is no class.
  """
  if source.labels is not None:
    return tuple(sorted(set(source.labels)))
  examples, _ = eval_order(source, start=0, process_index=0, process_count=1)
  labels = examples.map(
    lambda epoch, index, item: source.read(item)['label'], tf.data.AUTOTUNE
  )
  found: set[int] = set()
  try:
    for batch in labels.batch(1024).as_numpy_iterator():
      found.update(np.unique(batch).tolist())
  except tf.errors.OpError as error:
    reason = (error.message or str(error)).splitlines()[0]
    raise DataError(f'the labels of {source.origin} cannot be read: {reason}') from None
  found.discard(-1)  # examples without a label
  if wrong := [n for n in sorted(found) if not 0 <= n < source.num_classes]:
    raise DataError(
      f'{source.name} has the label {wrong[0]}: its {source.num_classes:,} classes '
      f'have 0 to {source.num_classes - 1}; repair the data'
    )
  return tuple(sorted(found))
