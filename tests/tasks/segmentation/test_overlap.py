"""Intersection over union by hand."""

import math

import numpy as np
import pytest

from mobilenet.tasks.segmentation import overlap

TRUTH = np.array([[[0, 0, 1], [1, 1, 255]], [[2, 2, 2], [2, 2, 2]]], np.uint8)
LABELS = np.array([[[0, 1, 1], [1, 0, 0]], [[2, 2, 0], [2, 2, 2]]])


def test_pixels_are_counted_by_class_and_answer():
  found = np.asarray(overlap.confusion(TRUTH, LABELS, 4))
  assert found.shape == (2, 4, 4)
  assert found.dtype == np.int32
  assert found[0, :2, :2].tolist() == [[1, 1], [1, 2]]
  assert found[0].sum() == 5  # 255 does not count
  assert (found[1, 2, 2], found[1, 2, 0]) == (5, 1)


def test_iou_of_classes():
  matrix = overlap.total(np.asarray(overlap.confusion(TRUTH, LABELS, 4)))
  assert matrix.dtype == np.int64
  # Of class 0 one pixel is right, and of either four; class 3 is nowhere.
  np.testing.assert_allclose(overlap.iou(matrix), [1 / 4, 2 / 4, 5 / 6, np.nan])
  np.testing.assert_allclose(overlap.recall(matrix), [1 / 2, 2 / 3, 5 / 6, np.nan])
  numbers = overlap.numbers(matrix)
  assert numbers['mIoU'] == pytest.approx(100 * (1 / 4 + 2 / 4 + 5 / 6) / 3)
  assert numbers['class_accuracy'] == pytest.approx(100 * (1 / 2 + 2 / 3 + 5 / 6) / 3)


def test_the_truth_as_answer_is_perfect_and_its_opposite_is_nothing():
  truth = np.array([[[0, 1], [1, 0]]])
  right, wrong = (
    overlap.numbers(overlap.total(np.asarray(overlap.confusion(truth, labels, 2))))
    for labels in (truth, 1 - truth)
  )
  assert right['mIoU'] == 100
  assert wrong['mIoU'] == 0


def test_where_no_pixel_counts_there_is_no_number():
  nothing = overlap.numbers(np.zeros((3, 3), np.int64))
  assert all(math.isnan(value) for value in nothing.values())
