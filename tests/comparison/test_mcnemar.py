"""The exact test, against sums that can be done by hand and against SciPy's."""

import pytest
from scipy import stats

from mobilenet.comparison import mcnemar


@pytest.mark.parametrize(
  ('first', 'second', 'p'),
  [
    (0, 0, 1.0),  # they never differ
    (0, 5, 2 / 32),  # five coins alike
    (1, 5, 2 * (1 + 6) / 64),
    (2, 8, 2 * (1 + 10 + 45) / 1024),
    (7, 7, 1.0),  # twice the half of them is more than all
    (7, 8, 1.0),
  ],
)
def test_by_hand(first, second, p):
  assert mcnemar.exact(first, second) == pytest.approx(p)
  assert mcnemar.exact(second, first) == mcnemar.exact(first, second)


@pytest.mark.parametrize(('first', 'second'), [(3, 17), (40, 61), (900, 1100)])
def test_against_scipy(first, second):
  expected = stats.binomtest(first, first + second, 0.5).pvalue
  assert mcnemar.exact(first, second) == pytest.approx(expected)


def test_thousands_of_photos_are_no_overflow():
  assert 0 < mcnemar.exact(4000, 5000) < 1e-20
  assert mcnemar.exact(0, 50_000) == 0.0  # less than the smallest float


def test_holm_by_hand():
  assert mcnemar.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
  assert mcnemar.holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
  assert mcnemar.holm([0.2]) == [0.2]
  assert mcnemar.holm([]) == []
