"""What a detector's codes and logits cost; everything in float32.

All are sums over the anchors of each image, (N,). A loss divides them by the number of
anchors that are to find a box (`positives`), at least 1. That number is of the global
batch: TensorFlow's is of each replica's share, which weighs images with few boxes
otherwise.
"""

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.nn import one_hot

from mobilenet.models import boxes as geometry
from mobilenet.models.detectors import BACKGROUND
from mobilenet.tasks.detection.matching import Matches

ALPHA, GAMMA = 0.75, 2.0  # of the focal loss; ALPHA for what is there
NEGATIVES = 3  # a positive, for hard negative mining


def targets(matches: Matches, classes: jax.Array, columns: int) -> jax.Array:
  """(N, A, columns): 1 in the column of the class that an anchor is to find.

  The background's column is 0 as all others where there is nothing to find: logits are
  read one by one.
  """
  found = jnp.take_along_axis(classes, matches.box, axis=-1)
  hot = one_hot(found + 1, columns, dtype=jnp.float32)
  return jnp.where(matches.positive[..., None], hot, 0.0)


def focal(logits: jax.Array, wanted: jax.Array, matches: Matches) -> jax.Array:
  """Focal loss (1708.02002) of all logits of all anchors: (N,).

  Args:
    logits: (N, A, K) before the sigmoid.
    wanted: (N, A, K), 0 or 1.
    matches: whose anchors these are.
  """
  logits = logits.astype(jnp.float32)
  each = optax.sigmoid_focal_loss(logits, wanted, alpha=ALPHA, gamma=GAMMA)
  return jnp.sum(each * matches.counts[..., None], axis=(-2, -1))


def hard_negatives(
  logits: jax.Array, classes: jax.Array, matches: Matches
) -> jax.Array:
  """Softmax cross-entropy of what is there and of the worst of the rest: (N,).

  Of the anchors with nothing to find the three a positive count that cost most
  (1512.02325, section 2.2): in an image without boxes none.
  """
  log_probabilities = jax.nn.log_softmax(logits.astype(jnp.float32))
  found = jnp.take_along_axis(classes, matches.box, axis=-1) + 1
  column = jnp.where(matches.positive, found, BACKGROUND)
  each = -jnp.take_along_axis(log_probabilities, column[..., None], axis=-1)[..., 0]
  each = each * matches.counts
  negative = jnp.where(matches.positive, -1.0, lax.stop_gradient(each))
  order = jnp.argsort(jnp.argsort(-negative, axis=-1), axis=-1)  # place of each
  most = NEGATIVES * jnp.sum(matches.positive, axis=-1, keepdims=True)
  counted = matches.positive | ((order < most) & (negative > 0))
  return jnp.sum(jnp.where(counted, each, 0.0), axis=-1)


def localisation(
  codes: jax.Array, anchors: jax.Array, boxes: jax.Array, matches: Matches
) -> jax.Array:
  """Huber loss, delta 1, of the positive anchors: the mean of four codes, (N,)."""
  truth = jnp.take_along_axis(boxes, matches.box[..., None], axis=-2)
  wanted = lax.stop_gradient(geometry.encode(truth, anchors))
  wanted = jnp.where(matches.positive[..., None], wanted, 0.0)
  found = jnp.where(matches.positive[..., None], codes.astype(jnp.float32), 0.0)
  each = optax.huber_loss(found, wanted, delta=1.0)
  return jnp.sum(each, axis=(-2, -1)) / 4


def positives(matches: Matches) -> jax.Array:
  """(N,) float32: how many anchors of each image are to find a box."""
  return jnp.sum(matches.positive.astype(jnp.float32), axis=-1)
