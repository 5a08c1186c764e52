"""The line from sums of rows to whole networks."""

import json

import numpy as np
import pytest
from scipy import stats

from mobilenet.search import kendall
from mobilenet.search.costs import correction
from mobilenet.training.errors import TrainingError


def made(noise, count=12):
  rng = np.random.default_rng(0)
  sums = rng.uniform(1, 5, count)
  measured = (1.3 * sums + 0.4) * (1 + noise * rng.standard_normal(count))
  return sums, measured


def test_a_known_line_is_found():
  sums, measured = made(noise=0)
  found = correction.fit(sums, measured)
  assert (found.a, found.b) == pytest.approx((1.3, 0.4))
  assert (found.mean_error, found.max_error) == pytest.approx((0, 0), abs=1e-9)
  assert found.raw_error == pytest.approx(100 * np.abs(sums / measured - 1).mean())
  assert found.raw_error > 20
  assert (found.networks, found.tau) == (12, 1)
  np.testing.assert_allclose([found(each) for each in sums], measured)


def test_errors_are_of_networks_left_out():
  sums, measured = made(noise=0.1)
  errors = []
  for n in range(len(sums)):
    keep = np.arange(len(sums)) != n
    # numpy's weights multiply the residuals, here to relative ones.
    slope, start = np.polyfit(sums[keep], measured[keep], 1, w=1 / measured[keep])
    errors.append(100 * abs((slope * sums[n] + start) / measured[n] - 1))
  found = correction.fit(sums, measured)
  assert found.mean_error == pytest.approx(np.mean(errors))
  assert found.max_error == pytest.approx(np.max(errors))
  assert found.mean_error > 1


def test_kendall_is_scipys_with_ties_too():
  rng = np.random.default_rng(0)
  for _ in range(5):
    x, y = rng.integers(0, 6, (2, 15))
    assert kendall.tau(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)
  assert np.isnan(kendall.tau([1, 1, 1], [1, 2, 3]))


@pytest.mark.parametrize(
  ('sums', 'measured', 'said'),
  [
    ([1, 2, 3], [1, 2, 3], 'needs 4 networks or more'),
    ([1, 2, 3, 4], [4, 3, 2, 1], 'do not take longer where their rows do'),
  ],
)
def test_no_line(sums, measured, said):
  with pytest.raises(TrainingError, match=said):
    correction.fit(sums, measured)


def test_it_is_kept_for_the_table_that_it_was_fitted_to(tmp_path):
  found = correction.fit(*made(noise=0.1))
  assert correction.load(tmp_path, {}) is None
  correction.save(tmp_path, found, {'pace_ms': 1.5})
  assert correction.load(tmp_path, {'pace_ms': 1.5}) == found
  with pytest.raises(TrainingError, match='another table'):
    correction.load(tmp_path, {'pace_ms': 1.6})


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"belongs_to": {}, "a": 1}'])
def test_a_damaged_file_is_one_line(tmp_path, text):
  (tmp_path / correction.FILE).write_text(text)
  with pytest.raises(TrainingError, match=r'is damaged \(.*: remove it'):
    correction.load(tmp_path, {})


def test_the_line_for_people_has_the_errors(tmp_path):
  found = correction.fit(*made(noise=0.1))
  said = found.said('ms')
  assert f'{found.mean_error:.1f} % off' in said
  assert f'{found.max_error:.1f} % at most' in said
  correction.save(tmp_path, found, {})
  kept = json.loads((tmp_path / correction.FILE).read_text())
  assert kept['mean_error'] == found.mean_error
