"""Networks of torchvision and timm: made, filled, run and saved by PyTorch."""

import pathlib

import numpy as np

from tests.parity import frameworks
from tests.parity.cases import Case

# Of arrays of one dimension; 'gamma' is a layer scale.
ROLES = {'weight': 'scale', 'gamma': 'scale'}
BATCH = 4  # images that the statistics are of


class TorchModel:
  """A network of PyTorch with random arrays."""

  def __init__(self, case: Case, seed: int):
    self.case, self.torch = case, frameworks.load('torch')
    # What is exported is of either.
    models = None if case.framework == 'timm' else frameworks.load('torchvision').models
    if hasattr(models, case.constructor):
      make = getattr(models, case.constructor)
      self.model = make(weights=None, num_classes=case.classes, **case.arguments)
    else:
      make = frameworks.load('timm').create_model
      self.model = make(case.constructor, num_classes=case.classes, **case.arguments)
    fill(self.model, case.sizes[0], np.random.default_rng(seed))

  def logits(self, images: np.ndarray) -> np.ndarray:
    return run(self.model, images)

  def arrays(self) -> dict[str, np.ndarray]:
    return arrays_of(self.model)

  def save(self, path: pathlib.Path) -> None:
    if path.suffix == '.safetensors':
      from safetensors.torch import save_file

      save_file(self.model.state_dict(), path)
      return
    legacy = path.name.endswith('.legacy.pth')
    self.torch.save(
      self.model.state_dict(), path, _use_new_zipfile_serialization=not legacy
    )


def run(model, images: np.ndarray) -> np.ndarray:
  """Logits (N, K) of images (N, H, W, 3)."""
  torch = frameworks.load('torch')
  with torch.no_grad():
    return model(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()


def arrays_of(model) -> dict[str, np.ndarray]:
  """The floats of a state dict; what is left out counts batches."""
  state = model.state_dict().items()
  return {n: v.numpy().copy() for n, v in state if v.is_floating_point()}


def fill(model, size: int, rng, forward=None) -> None:
  """Gives a network random arrays; images of `size` px make the statistics.

  forward: what goes through all of the network, where calling it does not.
  """
  torch = frameworks.load('torch')
  norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
  with torch.no_grad():
    for name, value in model.named_parameters():
      last, shape = name.rpartition('.')[2], tuple(value.shape)
      role = 'kernel' if len(shape) > 1 else ROLES.get(last, 'bias')
      array = frameworks.random_array(role, shape, int(np.prod(shape[1:])), rng)
      value.copy_(torch.from_numpy(array))
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
      norm.momentum = 1.0
    images = rng.uniform(-1, 1, (BATCH, 3, size, size)).astype(np.float32)
    model.train()
    (forward or model)(torch.from_numpy(images))
    model.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
      norm.momentum = momentum
      statistics = (norm.running_mean, norm.running_var)
      drawn = frameworks.random_statistics(*(s.numpy() for s in statistics), rng)
      for statistic, value in zip(statistics, drawn, strict=True):
        statistic.copy_(torch.from_numpy(value))
