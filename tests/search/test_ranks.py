"""Kendall's tau against SciPy's, and what a rank report says."""

import numpy as np
import pytest
from scipy import stats

from mobilenet.search import ranks
from mobilenet.training.errors import TrainingError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize('digits', [0, 1, 8])  # with many ties, some, none
def test_it_is_scipys(digits):
  first, second = np.round(RNG.standard_normal((2, 20)), digits)
  second += np.round(first, digits)
  assert ranks.tau(first, second) == pytest.approx(stats.kendalltau(first, second)[0])


def test_the_interval_holds_it_and_narrows_with_more_networks():
  def width(number):
    first = np.random.default_rng(1).standard_normal(number)
    found = ranks.kendall(first, first + np.random.default_rng(2).normal(size=number))
    assert found.low <= found.tau <= found.high
    assert found.networks == number
    return found.high - found.low

  assert width(80) < 0.7 * width(10)


def test_nothing_to_order():
  assert np.isnan(ranks.tau([1, 1, 1], [1, 2, 3]))
  with pytest.raises(TrainingError, match='2 and 2 values cannot be ordered'):
    ranks.kendall([1, 2], [1, 2])


def test_only_pairs_of_one_size_count():
  """Two sizes; inside of each, the measure is wrong, between them right."""
  costs = [1.0, 1.05, 1.0, 2.0, 2.05, 2.0]
  alone = [[1.0, 1.1, 1.2, 2.0, 2.1, 2.2]] * 2
  measure = [1.2, 1.1, 1.0, 2.2, 2.1, 2.0]
  found = ranks.compare({'shared': measure, 'size': costs}, alone, costs, 'ms')
  assert found.by['shared'].tau > 0
  assert found.inside['shared'].tau == -1
  assert found.seeds.tau == 1
  assert found.costs == (1.0, 2.05, 'ms')


def report(shared, alone):
  costs = [1, 2, 3, 4, 5, 6]
  found = ranks.compare({'shared': shared, 'size': costs}, alone, costs, 'ms')
  return '\n'.join(ranks.said(found, 'shared', 'size'))


def test_weights_that_know_no_more_than_the_size_are_told_so():
  alone = [[1, 2, 4, 3, 5, 6], [1, 3, 2, 4, 5, 6]]
  assert 'know no more than the size' in report([6, 5, 4, 3, 2, 1], alone)
  assert 'know no more than the size' in report([1, 2, 3, 4, 5, 6], alone)
  assert 'know no more' not in report([1, 2.5, 3.5, 3, 5, 6], [[1, 3, 4, 2, 5, 6]] * 2)


def test_seeds_that_disagree_are_told_so():
  alone = [[1, 2, 3, 4, 5, 6], [6, 1, 4, 2, 5, 3]]
  assert 'Two seeds of the same training do not agree' in report([1] * 5 + [2], alone)
  assert 'not measured, there is one seed' in report([1, 2, 3, 4, 5, 6], alone[:1])
