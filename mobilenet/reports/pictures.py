"""Pictures that tasks write and put on pages: names, sizes, and several in one."""

from collections.abc import Sequence

import numpy as np


def free_stem(stem: str, taken: set[str]) -> str:
  """A name that no photo before has, which is then taken.

  Photos of two folders may share theirs: 'cat', 'cat-1', 'cat-2'.
  """
  name, number = stem, 1
  while name in taken:
    name, number = f'{stem}-{number}', number + 1
  taken.add(name)
  return name


def smaller(picture: np.ndarray, side: int) -> np.ndarray:
  """uint8 (H, W, 3) of at most `side` pixels on its longer side."""
  from PIL import Image

  if max(picture.shape[:2]) <= side:
    return picture
  image = Image.fromarray(picture)
  image.thumbnail((side, side))
  return np.asarray(image)


def beside(pictures: Sequence[np.ndarray], edge: int = 8) -> np.ndarray:
  """Pictures of one height as one, with a white edge of so many pixels between."""
  gap = np.full((len(pictures[0]), edge, 3), 255, np.uint8)
  parts = [part for each in pictures for part in (each, gap)][:-1]
  return np.concatenate(parts, axis=1)
