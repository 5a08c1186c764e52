"""Who is to find what, and what that costs: small cases by hand."""

import jax
import numpy as np
import pytest

from mobilenet.models import boxes as geometry
from mobilenet.tasks.detection import losses, matching

# Compiled as a whole, as in training: each operation alone takes as long.
match = jax.jit(matching.match)
focal, hard_negatives = jax.jit(losses.focal), jax.jit(losses.hard_negatives)
targets, localisation = (
  jax.jit(losses.targets, static_argnums=2),
  jax.jit(losses.localisation),
)

# Four anchors: three squares in a row that do not touch, and a large one.
ANCHORS = np.array(
  [
    [0.2, 0.2, 0.2, 0.2],
    [0.2, 0.5, 0.2, 0.2],
    [0.2, 0.8, 0.2, 0.2],
    [0.6, 0.5, 0.8, 1],
  ],
  np.float32,
)


def box(y, x, height, width):
  return [y - height / 2, x - width / 2, y + height / 2, x + width / 2]


def matched(*given, mask=(True, True), crowd=(False, False)):
  """What anchors are to find of one or two boxes."""
  boxes = np.zeros((1, 2, 4), np.float32)
  boxes[0, : len(given)] = given
  there = np.arange(2) < len(given)
  found = match(ANCHORS, boxes, there & [mask], np.array([crowd]))
  return jax.tree.map(lambda array: np.asarray(array)[0], found)


def test_an_anchor_finds_the_box_that_it_overlaps_by_half():
  found = matched(box(0.2, 0.2, 0.2, 0.2), box(0.2, 0.5, 0.2, 0.15))
  np.testing.assert_array_equal(found.positive, [True, True, False, False])
  np.testing.assert_array_equal(found.box[:2], [0, 1])
  np.testing.assert_array_equal(found.counts, 1)


def test_every_box_is_found_by_its_best_anchor_even_below_half():
  found = matched(box(0.2, 0.86, 0.1, 0.1))
  np.testing.assert_array_equal(found.positive, [False, False, True, False])
  assert found.box[2] == 0


def test_of_two_boxes_that_want_one_anchor_the_first_has_it():
  found = matched(box(0.2, 0.5, 0.2, 0.19), box(0.2, 0.5, 0.2, 0.2))
  assert found.positive[1]
  assert found.box[1] == 0  # although the second overlaps more


def test_padding_is_no_box():
  found = matched(box(0.2, 0.2, 0.2, 0.2), [0, 0, 0, 0], mask=[False, False])
  assert not found.positive.any()
  np.testing.assert_array_equal(found.counts, 1)


def test_anchors_in_a_crowd_do_not_count():
  crowd = [0.0, 0.35, 0.4, 0.95]  # around the second and the third
  found = matched(crowd, box(0.2, 0.5, 0.2, 0.2), crowd=[True, False])
  np.testing.assert_array_equal(found.positive, [False, True, False, False])
  assert found.box[1] == 1
  np.testing.assert_array_equal(found.counts, [1, 1, 0, 1])


def as_batch(found):
  return jax.tree.map(lambda array: array[None], found)


def test_focal_loss_by_hand():
  found = as_batch(matched(box(0.2, 0.2, 0.2, 0.2)))
  logits = np.random.default_rng(0).standard_normal((1, 4, 3)).astype(np.float32)
  wanted = targets(found, np.array([[1]]), 3)
  np.testing.assert_array_equal(wanted[0], [[0, 0, 1], [0] * 3, [0] * 3, [0] * 3])
  total = 0.0
  for z, t in zip(logits.ravel(), np.ravel(wanted), strict=True):
    p = 1 / (1 + np.exp(-z))
    right = p if t else 1 - p
    total += (0.75 if t else 0.25) * (1 - right) ** 2 * -np.log(right)
  assert float(focal(logits, wanted, found)[0]) == pytest.approx(total, rel=1e-5)


def test_hard_negatives_by_hand():
  found = as_batch(matched(box(0.2, 0.2, 0.2, 0.2)))
  logits = np.random.default_rng(1).standard_normal((1, 4, 3)).astype(np.float32)
  probabilities = np.exp(logits[0]) / np.exp(logits[0]).sum(-1, keepdims=True)
  positive = -np.log(probabilities[0, 1 + 1])
  negatives = -np.log(probabilities[1:, 0])  # three for one positive: all
  got = float(hard_negatives(logits, np.array([[1]]), found)[0])
  assert got == pytest.approx(positive + negatives.sum(), rel=1e-5)


def test_hard_negatives_are_the_worst():
  """With one positive of five anchors, three of the four others count."""
  grid = np.concatenate([ANCHORS, [[0.9, 0.1, 0.1, 0.1]]]).astype(np.float32)
  one = np.array([[box(0.2, 0.2, 0.2, 0.2)]], np.float32)
  found = match(grid, one, np.ones((1, 1), bool), np.zeros((1, 1), bool))
  logits = np.zeros((1, 5, 2), np.float32)
  logits[0, :, 1] = [0, 5, -5, 3, 4]
  cost = np.log1p(np.exp(logits[0, :, 1]))  # of the background
  got = float(hard_negatives(logits, np.array([[0]]), found)[0])
  assert got == pytest.approx(np.log(2) + cost[[1, 3, 4]].sum(), rel=1e-5)


def test_an_image_without_boxes_costs_and_has_finite_gradients():
  found = as_batch(matched([0, 0, 0, 0], mask=[False, False]))
  empty = np.zeros((1, 1, 4), np.float32)

  def total(codes, logits):
    wanted = losses.targets(found, np.array([[0]]), 3)
    place = losses.localisation(codes, ANCHORS, empty, found)
    return (losses.focal(logits, wanted, found) + place).sum()

  value, gradients = jax.jit(jax.value_and_grad(total, (0, 1)))(
    np.ones((1, 4, 4), np.float32), np.zeros((1, 4, 3), np.float32)
  )
  assert float(value) == pytest.approx(12 * 0.25 * 0.25 * np.log(2), rel=1e-5)
  assert np.abs(gradients[0]).max() == 0
  assert np.isfinite(gradients[1]).all()


def test_the_right_codes_cost_nothing_and_wrong_ones_as_huber_says():
  truth = np.array([[box(0.2, 0.2, 0.2, 0.18)]], np.float32)
  found = match(ANCHORS, truth, np.ones((1, 1), bool), np.zeros((1, 1), bool))
  right = jax.jit(geometry.encode)(np.broadcast_to(truth, (1, 4, 4)), ANCHORS)
  assert float(localisation(right, ANCHORS, truth, found)[0]) == pytest.approx(0)
  wrong = np.array(right)
  wrong[0, 0] += [0.5, 3.0, 0, 0]
  got = float(localisation(wrong, ANCHORS, truth, found)[0])
  assert got == pytest.approx((0.5 * 0.25 + 2.5) / 4, rel=1e-5)
