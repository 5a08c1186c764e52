"""The controller on problems whose answer is known."""

import json

import numpy as np
import pytest

from mobilenet.search import tunas

CHOICES, VALUES, STEPS = 10, 4, 1500


def problem(seed):
  """Additive: qualities and costs of each value; a better value is a dearer one.

  All of quality is a third: where more could be gained by being too dear than `beta`
  takes, no controller would meet its target.
  """
  rng = np.random.default_rng(seed)
  quality = np.sort(rng.uniform(0, 1, (CHOICES, VALUES)), axis=1) / (3 * CHOICES)
  cost = np.sort(rng.uniform(0.5, 1.5, (CHOICES, VALUES)), axis=1)
  return quality, cost


def total(values, arch):
  return float(values[np.arange(CHOICES), list(arch)].sum())


def best_within(quality, cost, limit, cells=2000):
  """The largest quality at a cost up to a limit, by dynamic programming."""
  best = np.full(cells + 1, -np.inf)
  best[0] = 0
  for own_quality, own_cost in zip(quality, cost, strict=True):
    after = np.full(cells + 1, -np.inf)
    for q, c in zip(own_quality, own_cost, strict=True):
      step = int(np.ceil(c / limit * cells))
      if step <= cells:
        after[step:] = np.maximum(after[step:], best[: cells + 1 - step] + q)
    best = after
  return best.max()


def searched(quality, cost, target, seed=0, steps=STEPS):
  rng = np.random.default_rng(seed)
  controller = tunas.Controller.of([VALUES] * CHOICES)
  for step in range(steps):
    archs = tunas.sample(controller, rng, 4)
    rewards = [
      tunas.reward(total(quality, arch), total(cost, arch) / target, beta=-1.0)
      for arch in archs
    ]
    controller = tunas.updated(controller, archs, rewards, tunas.rate(step, steps))
  return controller


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_it_meets_its_target_near_the_best_quality(seed):
  quality, cost = problem(seed)
  target = float(cost.mean(axis=1).sum())
  found = tunas.likeliest(searched(quality, cost, target))
  assert total(cost, found) == pytest.approx(target, rel=0.02)
  best = best_within(quality, cost, 1.02 * target)
  worst = quality[:, 0].sum()
  assert (total(quality, found) - worst) / (best - worst) > 0.9


def test_the_same_seed_finds_the_same():
  quality, cost = problem(0)
  one, same, other = (searched(quality, cost, 9, seed, 200) for seed in (0, 0, 1))
  assert one.as_lists() == same.as_lists() != other.as_lists()


def test_written_down_it_goes_on_to_the_bit():
  quality, cost = problem(0)
  controller = searched(quality, cost, 9, steps=20)
  again = tunas.Controller.from_lists(json.loads(json.dumps(controller.as_lists())))
  archs = tunas.sample(controller, np.random.default_rng(5), 3)
  assert tunas.sample(again, np.random.default_rng(5), 3) == archs
  after = [
    tunas.updated(each, archs, [0.1, 0.5, 0.2], 0.1) for each in (controller, again)
  ]
  assert after[0].as_lists() == after[1].as_lists()


def test_what_is_better_than_expected_becomes_likelier():
  controller = tunas.Controller.of([2, 3])
  for _ in range(5):
    controller = tunas.updated(controller, [(0, 1), (1, 2)], [1.0, 0.0], 0.1)
  first, second = controller.probabilities()
  assert first[0] > 0.5
  assert second[1] > 1 / 3 > second[2]
  assert sum(second) == pytest.approx(1)


def test_the_gradient_is_that_of_the_expected_reward():
  """REINFORCE by all archs, weighted as they are drawn, is the exact gradient."""
  controller = tunas.Controller((np.array([0.3, -0.2, 0.1]),), (np.zeros(3),))
  values = np.array([1.0, 0.0, 0.5])

  def expected(logits):
    p = np.exp(logits) / np.exp(logits).sum()
    return p @ values

  (p,) = controller.probabilities()
  exact = [
    (expected(controller.logits[0] + d) - expected(controller.logits[0] - d)) / 2e-6
    for d in 1e-6 * np.eye(3)
  ]
  advantage = values - p @ values
  weighted = sum(p[n] * advantage[n] * (np.eye(3)[n] - p) for n in range(3))
  np.testing.assert_allclose(weighted, exact, atol=1e-6)
  # A thousand archs in these shares, in one update.
  counts = np.round(1000 * p).astype(int)
  archs = [(n,) for n in range(3) for _ in range(counts[n])]
  rewards = [values[n] for (n,) in archs]
  after = tunas.updated(controller, archs, rewards, 1.0)
  moved = after.squares[0] / (1 - tunas.SECOND_MOMENT)
  np.testing.assert_allclose(np.sqrt(moved), np.abs(exact), atol=2e-3)


def test_the_rate_waits_and_then_grows_tenfold():
  rates = [tunas.rate(step, 100) for step in range(100)]
  assert rates[:25] == [0.0] * 25
  assert rates[25] == pytest.approx(tunas.RATE)
  assert rates[99] == pytest.approx(tunas.RATE * 10, rel=0.05)
  assert all(np.diff(rates[25:]) > 0)
  assert tunas.reward(0.7, 1.5) == pytest.approx(0.65) == tunas.reward(0.7, 0.5)
