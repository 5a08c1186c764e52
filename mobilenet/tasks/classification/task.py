"""Classification for the loop: a loss, and metrics as sums that are divided once."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.models import zoo
from mobilenet.models.classifier import Answer
from mobilenet.tasks import Batch, Evaluated, Metric, Shown, Sums, Written
from mobilenet.tasks.classification import thresholds
from mobilenet.tasks.losses import (
  best_answer,
  binary_cross_entropy,
  chosen_among,
  cross_entropy,
  distillation,
  l2_penalty,
  similarity_distance,
  top_k_correct,
)
from mobilenet.training.errors import TrainingError, require, unknown_name
from mobilenet.training.optimizer import path_mask

_SUMS = ('loss', 'top1', 'top5', 'count')
LOSSES = ('softmax', 'sigmoid')


@dataclasses.dataclass(frozen=True)
class Classification:
  """Cross-entropy with label smoothing, and the papers' L2 in the loss.

  The cross-entropy is that of the softmax, or of a sigmoid for every class. After
  training with either, probabilities are the softmax of the logits: an image has one
  class, and they have to add up to one. The order of the classes is the same, so top-1
  is too, as timm's. The sigmoids themselves are not calibrated for this; a report fits
  its temperature to the softmax of either.

  With a teacher, a part of the loss is the distance to its answers (1503.02531), and
  another may be added: how differently student and teacher see which examples are alike
  (1907.09682). Answers and embeddings of the teacher come with a training batch, under
  the names `taught_by` and `embedded_by`. Evaluation never sees them.

  loss_name: of LOSSES.
  target_threshold, sum_classes: of the sigmoid's loss, see `binary_cross_entropy`.
  label_smoothing: in [0, 1).
  l2: factor of 0.5 * sum(w^2), TensorFlow's convention, over kernels.
  l2_depthwise: whether that includes depthwise kernels; V1's paper says no.
  positive: of two classes the one that is looked for; '' is the second.
  accept_share: of right answers the share that is not called 'none of these'.
  balance: how class weights come from the classes' sizes, see `for_training`.
  class_weights: how much an example of each class counts in the loss; () for one each.
  hard: the labels' share of the loss, in [0, 1]; the rest is the teacher's. At 0 no
    label is read, at 1 no answer of a teacher.
  temperature: of the comparison with the teacher, above 0.
  features: weight of what the similarities add to the loss; at 0 no embedding is read.
  among: of an evaluation, the classes that answers are chosen from; () for all.
  """

  label_smoothing: float = 0.0
  l2: float = 0.0
  l2_depthwise: bool = False
  positive: str = ''
  accept_share: float = 0.95
  balance: float = 0.0
  class_weights: tuple[float, ...] = ()
  hard: float = 1.0
  temperature: float = 2.0
  features: float = 0.0
  loss_name: str = 'softmax'
  target_threshold: float | None = None
  sum_classes: bool = False
  among: tuple[int, ...] = ()

  metric: ClassVar[Metric] = Metric('top1', 'Top-1 accuracy', '%')
  fields: ClassVar[tuple[str, ...]] = ('label',)
  wants: ClassVar[str] = 'label'
  own_classes: ClassVar[bool] = False
  has_embeddings: ClassVar[bool] = True
  takes_crops: ClassVar[bool] = True
  needs_examples: ClassVar[bool] = False
  taught_by: ClassVar[str] = 'teacher_logits'
  embedded_by: ClassVar[str] = 'teacher_embeddings'
  several: ClassVar[str] = 'answers'

  def __post_init__(self):
    if self.loss_name not in LOSSES:
      raise unknown_name('loss.name', self.loss_name, LOSSES)
    for field in ('target_threshold', 'sum_classes'):
      value = getattr(self, field)
      require(
        self.loss_name == 'sigmoid' or value in (None, False),
        f"--config.loss.{field}={value} does nothing for --config.loss.name='softmax': "
        "it is for 'sigmoid'",
      )

  def outputs(self, source) -> tuple[str, ...]:
    thresholds.positive_place(source.class_names, self.positive)  # raises if it is none
    return source.class_names

  def check_training(self, source, split_flag: str) -> None:
    if source.unlabelled:
      without = ' and '.join(source.unlabelled)
      raise TrainingError(
        f'{without} of {source.name} has no labels (-1), which training and its '
        f'evaluation need: choose another split than {source.split}: {split_flag}='
      )

  def for_training(self, source) -> 'Classification':
    """The task with class weights of n ** -balance, n the examples of the class.

    They are scaled so that an example weighs one on average. With a balance of 1 every
    class counts the same in all, with 0.5 half way there.

    Raises:
      TrainingError: the data does not tell its labels before it is read.
    """
    if not self.balance:
      return self
    if source.labels is None:
      raise TrainingError(
        f'--config.loss.balance={self.balance:g} needs the size of every class, which '
        f'only folders tell, not {source.name}; set it to 0'
      )
    sizes = np.bincount(source.labels, minlength=source.num_classes)
    weights = np.maximum(sizes, 1) ** -float(self.balance)
    weights /= np.average(weights, weights=sizes)
    return dataclasses.replace(self, class_weights=tuple(weights.tolist()))

  def _weights(self, labels: jax.Array) -> jax.Array:
    weights = jnp.asarray(self.class_weights, jnp.float32)
    if labels.ndim == 1:
      labels = jax.nn.one_hot(labels, len(weights))
    return labels @ weights  # after mixing a label is shares of classes

  def knowing(self, outputs: Sequence[str]) -> 'Classification':
    return self

  def make_model(self, options: dict[str, Any], count: int) -> nn.Module:
    return zoo.create(num_classes=count, **options)

  def loss(self, params, outputs: jax.Array | Answer, batch: Batch) -> jax.Array:
    """The objective of a training batch, a scalar.

    Args:
      params: of the network.
      outputs: its logits; an `Answer` where `features` is above 0.
      batch: with the label, and what is learned from of a teacher.
    """
    logits, loss = _logits(outputs), 0.0
    if self.hard > 0:
      each = self._cross_entropy(logits, batch['label'])
      if self.class_weights:
        each *= self._weights(batch['label'])
      loss = jnp.mean(each)
    if self.hard < 1:
      taught = distillation(logits, batch[self.taught_by], self.temperature)
      loss = self.hard * loss + (1 - self.hard) * jnp.mean(taught)
    if self.features:
      loss += self.features * similarity_distance(
        outputs.embedding, batch[self.embedded_by], batch.get('mask')
      )
    if self.l2:
      loss += self.l2 * l2_penalty(params, path_mask(params, self.l2_depthwise))
    return loss

  def _cross_entropy(self, logits: jax.Array, labels: jax.Array) -> jax.Array:
    if self.loss_name == 'softmax':
      return cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
    return binary_cross_entropy(
      logits,
      labels,
      label_smoothing=self.label_smoothing,
      target_threshold=self.target_threshold,
      sum_classes=self.sum_classes,
    )

  def sums(self, outputs: jax.Array | Answer, batch: Batch) -> Sums:
    """Metric sums of a batch; 'count' divides them.

    The loss among them is the plain cross-entropy of the softmax in nats, whatever the
    network learns by, without smoothing or L2, so that training and evaluation can be
    compared, and runs with each other. Examples with mask 0 do not count, nor do those
    without a label (-1). Where several classes are right (`several` in the batch), the
    likeliest of them is the label, and there may be none.
    """
    logits = chosen_among(_logits(outputs), self.among)
    if self.several in batch:
      labels = best_answer(logits, batch[self.several])
    else:
      labels = batch['label']
    mask = batch.get('mask', jnp.ones(logits.shape[:1], jnp.float32))
    if labels.ndim == 1:
      mask = mask * (labels >= 0)
    # `where`, not a product: padding must not bring in a NaN.
    loss = jnp.where(mask > 0, cross_entropy(logits, labels), 0.0)
    return {
      'loss': jnp.sum(loss),
      'top1': jnp.sum(mask * top_k_correct(logits, labels, 1)),
      'top5': jnp.sum(mask * top_k_correct(logits, labels, 5)),
      'count': jnp.sum(mask),
    }

  def weight(self, sums: Sums) -> float:
    return 1.0  # parts have as many examples

  def zero_sums(self) -> dict[str, np.ndarray]:
    """The sums of no examples."""
    # NumPy arrays: JAX can put them on the devices of several processes.
    return {name: np.zeros((), np.float32) for name in _SUMS}

  def metrics(self, sums) -> dict[str, float]:
    """The metrics: loss in nats, top1 and top5 in percent; NaN without examples."""
    count = float(sums['count']) or math.nan
    return {
      'loss': float(sums['loss']) / count,
      'top1': 100.0 * float(sums['top1']) / count,
      'top5': 100.0 * float(sums['top5']) / count,
    }

  def unshown(self, count: int) -> tuple[str, ...]:
    """Metrics that say nothing if the network has `count` outputs."""
    return ('top5',) if count <= 5 else ()

  def answered(self, answers: Mapping[str, np.ndarray]) -> jax.Array:
    """Logits of what an exported file answers: of probabilities their logarithms."""
    if 'logits' in answers:
      return jnp.asarray(answers['logits'])
    return jnp.log(jnp.maximum(answers['probabilities'], 1e-38))

  def predictions(self, logits: jax.Array) -> dict[str, jax.Array]:
    """Per example: the class of the highest logit, and all probabilities (B, K)."""
    logits = chosen_among(logits, self.among)
    return {
      'prediction': jnp.argmax(logits, axis=-1),
      'probabilities': jax.nn.softmax(logits, axis=-1),
    }

  def kept(self, logits: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    return self.predictions(logits)

  def finish(
    self, metrics: dict[str, float], kept: dict[str, np.ndarray] | None
  ) -> dict[str, float]:
    return metrics

  def write_report(self, evaluated: Evaluated) -> Written:
    from mobilenet.tasks.classification import pages  # figures, not for the loop

    return pages.write_report(
      evaluated, positive=self.positive, accept_share=self.accept_share
    )

  def show_predictions(self, photos: list, predicted: dict, shown: Shown) -> None:
    from mobilenet.tasks.classification import photo_pages

    photo_pages.show_predictions(photos, predicted['probabilities'], shown)


def _logits(outputs: jax.Array | Answer) -> jax.Array:
  return outputs.logits if isinstance(outputs, Answer) else outputs
