"""The worst mistakes: photos, and where in them the network sees the wrong class."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import input_pipeline
from input_pipeline import array_ops, photos
from mobilenet.reports import pictures
from mobilenet.tasks import Evaluated
from mobilenet.tasks.classification import activation_map

WORST = 20  # pictures, at most
SIDE = 320  # px of a kept picture


class Mistake(NamedTuple):
  """photo: uint8 (H, W, 3), shrunk. heat: the same with the heat over it, or None."""

  photo: np.ndarray
  heat: np.ndarray | None


def collect(
  evaluated: Evaluated, indexes: Sequence[int], predicted: Sequence[int]
) -> list[Mistake]:
  """The pictures of some examples, in their order; one whole photo in memory at a time.

  The heat of all is computed in one batch, with the images that evaluation saw.

  Args:
    evaluated: of whom there may be no run; then there is no heat.
    indexes: of at most WORST examples.
    predicted: the class of each that is asked about.
  """
  ops = ()
  if evaluated.run is not None:
    ops = input_pipeline.parse_ops(evaluated.ops['evaluation'], 'eval')
  seen: dict[int, tuple[np.ndarray, Any, np.ndarray]] = {}
  for index, photo in evaluated.examples.pictures(np.asarray(indexes)):
    window = photos.seen_window(photo.shape, ops)
    small = activation_map.no_larger(photo, SIDE)
    factor = small.shape[0] / photo.shape[0], small.shape[1] / photo.shape[1]
    window = tuple(np.array(window) * (*factor, *factor))
    seen[index] = small, window, photos.prepare(photo, ops)
  ordered = [seen[int(index)] for index in indexes]
  if evaluated.run is None or not ordered:
    return [Mistake(photo, None) for photo, _, _ in ordered]
  model = evaluated.run.model
  # As many as there can be: one program serves every number of mistakes.
  filled = (ordered * WORST)[:WORST]
  heat = activation_map.activation_maps(
    model,
    activation_map.on_one_device(evaluated.run.variables),
    np.stack([image for _, _, image in filled]),
    np.resize(predicted, WORST),
    evaluated.kept('heat', activation_map.heat_of(model)),
  )[: len(ordered)]
  return [
    Mistake(photo, activation_map.heat_over(photo, window, each))
    for (photo, window, _), each in zip(ordered, heat, strict=True)
  ]


def beside(mistake: Mistake, side: int = 200) -> np.ndarray:
  """One picture, uint8 (H, W, 3): the photo, and to its right the one with heat."""
  halves = [enlarged(each, side) for each in mistake if each is not None]
  return pictures.beside(halves)


def enlarged(picture: np.ndarray, side: int) -> np.ndarray:
  """Brought to `side` pixels on the longer side; digits of 28 pixels stay pixels."""
  longest = max(picture.shape[:2])
  shape = tuple(max(1, round(side * each / longest)) for each in picture.shape[:2])
  method = 'nearest' if longest <= 64 else 'area' if longest > side else 'bilinear'
  return np.rint(array_ops.resize_to(picture, shape, method)).astype(np.uint8)
