"""Which anchor is to find which box: what a detector learns from an image's truth."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mobilenet.models import boxes as geometry

POSITIVE_IOU = 0.5
_IN_A_CROWD = 0.5  # the share of an anchor's area from which it is


class Matches(NamedTuple):
  """For every anchor of images.

  box: (N, A) int32, the number of the box it is to find; anything where it is to find
  none. positive: (N, A) bool, whether it is to find one. counts: (N, A) float32, its
  weight in the loss of the classes: 0 where nobody knows what is right.
  """

  box: jax.Array
  positive: jax.Array
  counts: jax.Array


def match(
  anchors: jax.Array, boxes: jax.Array, mask: jax.Array, crowd: jax.Array
) -> Matches:
  """Matches anchors with boxes as TensorFlow's argmax_matcher.py does.

  An anchor is to find the box that it overlaps most, if that is by half at least. Every
  box is found by the anchor that overlaps it most, even below a half and whatever that
  anchor would have chosen; of two boxes that want the same, the first has it.

  A crowd is a region with more objects than were drawn: no anchor has to find it, and
  one that lies mostly in it and finds nothing else does not count.

  Args:
    anchors: (A, 4), see `anchors`.
    boxes: (N, M, 4), padded.
    mask: (N, M) bool, False for padding.
    crowd: (N, M) bool.
  """
  as_boxes = geometry.corners(jnp.asarray(anchors, jnp.float32))
  real = mask & ~crowd
  overlap = jnp.where(real[..., None], geometry.iou(boxes, as_boxes), -1.0)
  chosen = jnp.argmax(overlap, axis=-2)
  positive = jnp.max(overlap, axis=-2) >= POSITIVE_IOU
  wanted = jnp.argmax(overlap, axis=-1)[..., None] == jnp.arange(len(as_boxes))
  wanted &= real[..., None]
  taken = jnp.any(wanted, axis=-2)
  box = jnp.where(taken, jnp.argmax(wanted, axis=-2), chosen)
  positive |= taken
  inside = geometry.intersection(boxes, as_boxes) / geometry.area(as_boxes)
  crowded = jnp.any((inside > _IN_A_CROWD) & (mask & crowd)[..., None], axis=-2)
  counts = jnp.where(crowded & ~positive, 0.0, 1.0)
  return Matches(box.astype(jnp.int32), positive, counts)
