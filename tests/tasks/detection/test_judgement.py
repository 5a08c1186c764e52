"""Which detections are right, and what a threshold comes to."""

import math

import numpy as np
import pytest

from mobilenet.tasks.detection import judgement
from tests.tasks.detection.made_examples import LEFT, RIGHT, examples

ELSEWHERE = (0.7, 0.0, 1.0, 0.05)


def judged(truth, found, **kwargs):
  kept = examples(truth, found, **kwargs)
  return kept, judgement.judge(kept)


def test_the_better_of_two_has_found_a_box():
  _, found = judged([[(0, LEFT)]], [[(0, LEFT, 0.4), (0, LEFT, 0.8)]])
  assert found.right[0, :2].tolist() == [False, True]
  assert found.found[0, 0] == pytest.approx(0.8)


def test_a_detection_of_another_class_finds_nothing():
  _, found = judged([[(0, LEFT)]], [[(1, LEFT, 0.9)]])
  assert not found.right.any()
  assert found.found[0, 0] == 0


def test_in_a_crowd_nothing_is_wrong_and_nothing_is_to_be_found():
  kept, found = judged(
    [[(0, LEFT), (0, RIGHT)]],
    [[(0, RIGHT, 0.9), (0, ELSEWHERE, 0.8)]],
    crowd=[(0, 1)],
  )
  assert found.there.sum() == 1
  assert found.counts[0, :2].tolist() == [False, True]
  assert judgement.errors(found, kept['found_scores'], 0.5).tolist() == [[1, 1]]


def test_the_best_score_keeps_the_right_ones_alone():
  kept, found = judged(
    [[(0, LEFT), (0, RIGHT)], []],
    [[(0, LEFT, 0.9), (0, RIGHT, 0.6), (0, ELSEWHERE, 0.3)], [(0, LEFT, 0.2)]],
  )
  points = judgement.curve(found, kept['found_scores'])
  assert [round(p.score, 5) for p in points] == [0.9, 0.6, 0.3, 0.2]
  assert [p.recall for p in points] == [0.5, 1, 1, 1]
  assert [p.precision for p in points] == pytest.approx([1, 1, 2 / 3, 0.5])
  best = judgement.best(points)
  assert best.score == pytest.approx(0.6)
  assert best.f1 == 1
  errors = judgement.errors(found, kept['found_scores'], 0.15)
  assert errors.tolist() == [[0, 1], [0, 1]]
  assert judgement.errors(found, kept['found_scores'], 0.7).tolist() == [[1, 0], [0, 0]]
  recall = judgement.recall_of_class(found, kept['classes'], 0, 0.7)
  assert recall == 0.5
  assert math.isnan(judgement.recall_of_class(found, kept['classes'], 1, 0.7))


def test_without_a_right_one_there_is_no_best():
  kept, found = judged([[(0, LEFT)]], [[(0, ELSEWHERE, 0.9)]])
  assert judgement.best(judgement.curve(found, kept['found_scores'])) is None
  nothing = np.zeros((1, 8))
  kept, found = judged([[(0, LEFT)]], [[]])
  assert judgement.curve(found, nothing) == []
  assert judgement.best([]) is None
