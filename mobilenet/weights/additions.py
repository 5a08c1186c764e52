"""Arrays that a file has and our layers don't, or the reverse, where nothing is lost.

A bias before a batch norm only moves its mean; a dense layer without a bias has one of
zeros.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from mobilenet.weights import dialects


def complete(
  dialect: str, tensors: dict[str, np.ndarray], pairs: Sequence[tuple[str, str]]
) -> list[str]:
  """Brings a file's arrays, in place, to those that our layers have.

  Args:
    dialect: of the file's names.
    tensors: its arrays.
    pairs: (our layer, the file's), in the order of a forward pass.

  Returns:
    Notes for people on what was done.
  """
  moved, made = 0, []
  for (ours, name), (following, norm) in itertools.pairwise([*pairs, ('', '')]):
    room, _, part = ours.rpartition('/')
    kernel, bias = (dialects.theirs(dialect, 'conv', a, name) for a in _WEIGHTS)
    if following == f'{room}/norm' and part in _NORMALISED:
      moved += _into_mean(tensors, bias, dialects.theirs(dialect, 'norm', 'mean', norm))
    elif room == 'head' and kernel in tensors and bias not in tensors:
      units = dialects.outputs(dialect, tensors, name)
      tensors[bias] = np.zeros(units, np.float32)
      made.append(name)
  notes = []
  if moved:
    notes.append(
      f'the biases of {moved} convolution{"s" * (moved > 1)} went into the means of '
      'their batch norms, which is equivalent'
    )
  if made:
    notes.append(f'without a bias in the file, zeros here: {", ".join(made)}')
  return notes


_WEIGHTS = ('kernel', 'bias')
_NORMALISED = ('conv', 'hidden')  # what a norm after it is the norm of


def _into_mean(tensors: dict[str, np.ndarray], bias: str, mean: str) -> bool:
  """norm(x + bias) is norm(x) with a mean that is less by the bias."""
  if bias not in tensors or mean not in tensors:
    return False
  if tensors[bias].shape != tensors[mean].shape:
    return False
  moved = np.subtract(tensors[mean], tensors.pop(bias), dtype=np.float64)
  tensors[mean] = moved.astype(np.float32)
  return True
