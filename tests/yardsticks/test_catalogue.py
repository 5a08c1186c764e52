"""The table of yardsticks against what TFDS knows of the sets."""

import pytest

from mobilenet.training.errors import TrainingError
from mobilenet.weights import class_names
from mobilenet.yardsticks import catalogue
from mobilenet.yardsticks.catalogue import YARDSTICKS


def test_labels_are_those_of_imagenet(tmp_path):
  """All of TFDS' sets have the 1,000 ids in their order, however few they hold."""
  import tensorflow_datasets as tfds

  ids = [wnid for wnid, _ in class_names.imagenet()]
  for row in YARDSTICKS.values():
    features = tfds.builder(row.tfds, data_dir=tmp_path).info.features
    if row.labels == catalogue.ANSWERS:
      labels = features['real_label'].feature
    else:
      labels = features['label']
    assert labels.names == ids


def test_sets_are_chosen_by_name():
  assert catalogue.chosen(None) == tuple(YARDSTICKS)
  assert catalogue.chosen('imagenet_r, imagenet_a') == ('imagenet_r', 'imagenet_a')
  with pytest.raises(
    TrainingError, match="'imagenet_s' is unknown; did you mean image"
  ):
    catalogue.chosen('imagenet_s')
  with pytest.raises(TrainingError, match='names a set twice'):
    catalogue.chosen('imagenet_a,imagenet_a')


def test_what_is_missing_is_one_line():
  assert catalogue.how_to_prepare(['imagenet_v2', 'imagenet_real'], '/sets') == (
    'not here: imagenet_v2, imagenet_real; `tfds build imagenet_v2/matched-frequency '
    'imagenet2012_real --data_dir=/sets` prepares them (ILSVRC2012_img_val.tar of '
    'image-net.org has to be in /sets/downloads/manual first); or put class folders '
    'named by WordNet id into imagenet-v2 of /sets'
  )
  assert catalogue.how_to_prepare(['imagenet_r'], '') == (
    'not here: imagenet_r; `tfds build imagenet_r` prepares them; or put class folders '
    'named by WordNet id into imagenet-r of one folder, and give that as --data_dir'
  )
  assert 'class folders' not in catalogue.how_to_prepare(['imagenet_real'], '')
