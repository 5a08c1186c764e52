"""Tags for the loop: a yes or no of each, and their mean average precision at last."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from mobilenet.models import zoo
from mobilenet.models.classifier import Answer
from mobilenet.tasks import Batch, Evaluated, Metric, Shown, Sums, Written
from mobilenet.tasks.losses import l2_penalty, similarity_distance
from mobilenet.tasks.tags import losses
from mobilenet.training.errors import TrainingError
from mobilenet.training.optimizer import path_mask

_SUMS = ('loss', 'right', 'known', 'count')
_NAMED = 5  # tags in a message


@dataclasses.dataclass(frozen=True)
class Tags:
  """Binary cross-entropy of each tag, averaged over those that are known of a photo.

  A batch has 'tags' (N, K): 1, 0, or -1 where nobody knows. A photo of which no tag is
  known adds nothing, but a teacher says something of it, too: with `hard` at 0 that is
  all there is, as in the MobileNet paper's section 4.6 (1704.04861). The teacher's
  arrays are those of `Classification`.

  label_smoothing: in [0, 1); half of it goes to the other answer.
  l2, l2_depthwise: as those of `Classification`.
  balance: how the weights of yes and no come from how many there are of each, see
    `for_training`.
  weights: of each tag's (yes, no) in the loss; () for one each.
  hard: the labels' share of the loss, in [0, 1]; the rest is the teacher's.
  temperature: of the comparison with the teacher, above 0.
  features: weight of what the similarities of embeddings add to the loss.
  """

  label_smoothing: float = 0.0
  l2: float = 0.0
  l2_depthwise: bool = False
  balance: float = 0.0
  weights: tuple[tuple[float, float], ...] = ()
  hard: float = 1.0
  temperature: float = 2.0
  features: float = 0.0

  metric: ClassVar[Metric] = Metric('mAP', 'Mean average precision', '%')
  fields: ClassVar[tuple[str, ...]] = ('tags',)
  wants: ClassVar[str] = 'tags'
  own_classes: ClassVar[bool] = False
  has_embeddings: ClassVar[bool] = True
  takes_crops: ClassVar[bool] = True
  needs_examples: ClassVar[bool] = True
  taught_by: ClassVar[str] = 'teacher_logits'
  embedded_by: ClassVar[str] = 'teacher_embeddings'

  def outputs(self, source) -> tuple[str, ...]:
    return source.class_names

  def check_training(self, source, split_flag: str) -> None:
    if 'tags' not in source.marks:
      raise TrainingError(
        f'{source.name} has no tags to learn from: set --config.data.name=tags for a '
        'folder of photos with a CSV that says which of them hold'
      )
    known = (source.fields or {}).get('tags')
    if known is not None and self.hard > 0 and (known < 0).all():
      raise TrainingError(
        f'no tag is known of any photo of {source.split} in {source.origin}: fill in '
        f'the CSV, or choose another split: {split_flag}='
      )

  def for_training(self, source) -> 'Tags':
    """The task with weights of n ** -balance of each tag's yes and no.

    n is how many photos have that answer. The weights of a tag are scaled so that an
    answer weighs one on average. With a balance of 1 yes and no count the same in all.

    Raises:
      TrainingError: a tag is never positive, so that nothing can be learned of it; or
        weights are asked for, and the data does not tell its tags before it is read.
    """
    known = (source.fields or {}).get('tags')
    if known is None:
      if not self.balance:
        return self
      raise TrainingError(
        f'--config.loss.balance={self.balance:g} needs to know how often each tag '
        f'holds, which only folders tell, not {source.name}; set it to 0'
      )
    yes, no = (known == 1).sum(axis=0), (known == 0).sum(axis=0)
    never = [name for name, n in zip(source.class_names, yes, strict=True) if not n]
    if never and self.hard > 0:
      more = ', ...' * (len(never) > _NAMED)
      raise TrainingError(
        f'no photo of {source.split} in {source.origin} has {", ".join(never[:_NAMED])}'
        f'{more}: nothing can be learned of a tag that never holds. Remove its column, '
        'or add photos with it'
      )
    if not self.balance:
      return self
    sizes = np.maximum(np.stack([yes, no], axis=1), 1).astype(float)
    weights = sizes ** -float(self.balance)
    weights /= np.sum(weights * sizes, axis=1, keepdims=True) / sizes.sum(
      axis=1, keepdims=True
    )
    return dataclasses.replace(self, weights=tuple(map(tuple, weights.tolist())))

  def knowing(self, outputs: Sequence[str]) -> 'Tags':
    return self

  def make_model(self, options: dict[str, Any], count: int) -> nn.Module:
    return zoo.create(num_classes=count, **options)

  def loss(self, params, outputs: jax.Array | Answer, batch: Batch) -> jax.Array:
    """The objective of a training batch, a scalar; see `Classification.loss`."""
    logits, loss = _logits(outputs), 0.0
    if self.hard > 0:
      loss = jnp.mean(self._of_labels(logits, batch['tags']))
    if self.hard < 1:
      taught = losses.distillation(logits, batch[self.taught_by], self.temperature)
      loss = self.hard * loss + (1 - self.hard) * jnp.mean(taught)
    if self.features:
      loss += self.features * similarity_distance(
        outputs.embedding, batch[self.embedded_by], batch.get('mask')
      )
    if self.l2:
      loss += self.l2 * l2_penalty(params, path_mask(params, self.l2_depthwise))
    return loss

  def _of_labels(self, logits: jax.Array, tags: jax.Array) -> jax.Array:
    """(B,), smoothed and weighted; 0 where no tag is known."""
    targets = tags * (1 - self.label_smoothing) + self.label_smoothing / 2
    each = _cross_entropy(logits, targets)
    if self.weights:
      yes, no = jnp.asarray(self.weights, jnp.float32).T
      each *= jnp.where(tags > 0, yes, no)
    return _over_known(each, tags)

  def sums(self, outputs: jax.Array | Answer, batch: Batch) -> Sums:
    """Metric sums of a batch; 'count' is the photos of which some tag is known.

    The loss among them is plain, without smoothing, weights or L2.
    """
    logits, tags = _logits(outputs), batch['tags']
    mask = batch.get('mask', jnp.ones(logits.shape[:1], jnp.float32))
    known = (tags >= 0) & (mask > 0)[:, None]
    counts = jnp.any(known, axis=1)
    # `where`, not a product: padding must not bring in a NaN.
    loss = jnp.where(counts, _over_known(_cross_entropy(logits, tags), tags), 0.0)
    right = known & ((logits > 0) == (tags > 0))
    found = (loss, right, known, counts)
    return {
      name: jnp.sum(values, dtype=jnp.float32)
      for name, values in zip(_SUMS, found, strict=True)
    }

  def weight(self, sums: Sums) -> float:
    return 1.0  # parts have as many examples

  def zero_sums(self) -> dict[str, np.ndarray]:
    return {name: np.zeros((), np.float32) for name in _SUMS}

  def metrics(self, sums) -> dict[str, float]:
    """Loss in nats; accuracy, the share of known tags that are told rightly from a
    probability of 0.5 on, in percent. NaN without examples.
    """
    return {
      'loss': float(sums['loss']) / (float(sums['count']) or math.nan),
      'accuracy': 100.0 * float(sums['right']) / (float(sums['known']) or math.nan),
    }

  def unshown(self, count: int) -> tuple[str, ...]:
    return ()

  def answered(self, answers: Mapping[str, np.ndarray]) -> jax.Array:
    """Logits of what an exported file answers."""
    if 'logits' in answers:
      return jnp.asarray(answers['logits'])
    share = jnp.clip(answers['probabilities'], 1e-37, 1 - 1e-7)
    return jnp.log(share) - jnp.log1p(-share)

  def predictions(self, logits: jax.Array) -> dict[str, jax.Array]:
    """Per example the logits (N, K): probabilities near 1 would be equal in float32."""
    return {'logits': logits}

  def kept(self, logits: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    return self.predictions(logits)

  def finish(
    self, metrics: dict[str, float], kept: dict[str, np.ndarray] | None
  ) -> dict[str, float]:
    """With the mean of the tags' average precisions, in percent."""
    if kept is None:
      return metrics
    from mobilenet.tasks.tags import scoring  # scikit-learn, not for the step

    return {**metrics, 'mAP': scoring.mean_average_precision(kept)}

  def write_report(self, evaluated: Evaluated) -> Written:
    from mobilenet.tasks.tags import pages  # figures, not for the loop

    return pages.write_report(evaluated)

  def show_predictions(self, photos: list, predicted: dict, shown: Shown) -> None:
    from mobilenet.tasks.tags import photo_pages

    photo_pages.show_predictions(photos, predicted['logits'], shown)


def _cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
  return optax.sigmoid_binary_cross_entropy(logits.astype(jnp.float32), targets)


def _over_known(each: jax.Array, tags: jax.Array) -> jax.Array:
  """(B,), the mean over the known tags of each photo; 0 where there are none."""
  known = tags >= 0
  total = jnp.sum(jnp.where(known, each, 0.0), axis=1)
  return total / jnp.maximum(jnp.sum(known, axis=1), 1)


def _logits(outputs: jax.Array | Answer) -> jax.Array:
  return outputs.logits if isinstance(outputs, Answer) else outputs
