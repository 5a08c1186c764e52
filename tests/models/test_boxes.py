"""Boxes against plain Python: codes, overlaps, and the thinning out of detections."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models import anchors, boxes

# Compiled as a whole: each operation alone takes as long.
encode, decode, iou = jax.jit(boxes.encode), jax.jit(boxes.decode), jax.jit(boxes.iou)
detect = jax.jit(boxes.detect, static_argnames=('candidates', 'most', 'threshold'))

MAPS = [(4, 4), (2, 2), (1, 1), (1, 1), (1, 1), (1, 1)]


def drawn(count, seed=0):
  rng = np.random.default_rng(seed)
  low, side = rng.uniform(0, 0.7, (count, 2)), rng.uniform(0.02, 0.3, (count, 2))
  return np.concatenate([low, low + side], axis=1).astype(np.float32)


def test_codes_by_hand():
  anchor = np.array([[0.5, 0.4, 0.2, 0.1]], np.float32)
  box = np.array([[0.4, 0.3, 0.8, 0.5]], np.float32)  # centre .6 .4, sides .4 .2
  expected = [(0.6 - 0.5) / 0.2 * 10, 0.0, np.log(0.4 / 0.2) * 5, np.log(0.2 / 0.1) * 5]
  np.testing.assert_allclose(encode(box, anchor)[0], expected, atol=1e-5)


def test_decoding_takes_back_encoding():
  grid = anchors.tensorflow(MAPS)
  truth = drawn(len(grid))
  found = decode(encode(truth, grid), grid)
  np.testing.assert_allclose(found, truth, atol=1e-5)


@pytest.mark.parametrize('box', [[0.5, 0.5, 0.5, 0.5], [0.6, 0.6, 0.4, 0.4]])
def test_codes_of_boxes_without_sides_are_finite(box):
  """And their gradients: a NaN would be in all of them, even behind a `where`."""
  grid = anchors.tensorflow(MAPS)
  many = np.broadcast_to(np.float32(box), grid.shape)

  @jax.jit
  def with_gradients(many):
    codes, back = jax.vjp(lambda b: boxes.encode(b, grid), many)
    return codes, back(jnp.ones_like(codes))

  assert all(np.isfinite(a).all() for a in jax.tree.leaves(with_gradients(many)))


def overlap(a, b):
  """Intersection over union, one by one."""
  height = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
  width = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
  shared = height * width
  area = lambda c: (c[2] - c[0]) * (c[3] - c[1])  # noqa: E731
  return shared / (area(a) + area(b) - shared)


def test_intersection_over_union():
  one, other = drawn(7, 1), drawn(5, 2)
  expected = [[overlap(a, b) for b in other] for a in one]
  np.testing.assert_allclose(iou(one, other), expected, atol=1e-6)
  np.testing.assert_allclose(np.diag(iou(one, one)), 1, atol=1e-6)


def thinned(found, scores, threshold):
  """Non-maximum suppression within each class, one by one: (score, class, box)."""
  pairs = [
    (scores[n, k], k, n)
    for n in range(len(found))
    for k in range(scores.shape[1])
    if scores[n, k] > 1e-8
  ]
  kept = []
  for score, k, n in sorted(pairs, reverse=True):
    if all(k != c or overlap(found[n], found[m]) <= threshold for _, c, m in kept):
      kept.append((score, k, n))
  return kept


def test_detections_are_those_of_the_plain_algorithm():
  found = np.concatenate([drawn(40, 3), drawn(40, 3) + 0.01])
  scores = np.random.default_rng(4).uniform(0, 1, (80, 3)).astype(np.float32)
  expected = thinned(np.clip(found, 0, 1), scores, 0.5)
  got = detect(found[None], scores[None], candidates=240, most=240, threshold=0.5)
  count = int((got.scores[0] > 0).sum())
  assert count == len(expected)
  np.testing.assert_allclose(got.scores[0, :count], [s for s, _, _ in expected])
  np.testing.assert_array_equal(got.classes[0, :count], [k for _, k, _ in expected])
  np.testing.assert_allclose(
    got.boxes[0, :count], np.clip([found[n] for _, _, n in expected], 0, 1)
  )


def test_the_first_and_the_last_class_are_found():
  found = np.array([[[0.1, 0.1, 0.3, 0.3], [0.5, 0.5, 0.9, 0.9]]], np.float32)
  scores = np.array([[[0.9, 0.0, 0.0], [0.0, 0.0, 0.8]]], np.float32)
  got = detect(found, scores)
  np.testing.assert_array_equal(got.classes[0, :2], [0, 2])
  np.testing.assert_allclose(got.scores[0, :3], [0.9, 0.8, 0])


def test_what_lies_outside_is_cut_off_and_what_is_nothing_is_left_out():
  found = np.array([[[-0.5, 0.2, 0.4, 0.6], [1.1, 0.1, 1.4, 0.3]]], np.float32)
  got = detect(found, np.full((1, 2, 1), 0.7, np.float32))
  np.testing.assert_allclose(got.boxes[0, 0], [0, 0.2, 0.4, 0.6])
  np.testing.assert_allclose(got.scores[0], [0.7, 0])
