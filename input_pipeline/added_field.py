"""A source whose examples carry one more field, such as what a teacher says of them."""

import dataclasses

import numpy as np
import tensorflow as tf

from input_pipeline.errors import DataError
from input_pipeline.source import Source


def with_field(source: Source, name: str, values: np.ndarray) -> Source:
  """The same source; every example has a row of `values` under `name` besides.

  Args:
    source: with random access.
    name: of a field that the source does not have.
    values: (num_examples, ...), in the order of the examples.

  Raises:
    DataError: the source is read in order, or has another number of examples.
  """
  if source.slices is not None:
    raise DataError(f'{source.name} is read in order: its examples take no more fields')
  if len(values) != source.num_examples:
    raise DataError(
      f'{len(values):,} values of {name} for the {source.num_examples:,} examples of '
      f'{source.name}'
    )
  rows = tf.constant(values)

  def read(index):
    return {**source.read(index), name: tf.gather(rows, index)}

  return dataclasses.replace(source, read=read)
