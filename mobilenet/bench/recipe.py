"""What all contenders share: sizes, one batch, one optimizer. NumPy only."""

from typing import NamedTuple

import numpy as np

SEED = 0
LEARNING_RATE = 1e-3
DECAY, MOMENTUM, EPSILON = 0.9, 0.9, 1e-3  # of RMSprop; SGD has the same momentum
EMA_DECAY = 0.9999
LABEL_SMOOTHING = 0.1
BOXES = 8  # objects of an image


class Recipe(NamedTuple):
  """How networks of one kind are timed.

  batch, resolution (px): where no flag says otherwise. num_classes: without the
  background. optimizer: 'rmsprop' or 'sgd'. averages: whether a step also averages the
  variables.
  """

  batch: int
  resolution: int
  num_classes: int
  optimizer: str
  averages: bool


# By a key of `models.named.KINDS`. COCO's ids go to 90.
RECIPES = {
  'classification': Recipe(16, 224, 1000, 'rmsprop', averages=True),
  'detection': Recipe(8, 320, 90, 'sgd', averages=False),
}


def made_batch(spec: dict) -> tuple[np.ndarray, np.ndarray]:
  """Images (N, H, W, 3), float32, drawn from a normal; labels (N,), int32."""
  generator = np.random.default_rng(SEED)
  shape = (spec['batch'], spec['resolution'], spec['resolution'], 3)
  images = generator.standard_normal(shape, np.float32)
  return images, generator.integers(0, spec['num_classes'], shape[0], np.int32)


def made_boxes(spec: dict) -> tuple[np.ndarray, np.ndarray]:
  """Boxes (N, BOXES, 4), float32: top, left, bottom, right as shares of the image.

  Their classes (N, BOXES), int32, are from 0. Sides are a tenth to four tenths.
  """
  generator = np.random.default_rng(SEED)
  shape = (spec['batch'], BOXES)
  corners = generator.uniform(0.0, 0.6, (*shape, 2))
  sides = generator.uniform(0.1, 0.4, (*shape, 2))
  boxes = np.concatenate([corners, corners + sides], axis=-1).astype(np.float32)
  return boxes, generator.integers(0, spec['num_classes'], shape, np.int32)
