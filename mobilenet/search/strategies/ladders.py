"""The most of something that costs no more than it may, of several things at once.

    found = most_within({'a': 9, 'b': 4}, make, target=0.7, now=1.0, predict=predict)

A cost may have to be measured, and many networks are measured faster together than one
after the other: so all ladders are climbed side by side.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Guesses by a straight line, after which the middle is asked for: costs that are
# measured are no straight line.
_GUESSES = 3


def most_within(
  ladders: Mapping[str, int],
  make: Callable[[str, int], Any],
  target: float,
  now: float,
  predict: Callable[[Sequence[Any]], Sequence[float]],
) -> dict[str, tuple[int, float]]:
  """Of each ladder the highest rung that costs `target` at most.

  Args:
    ladders: the number of rungs of each, which cost more from rung to rung.
    make: (ladder, rung) -> what costs.
    target: what it may cost.
    now: what would come after the highest rung costs.
    predict: asks for several costs at once.

  Returns:
    (rung, its cost) of each ladder that has one.
  """
  climbs = {name: _Climb(count, now) for name, count in ladders.items()}
  while True:
    asked = {
      name: rung
      for name, climb in climbs.items()
      if (rung := climb.next(target)) is not None
    }
    if not asked:
      break
    costs = predict([make(name, rung) for name, rung in asked.items()])
    for (name, rung), cost in zip(asked.items(), costs, strict=True):
      climbs[name].tell(rung, cost, target)
  return {
    name: (climb.low, climb.low_cost)
    for name, climb in climbs.items()
    if climb.low >= 0
  }


@dataclasses.dataclass
class _Climb:
  """low: the highest rung known to be within. high: the lowest known not to be."""

  high: int
  high_cost: float
  low: int = -1
  low_cost: float = 0.0
  asked: int = 0

  def next(self, target: float) -> int | None:
    """The rung to ask for; None where all is known."""
    if self.high - self.low <= 1:
      return None
    if self.low < 0:
      return 0
    rungs = self.high - self.low
    share = 0.5
    if self.asked <= _GUESSES and self.high_cost > self.low_cost:
      share = (target - self.low_cost) / (self.high_cost - self.low_cost)
    return min(max(self.low + int(share * rungs), self.low + 1), self.high - 1)

  def tell(self, rung: int, cost: float, target: float) -> None:
    self.asked += 1
    if cost <= target:
      self.low, self.low_cost = rung, cost
    else:
      self.high, self.high_cost = rung, cost
