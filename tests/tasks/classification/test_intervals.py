"""Intervals against known numbers, and how often they hold what they promise."""

import numpy as np
import pytest
import sklearn.metrics

from mobilenet.tasks.classification import classes, intervals


def test_wilson_against_published_numbers():
  # Newcombe (1998), Table I, method 3: 81/263, 15/148, 0/20, 1/29.
  low, high = intervals.wilson([81, 15, 0, 1], [263, 148, 20, 29])
  np.testing.assert_allclose(low, [0.2553, 0.0624, 0.0, 0.0061], atol=5e-5)
  np.testing.assert_allclose(high, [0.3662, 0.1605, 0.1611, 0.1718], atol=5e-5)


def test_ten_of_ten_are_not_certain():
  low, high = intervals.wilson(10, 10)
  assert float(high) == 1
  assert float(low) == pytest.approx(0.7225, abs=1e-4)


def test_nothing_of_nothing_is_unknown():
  assert np.isnan(intervals.wilson([0], [0])).all()


@pytest.mark.parametrize(('number', 'share'), [(10, 0.9), (50, 0.98), (200, 0.5)])
def test_wilson_holds_the_true_share_in_about_95_of_100_cases(number, share):
  """A normal interval holds the first in 65 of 100 cases, so does a bootstrap."""
  hits = np.random.default_rng(0).binomial(number, share, size=20_000)
  low, high = intervals.wilson(hits, np.full(hits.shape, number))
  held = ((low <= share) & (share <= high)).mean()
  assert 0.92 < held < 0.99


def test_f1_intervals_hold_the_true_f1():
  """Of a class with 20 % of the photos, recall .7 and 5 % false alarms."""
  shares = np.array([0.2 * 0.7, 0.2 * 0.3, 0.8 * 0.05, 0.8 * 0.95])
  true = 2 * shares[0] / (2 * shares[0] + shares[1] + shares[2])
  drawn = np.random.default_rng(1).multinomial(150, shares, size=5000)
  right, missed, alarms, _ = drawn.T
  low, high = intervals.f1(right, right + missed, right + alarms)
  held = ((low <= true) & (true <= high)).mean()
  assert 0.93 < held < 0.98


def draw(rng, number, recall, shares):
  """Labels and predictions; wrong ones go to the next class."""
  labels = rng.choice(len(shares), number, p=shares)
  wrong = rng.random(number) > recall[labels]
  return labels, (labels + wrong) % len(shares)


@pytest.mark.parametrize(
  ('recall', 'shares', 'number', 'most'),
  [
    ((0.95, 0.8, 0.6), (0.6, 0.3, 0.1), 400, 0.99),
    ((0.95, 0.8, 0.6), (0.6, 0.3, 0.1), 60, 0.99),
    ((0.99, 0.97), (0.8, 0.2), 50, 0.99),  # mostly without a mistake
    ((0.98, 0.03, 0.99), (0.5, 0.2, 0.3), 60, 1),  # each nearly all right or all wrong
  ],
)
def test_the_interval_of_a_mean_holds_the_true_balanced_accuracy(
  recall, shares, number, most
):
  """Of few photos, near 0 and 100 %, such intervals hold somewhat less or more."""
  recall, rng, held = np.array(recall), np.random.default_rng(2), 0
  for _ in range(500):
    labels, predicted = draw(rng, number, recall, shares)
    matrix = classes.confusion_matrix(labels, predicted, len(shares))
    low, high = intervals.mean_share(np.diag(matrix), matrix.sum(axis=1))
    held += low <= recall.mean() <= high
  assert 0.91 <= held / 500 <= most


def test_the_mean_of_one_share_has_the_interval_of_the_share():
  expected = [float(end) for end in intervals.wilson(7, 9)]
  assert intervals.mean_share([7, 0], [9, 0]) == pytest.approx(expected)
  assert np.isnan(intervals.mean_share([0], [0])).all()


def test_the_interval_of_a_mean_by_hand():
  # Wilson of 10/10: 0.7225 to 1; of 0/10: 0 to 0.2775.
  assert intervals.mean_share([10, 0], [10, 10]) == pytest.approx(
    (0.5 - 0.2775 / 2, 0.5 + 0.2775 / 2), abs=1e-4
  )
  low, high = intervals.mean_share([10, 10], [10, 10])
  assert (low, high) == (pytest.approx(1 - 0.2775 / 2**0.5, abs=1e-4), 1)


def test_per_class_has_the_intervals_and_specificity_of_sklearn():
  rng = np.random.default_rng(4)
  labels, predicted = draw(rng, 200, np.array([0.9, 0.7, 0.8]), (0.5, 0.3, 0.2))
  rows, overall = classes.per_class(labels, predicted, None, 'abc')
  for place, row in enumerate(rows):
    specificity = sklearn.metrics.recall_score(labels != place, predicted != place)
    assert row['specificity'] == pytest.approx(specificity)
    for name in ('recall', 'precision', 'specificity', 'f1'):
      assert row[f'{name}_low'] < row[name] < row[f'{name}_high']
  for name in ('accuracy', 'balanced_accuracy'):
    assert overall[f'{name}_low'] < overall[name] < overall[f'{name}_high']


@pytest.mark.parametrize('predicted', [[0, 0, 1, 1, 2], [0, 0, 1, 1, 0]])
def test_classes_that_are_all_right_or_all_wrong_are_not_certain(predicted):
  rows, overall = classes.per_class([0, 0, 1, 1, 2], predicted, None, 'abc')
  ends = [overall[f'balanced_accuracy_{end}'] for end in ('low', 'high')]
  assert ends[0] < overall['balanced_accuracy'] - 0.1
  assert ends[1] >= min(1, overall['balanced_accuracy'] + 0.1)
  assert rows[0]['recall_low'] < 0.5
