"""Boxes, masks and answers of TFDS sets, by made sets with the documented features."""

import numpy as np
import pytest

from input_pipeline import DataError, eval_batches
from input_pipeline.annotated import tfds_marks
from input_pipeline.tfds_source import source_of
from tests import prepared_sets


def _picture(height=12, width=16):
  return np.full((height, width, 3), 90, np.uint8)


@pytest.fixture(scope='module')
def objects(tmp_path_factory):
  """As coco/2017 has them: no crowd in VOC."""
  import tensorflow_datasets as tfds

  def found(*rows):
    return [
      {'bbox': tfds.features.BBox(*box), 'label': label, 'is_crowd': crowd}
      for box, label, crowd in rows
    ]

  features = {
    'image': tfds.features.Image(encoding_format='jpeg'),
    'objects': tfds.features.Sequence(
      {
        'bbox': tfds.features.BBoxFeature(),
        'label': tfds.features.ClassLabel(names=['person', 'bicycle', 'car']),
        'is_crowd': np.bool_,
      }
    ),
  }
  one = ((0.25, 0.5, 0.75, 1.0), 2, True)
  flat = ((0.5, 0.5, 0.5, 0.6), 1, False)
  splits = {
    'train': [
      {'image': _picture(), 'objects': found(one)},
      {'image': _picture(10, 8), 'objects': found(flat, one)},
      {'image': _picture(), 'objects': []},
    ],
    'validation': [{'image': _picture(), 'objects': found(one, one, one, flat)}],
  }
  folder = tmp_path_factory.mktemp('tfds') / 'things' / '1.0.0'
  return prepared_sets.write(folder, 'things', features, splits)


def test_boxes_as_coco_has_them(objects):
  source = source_of(objects, 'things', 'train', 'boxes')
  assert source.class_names == ('person', 'bicycle', 'car')
  (batch,) = eval_batches(source, ops='resize(8)', batch_size=3)
  assert batch['boxes'].shape == (3, 4, 4)  # four in the other split
  assert batch['classes'].tolist() == [[2, -1, -1, -1]] * 2 + [[-1] * 4]
  assert batch['crowd'].tolist() == [[True] + [False] * 3] * 2 + [[False] * 4]
  np.testing.assert_allclose(batch['boxes'][1, 0], [0.25, 0.5, 0.75, 1.0])
  assert not batch['boxes'][:, 1:].any()
  assert batch['size'].tolist() == [[12, 16], [10, 8], [12, 16]]


def test_a_large_set_is_not_counted(objects, monkeypatch):
  monkeypatch.setattr(tfds_marks, '_COUNTED', 2)
  monkeypatch.setattr(tfds_marks, 'MOST_BOXES', 2)
  source = source_of(objects, 'things', 'validation', 'boxes')
  assert source.notes == ('of a picture with more than 2 boxes the first 2 are used',)
  (batch,) = eval_batches(source, ops='resize(8)', batch_size=1)
  assert batch['classes'].tolist() == [[2, 2]]


def test_masks_of_cityscapes_are_the_classes_that_are_evaluated(tmp_path):
  import tensorflow_datasets as tfds

  ids = np.array([[7, 8, 0], [33, 4, 26]], np.uint8).repeat(4, 0).repeat(4, 1)
  builder = prepared_sets.write(
    tmp_path / 'cityscapes' / '1.0.0',
    'cityscapes',
    {
      'image_left': tfds.features.Image(shape=(None, None, 3), encoding_format='png'),
      'segmentation_label': tfds.features.Image(
        shape=(None, None, 1), encoding_format='png'
      ),
    },
    {'train': [{'image_left': _picture(8, 12), 'segmentation_label': ids[..., None]}]},
  )
  source = source_of(builder, 'cityscapes', 'train', 'masks')
  assert source.num_classes == 19
  assert source.class_names[:2] == ('road', 'sidewalk')
  (batch,) = eval_batches(source, ops='pad((8, 12))', batch_size=1)
  assert batch['segmentation'][0, ::4, ::4].tolist() == [[0, 1, 255], [18, 255, 13]]


def test_the_border_of_a_pet_does_not_count(tmp_path):
  import tensorflow_datasets as tfds

  mask = np.array([[1, 2, 3]], np.uint8).repeat(4, 0).repeat(4, 1)
  builder = prepared_sets.write(
    tmp_path / 'oxford_iiit_pet' / '1.0.0',
    'oxford_iiit_pet',
    {
      'image': tfds.features.Image(),
      'label': tfds.features.ClassLabel(num_classes=37),
      'segmentation_mask': tfds.features.Image(
        shape=(None, None, 1), encoding_format='png'
      ),
    },
    {'train': [
      {'image': _picture(4, 12), 'label': 3, 'segmentation_mask': mask[..., None]}
    ]},
  )  # fmt: skip
  source = source_of(builder, 'oxford_iiit_pet', 'train', 'masks')
  assert source.class_names == ('background', 'pet')
  (batch,) = eval_batches(source, ops='pad((4, 12))', batch_size=1)
  assert batch['segmentation'][0, 0, ::4].tolist() == [1, 0, 255]
  assert source_of(builder, 'oxford_iiit_pet', 'train').num_classes == 37
  with pytest.raises(DataError, match="has no boxes: it needs a feature 'objects'"):
    source_of(builder, 'oxford_iiit_pet', 'train', 'boxes')


def test_a_set_without_masks_says_what_it_has(objects):
  with pytest.raises(DataError, match=r'things has no masks .* has image, objects'):
    source_of(objects, 'things', 'train', 'masks')


def test_answers_are_all_the_classes_that_are_right(tmp_path, objects):
  import tensorflow_datasets as tfds

  names = ['ash', 'birch', 'cedar']
  right = [[2, 0], [], [1], [1, 1]]
  builder = prepared_sets.write(
    tmp_path / 'real' / '1.0.0',
    'real',
    {
      'image': tfds.features.Image(),
      'original_label': tfds.features.ClassLabel(names=names),
      'real_label': tfds.features.Sequence(tfds.features.ClassLabel(names=names)),
    },
    {'validation': [
      {'image': _picture(), 'original_label': 0, 'real_label': own} for own in right
    ]},
  )  # fmt: skip
  source = source_of(builder, 'real', 'validation', 'answers')
  assert (source.class_names, source.num_classes) == (tuple(names), 3)
  assert source.marks == ()
  (batch,) = eval_batches(source, ops='resize(8)', batch_size=4)
  assert batch['answers'].tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 1, 0]]
  with pytest.raises(DataError, match="things has no 'real_label', a list of the cla"):
    source_of(objects, 'things', 'train', 'answers')


def test_attributes_of_faces_are_tags(tmp_path):
  import tensorflow_datasets as tfds

  names = ['Smiling', 'Bald']
  builder = prepared_sets.write(
    tmp_path / 'celeb_a' / '1.0.0',
    'celeb_a',
    {
      'image': tfds.features.Image(shape=(12, 16, 3), encoding_format='jpeg'),
      'attributes': dict.fromkeys(names, np.bool_),
    },
    {'train': [
      {'image': _picture(), 'attributes': {'Smiling': smiles, 'Bald': not smiles}}
      for smiles in (True, False)
    ]},
  )  # fmt: skip
  source = source_of(builder, 'celeb_a', 'train', 'tags')
  assert sorted(source.class_names) == sorted(names)
  assert (source.marks, source.fields) == (('tags',), None)
  (batch,) = eval_batches(source, ops='resize(8)', batch_size=2)
  smiling = batch['tags'][:, source.class_names.index('Smiling')]
  assert smiling.tolist() == [1, 0]
  assert (batch['tags'].sum(axis=1) == 1).all()


def test_labels_of_voc_are_tags(tmp_path):
  import tensorflow_datasets as tfds

  labels = tfds.features.ClassLabel(names=['cat', 'dog', 'car'])
  builder = prepared_sets.write(
    tmp_path / 'voc' / '1.0.0',
    'voc',
    {'image': tfds.features.Image(), 'labels': tfds.features.Sequence(labels)},
    {'train': [{'image': _picture(), 'labels': own} for own in ([2, 0], [])]},
  )
  source = source_of(builder, 'voc', 'train', 'tags')
  assert source.class_names == ('cat', 'dog', 'car')
  (batch,) = eval_batches(source, ops='resize(8)', batch_size=2)
  assert batch['tags'].tolist() == [[1, 0, 1], [0, 0, 0]]


def test_a_set_without_tags_says_what_it_has(objects):
  with pytest.raises(DataError, match=r'things has no tags .* has image, objects'):
    source_of(objects, 'things', 'train', 'tags')
