"""The photos of examples as they are, for people: before any op, upright."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from input_pipeline import decoding
from input_pipeline.order import eval_order
from input_pipeline.source import Source


def originals(
  source: Source, indexes: Sequence[int], *, max_side: int = 320
) -> list[np.ndarray]:
  """Pictures of some examples, in the order of `indexes`.

  Args:
    source: an opened split.
    indexes: places in the split, of examples that can be read.
    max_side: px; larger pictures are shrunk.

  Returns:
    uint8 (height, width, 3) arrays.
  """
  wanted = {int(index) for index in indexes}
  found: dict[int, np.ndarray] = {}
  for index, item in _items(source, wanted):
    example = source.read(item)
    if 'encoded' in example:
      image = decoding.decode(example['encoded'])
    else:
      image = decoding.three_channels(example['image'])
    found[index] = _no_larger(image, max_side).numpy()
  return [found[int(index)] for index in indexes]


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


def _no_larger(image: tf.Tensor, side: int) -> tf.Tensor:
  longest = max(image.shape[:2])
  if longest <= side:
    return image
  shape = [max(1, round(side * length / longest)) for length in image.shape[:2]]
  small = tf.image.resize(image, shape, 'area')
  return tf.cast(tf.round(small), tf.uint8)
