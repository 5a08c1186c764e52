"""Boxes of known classes, numbered as somebody else numbers them."""

import dataclasses
from collections.abc import Sequence

from input_pipeline.source import Source


def renumbered(source: Source, class_names: Sequence[str]) -> Source:
  """The source with its classes in another order, matched by their names.

  Annotations number classes in their own ways: VOC's are sorted, COCO's go by ids. A
  source of other data than boxes, or of other names, comes back as it is.

  Args:
    source: of boxes.
    class_names: its names in the order that is wanted.
  """
  own, wanted = source.class_names, tuple(class_names)
  unique = len(set(own)) == len(own)
  if 'boxes' not in source.marks or own == wanted or not unique:
    return source
  if sorted(own) != sorted(wanted):
    return source
  places = [own.index(name) for name in wanted]
  # The last is for -1, where there is no box.
  table = [*(wanted.index(name) for name in own), -1]

  def read(item):
    import tensorflow as tf  # reading has loaded it

    example = source.read(item)
    number = example['classes']
    number = tf.where(number < 0, len(own), number)
    return {**example, 'classes': tf.gather(tf.constant(table, tf.int32), number)}

  def moved(values):
    return values and tuple(values[place] for place in places)

  return dataclasses.replace(
    source,
    class_names=wanted,
    read=read,
    class_counts=moved(source.class_counts),
    category_ids=moved(source.category_ids),
  )
