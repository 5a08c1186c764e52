"""Boxes, masks, tags and answers of TFDS sets, by the features that TFDS documents.

Boxes: COCO, VOC and whatever else has objects with 'bbox' and 'label'
(https://www.tensorflow.org/datasets/catalog/coco). Masks: the sets in `MASKED`, and
whatever has a `LabeledImage`. Tags: CelebA's attributes, VOC's labels, and whatever
else has one of these two (https://www.tensorflow.org/datasets/catalog/celeb_a).
Answers: the classes that are right of a photo, none or several, as ImageNet's ReaL
labels have them (https://www.tensorflow.org/datasets/catalog/imagenet2012_real).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from input_pipeline import marks
from input_pipeline.annotated import mask_files
from input_pipeline.errors import DataError

# What is wanted of a set -> `Source.marks`.
NAMES = {'boxes': ('boxes',), 'masks': ('segmentation',), 'tags': ('tags',)}
# Boxes of a picture that are used where counting all would take hours. TensorFlow's
# Object Detection API trains with as many on COCO.
MOST_BOXES = 100
_COUNTED = 50_000  # examples of the largest set whose boxes are counted
# Path of a set -> its most boxes: both splits of a run ask for it.
_COUNTS: dict[str, int] = {}

# https://github.com/mcordts/cityscapesScripts, helpers/labels.py: id -> name of the 19
# classes that are evaluated.
_CITYSCAPES = {
  7: 'road',
  8: 'sidewalk',
  11: 'building',
  12: 'wall',
  13: 'fence',
  17: 'pole',
  19: 'traffic light',
  20: 'traffic sign',
  21: 'vegetation',
  22: 'terrain',
  23: 'sky',
  24: 'person',
  25: 'rider',
  26: 'car',
  27: 'truck',
  28: 'bus',
  31: 'train',
  32: 'motorcycle',
  33: 'bicycle',
}


class MaskedSet(NamedTuple):
  """A set with masks: the features, and (id, name) of the classes in their order.

  Ids that are not named do not count.
  """

  image: str
  mask: str
  classes: tuple[tuple[int, str], ...]


ANSWERS = 'real_label'  # the feature: a list of class labels

# Name of a set in TFDS -> its masks.
MASKED = {
  'cityscapes': MaskedSet(
    'image_left', 'segmentation_label', tuple(_CITYSCAPES.items())
  ),
  # A trimap; 3 is the border, which its makers leave out.
  'oxford_iiit_pet': MaskedSet(
    'image', 'segmentation_mask', ((2, 'background'), (1, 'pet'))
  ),
}


class Marked(NamedTuple):
  """What a set is opened with.

  image: name of its feature. class_names: of the marks. read: a decoded example -> the
  marks. notes: lines for a person.
  """

  image: str
  class_names: tuple[str, ...]
  read: Callable[[dict], dict]
  notes: tuple[str, ...] = ()


def of_set(builder, name: str, wants: str) -> Marked:
  """The boxes, masks, tags or answers of a prepared set.

  Raises:
    DataError: it has none.
  """
  how = {'boxes': _boxes, 'masks': _masks, 'tags': _tags, 'answers': _answers}
  return how[wants](builder, name)


def _features(builder) -> dict:
  """By name; of a set that has one without a name, none."""
  features = builder.info.features
  return dict(features.items()) if hasattr(features, 'items') else {}


def _boxes(builder, name):
  features = _features(builder)
  objects = getattr(features.get('objects'), 'feature', None)
  if not hasattr(objects, 'keys') or not {'bbox', 'label'} <= set(objects):
    raise DataError(
      f"{name} has no boxes: it needs a feature 'objects' with 'bbox' and 'label', and "
      f'has {", ".join(sorted(features))}'
    )
  total = sum(split.num_examples for split in builder.info.splits.values())
  notes = ()
  if total > _COUNTED:
    most = MOST_BOXES
    notes = (f'of a picture with more than {most} boxes the first {most} are used',)
  else:
    most = _most_boxes(builder)

  def read(example):
    found = example['objects']
    boxes = tf.clip_by_value(found['bbox'], 0.0, 1.0)
    labels = tf.cast(found['label'], tf.int32)
    crowd = found.get('is_crowd', tf.zeros_like(labels, tf.bool))
    kept = tf.reduce_all(boxes[:, 2:] > boxes[:, :2], axis=1) & (labels >= 0)
    own = {'boxes': boxes, 'classes': labels, 'crowd': tf.cast(crowd, tf.bool)}
    own = {part: tf.boolean_mask(own[part], kept)[:most] for part in own}
    return marks.padded(own, most)

  return Marked('image', tuple(objects['label'].names), read, notes)


def _answers(builder, name):
  features = _features(builder)
  labels = getattr(features.get(ANSWERS), 'feature', None)
  if not isinstance(labels, tfds.features.ClassLabel):
    raise DataError(
      f'{name} has no {ANSWERS!r}, a list of the classes that are right; it has '
      f'{", ".join(sorted(features))}'
    )

  def read(example):
    right = tf.cast(example[ANSWERS], tf.int32)[:, None]
    none = tf.zeros([labels.num_classes], tf.uint8)
    ones = tf.ones_like(right[:, 0], tf.uint8)
    return {'answers': tf.tensor_scatter_nd_max(none, right, ones)}

  return Marked('image', tuple(labels.names), read)


def _most_boxes(builder) -> int:
  """The most boxes of a picture, of all splits; all records are read for it, once."""
  path = str(builder.data_path)
  if path not in _COUNTS:
    _COUNTS[path] = max(map(functools.partial(_most_of, builder), builder.info.splits))
  return _COUNTS[path]


def _most_of(builder, split):
  skip = {'image': tfds.decode.SkipDecoding()}

  def count(record):
    example = builder.info.features.deserialize_example(record, decoders=skip)
    return tf.shape(example['objects']['label'])[0]

  files = [str(file) for file in builder.info.splits[split].filepaths]
  counts = tf.data.TFRecordDataset(files).map(count, tf.data.AUTOTUNE)
  return int(counts.reduce(1, tf.maximum))


def _masks(builder, name):
  features = _features(builder)
  known = MASKED.get(builder.name) or _labelled_image(features)
  if known is None or not {known.image, known.mask} <= set(features):
    raise DataError(
      f'{name} has no masks that are known here: those of {", ".join(MASKED)} are, and '
      f'features of the kind LabeledImage; it has {", ".join(sorted(features))}'
    )
  table = np.full(256, marks.UNCOUNTED, np.uint8)
  for label, (identity, _) in enumerate(known.classes):
    table[identity] = label
  if builder.name not in MASKED:
    table[table == marks.UNCOUNTED] = mask_files.UNKNOWN
    table[marks.UNCOUNTED] = marks.UNCOUNTED
  lookup = tf.constant(table)

  def read(example):
    ids = tf.cast(example[known.mask][..., 0], tf.int32)
    return {'segmentation': tf.gather(lookup, ids)}

  return Marked(known.image, tuple(name for _, name in known.classes), read)


def _labelled_image(features):
  """The only `LabeledImage` of a set, with the only other image."""
  masks = [n for n in features if isinstance(features[n], tfds.features.LabeledImage)]
  images = [
    n
    for n in features
    if isinstance(features[n], tfds.features.Image) and n not in masks
  ]
  if len(masks) != 1 or len(images) != 1:
    return None
  return MaskedSet(images[0], masks[0], tuple(enumerate(features[masks[0]].names)))


def _tags(builder, name):
  """Yes or no of several attributes, or a list of the labels that hold."""
  features = _features(builder)
  attributes = features.get('attributes')
  if hasattr(attributes, 'keys') and 'image' in features:
    names = tuple(attributes.keys())

    def attributes_of(example):
      own = [tf.cast(example['attributes'][name], tf.float32) for name in names]
      return {'tags': tf.stack(own)}

    return Marked('image', names, attributes_of)
  labels = getattr(features.get('labels'), 'feature', None)
  if not isinstance(labels, tfds.features.ClassLabel) or 'image' not in features:
    raise DataError(
      f"{name} has no tags that are known here: it needs 'attributes' that are yes or "
      "no, or 'labels' that are a list of classes, and has "
      f'{", ".join(sorted(features))}'
    )

  def labels_of(example):
    each = tf.one_hot(example['labels'], labels.num_classes, True, False)
    return {'tags': tf.cast(tf.reduce_any(each, axis=0), tf.float32)}

  return Marked('image', tuple(labels.names), labels_of)
