"""Thresholds of two classes against sklearn and counts by hand."""

import numpy as np
import pytest
import sklearn.metrics

from mobilenet.tasks.classification import thresholds
from mobilenet.training.errors import TrainingError

POSITIVE = np.array([True, True, True, True, False, False, False, False, False])
SCORES = np.array([0.9, 0.8, 0.4, 0.3, 0.7, 0.35, 0.2, 0.1, 0.05])


def test_one_threshold_by_hand():
  row = thresholds.at(0.4, POSITIVE, SCORES)
  assert (row.sensitivity, row.specificity) == (3 / 4, 4 / 5)
  assert (row.precision, row.flagged) == (3 / 4, 4 / 9)
  assert thresholds.at(0.95, POSITIVE, SCORES).precision is None


def test_curve_is_that_of_sklearn():
  rng = np.random.default_rng(0)
  positive = rng.random(300) < 0.3
  scores = np.round(rng.random(300) + 0.5 * positive, 2)  # with ties
  curve = thresholds.curve(positive, scores)
  false, true, at = sklearn.metrics.roc_curve(positive, scores, drop_intermediate=False)
  np.testing.assert_allclose(curve['sensitivity'], true[1:])
  np.testing.assert_allclose(1 - curve['specificity'], false[1:], atol=1e-12)
  np.testing.assert_allclose(curve['threshold'], at[1:])
  precision, _, _ = sklearn.metrics.precision_recall_curve(positive, scores)
  np.testing.assert_allclose(curve['precision'][::-1], precision[:-1])


def test_the_best_balanced_accuracy():
  found = thresholds.best_balanced(POSITIVE, SCORES)
  best = max(
    thresholds.at(t, POSITIVE, SCORES).sensitivity
    + thresholds.at(t, POSITIVE, SCORES).specificity
    for t in np.linspace(0, 1, 1001)
  )
  row = thresholds.at(found, POSITIVE, SCORES)
  assert row.sensitivity + row.specificity == best
  assert found == pytest.approx(0.25)  # between .3 and .2


def test_the_sensitive_threshold_is_the_highest_that_does():
  rng = np.random.default_rng(1)
  positive = rng.random(500) < 0.2
  scores = (rng.normal(size=500) + positive).astype(np.float32)
  scores = 1 / (1 + np.exp(-scores))
  found = thresholds.sensitive(positive, scores)
  assert thresholds.at(found, positive, scores).sensitivity >= 0.95
  above = np.nextafter(np.float32(found), np.float32(1))
  assert thresholds.at(above, positive, scores).sensitivity < 0.95


def test_marked_rows_are_in_the_table_which_goes_up():
  rows = thresholds.table(POSITIVE, SCORES, own=0.25)
  at = [row.threshold for row in rows]
  assert at == sorted(at)
  marks = {mark: row for row in rows for mark in row.mark.split('; ') if mark}
  assert set(marks) == {
    'even chances',
    'best balanced accuracy',
    'that of decision.json',
    'sensitivity 95 % or more',
  }
  assert marks['best balanced accuracy'] is marks['that of decision.json']
  assert marks['sensitivity 95 % or more'].sensitivity == 1
  assert marks['even chances'].threshold == 0.5


def test_the_positive_class_by_name():
  assert thresholds.positive_place(('ill', 'well'), '') == 1
  assert thresholds.positive_place(('ill', 'well'), 'ill') == 0
  assert thresholds.positive_place(('a', 'b', 'c'), '') == 1
  with pytest.raises(TrainingError, match=r'sick is no class .* choose ill or well'):
    thresholds.positive_place(('ill', 'well'), 'sick')
  with pytest.raises(TrainingError, match='is for two classes, the data has 3'):
    thresholds.positive_place(('a', 'b', 'c'), 'a')
