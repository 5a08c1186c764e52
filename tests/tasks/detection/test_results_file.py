"""Detections in COCO's format: a data set's own tools must be able to read them."""

import json
import types

import numpy as np

from mobilenet.tasks import Evaluated
from mobilenet.tasks.detection import pages
from mobilenet.training.evaluation import Evaluation


def _evaluated(folder, image_ids, category_ids):
  kept = {
    'index': np.array([2, 0]),
    'size': np.array([[10, 20], [100, 50]]),
    'found_boxes': np.array([[[0.1, 0.2, 0.5, 0.6]], [[0, 0, 1, 1]]], np.float32),
    'found_scores': np.array([[0.75], [0.5]], np.float32),
    'found_classes': np.array([[1], [0]]),
  }
  examples = types.SimpleNamespace(
    image_ids=image_ids, category_ids=category_ids, describe=lambda n: f'{n}.jpg'
  )
  return Evaluated(folder, Evaluation({}, 2, 0, 0, kept), ('cat', 'dog'), examples)


def _written(folder, **ids):
  evaluated = _evaluated(folder, **ids)
  pages._write_detections(evaluated, evaluated.evaluation.predictions)
  return json.loads((folder / 'detections.json').read_text())


def test_ids_are_those_of_the_data(tmp_path):
  first, second = _written(tmp_path, image_ids=(7, 'b', 397), category_ids=(3, 17))
  assert (first['image_id'], first['category_id']) == (397, 17)
  assert first['bbox'] == [4, 1, 8, 4]  # x, y, width, height in pixels
  assert first['file_name'] == '2.jpg'
  assert (second['image_id'], second['category_id']) == (7, 3)


def test_without_ids_pictures_and_classes_are_numbered_from_1(tmp_path):
  first, second = _written(tmp_path, image_ids=(), category_ids=())
  assert (first['image_id'], first['category_id']) == (1, 2)
  assert (second['image_id'], second['category_id']) == (2, 1)
