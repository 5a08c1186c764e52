"""Classes numbered as somebody else numbers them: of labels, answers or boxes."""

import dataclasses
from collections.abc import Sequence

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
