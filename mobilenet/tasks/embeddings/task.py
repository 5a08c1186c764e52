"""Embeddings for the loop: margin losses, a teacher's distance, and recall at the end.

A run is measured on classes that it never saw: their images are to find each other.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.models import embedders
from mobilenet.models.embedders import Answer
from mobilenet.tasks import Batch, Evaluated, Metric, Shown, Sums, Written
from mobilenet.tasks.embeddings import margins, retrieval
from mobilenet.tasks.losses import l2_penalty, top_k_correct
from mobilenet.training.errors import TrainingError, require, unknown_name
from mobilenet.training.optimizer import path_mask

DISTANCE = 'distance'
_KS = (1, 5, 10)
_SUMS = ('loss', 'right', 'count')


@dataclasses.dataclass(frozen=True)
class Embeddings:
  """A margin loss on the classes of training, the distance to a teacher, or both.

  The teacher's embeddings come with a training batch, under the name `embedded_by`.
  Evaluation has classes of its own, for which there is no loss: of each image the
  nearest other one is looked for.

  objective: a key of `margins.LOSSES`, or 'distance' for the teacher's alone, which
    needs no label.
  scale: of the cosines in a softmax.
  margin: see `margins`; None for the paper's.
  l2, l2_depthwise: as those of `Classification`.
  features: weight of the squared distance to the teacher's embeddings; 0: no teacher.
  """

  objective: str = 'arcface'
  scale: float = 64.0
  margin: float | None = None
  l2: float = 0.0
  l2_depthwise: bool = False
  features: float = 0.0

  # Recall at 1 is 100 % of few classes long before their distances are good.
  metric: ClassVar[Metric] = Metric('map_at_r', 'MAP@R', '%')
  fields: ClassVar[tuple[str, ...]] = ('label',)
  wants: ClassVar[str] = 'identities'
  own_classes: ClassVar[bool] = True
  has_embeddings: ClassVar[bool] = False
  takes_crops: ClassVar[bool] = False
  needs_examples: ClassVar[bool] = True
  embedded_by: ClassVar[str] = 'teacher_embeddings'

  def __post_init__(self):
    known = (*margins.LOSSES, DISTANCE)
    if self.objective not in known:
      raise unknown_name('embeddings.loss', self.objective, known)
    require(
      self.margin is None or self.objective in margins.MARGINS,
      f'--config.embeddings.margin={self.margin}: {self.objective} has no margin; '
      'leave it out',
    )
    require(
      self.objective != 'arcface' or self._margin() < math.pi,
      f'--config.embeddings.margin={self.margin} is an angle in radians, below pi',
    )

  def _margin(self) -> float:
    return margins.MARGINS[self.objective] if self.margin is None else self.margin

  def outputs(self, source) -> tuple[str, ...]:
    """The classes of the training; none where only a teacher is learned from."""
    return () if self.objective == DISTANCE else source.class_names

  def check_training(self, source, split_flag: str) -> None:
    require(
      not source.marks,
      f'{source.name} has no class of each picture to learn from: set '
      '--config.data.name=folder for a folder of class folders',
    )
    if source.unlabelled:
      raise TrainingError(
        f'{" and ".join(source.unlabelled)} of {source.name} has no labels (-1): '
        f'choose another split than {source.split}: {split_flag}='
      )
    require(
      source.labels is None or len(set(source.labels)) < len(source.labels),
      f'no class of {source.split} in {source.origin} has two images: nothing says '
      f'which ones belong together; add some, or choose another split: {split_flag}=',
    )

  def for_training(self, source) -> 'Embeddings':
    return self

  def knowing(self, outputs: Sequence[str]) -> 'Embeddings':
    return self

  def make_model(self, options: dict[str, Any], count: int) -> nn.Module:
    count = 0 if self.objective == DISTANCE else count
    return embedders.create(num_classes=count, **options)

  def loss(self, params, outputs: Answer, batch: Batch) -> jax.Array:
    """Mean over the examples of the batch that count."""
    each, mask = self._each(outputs, batch), _mask(outputs.embedding, batch)
    # `where`, not a product: padding must not bring in a NaN.
    total = jnp.sum(jnp.where(mask > 0, each, 0.0))
    loss = total / jnp.maximum(jnp.sum(mask), 1.0)
    if self.l2:
      loss += self.l2 * l2_penalty(params, path_mask(params, self.l2_depthwise))
    return loss

  def _each(self, outputs: Answer, batch: Batch) -> jax.Array:
    each = 0.0
    if self.objective != DISTANCE:
      how = {'scale': self.scale}
      if self.objective in margins.MARGINS:
        how['margin'] = self._margin()
      each = margins.LOSSES[self.objective](outputs.cosines, batch['label'], **how)
    if self.features:
      taught = batch[self.embedded_by]
      each += self.features * margins.distance(outputs.embedding, taught)
    return each

  def sums(self, outputs: Answer | jax.Array, batch: Batch) -> Sums:
    """Sums of a batch; of an evaluation, whose classes are others, the count alone.

    'right' are the examples whose own class is the nearest, without a margin.
    """
    if not isinstance(outputs, Answer):
      mask = _mask(outputs, batch)
      return {'count': jnp.sum(mask * (batch['label'] >= 0))}
    mask = _mask(outputs.embedding, batch)
    right = jnp.zeros_like(mask)
    if outputs.cosines is not None:
      right = mask * top_k_correct(outputs.cosines, batch['label'], 1)
    return {
      'loss': jnp.sum(jnp.where(mask > 0, self._each(outputs, batch), 0.0)),
      'right': jnp.sum(right),
      'count': jnp.sum(mask),
    }

  def weight(self, sums: Sums) -> jax.Array:
    return jnp.maximum(sums['count'], 1.0)

  def zero_sums(self) -> dict[str, np.ndarray]:
    return {name: np.zeros((), np.float32) for name in _SUMS}

  def metrics(self, sums) -> dict[str, float]:
    """Of training, the loss and how often the own class is the nearest, in percent."""
    count = float(sums['count']) or math.nan
    if 'loss' not in sums:
      return {}
    metrics = {'loss': float(sums['loss']) / count}
    if self.objective != DISTANCE:
      metrics['nearest_class'] = 100.0 * float(sums['right']) / count
    return metrics

  def unshown(self, count: int) -> tuple[str, ...]:
    return ()

  def answered(self, answers: Mapping[str, np.ndarray]) -> jax.Array:
    return jnp.asarray(answers['embedding'])

  def predictions(self, outputs: jax.Array) -> dict[str, jax.Array]:
    """Per example: its 'embedding' (N, E), of length 1."""
    return {'embedding': outputs}

  def kept(self, outputs: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    return self.predictions(outputs)

  def finish(
    self, metrics: dict[str, float], kept: dict[str, np.ndarray] | None
  ) -> dict[str, float]:
    """With recall at 1, 5 and 10; NaN where no class has two images."""
    if not kept:
      return metrics
    found = retrieval.recall_at(kept['embedding'], kept['label'], _KS)
    return {**metrics, **found}

  def write_report(self, evaluated: Evaluated) -> Written:
    from mobilenet.tasks.embeddings import pages  # figures, not for the loop

    return pages.write_report(evaluated)

  def show_predictions(self, photos: list, predicted: dict, shown: Shown) -> None:
    from mobilenet.tasks.embeddings import photo_pages

    photo_pages.show_predictions(photos, predicted, shown)


def _mask(embedding: jax.Array, batch: Batch) -> jax.Array:
  return batch.get('mask', jnp.ones(len(embedding), jnp.float32))
