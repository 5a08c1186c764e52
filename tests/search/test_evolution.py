"""Evolution on problems whose front is known."""

import numpy as np
import pytest

from mobilenet.search import evolution, linear
from mobilenet.training.errors import TrainingError

VALUES = 4


class Problem:
  """Additive: each value of each choice costs something and loses something."""

  def __init__(self, seed, choices):
    rng = np.random.default_rng(seed)
    self.choices = choices
    self.costs = np.sort(rng.integers(1, 40, (choices, VALUES)), axis=1)
    weights = rng.uniform(0.2, 2, (choices, 1))
    self.losses = -np.sort(-rng.random((choices, VALUES)), axis=1) * weights
    self.draws = evolution.Draws(self.draw, self.mutate, self.cross, self.features)

  def score(self, candidate):
    places = np.arange(self.choices), list(candidate)
    return float(self.costs[places].sum()), float(self.losses[places].sum())

  def draw(self, rng):
    return tuple(rng.integers(VALUES, size=self.choices).tolist())

  def mutate(self, candidate, rng):
    changed = np.array(candidate)
    n = rng.integers(self.choices)
    changed[n] = (changed[n] + rng.integers(1, VALUES)) % VALUES
    return tuple(changed.tolist())

  def cross(self, one, other, rng):
    return tuple(np.where(rng.random(self.choices) < 0.5, one, other).tolist())

  def features(self, candidate):
    return np.eye(VALUES)[list(candidate)].ravel()

  def front(self):
    """The least loss for each cost, by dynamic programming."""
    best = {0: 0.0}
    for costs, losses in zip(self.costs.tolist(), self.losses.tolist(), strict=True):
      after = {}
      for total, lost in best.items():
        for cost, loss in zip(costs, losses, strict=True):
          key = total + cost
          after[key] = min(after.get(key, np.inf), lost + loss)
      best = after
    return list(best.items())

  def search(self, generations, population, seed=0, forget=()):
    scored = {}
    for number in range(generations):
      if number in forget:  # as a process that begins anew
        scored = dict(sorted(scored.items()))
      proposed = evolution.next_generation(
        self.draws, seed=seed, number=number, scored=scored, population=population
      )
      assert not set(proposed) & set(scored)
      scored |= {each: self.score(each) for each in proposed}
    return scored


@pytest.mark.parametrize('seed', [0, 1])
def test_the_front_of_an_additive_problem_is_found(seed):
  problem = Problem(seed, choices=12)
  truth = problem.front()
  reference = np.max(truth, axis=0) * 1.001
  whole = evolution.hypervolume(truth, reference)
  scored = problem.search(generations=10, population=40)
  assert len(scored) == 400
  share = evolution.hypervolume([*scored.values()], reference) / whole
  rng = np.random.default_rng(0)
  drawn = [problem.score(problem.draw(rng)) for _ in range(400)]
  by_chance = evolution.hypervolume(drawn, reference) / whole
  assert 0.99 <= share <= 1 + 1e-9
  assert by_chance < 0.9


def test_it_does_not_depend_on_the_order_of_scoring():
  problem = Problem(0, choices=6)
  assert problem.search(4, 10) == problem.search(4, 10, forget=(1, 2, 3))
  assert set(problem.search(4, 10)) != set(problem.search(4, 10, seed=1))


def test_a_small_space_is_exhausted():
  problem = Problem(0, choices=2)
  assert len(problem.search(generations=8, population=6)) == VALUES**2


def test_fronts_are_those_of_pairwise_comparison():
  rng = np.random.default_rng(0)
  points = rng.integers(0, 12, (80, 2)).astype(float)  # with ties and equals
  ranks, left, rank = np.full(80, -1), np.ones(80, bool), 0
  while left.any():
    no_worse = np.all(points[:, None] <= points[None], axis=-1)
    better = np.any(points[:, None] < points[None], axis=-1)
    dominated = np.any(no_worse & better & left[:, None], axis=0)
    now = left & ~dominated
    ranks[now] = rank
    left &= ~now
    rank += 1
  assert evolution.fronts(points).tolist() == ranks.tolist()


def test_crowding_keeps_the_ends_and_what_has_room():
  points = np.array([[0, 9], [1, 5], [2, 4], [3, 3.5], [9, 0]], float)
  room = evolution.crowding(points)
  assert np.isinf(room[[0, 4]]).all()
  assert room[1] == pytest.approx(2 / 9 + 5 / 9)
  scored = {(n,): tuple(point) for n, point in enumerate(points)}
  assert set(evolution.survivors(scored, 3)) == {(0,), (4,), (3,)}


def test_hypervolume_is_an_area():
  assert evolution.hypervolume([(1, 2), (2, 1), (2, 2)], (3, 3)) == 3
  assert evolution.hypervolume([(3, 0), (5, 5)], (3, 3)) == 0


def test_a_linear_model_knows_what_it_has_not_seen():
  rng = np.random.default_rng(0)
  features = rng.standard_normal((60, 10))
  weights = rng.standard_normal((10, 2))
  values = features @ weights + (5, -3)
  other = rng.standard_normal((7, 10))
  predict = linear.fit(features, values)
  np.testing.assert_allclose(predict(other), other @ weights + (5, -3), atol=0.01)
  noise = rng.standard_normal(60)  # nothing to be learned: nearly the mean
  guessed = linear.fit(features, noise)(other)
  assert np.abs(guessed - noise.mean()).max() < 0.5


def test_parents_are_two():
  problem = Problem(0, choices=4)
  with pytest.raises(TrainingError, match='a population of 1 has no two parents'):
    problem.search(1, 1)
