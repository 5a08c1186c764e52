"""Per-example losses and hits, and the L2 penalty; everything in float32."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from mobilenet.training.errors import require


def cross_entropy(
  logits: jax.Array, labels: jax.Array, *, label_smoothing: float = 0.0
) -> jax.Array:
  """Softmax cross-entropy of each example.

  Smoothing takes `label_smoothing` from the target distribution and spreads it evenly
  over all K classes, including the right one (Inception V3, section 7).

  Args:
    logits: (B, K), any float type.
    labels: (B,) integers in [0, K), or (B, K) floats that add up to one.
    label_smoothing: in [0, 1).

  Returns:
    (B,) float32, in nats. An integer label outside [0, K) gives NaN: a wrong label
    must not pass for a loss of zero.

  Raises:
    TrainingError: for shapes or types that don't go together.
  """
  targets = _targets(logits, labels, label_smoothing)
  log_probs = jax.nn.log_softmax(logits.astype(jnp.float32))
  return _of_labels(-jnp.sum(targets * log_probs, axis=-1), logits, labels)


def _targets(logits: jax.Array, labels: jax.Array, label_smoothing: float) -> jax.Array:
  """(B, K) float32: the share of each class in what is to be answered."""
  require(
    0 <= label_smoothing < 1, f'label_smoothing = {label_smoothing} not in [0, 1)'
  )
  _check_shapes(logits, labels)
  classes = logits.shape[-1]
  if labels.ndim == 1:
    targets = jax.nn.one_hot(labels, classes, dtype=jnp.float32)
  else:
    targets = labels.astype(jnp.float32)
  return targets * (1 - label_smoothing) + label_smoothing / classes


def _of_labels(loss: jax.Array, logits: jax.Array, labels: jax.Array) -> jax.Array:
  """The losses (B,), but NaN where an integer label is no class."""
  if labels.ndim == 2:
    return loss
  return jnp.where((labels >= 0) & (labels < logits.shape[-1]), loss, jnp.nan)


def binary_cross_entropy(
  logits: jax.Array,
  labels: jax.Array,
  *,
  label_smoothing: float = 0.0,
  target_threshold: float | None = None,
  sum_classes: bool = False,
) -> jax.Array:
  """Sigmoid cross-entropy of each example: every class is a question of yes or no.

  "ResNet strikes back" (2110.00476, section 2.1) trains so for single labels, and so
  does timm's BinaryCrossEntropy, whose arguments these are. The targets are those of
  `cross_entropy`: shares of classes, after smoothing and mixing.

  Args:
    logits: (B, K), any float type.
    labels: (B,) integers in [0, K), or (B, K) floats.
    label_smoothing: in [0, 1).
    target_threshold: if given, targets above it become 1 and the others 0.
    sum_classes: whether to add up the K answers; otherwise their mean is taken.

  Returns:
    (B,) float32, in nats; NaN for an integer label outside [0, K).

  Raises:
    TrainingError: for shapes or types that don't go together.
  """
  targets = _targets(logits, labels, label_smoothing)
  if target_threshold is not None:
    targets = jnp.where(targets > target_threshold, 1.0, 0.0)
  each = optax.sigmoid_binary_cross_entropy(logits.astype(jnp.float32), targets)
  loss = jnp.sum(each, axis=-1) if sum_classes else jnp.mean(each, axis=-1)
  return _of_labels(loss, logits, labels)


def distillation(
  logits: jax.Array, teacher_logits: jax.Array, temperature: float
) -> jax.Array:
  """How far a student's answers are from its teacher's (1503.02531, section 2).

  T^2 * KL(softmax(teacher / T) || softmax(student / T)). The factor keeps the gradients
  as large as those of labels, whatever the temperature T is.

  Args:
    logits: (B, K) of the student, any float type.
    teacher_logits: (B, K), any float type; a constant added to a row changes nothing.
    temperature: above 0.

  Returns:
    (B,) float32, in nats; 0 where both say the same.

  Raises:
    TrainingError: for shapes that don't go together.
  """
  _check_shapes(logits, teacher_logits)
  said, taught = (
    jax.nn.log_softmax(x.astype(jnp.float32) / temperature)
    for x in (logits, teacher_logits)
  )
  return temperature**2 * jnp.sum(jnp.exp(taught) * (taught - said), axis=-1)


def similarity_distance(
  embeddings: jax.Array, teacher_embeddings: jax.Array, mask: jax.Array | None = None
) -> jax.Array:
  """How differently two networks see which examples of a batch are alike (1907.09682).

  The similarities of a network are the rows of E E^T, each scaled to length 1, with E
  its embeddings. The distance is the squared Frobenius norm of the difference, divided
  by B^2. It needs no parameters, whatever the widths are, and a common factor of the
  embeddings changes nothing. With rows of length 1 it is at most 4 / B, so that a
  larger batch needs a larger weight. With one example it is 0.

  Args:
    embeddings: (B, ...) of the student, any float type.
    teacher_embeddings: (B, ...), with any other shape after the first axis.
    mask: (B,), above 0 for the examples that count; None for all.

  Returns:
    A float32 scalar. An embedding of zeros is similar to none.

  Raises:
    TrainingError: they are not of as many examples.
  """
  count = embeddings.shape[0]
  require(
    teacher_embeddings.shape[:1] == (count,),
    f'embeddings {list(embeddings.shape)} and those of the teacher '
    f'{list(teacher_embeddings.shape)} are not of the same examples',
  )
  counts = jnp.ones(count, bool) if mask is None else mask > 0
  own, theirs = (_similarities(e, counts) for e in (embeddings, teacher_embeddings))
  pairs = jnp.maximum(jnp.sum(counts), 1).astype(jnp.float32) ** 2
  return jnp.sum(lax.square(own - theirs)) / pairs


def _similarities(embeddings: jax.Array, counts: jax.Array) -> jax.Array:
  rows = embeddings.reshape(len(embeddings), -1).astype(jnp.float32)
  # `where`, here and below: a NaN of padding, or the infinite slope of a square root
  # at 0, must not come in through a product with 0.
  rows = jnp.where(counts[:, None], rows, 0)
  products = jnp.matmul(rows, rows.T, precision=lax.Precision.HIGHEST)
  squares = jnp.sum(lax.square(products), axis=1, keepdims=True)
  some = squares > 0
  return jnp.where(some, products * lax.rsqrt(jnp.where(some, squares, 1)), 0)


def top_k_correct(logits: jax.Array, labels: jax.Array, k: int) -> jax.Array:
  """Whether each example's label is among its k highest logits.

  Classes with equal logits rank by index, the lower first, as in `argmax` and
  `jax.lax.top_k`: a constant output scores 1/K on balanced classes, not 1.

  Args:
    logits: (B, K), any float type.
    labels: (B,) integers, or (B, K) floats, of which the largest is the label.
    k: at least 1; with fewer classes than k every example is a hit.

  Returns:
    (B,) float32, 1 or 0; 0 where the logits hold a NaN or the label is no class.
  """
  require(k >= 1, f'top-k needs k of at least 1, not {k}')
  _check_shapes(logits, labels)
  classes = jnp.arange(logits.shape[-1])
  if labels.ndim == 2:
    labels = jnp.argmax(labels, axis=-1)
  is_label = classes == labels[:, None]
  own = jnp.sum(jnp.where(is_label, logits, 0), axis=-1, keepdims=True)
  ahead = (logits > own) | ((logits == own) & (classes < labels[:, None]))
  rank = jnp.sum(ahead, axis=-1)
  valid = jnp.any(is_label, axis=-1) & ~jnp.any(jnp.isnan(logits), axis=-1)
  return (valid & (rank < k)).astype(jnp.float32)


def best_answer(logits: jax.Array, right: jax.Array) -> jax.Array:
  """Of several right classes the one with the highest logit, as ReaL counts hits.

  An answer, or one of the k first, is right if it is among the right classes
  (2006.07159): then, and only then, the best of these is the answer, or among the k.

  Args:
    logits: (B, K), any float type.
    right: (B, K), above 0 for the classes that are right.

  Returns:
    (B,) int32; of equal logits the lower class, -1 where no class is right.

  Raises:
    TrainingError: the shapes differ.
  """
  require(
    logits.ndim == 2 and logits.shape == right.shape,
    f"right classes {list(right.shape)} don't go with logits {list(logits.shape)}",
  )
  some = jnp.any(right > 0, axis=-1)
  # A right class may have a logit of -inf, and is better than a wrong one all the same.
  own = jnp.maximum(logits, jnp.finfo(logits.dtype).min)
  best = jnp.argmax(jnp.where(right > 0, own, -jnp.inf), axis=-1)
  return jnp.where(some, best, -1).astype(jnp.int32)


def chosen_among(logits: jax.Array, classes: Sequence[int]) -> jax.Array:
  """Logits with which only some of the classes can be the answer.

  Args:
    logits: (B, K), any float type.
    classes: their numbers; () leaves the logits as they are.

  Returns:
    (B, K); the other classes have the lowest number that is finite, so that their
    probability is 0 and a product with it is no NaN.
  """
  if not classes:
    return logits
  lowest = jnp.finfo(logits.dtype).min
  kept = jnp.zeros(logits.shape[-1], bool).at[jnp.asarray(classes)].set(True)
  return jnp.where(kept, logits, lowest)


def l2_penalty(params: Any, mask: Any) -> jax.Array:
  """Half the sum of the squared parameters that `mask` marks, as `tf.nn.l2_loss`.

  Multiply by the recipe's L2 factor and add to the loss: the gradient is factor * w.

  Args:
    params: a tree of arrays.
    mask: a tree of bools of the same structure (`optimizer.path_mask`).

  Returns:
    A float32 scalar; zero where nothing is marked.
  """
  total = jnp.zeros((), jnp.float32)
  for w, use in zip(jax.tree.leaves(params), jax.tree.leaves(mask), strict=True):
    if use:
      square = lax.square(lax.convert_element_type(w, jnp.float32))
      total = lax.add(total, lax.reduce_sum(square, tuple(range(w.ndim))))
  return 0.5 * total


# Fields of config.loss that are for classifiers -> the value that does nothing.
_OF_CLASSIFIERS = {
  'name': 'softmax',
  'target_threshold': None,
  'sum_classes': False,
  'label_smoothing': 0.0,
  'balance': 0.0,
}


def refuse_of_classifiers(loss: Any, but: Sequence[str] = ()) -> None:
  """Checks that a config's loss has no fields of classifiers, for other tasks.

  Args:
    loss: the section of the config.
    but: fields that the task has, too.

  Raises:
    TrainingError: it has one; the line names the field.
  """
  for field, nothing in _OF_CLASSIFIERS.items():
    require(
      field in but or loss[field] == nothing,
      f'--config.loss.{field}={loss[field]} is for classifiers; set it to {nothing}',
    )


def _check_shapes(logits: jax.Array, labels: jax.Array) -> None:
  integer = jnp.issubdtype(labels.dtype, jnp.integer)
  expected = logits.shape[:1] if integer else logits.shape
  require(
    logits.ndim == 2 and labels.shape == expected,
    f"labels {labels.dtype}{list(labels.shape)} don't go with logits "
    f'{list(logits.shape)}; give integers [B] or floats [B, K]',
  )
