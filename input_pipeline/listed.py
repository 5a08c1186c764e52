"""A source of photos that somebody listed, with what is said of each."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from input_pipeline.source import Source


def source_of(
  name: str,
  root: str | os.PathLike,
  parts: Sequence[str],
  photos: Sequence[str],
  fields: Mapping[str, np.ndarray],
  class_names: Sequence[str],
  **known,
) -> Source:
  """A source with random access.

  Args:
    name: of the kind of data, 'tags' or 'places'.
    root: the folder.
    parts: of the split that was asked for.
    photos: paths relative to the folder, N.
    fields: what a batch carries besides, (N, ...) each.
    class_names: what the network's outputs stand for.
    **known: other fields of `Source`: by_seed, labels, notes, class_counts, marks.
  """
  base = f'{root}{os.sep}'
  paths = tf.constant([os.fsencode(base + photo) for photo in photos])
  rows = {field: tf.constant(values) for field, values in fields.items()}

  def read(index):
    own = {field: tf.gather(values, index) for field, values in rows.items()}
    return {'encoded': tf.io.read_file(tf.gather(paths, index)), **own}

  def describe(index):
    # A name may hold bytes that are no text, and what is described is printed.
    return (base + photos[index]).encode('utf-8', 'backslashreplace').decode()

  return Source(
    name=name,
    split='+'.join(parts),
    num_examples=len(photos),
    num_classes=len(class_names),
    class_names=tuple(class_names),
    describe=describe,
    read=read,
    origin=os.path.realpath(root),
    names=tuple(photos),
    fields=fields,
    **known,
  )
