"""What all contenders share: one batch, one optimizer. NumPy only."""

import numpy as np

SEED = 0
LEARNING_RATE = 1e-3
DECAY, MOMENTUM, EPSILON = 0.9, 0.9, 1e-3  # of RMSprop
EMA_DECAY = 0.9999
LABEL_SMOOTHING = 0.1


def made_batch(spec: dict) -> tuple[np.ndarray, np.ndarray]:
  """Images (N, H, W, 3), float32, drawn from a normal; labels (N,), int32."""
  generator = np.random.default_rng(SEED)
  shape = (spec['batch'], spec['resolution'], spec['resolution'], 3)
  images = generator.standard_normal(shape, np.float32)
  return images, generator.integers(0, spec['num_classes'], shape[0], np.int32)
