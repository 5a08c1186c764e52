"""Classes numbered as somebody else numbers them: of labels, answers, boxes or tags."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from input_pipeline.source import Source


def renumbered(
  source: Source, class_names: Sequence[str], places: Sequence[int]
) -> Source:
  """The source with the class numbers, and the class names, of somebody else.

  Args:
    source: of labels, of several right answers or of boxes.
    class_names: M names in the order that is wanted.
    places: the number, 0..M-1, that each class of the source gets. Boxes of some of the
      classes have no count for the others.
  """
  wanted, places = tuple(class_names), tuple(places)

  def moved(values):
    if values is None:
      return None
    found = [0] * len(wanted)
    for place, value in zip(places, values, strict=True):
      found[place] = value
    return tuple(found)

  return dataclasses.replace(
    source,
    num_classes=len(wanted),
    class_names=wanted,
    read=_reading(source.read, places, len(wanted)),
    labels=source.labels and tuple(places[label] for label in source.labels),
    class_counts=moved(source.class_counts),
    category_ids=moved(source.category_ids),
  )


def renumbered_tags(source: Source, class_names: Sequence[str]) -> Source:
  """The source of tags with those of somebody else, matched by their names.

  Tags that it lacks are unknown there, and those that nobody wants are left out.
  """
  own, wanted = source.class_names, tuple(class_names)
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


def _reading(read, places, count):
  def numbers(own):
    """-1, which says that there is none, stays; no class becomes no class."""
    import tensorflow as tf  # reading has loaded it

    known = (own >= 0) & (own < len(places))
    found = tf.gather(tf.constant(places, own.dtype), tf.where(known, own, 0))
    return tf.where(known, found, tf.where(own < 0, own, own + count))

  def answers(own):
    import tensorflow as tf

    where = tf.constant(places)[:, None]
    return tf.tensor_scatter_nd_max(tf.zeros([count], own.dtype), where, own)

  moving = {'label': numbers, 'classes': numbers, 'answers': answers}

  def read_moved(item):
    example = read(item)
    moved = {
      name: move(example[name]) for name, move in moving.items() if name in example
    }
    return {**example, **moved}

  return read_moved
