"""Copies of one photo: the same file, and the same photo re-encoded or resized.

A difference hash of 256 bits proposes pairs, and the grey values of the photos in 16 x
16 pixels decide. Both limits were chosen on 3,670 photos of flowers (docs/check_data.md
has the numbers): all pairs within them show the same photo, some with other colours.
Crops by more than a few per cent and mirrored photos are not found.
"""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from mobilenet.data_check.photo_facts import HASH_SIDE, Photo

MOST_BITS = 48  # of 256 that may differ
LEAST_CORRELATION = 0.75
_BLOCK = 1024  # photos that are compared with all others at once


@dataclasses.dataclass(frozen=True)
class Group:
  """Two or more copies of one photo; exact: whether all are the same to the byte."""

  photos: tuple[Photo, ...]
  exact: bool


def groups(photos: Sequence[Photo]) -> tuple[Group, ...]:
  """The copies among photos that can be read, in the order of their first ones."""
  by_content = collections.defaultdict(list)
  for photo in photos:
    if photo.is_read:
      by_content[photo.content].append(photo)
  contents = list(by_content.values())
  leader = list(range(len(contents)))

  def find(n):
    while leader[n] != n:
      leader[n] = leader[leader[n]]
      n = leader[n]
    return n

  for one, other in near_pairs([same[0] for same in contents]):
    leader[find(other)] = find(one)
  joined = collections.defaultdict(list)
  for n, same in enumerate(contents):
    joined[find(n)].append(same)
  return tuple(
    Group(tuple(photo for same in alike for photo in same), exact=len(alike) == 1)
    for alike in joined.values()
    if sum(map(len, alike)) > 1
  )


def near_pairs(photos: Sequence[Photo]) -> list[tuple[int, int]]:
  """Places of two photos that show the same, of photos with different content."""
  if not photos:
    return []
  bits = np.unpackbits(np.stack([photo.hash for photo in photos]), axis=1)
  signs = bits.astype(np.float32) * 2 - 1
  sketches = np.stack([photo.sketch.ravel() for photo in photos]).astype(np.float32)
  sketches -= sketches.mean(axis=1, keepdims=True)
  length = np.linalg.norm(sketches, axis=1, keepdims=True)
  sketches /= np.where(length > 0, length, 1)  # a blank photo is like no other
  pairs = []
  for start in range(0, len(photos), _BLOCK):
    # The product counts equal bits less different ones.
    alike = signs[start : start + _BLOCK] @ signs[start:].T
    ones, others = np.nonzero(alike >= HASH_SIDE**2 - 2 * MOST_BITS)
    ones, others = ones[others > ones] + start, others[others > ones] + start
    correlation = (sketches[ones] * sketches[others]).sum(axis=1)
    near = correlation >= LEAST_CORRELATION
    pairs += zip(ones[near].tolist(), others[near].tolist(), strict=True)
  return pairs
