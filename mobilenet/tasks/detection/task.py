"""Detection for the loop: a loss, sums, the objects found, and COCO's mAP at last."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.models import boxes as geometry
from mobilenet.models import detectors
from mobilenet.models.boxes import Found
from mobilenet.models.detectors import Boxes
from mobilenet.tasks import Batch, Evaluated, Metric, Shown, Sums, Written
from mobilenet.tasks.detection import average_precision, losses
from mobilenet.tasks.detection.matching import match
from mobilenet.tasks.losses import l2_penalty
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.optimizer import path_mask

FOCAL, HARD_NEGATIVES = 'focal', 'hard_negatives'
# class_loss -> how its logits become scores, see `detectors.scores`.
SCORES = {FOCAL: 'sigmoid', HARD_NEGATIVES: 'softmax'}
_SUMS = ('class_loss', 'box_loss', 'positives', 'count')


class Decoded(NamedTuple):
  """What is said of every anchor, decoded: boxes (N, A, 4), scores (N, A, K)."""

  boxes: jax.Array
  scores: jax.Array


@dataclasses.dataclass(frozen=True)
class Detection:
  """Which objects an image shows, and where: SSD's two losses, and COCO's numbers.

  A batch has 'boxes' (N, M, 4), see `models.boxes`; 'classes' (N, M), -1 where there is
  no box; 'crowd' (N, M), for a region that was not drawn one by one; 'size' (N, 2), the
  height and width of the picture in pixels.

  class_loss: 'focal' of all anchors (scores are sigmoids), or 'hard_negatives', softmax
    of what is there and of three times as many of the worst others.
  box_weight: of the boxes' loss; that of the classes has 1.
  l2, l2_depthwise: as those of `Classification`.
  candidates, most, overlap, least_score: of the decoding, see `boxes.detect`.
  """

  class_loss: str = FOCAL
  box_weight: float = 1.0
  l2: float = 0.0
  l2_depthwise: bool = False
  candidates: int = 300
  most: int = 100
  overlap: float = 0.6
  least_score: float = 1e-8

  metric: ClassVar[Metric] = Metric('mAP', 'mAP (IoU 0.5 to 0.95)', '%')
  fields: ClassVar[tuple[str, ...]] = ('boxes', 'classes', 'crowd', 'size')
  wants: ClassVar[str] = 'boxes'
  own_classes: ClassVar[bool] = False
  has_embeddings: ClassVar[bool] = False
  takes_crops: ClassVar[bool] = False
  needs_examples: ClassVar[bool] = True

  def __post_init__(self):
    require(
      self.class_loss in (FOCAL, HARD_NEGATIVES),
      f'--config.detection.class_loss={self.class_loss}: it must be {FOCAL} or '
      f'{HARD_NEGATIVES}',
    )
    require(
      1 <= self.most <= self.candidates,
      f'--config.detection.most={self.most} must be from 1 to detection.candidates='
      f'{self.candidates}',
    )
    require(
      0 < self.overlap <= 1,
      f'--config.detection.overlap={self.overlap:g} must be above 0 and at most 1',
    )

  def outputs(self, source) -> tuple[str, ...]:
    return source.class_names

  def check_training(self, source, split_flag: str) -> None:
    del split_flag
    if 'boxes' not in source.marks:
      raise TrainingError(
        f'{source.name} has no boxes to learn from: set --config.data.name=boxes for a '
        'folder of pictures with COCO, Pascal VOC or YOLO annotations'
      )

  def for_training(self, source) -> 'Detection':
    return self

  def knowing(self, outputs: Sequence[str]) -> 'Detection':
    return self

  def make_model(self, options: dict[str, Any], count: int) -> nn.Module:
    return detectors.create(num_classes=count, **options)

  def loss(self, params, outputs: Boxes, batch: Batch) -> jax.Array:
    sums = self.sums(outputs, batch)
    total = sums['class_loss'] + self.box_weight * sums['box_loss']
    loss = total / self.weight(sums)
    if self.l2:
      loss += self.l2 * l2_penalty(params, path_mask(params, self.l2_depthwise))
    return loss

  def sums(self, outputs: Boxes | Decoded | Found, batch: Batch) -> Sums:
    """Losses are NaN where the outputs are those of an exported file."""
    if not isinstance(outputs, Boxes):
      count = jnp.sum(batch['mask'])
      return {**dict.fromkeys(_SUMS, jnp.float32(math.nan)), 'count': count}
    boxes, classes = batch['boxes'], batch['classes']
    there = classes >= 0
    matches = match(outputs.anchors, boxes, there, batch['crowd'])
    classes = jnp.maximum(classes, 0)
    if self.class_loss == FOCAL:
      wanted = losses.targets(matches, classes, outputs.logits.shape[-1])
      by_class = losses.focal(outputs.logits, wanted, matches)
    else:
      by_class = losses.hard_negatives(outputs.logits, classes, matches)
    by_box = losses.localisation(outputs.codes, outputs.anchors, boxes, matches)
    mask = batch.get('mask', jnp.ones(len(boxes), jnp.float32))
    each = (by_class, by_box, losses.positives(matches), jnp.ones(len(boxes)))
    # `where`, not a product: padding must not bring in a NaN.
    return {
      name: jnp.sum(jnp.where(mask > 0, value, 0.0))
      for name, value in zip(_SUMS, each, strict=True)
    }

  def weight(self, sums: Sums) -> jax.Array:
    return jnp.maximum(sums['positives'], 1.0)

  def zero_sums(self) -> dict[str, np.ndarray]:
    return {name: np.zeros((), np.float32) for name in _SUMS}

  def metrics(self, sums) -> dict[str, float]:
    """Losses per anchor that is to find a box; NaN without examples."""
    if not float(sums['count']):
      return dict.fromkeys(('loss', 'class_loss', 'box_loss'), math.nan)
    # Not Python's max, which passes over what is no number.
    positives = float(np.maximum(float(sums['positives']), 1.0))
    by_class, by_box = (
      float(sums[name]) / positives for name in ('class_loss', 'box_loss')
    )
    total = by_class + self.box_weight * by_box
    return {'loss': total, 'class_loss': by_class, 'box_loss': by_box}

  def unshown(self, count: int) -> tuple[str, ...]:
    return tuple(n for n in average_precision.NAMES if n not in ('mAP', 'AP50'))

  def answered(self, answers: Mapping[str, np.ndarray]) -> Decoded | Found:
    """What an exported file answers, as `predictions` takes it: decoded, or found."""
    arrays = {name: jnp.asarray(values) for name, values in answers.items()}
    if 'classes' in arrays:
      return Found(**arrays | {'classes': arrays['classes'].astype(jnp.int32)})
    return Decoded(**arrays)

  def predictions(self, outputs: Boxes | Decoded | Found) -> dict[str, jax.Array]:
    """Per image, the best first: 'found_boxes' (N, D, 4), 'found_scores' (N, D) and
    'found_classes' (N, D); what is over has score 0.
    """
    found = outputs
    if isinstance(outputs, Boxes):
      boxes = geometry.decode(outputs.codes, outputs.anchors)
      outputs = Decoded(boxes, self.scores(outputs.logits))
    if isinstance(outputs, Decoded):
      found = geometry.detect(
        *outputs,
        candidates=self.candidates,
        most=self.most,
        threshold=self.overlap,
        least_score=self.least_score,
      )
    return {
      'found_boxes': found.boxes,
      'found_scores': found.scores,
      'found_classes': found.classes,
    }

  def kept(
    self, outputs: Boxes | Decoded | Found, batch: Batch
  ) -> dict[str, jax.Array]:
    return self.predictions(outputs)

  def scores(self, logits: jax.Array) -> jax.Array:
    """(N, A, K), 0 to 1, of the classes alone."""
    return detectors.scores(logits, SCORES[self.class_loss])

  def finish(
    self, metrics: dict[str, float], kept: dict[str, np.ndarray] | None
  ) -> dict[str, float]:
    if kept is None:
      return metrics
    return {**metrics, **average_precision.of_examples(kept).numbers}

  def write_report(self, evaluated: Evaluated) -> Written:
    from mobilenet.tasks.detection import pages  # figures, not for the loop

    return pages.write_report(evaluated)

  def show_predictions(self, photos: list, predicted: dict, shown: Shown) -> None:
    from mobilenet.tasks.detection import photo_pages

    photo_pages.show_predictions(photos, predicted, shown)
