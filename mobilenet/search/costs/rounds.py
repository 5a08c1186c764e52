"""How programs are timed: in rounds in which all of them take turns."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

ROUNDS = 11
# In a round a program is called for about this long, at most this often.
TURN_MS, MOST_CALLS = 20.0, 1000


class Timing(NamedTuple):
  """median_ms: of the rounds' minima. min_ms: the shortest call of all."""

  median_ms: float
  min_ms: float


def interleaved(
  calls: Sequence[Callable[[], object]],
  rounds: int = ROUNDS,
  clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
  """Times functions that return when their work is done.

  Other work on the machine only ever makes a call longer: of each round's calls the
  shortest counts. How fast the machine is meanwhile changes over seconds: so each
  round has a turn of every program, in an order that is drawn anew, and the median of
  the rounds counts. Each is called once before, which compiles it.

  Args:
    calls: what is timed.
    rounds: of turns.
    clock: gives seconds.
  """

  def turn(call, times: int) -> float:
    shortest = float('inf')
    for _ in range(times):
      began = clock()
      call()
      shortest = min(shortest, clock() - began)
    return 1e3 * shortest

  for call in calls:
    call()
  times = []
  for call in calls:
    fit = TURN_MS / max(turn(call, 3), 1e-3)
    times.append(max(1, min(MOST_CALLS, round(fit))))
  minima: list[list[float]] = [[] for _ in calls]
  for number in range(rounds):
    order = list(range(len(calls)))
    random.Random(number).shuffle(order)
    for n in order:
      minima[n].append(turn(calls[n], times[n]))
  return [Timing(statistics.median(own), min(own)) for own in minima]
