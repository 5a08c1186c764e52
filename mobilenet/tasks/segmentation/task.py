"""Segmentation for the loop: pixel losses, and a confusion matrix of every picture."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.models import segmenters
from mobilenet.models.segmenters import Answer
from mobilenet.tasks import Batch, Evaluated, Metric, Shown, Sums, Written
from mobilenet.tasks.losses import l2_penalty
from mobilenet.tasks.segmentation import overlap
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.optimizer import path_mask

_LEAST = 1e-8  # weight of a batch in which no pixel counts
IGNORED = 255  # in 'segmentation': the pixel does not count
_SUMS = ('loss', 'right', 'pixels', 'weight', 'count')


@dataclasses.dataclass(frozen=True)
class Segmentation:
  """Softmax cross-entropy of pixels; mean intersection over union (mIoU) at the end.

  A batch has 'segmentation' (N, H, W), of the images' size: the class of each pixel,
  255 where it does not count. Logits are enlarged to that size (bilinear).

  class_weights: how much a pixel of each class counts in the loss; () for one each.
  auxiliary_weight: of the loss of a second head, where the network has one.
  l2, l2_depthwise: as those of `Classification`.
  """

  class_weights: tuple[float, ...] = ()
  auxiliary_weight: float = 0.5
  l2: float = 0.0
  l2_depthwise: bool = False

  metric: ClassVar[Metric] = Metric('mIoU', 'Mean IoU', '%')
  fields: ClassVar[tuple[str, ...]] = ()
  wants: ClassVar[str] = 'masks'
  own_classes: ClassVar[bool] = False
  has_embeddings: ClassVar[bool] = False
  takes_crops: ClassVar[bool] = False
  needs_examples: ClassVar[bool] = True

  def __post_init__(self):
    weights = self.class_weights
    require(
      all(isinstance(w, int | float) and 0 <= w < math.inf for w in weights)
      and (not weights or sum(weights) > 0),
      f'--config.segmentation.class_weights={weights}: numbers from 0 on, not all 0',
    )

  def outputs(self, source) -> tuple[str, ...]:
    count = len(self.class_weights)
    require(
      count in (0, source.num_classes),
      f'--config.segmentation.class_weights has {count} weights, {source.name} has '
      f'{source.num_classes} classes: give one for each, or none',
    )
    return source.class_names

  def check_training(self, source, split_flag: str) -> None:
    del split_flag
    if 'segmentation' not in source.marks:
      raise TrainingError(
        f'{source.name} has no masks to learn from: set --config.data.name=masks for a '
        'folder of pictures with a mask each'
      )

  def for_training(self, source) -> 'Segmentation':
    return self

  def knowing(self, outputs: Sequence[str]) -> 'Segmentation':
    return self

  def make_model(self, options: dict[str, Any], count: int) -> nn.Module:
    return segmenters.create(num_classes=count, **options)

  def loss(self, params, outputs: jax.Array | Answer, batch: Batch) -> jax.Array:
    """Mean over the pixels that count, over all images of the batch."""
    loss = self._mean(_logits(outputs), batch['segmentation'])
    if isinstance(outputs, Answer):
      early = self._mean(outputs.auxiliary, batch['segmentation'])
      loss += self.auxiliary_weight * early
    if self.l2:
      loss += self.l2 * l2_penalty(params, path_mask(params, self.l2_depthwise))
    return loss

  def _mean(self, logits, truth):
    each, weights = self._by_pixel(logits, truth)
    return jnp.sum(each * weights) / jnp.maximum(jnp.sum(weights), _LEAST)

  def _by_pixel(self, logits, truth):
    """Cross-entropy and weight of each pixel, (N, H, W) float32."""
    logits = segmenters.resize(logits.astype(jnp.float32), truth.shape[1:3])
    there = truth != IGNORED
    # Of a class that does not exist the loss is NaN: it must not pass for a small one.
    known = jnp.where(there, truth, 0).astype(jnp.int32)
    chosen = jnp.take_along_axis(
      jax.nn.log_softmax(logits), known[..., None], axis=-1, mode='fill'
    )[..., 0]
    weights = there.astype(jnp.float32)
    if self.class_weights:
      own = jnp.asarray(self.class_weights, jnp.float32)
      weights *= jnp.take(own, known, mode='clip')
    return jnp.where(there, -chosen, 0.0), weights

  def sums(self, outputs: jax.Array | Answer, batch: Batch) -> Sums:
    """Sums over pixels; 'count' is of images. Class weights are in 'weight' alone."""
    truth, logits = batch['segmentation'], _logits(outputs)
    mask = batch.get('mask', jnp.ones(len(truth), jnp.float32))
    each, weights = self._by_pixel(logits, truth)
    there = (truth != IGNORED) & (mask > 0)[:, None, None]
    right = there & (self.labels(logits, truth.shape[1:3]) == truth)
    return {
      'loss': jnp.sum(jnp.where(there, each, 0.0)),
      # In float32: an image's pixels are no more than it can count, a batch's may be.
      'right': jnp.sum(jnp.sum(right, axis=(1, 2)).astype(jnp.float32)),
      'pixels': jnp.sum(jnp.sum(there, axis=(1, 2)).astype(jnp.float32)),
      'weight': jnp.sum(jnp.where(mask > 0, jnp.sum(weights, axis=(1, 2)), 0.0)),
      'count': jnp.sum(mask),
    }

  def weight(self, sums: Sums) -> jax.Array:
    return jnp.maximum(sums['weight'], _LEAST)

  def zero_sums(self) -> dict[str, np.ndarray]:
    return {name: np.zeros((), np.float32) for name in _SUMS}

  def metrics(self, sums) -> dict[str, float]:
    """The mean loss of a pixel in nats, and the share of right ones in percent."""
    pixels = float(sums['pixels']) or math.nan
    return {
      'loss': float(sums['loss']) / pixels,
      'pixel_accuracy': 100.0 * float(sums['right']) / pixels,
    }

  def unshown(self, count: int) -> tuple[str, ...]:
    return ()

  def answered(self, answers: Mapping[str, np.ndarray]) -> jax.Array:
    """Logits (N, h, w, K) of what an exported file answers.

    Of labels (N, H, W) they are 1 for the class and 0 for others.
    """
    if 'logits' in answers:
      return jnp.asarray(answers['logits'])
    labels = jnp.asarray(answers['labels'], jnp.int32)
    return jax.nn.one_hot(labels, max(int(labels.max()) + 1, 2))

  def predictions(self, outputs: jax.Array) -> dict[str, jax.Array]:
    """Per image: 'logits' (N, h, w, K), of the network's own size."""
    return {'logits': outputs}

  def labels(self, logits: jax.Array, size: tuple[int, int]) -> jax.Array:
    """The class of each pixel of an image of this size, int (N, *size)."""
    return jnp.argmax(segmenters.resize(logits, size), axis=-1)

  def kept(self, outputs: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Per image: 'confusion' (N, K, K) int32, pixels by (class, predicted class)."""
    truth = batch['segmentation']
    labels = self.labels(outputs, truth.shape[1:3])
    return {'confusion': overlap.confusion(truth, labels, outputs.shape[-1])}

  def finish(
    self, metrics: dict[str, float], kept: dict[str, np.ndarray] | None
  ) -> dict[str, float]:
    if kept is None:
      return metrics
    return {**metrics, **overlap.numbers(overlap.total(kept['confusion']))}

  def write_report(self, evaluated: Evaluated) -> Written:
    from mobilenet.tasks.segmentation import pages  # figures, not for the loop

    return pages.write_report(evaluated)

  def show_predictions(self, photos: list, predicted: dict, shown: Shown) -> None:
    from mobilenet.tasks.segmentation import photo_pages

    photo_pages.show_predictions(photos, predicted, shown)


def _logits(outputs: jax.Array | Answer) -> jax.Array:
  return outputs.logits if isinstance(outputs, Answer) else outputs
