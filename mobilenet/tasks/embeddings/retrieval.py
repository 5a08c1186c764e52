"""How often a neighbour of an image is of its own class."""

from collections.abc import Sequence

import numpy as np

_AT_ONCE = 1024  # images that are compared with all


def recall_at(
  embeddings: np.ndarray, labels: np.ndarray, ks: Sequence[int] = (1,)
) -> dict[str, float]:
  """The share of images with one of their own class among the k nearest others, in %.

  Images whose class has no other are not asked for, and can be found in vain.

  Args:
    embeddings: (N, E), of length 1.
    labels: (N,) integers; those below 0 are left out.
    ks: numbers of neighbours.

  Returns:
    'recall_at_1' and the like; NaN where no class has two images.
  """
  known = labels >= 0
  embeddings, labels = embeddings[known].astype(np.float32), labels[known]
  hits, asked, most = dict.fromkeys(ks, 0), 0, min(max(ks), max(len(labels) - 1, 0))
  for begin in range(0, len(labels), _AT_ONCE):
    rows = np.arange(begin, min(begin + _AT_ONCE, len(labels)))
    near = embeddings[rows] @ embeddings.T
    near[np.arange(len(rows)), rows] = -np.inf
    same = labels[rows][:, None] == labels
    same[np.arange(len(rows)), rows] = False
    there = same.any(axis=1)
    asked += int(there.sum())
    order = np.argsort(-near, axis=1, kind='stable')[:, :most]
    found = np.take_along_axis(same, order, axis=1)
    for k in ks:
      hits[k] += int((found[:, :k].any(axis=1) & there).sum())
  return {
    f'recall_at_{k}': 100.0 * hits[k] / asked if asked else float('nan') for k in ks
  }
