"""Generations of a search in a space: proposed, scored, and written to the archive."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mobilenet.models import table
from mobilenet.search import evolution, search_folder
from mobilenet.search import space as spaces
from mobilenet.search.costs import budget
from mobilenet.search.costs.cost import Cost
from mobilenet.search.space import Arch, Space
from mobilenet.search.strategies import scoring
from mobilenet.search.strategies.shared import Setup
from mobilenet.training.errors import require
from mobilenet.training.preemption import StopRequest

DRAWN = 5  # of what a seed is folded with


def draws_of(space: Space) -> evolution.Draws:
  """How networks of a space come about and are told apart."""
  sizes = [len(choice.values) for choice in space.choices]

  def features(arch: Arch) -> np.ndarray:
    tells = spaces.tells_apart(space, arch)
    parts = [
      (np.arange(size) == place) * told
      for size, place, told in zip(sizes, arch, tells, strict=True)
    ]
    return np.concatenate(parts).astype(np.float64)

  return evolution.Draws(
    draw=lambda rng: spaces.draw(space, rng),
    mutate=lambda arch, rng: spaces.mutate(space, arch, rng),
    crossover=lambda one, other, rng: spaces.crossover(space, one, other, rng),
    features=features,
  )


class Scored:
  """Networks that are proposed, scored and written to archive.jsonl, in this order."""

  def __init__(
    self,
    folder: pathlib.Path,
    setup: Setup,
    cost: Cost,
    scores: scoring.Scores,
    stop: StopRequest,
  ):
    self.setup, self.scores = setup, scores
    self.folder, self._cost, self._stop = folder, cost, stop
    self._field = budget.field('predicted', cost.unit)
    self._lines: list[dict[str, Any]] = []

  def add(
    self, name: str, propose: Callable[[], Sequence[Arch]]
  ) -> dict[Arch, float] | None:
    """Scores what is proposed; the cost of each. None where it was stopped."""
    space = self.setup.space

    def costs_of(archs):
      return self._cost.predict([spaces.network_of(space, arch) for arch in archs])

    found = scoring.proposed(self.folder, name, space, propose, costs_of)
    if not self.scores.fill(list(found), lambda: self._stop.received is not None):
      return None
    for arch, price in found.items():
      self._lines.append(
        {
          'generation': name,
          'arch': spaces.encode(arch),
          'seed': self.setup.config.seed,
          'step': self.setup.plan.total_steps,
          self._field: price,
          **self.scores.of(arch),
          'rows': table.to_text(spaces.network_of(space, arch)),
        }
      )
    search_folder.write_archive(self.folder, self._lines)
    return found


def evolve(scored: Scored) -> dict[Arch, float] | None:
  """The generations of the config; the cost of each network. None if stopped."""
  setup = scored.setup
  space, asked, seed = setup.space, setup.config.search, setup.config.seed
  draws, found = draws_of(space), {}
  for number in range(asked.generations):
    known = {
      arch: (price, scored.scores.of(arch)['loss']) for arch, price in found.items()
    }

    def propose(number=number, known=known):
      return evolution.next_generation(
        draws,
        seed=seed,
        number=number,
        scored=known,
        population=asked.population,
        first=() if known else spaces.spread(space, seed, asked.population),
      )

    newest = scored.add(f'evolution_{number:02d}', propose)
    if newest is None:
      return None
    found |= newest
    require(
      bool(found),
      f'the generations of {scored.folder} hold no network: remove '
      f'{scored.folder / scoring.GENERATIONS}, and the same command goes on',
    )
    best = min(scored.scores.of(arch)['loss'] for arch in found)
    print(f'generation {number + 1} of {asked.generations}: least loss {best:.4f}')
  return found


def drawn_at_random(setup: Setup, count: int) -> list[Arch]:
  """As many networks as the search scored, a generation at least: its control."""
  count = min(max(count, setup.config.search.population), spaces.size(setup.space))
  return spaces.sample(setup.space, (setup.config.seed, DRAWN), count)
