"""Which images of class folders are set aside for evaluation: by a seed and names."""

import hashlib
import os
from collections.abc import Sequence

from input_pipeline.errors import DataError


def held_out(
  images: Sequence[tuple[int, Sequence[str]]],
  train: bool,
  root: str | os.PathLike,
  seed: int,
  holdout: float,
) -> list[tuple[int, list[str]]]:
  """The training or the validation part of every class.

  Args:
    images: (label, its images), names beginning with the class folder.
    train: which of the two parts.
    root: the folder, for messages.
    seed: of the draw.
    holdout: share of each class that becomes validation.

  Raises:
    DataError: `holdout` is no share, or no class has two images.
  """
  if not 0 < holdout < 1:
    raise DataError(f'--config.data.holdout={holdout!r} must lie between 0 and 1')

  def order(name):
    within_class = name.partition('/')[2]
    text = f'{seed}/{within_class}'
    return hashlib.sha256(text.encode('utf-8', 'surrogateescape')).digest()

  parts = []
  for label, names in images:
    count = min(max(1, round(holdout * len(names))), len(names) - 1)
    shuffled = sorted(names, key=order)
    parts.append((label, sorted(shuffled[count:] if train else shuffled[:count])))
  if not any(names for _, names in parts):
    raise DataError(
      f'no class in {root} has two images: nothing is left to evaluate on; add some'
    )
  return parts
