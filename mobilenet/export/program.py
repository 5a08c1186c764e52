"""A network as it leaves: images that are prepared by its contract, to logits."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from mobilenet.export import answers
from mobilenet.export.errors import ExportError
from mobilenet.models import folding, named
from mobilenet.weights import starting
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
  class_names: in the order of the logits; of a detector without the background; of an
    embedder none.
  origin: whose weights these are, for people.
  architecture: arguments of `models.named.create`, before folding.
  decision: how answers are to be read, see `tasks.classification.decision`; of a
    detector its 'score', the least that is shown; of tags their 'thresholds'; or None.
  answer: one that `answers.ANSWERS` has for the task; 'probabilities' are at the
    decision's temperature.
  calibration: of integers, where their ranges come from; or None.
  task: what the network is for, a key of `answers.ANSWERS`.
  finding: how a detector's outputs become objects: 'scores' ('sigmoid' or 'softmax'),
    and arguments of `boxes.detect`.
  read_as: the task that reads its answers where that is another; or None.
  """

  model: nn.Module
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
  task: str = 'classification'
  finding: dict[str, Any] | None = None
  read_as: str | None = None

  def image_shape(self) -> tuple[int, int, int]:
    """Of one prepared image."""
    return (self.resolution, self.resolution, 3)

  def outputs(self) -> tuple[str, ...]:
    """The names of what a file gives."""
    return answers.ANSWERS[self.task][self.answer].names

  def _how(self) -> dict[str, Any]:
    return {'temperature': self.temperature(), **(self.finding or {})}

  def applied(self, lowering: str = 'auto') -> Callable[[Any, jax.Array], Any]:
    """(variables, images float32 (N, H, W, 3)) to what a graph of it is to give.

    That is an array (N, K), or a tuple of arrays (N, ...), in float32.

    `lowering='native'` has XLA's own convolutions, which exporters know.
    """
    network = self.model.network
    style = dataclasses.replace(network.style, lowering=lowering, dtype='float32')
    model = self.model.clone(network=dataclasses.replace(network, style=style))

    of, how = answers.ANSWERS[self.task][self.answer].of, self._how()

    def answer(variables, images):
      values = of(model.apply(variables, images), how, images.shape[1:3])
      return values if len(values) > 1 else values[0]

    return answer

  def finished(self, values) -> tuple[jax.Array, ...]:
    """The outputs, in JAX, of what `applied` gives."""
    values = values if isinstance(values, tuple) else (values,)
    finish = answers.ANSWERS[self.task][self.answer].finish
    return finish(values, self._how()) if finish else values

  def refuse_finish(self, what: str) -> None:
    """Refuses an answer that no graph holds.

    Raises:
      ExportError: it is one; `what` is the format that has graphs alone.
    """
    if answers.ANSWERS[self.task][self.answer].finish:
      raise ExportError(
        f'{what} files of this project cannot give --answer={self.answer}: give '
        f'--answer={next(iter(answers.ANSWERS[self.task]))}, or --format=stablehlo or '
        'savedmodel'
      )

  def function(self, lowering: str = 'auto') -> Callable[[jax.Array], jax.Array]:
    """Images float32 (N, H, W, 3) to the answer (N, K), or a tuple of all outputs."""
    applied = functools.partial(self.applied(lowering), self.variables)

    def answer(images):
      made = self.finished(applied(images))
      return made if len(made) > 1 else made[0]

    return answer

  def temperature(self) -> float:
    """That probabilities are of."""
    return (self.decision or {}).get('temperature', 1.0)

  def said(self) -> dict[str, Any]:
    """What travels with the file, as JSON: all that its use needs."""
    own, boxes = self.network_contract, self.task == 'detection'
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
      'task': self.task,
      **({'read_as': self.read_as} if self.read_as else {}),
      'outputs': list(self.outputs()),
      'meaning': answers.ANSWERS[self.task][self.answer].said,
      **({'finding': self.finding, 'box_order': answers.BOX_ORDER} if boxes else {}),
    }


def of_weights(
  weights: Weights,
  resolution: int | None = None,
  decision: dict[str, Any] | None = None,
  answer: str | None = None,
  finding: dict[str, Any] | None = None,
  task: str | None = None,
  read_as: str | None = None,
) -> Program:
  """The program of a network's weights.

  Args:
    weights: with a classifier and a contract.
    resolution: px; None for the contract's.
    decision, answer, finding, read_as: see `Program`; answer: None for the task's
      default.
    task: see `Program`; None for what networks of the name are for.

  Raises:
    WeightsError: the weights have no classifier or no contract, or such networks no
      such answer.
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
  weights = _without_training(weights)
  task = task or named.kind(weights.model['name'])
  answer, _ = answers.named(task, answer)
  model, variables = folding.fold(named.create(**weights.model), weights.variables)
  count = weights.model['num_classes']
  return Program(
    model=model,
    variables=jax.tree.map(np.asarray, variables),
    resolution=resolution,
    # Whoever imports the file uses the network as it is used here.
    contract=dataclasses.replace(weights.contract, resolution=resolution),
    class_names=weights.class_names or starting.unnamed(count),
    origin=weights.origin,
    architecture=weights.model,
    decision=decision,
    answer=answer,
    task=task,
    finding=finding,
    read_as=read_as,
  )


def _without_training(weights: Weights) -> Weights:
  """An embedder without the classes of its training, nor their names: of people, say.

  Other networks as they are.
  """
  if named.kind(weights.model['name']) != 'embeddings':
    return weights
  params = {k: v for k, v in weights.variables['params'].items() if k != 'classes'}
  return dataclasses.replace(
    weights,
    model=weights.model | {'num_classes': 0},
    variables={**weights.variables, 'params': params},
    class_names=(),
  )
