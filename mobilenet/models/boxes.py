"""Boxes of detectors: coded by their anchors, compared, and thinned out.

A box is (top, left, bottom, right), as shares of the image from 0 to 1; this order and
no other, from the data to the report. An anchor is (y, x, height, width), as those of
the module `anchors`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

# What codes are multiplied by: those of centres, and those of sides.
CENTRE, SIDE = 10.0, 5.0
_LEAST = 1e-8  # of a side: its logarithm stays finite
# exp(4.135) = 62.5: a side is at most so many times its anchor's (torchvision).
_LARGEST = 4.135166556742356


class Found(NamedTuple):
  """The objects found in images, best first; what is over has score 0.

  boxes: (N, D, 4) float32. scores: (N, D) float32. classes: (N, D) int32, from 0.
  """

  boxes: jax.Array
  scores: jax.Array
  classes: jax.Array


def encode(boxes: jax.Array, anchors: jax.Array) -> jax.Array:
  """Codes (..., A, 4) of boxes (..., A, 4), one for each anchor (A, 4), in float32.

  (y, x) of the centre by the anchor's sides, and the logarithm of (height, width) by
  them, times 10 and 5 (TensorFlow's faster_rcnn_box_coder.py). Sides of no length give
  finite codes.
  """
  top, left, bottom, right = jnp.moveaxis(boxes.astype(jnp.float32), -1, 0)
  y, x, height, width = jnp.moveaxis(jnp.asarray(anchors, jnp.float32), -1, 0)
  own_height, own_width = bottom - top, right - left
  codes = (
    ((top + bottom) / 2 - y) / height * CENTRE,
    ((left + right) / 2 - x) / width * CENTRE,
    _log_ratio(own_height, height) * SIDE,
    _log_ratio(own_width, width) * SIDE,
  )
  return jnp.stack(codes, axis=-1)


def _log_ratio(side, of_anchor):
  # `maximum` first: the logarithm of a side below 0 is NaN, and its gradient too.
  return jnp.log(jnp.maximum(side, 0.0) + _LEAST) - jnp.log(of_anchor + _LEAST)


def decode(codes: jax.Array, anchors: jax.Array) -> jax.Array:
  """Boxes (..., A, 4) of codes (..., A, 4); they may reach beyond the image."""
  codes, anchors = codes.astype(jnp.float32), jnp.asarray(anchors, jnp.float32)
  sides = anchors[..., 2:]
  centre = anchors[..., :2] + codes[..., :2] / CENTRE * sides
  half = sides * jnp.exp(jnp.minimum(codes[..., 2:] / SIDE, _LARGEST)) / 2
  return jnp.concatenate([centre - half, centre + half], axis=-1)


def corners(anchors: jax.Array) -> jax.Array:
  """Anchors (A, 4) as boxes (A, 4)."""
  centre, half = anchors[..., :2], anchors[..., 2:] / 2
  return jnp.concatenate([centre - half, centre + half], axis=-1)


def area(boxes: jax.Array) -> jax.Array:
  """(..., 4) -> (...); 0 where a side is turned round."""
  sides = jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
  return sides[..., 0] * sides[..., 1]


def intersection(boxes: jax.Array, others: jax.Array) -> jax.Array:
  """The areas that (..., N, 4) and (..., M, 4) share: (..., N, M)."""
  a, b = boxes[..., :, None, :], others[..., None, :, :]
  low = jnp.maximum(a[..., :2], b[..., :2])
  high = jnp.minimum(a[..., 2:], b[..., 2:])
  return area(jnp.concatenate([low, high], axis=-1))


def iou(boxes: jax.Array, others: jax.Array) -> jax.Array:
  """Intersection over union of (..., N, 4) and (..., M, 4): (..., N, M), 0 to 1."""
  shared = intersection(boxes, others)
  both = area(boxes)[..., :, None] + area(others)[..., None, :] - shared
  return shared / jnp.maximum(both, 1e-12)


def detect(
  boxes: jax.Array,
  scores: jax.Array,
  *,
  candidates: int = 300,
  most: int = 100,
  threshold: float = 0.6,
  least_score: float = 1e-8,
) -> Found:
  """The objects in images, each once (non-maximum suppression within a class).

  The best `candidates` pairs of a box and a class are looked at in the order of their
  scores; one whose box overlaps a better one's of its class by more than `threshold` is
  dropped. All sizes are fixed, so that it is compiled with the network.

  Args:
    boxes: (N, A, 4), decoded; cut off at the image's edges here.
    scores: (N, A, K) of the classes, without the background.
    candidates: pairs that are compared. With 300 all of the exact best 100 were found.
    most: objects of an image.
    threshold: intersection over union.
    least_score: what scores less is no object.
  """
  boxes = jnp.clip(boxes.astype(jnp.float32), 0.0, 1.0)
  num_classes = scores.shape[-1]
  there = (area(boxes) > 0)[..., None]
  flat = jnp.where(there, scores.astype(jnp.float32), 0.0)
  flat = flat.reshape(*scores.shape[:-2], -1)
  candidates = min(candidates, flat.shape[-1])
  scores, places = lax.top_k(flat, candidates)
  classes = (places % num_classes).astype(jnp.int32)
  boxes = jnp.take_along_axis(boxes, (places // num_classes)[..., None], axis=-2)
  same = classes[..., :, None] == classes[..., None, :]
  overlaps = (iou(boxes, boxes) > threshold) & same
  kept = _suppress(overlaps, scores > least_score)
  scores = jnp.where(kept, scores, 0.0)
  scores, places = lax.top_k(scores, min(most, candidates))
  return Found(
    jnp.take_along_axis(boxes, places[..., None], axis=-2),
    scores,
    jnp.take_along_axis(classes, places, axis=-1),
  )


def _suppress(overlaps: jax.Array, kept: jax.Array) -> jax.Array:
  """Which of (..., D) candidates stay, the best first; overlaps: (..., D, D)."""

  def drop(n, kept):
    better = jnp.arange(kept.shape[-1]) < n
    row = lax.dynamic_index_in_dim(overlaps, n, axis=-2, keepdims=False)
    taken = jnp.any(row & better & kept, axis=-1)
    own = lax.dynamic_index_in_dim(kept, n, axis=-1, keepdims=False) & ~taken
    return lax.dynamic_update_index_in_dim(kept, own, n, axis=-1)

  return lax.fori_loop(0, kept.shape[-1], drop, kept)
