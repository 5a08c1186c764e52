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


def test_the_bootstrap_holds_the_true_balanced_accuracy():
  recall, shares = np.array([0.95, 0.8, 0.6]), (0.6, 0.3, 0.1)
  rng, held = np.random.default_rng(2), 0
  for seed in range(200):
    matrix = classes.confusion_matrix(*draw(rng, 400, recall, shares), 3)
    low, high = intervals.bootstrap(
      matrix, intervals.balanced_accuracy, draws=400, seed=seed
    )
    held += low <= recall.mean() <= high
  assert 180 <= held <= 198  # of 200


def test_a_draw_gives_the_number_of_its_own_examples():
  """The statistic of many draws at once is that of sklearn on each of them."""
  rng = np.random.default_rng(3)
  labels, predicted = draw(rng, 300, np.array([0.9, 0.7, 0.5]), (0.5, 0.3, 0.2))
  matrix = classes.confusion_matrix(labels, predicted, 3)
  counts = intervals.Draws(
    np.diag(matrix)[None], matrix.sum(axis=1)[None], matrix.sum(axis=0)[None]
  )
  expected = sklearn.metrics.balanced_accuracy_score(labels, predicted)
  assert intervals.balanced_accuracy(counts) == pytest.approx([expected])


def test_draws_have_as_many_examples_and_the_same_seed_the_same_draws(monkeypatch):
  matrix = np.array([[30, 2, 0], [0, 0, 0], [1, 0, 40]])  # a class without examples
  seen = []

  def statistic(draws):
    seen.append(draws)
    return draws.right.sum(axis=1) / draws.support.sum(axis=1)

  first = intervals.bootstrap(matrix, statistic, draws=50, seed=7)
  drawn = seen[-1]
  assert (drawn.support.sum(axis=1) == 73).all()
  assert (drawn.predicted.sum(axis=1) == 73).all()
  assert (drawn.support[:, 1] == 0).all()
  assert first == intervals.bootstrap(matrix, statistic, draws=50, seed=7)
  assert first != intervals.bootstrap(matrix, statistic, draws=50, seed=8)
  monkeypatch.setattr(intervals, '_AT_ONCE', 20)  # in parts
  assert intervals.bootstrap(matrix, statistic, draws=50, seed=7) == first
  assert len(seen[-1].right) < 50


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


def test_without_a_mistake_the_balanced_accuracy_has_no_interval():
  rows, overall = classes.per_class([0, 0, 1], [0, 0, 1], None, 'ab')
  assert overall['balanced_accuracy_low'] is None
  assert overall['accuracy_low'] < 0.5
  assert rows[0]['recall_low'] < 0.5
