"""How often the photos most like a photo are of its class: recall at k, and MAP@R."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mobilenet.tasks.embeddings import cosines


class Retrieved(NamedTuple):
  """numbers: 'recall_at_1' and so on, and 'map_at_r', in %; NaN without queries.

  queries: photos that were asked with. alone: photos that are the only one of their
  class; they are no queries, but stay among the answers.
  """

  numbers: dict[str, float]
  queries: int
  alone: int


def recall_at(
  embeddings: np.ndarray, labels: np.ndarray, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
  """The numbers of `measure`."""
  return measure(embeddings, labels, ks).numbers


def measure(
  embeddings: np.ndarray, labels: np.ndarray, ks: Sequence[int] = (1, 5, 10)
) -> Retrieved:
  """Asks with each photo for the photos that are most like it, among all others.

  Recall at k is the share of the queries with a photo of their class among the k of the
  highest cosine. MAP@R (2003.08505, section 3.2) looks at the first R answers, R being
  how many others there are of the class: the mean over them of the precision at each
  right one.

  Args:
    embeddings: (N, E); they need not be of length 1.
    labels: (N,) int; photos without one (-1) are left out.
    ks: how many answers are looked at.

  Returns:
    All NaN where an embedding is not finite.
  """
  labels = np.asarray(labels)
  embeddings = np.asarray(embeddings, np.float32)[labels >= 0]
  labels = labels[labels >= 0]
  names = [*(f'recall_at_{k}' for k in ks), 'map_at_r']
  _, places, sizes = np.unique(labels, return_inverse=True, return_counts=True)
  others = sizes[places] - 1  # of the class of each photo
  queries, alone = int((others > 0).sum()), int((others == 0).sum())
  if not queries or not np.isfinite(embeddings).all():
    return Retrieved(dict.fromkeys(names, math.nan), queries, alone)
  units = cosines.unit(embeddings)
  sums = np.zeros(len(names))
  most = max(*ks, int(others.max()))
  ranks = np.arange(1, min(most, len(labels) - 1) + 1)
  for rows, found, _ in cosines.nearest_blocks(units, most):
    right = labels[found] == labels[rows, None]
    asked = others[rows] > 0
    for n, k in enumerate(ks):
      sums[n] += right[asked, :k].any(axis=1).sum()
    counted = right & (ranks <= others[rows, None])
    precision = np.cumsum(right, axis=1) / ranks
    each = (precision * counted).sum(axis=1)[asked] / others[rows][asked]
    sums[-1] += each.sum()
  numbers = dict(zip(names, (100 * sums / queries).tolist(), strict=True))
  return Retrieved(numbers, queries, alone)
