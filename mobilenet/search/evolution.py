"""Evolution over two numbers, both the less the better: NSGA-II (Deb et al., 2002).

    proposed = next_generation(draws, seed=0, number=3, scored=scored, population=32)

A generation is a pure function of the seed and of what was scored before it. Nothing
here knows networks.

To score a candidate is what costs. So most of a generation is not drawn blindly: a
linear model of what was scored so far evolves by itself for a while, and what survives
there is proposed. The rest are children of what is best in truth, lest the model be
wrong.
"""

import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mobilenet.search import linear
from mobilenet.training.errors import require

GENERATION = 2  # of what a seed is folded with
CROSSED = 0.5  # share of children that have two parents; of these half change besides
GUIDED = 0.75  # share of a generation that the model proposes
DRAWN = 0.1  # share that is drawn as in the beginning: what all parents lack
IMAGINED = 20  # generations that evolve by the model alone
_MOST_TRIES = 100  # in a row, to draw a child that is new

Candidate = tuple  # of numbers, so that there is an order
Scored = Mapping[Candidate, tuple[float, float]]


class Draws(NamedTuple):
  """How candidates come about, from a NumPy generator as the last argument.

  draw: any. mutate: from one. crossover: from two. features: of one, as an array; a
  linear model knows it by them.
  """

  draw: Callable[..., Candidate]
  mutate: Callable[..., Candidate]
  crossover: Callable[..., Candidate]
  features: Callable[[Candidate], np.ndarray]


def next_generation(
  draws: Draws,
  *,
  seed: int,
  number: int,
  scored: Scored,
  population: int,
  first: Sequence[Candidate] = (),
) -> list[Candidate]:
  """Candidates to be scored next, none of which was scored before.

  Args:
    draws: how they come about.
    seed: of the search.
    number: of the generation.
    scored: candidate -> its two numbers, of all generations before.
    population: candidates in a generation, and those that have children.
    first: candidates to begin with; where they are too few, others are drawn.

  Returns:
    At most `population` of them: fewer where new ones can hardly be found.
  """
  require(population >= 2, f'a population of {population} has no two parents')
  rng = np.random.default_rng((seed, GENERATION, number))
  if not scored:
    given = list(first[:population])
    return given + _children(draws, rng, [], population - len(given), known=given)
  scored = dict(sorted(scored.items()))  # sums round by their order
  promising = [
    each for each in _imagined(draws, rng, scored, population) if each not in scored
  ]
  guided = promising[: round(GUIDED * population)]
  fresh = _children(draws, rng, [], round(DRAWN * population), known={*scored, *guided})
  parents, begun = survivors(scored, population), [*guided, *fresh]
  left = population - len(begun)
  return begun + _children(draws, rng, parents, left, known={*scored, *begun})


def _imagined(
  draws: Draws, rng: np.random.Generator, scored: Scored, population: int
) -> list[Candidate]:
  """Candidates, the best first by a linear model of what was scored."""
  features = np.stack([draws.features(each) for each in scored])
  model = linear.fit(features, np.array([*scored.values()]))

  def expect(candidates):
    if not candidates:
      return {}
    values = model(np.stack([draws.features(each) for each in candidates]))
    return dict(zip(candidates, map(tuple, values.tolist()), strict=True))

  expected = expect(survivors(scored, population))
  for _ in range(IMAGINED):
    parents = survivors(expected, population)
    expected |= expect(_children(draws, rng, parents, population, expected))
  return survivors(expected, len(expected))


def _children(
  draws: Draws, rng: np.random.Generator, parents: Sequence, count: int, known
) -> list[Candidate]:
  """So many candidates that are not `known`, or fewer; drawn where no parents are."""
  found: dict[Candidate, None] = {}
  failed = 0
  while len(found) < count and failed < _MOST_TRIES:
    child = _child(draws, rng, parents)
    is_new = child not in found and child not in known
    failed = 0 if is_new else failed + 1
    if is_new:
      found[child] = None
  return list(found)


def _child(draws: Draws, rng: np.random.Generator, parents: Sequence) -> Candidate:
  if not parents:
    return draws.draw(rng)

  def parent():  # the better of two
    return parents[rng.integers(len(parents), size=2).min()]

  if rng.random() >= CROSSED:
    return draws.mutate(parent(), rng)
  crossed = draws.crossover(parent(), parent(), rng)
  return draws.mutate(crossed, rng) if rng.random() < 0.5 else crossed


def survivors(scored: Scored, count: int) -> list[Candidate]:
  """The best `count` candidates, the best first.

  A lower front comes first; inside of one what has the most room around it.
  """
  candidates = list(scored)
  points = np.array([scored[each] for each in candidates], np.float64)
  ranks = fronts(points)
  room = np.zeros(len(points))
  for rank in range(ranks.max() + 1):
    inside = ranks == rank
    room[inside] = crowding(points[inside])
  # Ties are broken by the points and the candidates, not by what was scored first.
  order = sorted(
    range(len(points)),
    key=lambda n: (ranks[n], -room[n], *points[n], candidates[n]),
  )
  return [candidates[n] for n in order[:count]]


def fronts(points: np.ndarray) -> np.ndarray:
  """Of each of (N, 2) points the number of its front; 0 is dominated by none.

  A point is dominated by one that is nowhere worse and somewhere better.
  """
  ranks = np.zeros(len(points), int)
  last: list[tuple[float, float]] = []  # of each front the newest point, as (y, x)
  # From the left: what is dominated is so by the lowest of a front, which is its last.
  for n in np.lexsort((points[:, 1], points[:, 0])):
    point = (points[n, 1], points[n, 0])
    ranks[n] = bisect.bisect_left(last, point)
    last[ranks[n] : ranks[n] + 1] = [point]
  return ranks


def crowding(points: np.ndarray) -> np.ndarray:
  """How far the neighbours on a front are apart, in shares of it; inf at its ends."""
  room = np.zeros(len(points))
  for values in points.T:
    order = np.argsort(values, kind='stable')
    spread = values[order[-1]] - values[order[0]]
    room[order[[0, -1]]] = np.inf
    if spread > 0:
      room[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / spread
  return room


def hypervolume(points: Sequence, reference: Sequence[float]) -> float:
  """The area that points dominate, up to a reference point that is worse than they."""
  points = np.asarray(points, np.float64).reshape(-1, 2)
  points = points[np.all(points < np.asarray(reference), axis=1)]
  area, top = 0.0, float(reference[1])
  for x, y in sorted(map(tuple, points.tolist())):
    if y < top:
      area += (reference[0] - x) * (top - y)
      top = y
  return area
