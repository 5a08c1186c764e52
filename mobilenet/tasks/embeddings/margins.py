"""Losses of embeddings on the sphere, for each example, in float32.

The first three are softmax cross-entropies of `scale` times the cosines between an
embedding and the vectors of the classes. A margin makes the cosine of the example's own
class smaller, so that it has to be nearer to its class than a right answer needs.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from mobilenet.tasks.losses import cross_entropy
from mobilenet.training.errors import require

# Kept between a cosine and ±1, where the slope of sqrt(1 - cos^2) is infinite.
EPSILON = 1e-6


def softmax(cosines: jax.Array, labels: jax.Array, scale: float = 64.0) -> jax.Array:
  """Without a margin (NormFace, 1704.06369).

  Args:
    cosines: (N, K), of each example and class.
    labels: (N,) integers in [0, K).
    scale: of the cosines, above 0.

  Returns:
    (N,) float32, in nats; NaN where a label is no class.

  Raises:
    TrainingError: labels are shares of classes, as after mixing.
  """
  _check(labels)
  return cross_entropy(scale * cosines.astype(jnp.float32), labels)


def cosface(
  cosines: jax.Array, labels: jax.Array, scale: float = 64.0, margin: float = 0.4
) -> jax.Array:
  """The own class's cosine less `margin` (CosFace, 1801.09414, equation 4).

  Arguments, result and errors are those of `softmax`; margin: from 0 on.
  """
  _check(labels)
  cosines = cosines.astype(jnp.float32)
  return cross_entropy(scale * (cosines - margin * _own(cosines, labels)), labels)


def arcface(
  cosines: jax.Array, labels: jax.Array, scale: float = 64.0, margin: float = 0.5
) -> jax.Array:
  """The own class's angle plus `margin` (ArcFace, 1801.07698, equation 3).

  cos(t + m) = cos t cos m - sin t sin m. Beyond t + m = pi, where that would grow
  again, it is cos t - m sin m, as the authors' code has it.

  Arguments, result and errors are those of `softmax`; margin: radians, in [0, pi).
  """
  _check(labels)
  cosines = cosines.astype(jnp.float32)
  # `lax.clamp` has no slope outside, and inside none that is infinite.
  inside = lax.clamp(EPSILON - 1, cosines, 1 - EPSILON)
  sines = jnp.sqrt((1 - inside) * (1 + inside))
  moved = cosines * math.cos(margin) - sines * math.sin(margin)
  beyond = cosines - margin * math.sin(margin)
  moved = jnp.where(cosines > -math.cos(margin), moved, beyond)
  own = _own(cosines, labels)
  return cross_entropy(scale * jnp.where(own > 0, moved, cosines), labels)


def distance(embedding: jax.Array, taught: jax.Array) -> jax.Array:
  """The squared distance to a teacher's embeddings on the sphere (1704.04861, 4.7).

  Args:
    embedding: (N, E), of length 1.
    taught: (N, E), of any length: only where they point to counts.

  Returns:
    (N,) float32, from 0 to 4; 1 where the teacher's is zeros.

  Raises:
    TrainingError: they have not as many numbers.
  """
  require(
    embedding.shape == taught.shape,
    f'embeddings {list(embedding.shape)} and those of the teacher '
    f'{list(taught.shape)} are not of one size',
  )
  taught = taught.astype(jnp.float32)
  squares = jnp.sum(lax.square(taught), axis=-1, keepdims=True)
  there = squares > 0
  taught = jnp.where(there, taught * lax.rsqrt(jnp.where(there, squares, 1)), 0)
  return jnp.sum(lax.square(embedding.astype(jnp.float32) - taught), axis=-1)


def _own(cosines: jax.Array, labels: jax.Array) -> jax.Array:
  """1 at the class of each example, else 0: (N, K)."""
  return jax.nn.one_hot(labels, cosines.shape[-1], dtype=jnp.float32)


def _check(labels: jax.Array) -> None:
  require(
    labels.ndim == 1,
    'an image of several classes, as mixup and cutmix make it, is near to none of '
    "them: --config.data.batch_ops=''",
  )


LOSSES = {'arcface': arcface, 'cosface': cosface, 'softmax': softmax}
MARGINS = {'arcface': 0.5, 'cosface': 0.4}  # of the papers
