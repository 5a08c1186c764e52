"""Whether an exported file answers as the network that it was made of."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

ROUNDS = 31
# The largest difference of an answer that counts as the same, relative to the largest
# answer: rounding in another order, or weights of halves.
TOLERANCE = {'float32': 1e-3, 'float16': 5e-2}
LEAST_AGREEMENT = 0.9  # of top-1, where integers answer and labels are unknown


class Compared(NamedTuple):
  """Both on the same images.

  count: of the images. agreeing: those with the same most probable class. difference:
  the largest between answers, relative to the largest answer. labelled: images whose
  class is known. hits: how many of these each names rightly, the network first.
  """

  count: int
  agreeing: int
  difference: float
  labelled: int
  hits: tuple[int, int]


def compare(
  network: Callable[[np.ndarray], np.ndarray],
  exported: Callable[[np.ndarray], np.ndarray],
  batches: Iterable[tuple[np.ndarray, np.ndarray | None]],
) -> Compared:
  """Both answers to prepared images.

  Args:
    network, exported: images (N, H, W, 3) to answers (N, K).
    batches: (images, int labels (N,) or None where they are unknown; -1 of one image).
  """
  count = agreeing = labelled = 0
  difference, largest = np.float32(0), np.float32(0)
  hits = [0, 0]
  for images, labels in batches:
    ours, theirs = np.asarray(network(images)), exported(images)
    first, second = ours.argmax(axis=1), theirs.argmax(axis=1)
    count += len(images)
    agreeing += int((first == second).sum())
    # Not Python's max, which passes over what is no number.
    difference = np.maximum(difference, np.abs(ours - theirs).max())
    largest = np.maximum(largest, np.abs(ours).max())
    if labels is not None:
      labelled += int((labels >= 0).sum())
      hits[0] += int((first == labels).sum())
      hits[1] += int((second == labels).sum())
  return Compared(count, agreeing, float(difference / largest), labelled, tuple(hits))


def refusal(found: Compared, precision: str, most_lost: float) -> str | None:
  """Why a file must not be used; None if it may.

  Args:
    found: by `compare`.
    precision: of the file.
    most_lost: points of top-1 that integers may lose.
  """
  if not np.isfinite(found.difference):
    return 'its answers are not numbers'
  allowed = TOLERANCE.get(precision)
  if allowed is not None and found.difference > allowed:
    return (
      f'its answers differ by {found.difference:.2g} of the largest; rounding explains '
      f'{allowed:g}'
    )
  if allowed is not None:
    return None
  lost = 100 * (found.hits[0] - found.hits[1]) / max(found.labelled, 1)
  if lost > most_lost:
    return f'it loses {lost:.1f} points of top-1; --most_lost={most_lost:g} may be lost'
  if not found.labelled and found.agreeing < LEAST_AGREEMENT * found.count:
    return (
      f'it names {found.agreeing} of {found.count} images as the network does; '
      f'{100 * LEAST_AGREEMENT:.0f} % is the least'
    )
  return None


def latencies(
  calls: Sequence[Callable[[], object]], rounds: int = ROUNDS
) -> list[float]:
  """Milliseconds of each call, the median of rounds in which they take turns.

  Other work on the machine slows all of them. Each is called once before.
  """
  for call in calls:
    call()
  times: list[list[float]] = [[] for _ in calls]
  for _ in range(rounds):
    for call, own in zip(calls, times, strict=True):
      began = time.perf_counter()
      call()
      own.append(1e3 * (time.perf_counter() - began))
  return [statistics.median(own) for own in times]
