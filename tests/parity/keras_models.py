"""Networks of keras.applications: made, filled, run and saved by Keras."""

import pathlib

import numpy as np

from tests.parity import frameworks
from tests.parity.cases import Case

ROLES = {
  'kernel': 'kernel',
  'bias': 'bias',
  'gamma': 'scale',
  'beta': 'shift',
}
BATCH = 4  # images that the statistics are of


class KerasModel:
  """A network of Keras with random arrays; it is made anew for each image size."""

  def __init__(self, case: Case, seed: int):
    self.case = case
    self.model = self.of_size(case.sizes[0])
    fill(self.model, case.sizes[0], np.random.default_rng(seed), case.raw)

  def of_size(self, size: int):
    """The network for square images of `size` px, with its initial arrays."""
    applications = frameworks.load('keras').applications
    return getattr(applications, self.case.constructor)(
      weights=None,
      input_shape=(size, size, 3),
      classes=self.case.classes,
      classifier_activation=None,
      **self.case.arguments,
    )

  def with_size(self, size: int):
    """The network for square images of `size` px, with our arrays."""
    if size == self.case.sizes[0]:
      return self.model
    model = self.of_size(size)
    model.set_weights(self.model.get_weights())
    return model

  def logits(self, images: np.ndarray) -> np.ndarray:
    return run(self.with_size(images.shape[1]), images)

  def arrays(self) -> dict[str, np.ndarray]:
    return arrays_of(self.model)

  def save(self, path: pathlib.Path) -> None:
    if path.name.endswith('.weights.h5'):
      self.model.save_weights(path)
    else:
      self.model.save(path)


def run(model, images: np.ndarray) -> np.ndarray:
  """What the model gives for images (N, H, W, 3)."""
  return np.asarray(model(images, training=False))


def arrays_of(model) -> dict[str, np.ndarray]:
  return {layer_and_variable(v): v.numpy() for v in model.weights}


def layer_and_variable(variable) -> str:
  """'Conv1/kernel', whatever model it is in."""
  return '/'.join(variable.path.split('/')[-2:])


def fill(model, size: int, rng, raw: bool) -> None:
  """Gives a network random arrays; images of `size` px make the statistics."""
  norms = [layer for layer in model.layers if hasattr(layer, 'moving_mean')]
  for variable in model.trainable_variables:
    name, shape = variable.path.rpartition('/')[2], tuple(variable.shape)
    # A kernel is HWIO or IO; a depthwise one is HWC1.
    inputs = shape[:2] if shape[-1] == 1 else shape[:-1]
    role = ROLES[name]
    array = frameworks.random_array(role, shape, int(np.prod(inputs)), rng)
    variable.assign(array)
  momenta = [norm.momentum for norm in norms]
  for norm in norms:
    norm.momentum = 0.0  # of what was before
  images = rng.uniform(-1, 1, (BATCH, size, size, 3)).astype(np.float32)
  model(127.5 * (images + 1) if raw else images, training=True)
  for norm, momentum in zip(norms, momenta, strict=True):
    norm.momentum = momentum
    statistics = (norm.moving_mean, norm.moving_variance)
    drawn = frameworks.random_statistics(*(s.numpy() for s in statistics), rng)
    for statistic, value in zip(statistics, drawn, strict=True):
      statistic.assign(value)
