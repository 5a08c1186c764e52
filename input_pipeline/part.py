"""A part of an opened split, as a split of its own."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from input_pipeline.source import Source


def part_of(source: Source, indexes: Sequence[int]) -> Source:
  """The examples of these numbers, in this order; example i is `indexes[i]`.

  Args:
    source: with random access.
    indexes: of its examples.
  """
  assert source.slices is None, f'{source.name} is read in the order of its files'
  places = np.asarray(indexes)
  rows = tf.constant(places, tf.int64)

  def taken(values):
    return values and tuple(values[place] for place in places)

  return dataclasses.replace(
    source,
    num_examples=len(places),
    read=lambda index: source.read(tf.gather(rows, index)),
    describe=lambda index: source.describe(int(places[index])),
    names=taken(source.names),
    labels=taken(source.labels),
    image_ids=taken(source.image_ids),
    class_counts=None,
    fields=source.fields
    and {name: np.asarray(values)[places] for name, values in source.fields.items()},
  )
