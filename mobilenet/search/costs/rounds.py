"""How programs are timed: in rounds in which all of them take turns."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

ROUNDS = 11
# In a round a program is called for about this long, at most this often.
TURN_MS, MOST_CALLS = 20.0, 1000
TURNS_OF_REFERENCE = 4


class Timing(NamedTuple):
  """median_ms: of the rounds, see `interleaved`. min_ms: the shortest call of all."""

  median_ms: float
  min_ms: float


def interleaved(
  calls: Sequence[Callable[[], object]],
  rounds: int = ROUNDS,
  clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
  """Times functions that return when their work is done.

  Other work on the machine makes a call longer: of each round's calls the shortest
  counts. How fast the machine is changes over seconds: so each round has a turn of
  every program, in an order that is drawn anew, and several of the first one, the
  reference. The minimum of a program is told relative to the reference's in the same
  round, and the median of the rounds counts. Each is called once before, which compiles
  it.

  Args:
    calls: what is timed, the reference first.
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
  minima = []
  for number in range(rounds):
    order = [0] * (TURNS_OF_REFERENCE - 1) + list(range(len(calls)))
    random.Random(number).shuffle(order)
    shortest = [float('inf')] * len(calls)
    for n in order:
      shortest[n] = min(shortest[n], turn(calls[n], times[n]))
    minima.append(shortest)
  pace = statistics.median(shortest[0] for shortest in minima)
  return [
    Timing(
      pace * statistics.median(shortest[n] / shortest[0] for shortest in minima),
      min(shortest[n] for shortest in minima),
    )
    for n in range(len(calls))
  ]
