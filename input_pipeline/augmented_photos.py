"""What the training's augmentation makes of photos, for people to look at."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from input_pipeline import catalogue, decoding, keys
from input_pipeline.op_string import parse_ops
from input_pipeline.source import Source


def augmented(
  source: Source, indexes: Sequence[int], *, ops: str, seed: int, epochs: int
) -> list[list[np.ndarray]]:
  """For each photo, what training sees of it in its first epochs.

  The last ops, which change the value range and the order of the channels for the
  network alone, are left out.

  Args:
    source: an opened folder.
    indexes: places in the split, of photos that can be read.
    ops: op string of the training.
    seed: of the training; the same draws are shown as it makes.
    epochs: pictures for each photo.

  Returns:
    For each index `epochs` uint8 arrays (height, width, 3).

  Raises:
    DataError: a mistake in the op string.
  """
  shown = tuple(op for op in parse_ops(ops, 'train') if op.name not in _OF_NETWORK)
  base = keys.named_seed(seed, 'augment')

  @tf.function(autograph=False)
  def draw(index, epoch):
    example = source.read(index)
    key = keys.position_key(base, epoch, index)
    image = decoding.read_image(example, shown, key)
    image = decoding.apply_ops(image, shown, key, 'encoded' in example)
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)

  def number(value):
    return tf.constant(value, tf.int64)

  return [
    [draw(number(index), number(epoch)).numpy() for epoch in range(epochs)]
    for index in indexes
  ]


_OF_NETWORK = {'bgr', *catalogue.LAST_OPS}
