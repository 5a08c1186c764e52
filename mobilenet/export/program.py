"""A network as it leaves: images that are prepared by its contract, to logits."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from mobilenet.models import folding, zoo
from mobilenet.models.classifier import Classifier
from mobilenet.weights.contract import Contract
from mobilenet.weights.own_file import Weights
from mobilenet.weights.weight_file import WeightsError


@dataclasses.dataclass(frozen=True)
class Program:
  """A network at inference, its norms folded into its convolutions.

  model, variables: to be applied with train=False; NumPy arrays, float32.
  resolution: px, of the images.
  contract: how these are prepared.
  network_contract: the network's own, where what is written normalises the images for
    it and `contract` says what is done before that; or None.
  class_names: in the order of the logits.
  origin: whose weights these are, for people.
  architecture: arguments of `zoo.create`, before folding.
  decision: how answers are to be read, see `tasks.classification.decision`; or None.
  answer: 'logits', or 'probabilities' at the decision's temperature.
  calibration: of integers, where their ranges come from; or None.
  """

  model: Classifier
  variables: dict[str, Any]
  resolution: int
  contract: Contract
  class_names: tuple[str, ...]
  origin: str
  architecture: dict[str, Any]
  decision: dict[str, Any] | None = None
  answer: str = 'logits'
  calibration: dict[str, Any] | None = None
  network_contract: Contract | None = None

  def image_shape(self) -> tuple[int, int, int]:
    """Of one prepared image."""
    return (self.resolution, self.resolution, 3)

  def applied(self, lowering: str = 'auto') -> Callable[[Any, jax.Array], jax.Array]:
    """(variables, images float32 (N, H, W, 3)) to the answer (N, K), in float32.

    `lowering='native'` has XLA's own convolutions, which exporters know.
    """
    network = self.model.network
    style = dataclasses.replace(network.style, lowering=lowering, dtype='float32')
    model = self.model.clone(network=dataclasses.replace(network, style=style))

    def answer(variables, images):
      logits = model.apply(variables, images)
      if self.answer == 'logits':
        return logits
      return jax.nn.softmax(logits * (1 / self.temperature()))

    return answer

  def function(self, lowering: str = 'auto') -> Callable[[jax.Array], jax.Array]:
    """The same of images alone: float32 (N, H, W, 3) to the answer (N, K)."""
    return functools.partial(self.applied(lowering), self.variables)

  def temperature(self) -> float:
    """That probabilities are of."""
    return self.decision['temperature'] if self.decision else 1.0

  def said(self) -> dict[str, Any]:
    """What travels with the file, as JSON: all that its use needs."""
    own = self.network_contract
    return {
      'origin': self.origin,
      'model': self.architecture,
      'resolution': self.resolution,
      'contract': self.contract.as_dict(),
      'network_contract': own and own.as_dict(),
      'class_names': list(self.class_names),
      'decision': self.decision,
      'answer': self.answer,
      'calibration': self.calibration,
    }


def of_weights(
  weights: Weights,
  resolution: int | None = None,
  decision: dict[str, Any] | None = None,
  answer: str = 'logits',
) -> Program:
  """The program of a network's weights.

  Args:
    weights: with a classifier and a contract.
    resolution: px; None for the contract's.
    decision, answer: see `Program`.

  Raises:
    WeightsError: the weights have no classifier or no contract.
  """
  if not weights.has_head:
    raise WeightsError(
      f'{weights.origin} has no classifier: there is nothing to answer'
    )
  if weights.contract is None:
    raise WeightsError(
      f'{weights.origin} does not say how images are prepared: import it with '
      '--contract=..., then export the workdir'
    )
  resolution = resolution or weights.contract.resolution
  model, variables = folding.fold(zoo.create(**weights.model), weights.variables)
  count = weights.model['num_classes']
  return Program(
    model=model,
    variables=jax.tree.map(np.asarray, variables),
    resolution=resolution,
    # Whoever imports the file uses the network as it is used here.
    contract=dataclasses.replace(weights.contract, resolution=resolution),
    class_names=weights.class_names or tuple(f'class {n}' for n in range(count)),
    origin=weights.origin,
    architecture=weights.model,
    decision=decision,
    answer=answer,
  )
