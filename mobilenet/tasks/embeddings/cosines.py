"""Cosines of many embeddings with each other, a block of rows at a time.

All cosines of 50,000 embeddings would fill 10 GB; a block of them fills 64 MB.
"""

from collections.abc import Iterator

import numpy as np

from mobilenet.training.errors import TrainingError

_AT_ONCE = 2**24  # cosines in memory
_MOST_PAIRS = 5_000_000


def unit(embeddings: np.ndarray) -> np.ndarray:
  """(N, E) as float32 of length 1; a row of zeros stays one."""
  values = np.asarray(embeddings, np.float32)
  lengths = np.linalg.norm(values, axis=1, keepdims=True)
  return values / np.where(lengths > 0, lengths, 1)


def nearest(units: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
  """The rows that are most like each row, without itself, the most alike first.

  Args:
    units: (N, E), see `unit`; finite.
    count: how many; no more than N - 1 are given.

  Returns:
    Rows (N, count) int and their cosines (N, count) float32.
  """
  blocks = list(nearest_blocks(units, count))
  if not blocks:
    return np.zeros((0, 0), int), np.zeros((0, 0), np.float32)
  return tuple(np.concatenate(parts) for parts in list(zip(*blocks, strict=True))[1:])


def nearest_blocks(
  units: np.ndarray, count: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
  """`nearest` for some rows after others: (which, their nearest, the cosines)."""
  count = max(0, min(count, len(units) - 1))
  for rows, cosines in _blocks(units):
    own = np.arange(rows.start, rows.stop)
    cosines[own - rows.start, own] = -np.inf
    if 0 < count < len(units) - 1:
      chosen = _largest(cosines, count)
    else:
      chosen = np.argsort(-cosines, axis=1, kind='stable')[:, :count]
    values = np.take_along_axis(cosines, chosen, axis=1)
    # Of two that are as near, the first: the same numbers on every machine.
    order = np.lexsort((chosen, -values))
    yield (
      rows,
      np.take_along_axis(chosen, order, axis=1),
      np.take_along_axis(values, order, axis=1),
    )


def _largest(cosines: np.ndarray, count: int) -> np.ndarray:
  """(B, count): of the cosines (B, N) of each row the largest, in any order.

  Of those that are as large as the last one, the first: how NumPy parts equals is its
  own affair.
  """
  chosen = np.argpartition(-cosines, count, axis=1)[:, :count]
  last = np.take_along_axis(cosines, chosen, axis=1).min(axis=1, keepdims=True)
  tied = np.flatnonzero((cosines >= last).sum(axis=1) > count)
  if tied.size:
    own, last = cosines[tied], last[tied]
    above, equal = own > last, own == last
    left = count - above.sum(axis=1, keepdims=True)
    taken = above | (equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= left))
    chosen[tied] = np.nonzero(taken)[1].reshape(len(tied), count)
  return chosen


def pairs_above(units: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
  """The pairs (P, 2) of rows whose cosine is at least `least`, and their cosines (P,).

  Raises:
    TrainingError: they are too many for memory.
  """
  found, values, total = [], [], 0
  for rows, cosines in _blocks(units):
    ones, others = np.nonzero(cosines >= least)
    later = others > ones + rows.start
    ones, others = ones[later], others[later]
    found.append(np.stack([ones + rows.start, others], axis=1))
    values.append(cosines[ones, others])
    total += len(ones)
    if total > _MOST_PAIRS:
      raise TrainingError(
        f'more than {_MOST_PAIRS:,} pairs of {len(units):,} photos have a cosine of at '
        f'least {least:g}: give a higher --alike'
      )
  if not found:
    return np.zeros((0, 2), int), np.zeros(0, np.float32)
  return np.concatenate(found), np.concatenate(values)


def typical(units: np.ndarray, seed: int = 0, most: int = 100_000) -> float:
  """The median cosine of two different rows, of up to `most` pairs that are drawn."""
  rng, count = np.random.default_rng(seed), len(units)
  ones = rng.integers(count, size=most)
  others = (ones + rng.integers(1, count, size=most)) % count
  parts = [
    np.einsum('ne,ne->n', units[ones[n : n + 4096]], units[others[n : n + 4096]])
    for n in range(0, most, 4096)
  ]
  return float(np.median(np.concatenate(parts)))


def _blocks(units) -> Iterator[tuple[slice, np.ndarray]]:
  size = max(1, _AT_ONCE // max(1, len(units)))
  for start in range(0, len(units), size):
    rows = slice(start, min(start + size, len(units)))
    yield rows, units[rows] @ units.T
