"""COCO's numbers, against pycocotools and where they are known."""

import contextlib
import io
import math

import numpy as np
import pytest

from mobilenet.tasks.detection import average_precision
from tests.tasks.detection.made_examples import LEFT, RIGHT, examples

TRUTH = [[(0, LEFT), (2, RIGHT)], [(1, RIGHT)], []]


def as_found(truth, score=0.9):
  return [[(label, box, score) for label, box in each] for each in truth]


def test_truth_as_detections_is_perfect():
  """Of every class, the first and the last included."""
  found = average_precision.of_examples(examples(TRUTH, as_found(TRUTH)))
  assert found.numbers['mAP'] == pytest.approx(100)
  assert found.precision.shape == (10, 101, 3)
  np.testing.assert_allclose(found.precision, 1)


def test_nothing_found_is_zero():
  found = average_precision.of_examples(examples(TRUTH, [[], [], []]))
  assert found.numbers['mAP'] == found.numbers['AR_100'] == 0


def test_without_boxes_there_is_no_number():
  found = average_precision.of_examples(examples([[]], [[(0, LEFT, 0.5)]]))
  assert list(found.numbers) == ['mAP']
  assert math.isnan(found.numbers['mAP'])


def test_a_class_without_boxes_counts_in_no_mean():
  kept = examples([[(2, LEFT)]], [[(2, LEFT, 0.9), (0, RIGHT, 0.8)]])
  found = average_precision.of_examples(kept)
  assert found.numbers['mAP'] == pytest.approx(100)
  assert np.isnan(found.precision[:, :, :2]).all()


def test_axes_are_not_exchanged():
  """A picture of 50 x 200 pixels: a box of 20 x 20 is small, one of 20 x 60 is not."""
  square, wide = (0.1, 0.1, 0.5, 0.2), (0.1, 0.5, 0.5, 0.8)
  kept = examples([[(0, square), (0, wide)]], [[(0, square, 0.9)]], size=(50, 200))
  numbers = average_precision.of_examples(kept).numbers
  assert numbers['AR_small'] == pytest.approx(100)
  assert numbers['AR_medium'] == 0
  assert 'AR_large' not in numbers


def test_what_lies_in_a_crowd_is_no_error():
  truth = [[(0, LEFT), (0, RIGHT)]]
  inside = (0.3, 0.6, 0.5, 0.8)
  found = [[(0, inside, 0.95), (0, LEFT, 0.9)]]
  with_crowd = examples(truth, found, crowd=[(0, 1)])
  assert average_precision.of_examples(with_crowd).numbers['AP50'] == pytest.approx(100)
  assert average_precision.of_examples(examples(truth, found)).numbers['AP50'] < 60


def test_they_are_those_of_pycocotools():
  from pycocotools.coco import COCO
  from pycocotools.cocoeval import COCOeval

  draw = np.random.default_rng(0)
  boxes = np.sort(draw.uniform(size=(30, 6, 2, 2)), axis=2).reshape(30, 6, 4)
  near = np.clip(boxes + draw.normal(0, 0.03, boxes.shape), 0, 1)
  more = np.sort(draw.uniform(size=(30, 6, 2, 2)), axis=2).reshape(30, 6, 4)
  kept = {
    'boxes': boxes,
    'classes': draw.integers(-1, 3, (30, 6)),
    'crowd': draw.uniform(size=(30, 6)) < 0.1,
    'size': draw.integers(40, 400, (30, 2)),
    'found_boxes': np.concatenate([near, more], axis=1),
    'found_scores': draw.uniform(size=(30, 12)),
  }
  guessed = draw.integers(0, 3, (30, 6))
  same = np.maximum(kept['classes'], 0)
  kept['found_classes'] = np.concatenate([same, guessed], axis=1)
  found = average_precision.of_examples(kept)
  with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO()
    truth.dataset = average_precision._truth(kept)
    truth.createIndex()
    theirs = COCOeval(truth, truth.loadRes(average_precision._found(kept)), 'bbox')
    theirs.evaluate()
    theirs.accumulate()
    theirs.summarize()
  expected = dict(zip(average_precision.NAMES, 100 * theirs.stats, strict=True))
  assert found.numbers == pytest.approx(expected)
  assert 10 < found.numbers['mAP'] < 90
