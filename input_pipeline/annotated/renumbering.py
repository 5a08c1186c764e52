"""Boxes of known classes, and known tags, numbered as somebody else numbers them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from input_pipeline.source import Source


def renumbered(source: Source, class_names: Sequence[str]) -> Source:
  """The source with its classes in another order, matched by their names.

  Annotations number classes in their own ways: VOC's are sorted, COCO's go by ids. A
  source of other data than boxes or tags, or of other names, comes back as it is. Of
  tags a file may lack some, which are unknown then, and have others, which are left
  out.

  Args:
    source: of boxes or tags.
    class_names: its names in the order that is wanted.
  """
  own, wanted = source.class_names, tuple(class_names)
  unique = len(set(own)) == len(own)
  if 'tags' in source.marks:
    return _tags(source, wanted)
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


def _tags(source: Source, wanted: tuple[str, ...]) -> Source:
  own = source.class_names
  if own == wanted or not set(own) & set(wanted):
    return source
  # The place behind the last holds what is unknown.
  places = [own.index(name) if name in own else len(own) for name in wanted]

  def read(item):
    import tensorflow as tf  # reading has loaded it

    example = source.read(item)
    known = tf.concat([example['tags'], [-1.0]], axis=0)
    return {**example, 'tags': tf.gather(known, places)}

  fields, counts = source.fields, source.class_counts
  if fields is not None:
    unknown = -np.ones((len(fields['tags']), 1), np.float32)
    own_fields = np.concatenate([fields['tags'], unknown], axis=1)
    fields = {**fields, 'tags': own_fields[:, places]}
  return dataclasses.replace(
    source,
    num_classes=len(wanted),
    class_names=wanted,
    read=read,
    fields=fields,
    class_counts=counts and tuple((*counts, 0)[place] for place in places),
  )
