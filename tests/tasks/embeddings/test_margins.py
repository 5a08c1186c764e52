"""Losses of embeddings by hand, on small numbers and at the ends of a cosine."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.tasks.embeddings import margins
from mobilenet.training.errors import TrainingError

COSINES = np.array([[0.5, 0.2, -0.3], [-0.1, 0.7, 0.6]], np.float32)
LABELS = np.array([0, 2])


def cross_entropy(logits, labels):
  rows = np.asarray(logits, np.float64)
  rows = rows - rows.max(axis=1, keepdims=True)
  logs = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
  return -logs[np.arange(len(labels)), labels]


def with_own(change):
  """COSINES with another number at the own class of each."""
  moved = COSINES.astype(np.float64)
  for row, label in enumerate(LABELS):
    moved[row, label] = change(moved[row, label])
  return moved


@pytest.mark.parametrize(
  ('loss', 'moved'),
  [
    (margins.softmax, COSINES),
    (lambda *a: margins.cosface(*a, margin=0.35), with_own(lambda c: c - 0.35)),
    (
      lambda *a: margins.arcface(*a, margin=0.3),
      with_own(lambda c: math.cos(math.acos(c) + 0.3)),
    ),
    (lambda *a: margins.arcface(*a, margin=0.0), COSINES),
  ],
)
def test_it_is_the_cross_entropy_of_moved_cosines(loss, moved):
  found = loss(COSINES, LABELS, 16.0)
  np.testing.assert_allclose(found, cross_entropy(16.0 * moved, LABELS), rtol=2e-5)


def test_beyond_pi_an_angle_makes_a_line():
  """t = 3 and m = 0.5: the cosine of 3.5 would be greater than that of 3.2."""
  cosine = math.cos(3.0)
  cosines = np.array([[cosine, 0.1]], np.float32)
  moved = [[cosine - 0.5 * math.sin(0.5), 0.1]]
  found = margins.arcface(cosines, np.array([0]), 4.0, 0.5)
  np.testing.assert_allclose(found, cross_entropy(4 * np.array(moved), [0]), rtol=1e-5)


@pytest.mark.parametrize('name', margins.LOSSES)
def test_at_the_ends_of_a_cosine_the_slope_is_a_number(name):
  def total(cosines):
    return margins.LOSSES[name](cosines, np.array([0, 1])).sum()

  cosines = np.array([[-1.0, 1.0], [-1.0, 1.0]], np.float32)
  value, gradient = jax.jit(jax.value_and_grad(total))(cosines)
  assert np.isfinite(value)
  assert np.isfinite(gradient).all()
  assert gradient[0, 0] < 0  # it is not stuck there


def test_a_margin_costs():
  plain = margins.softmax(COSINES, LABELS)
  assert (margins.cosface(COSINES, LABELS) > plain).all()
  assert (margins.arcface(COSINES, LABELS) > plain).all()


def test_halves_are_computed_with_as_floats():
  halves = jnp.asarray(COSINES, jnp.bfloat16)
  found = margins.arcface(halves, LABELS)
  assert found.dtype == jnp.float32
  np.testing.assert_array_equal(
    found, margins.arcface(halves.astype(jnp.float32), LABELS)
  )


def test_a_wrong_label_is_no_small_loss():
  found = margins.arcface(COSINES, np.array([0, 7]))
  assert np.isnan(found).tolist() == [False, True]


def test_shares_of_classes_have_no_margin():
  with pytest.raises(TrainingError, match=r"--config\.data\.batch_ops=''"):
    margins.cosface(COSINES, np.full((2, 3), 1 / 3, np.float32))


def test_distance_by_hand():
  own = jnp.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
  taught = jnp.array([[5.0, 0.0], [-0.06, -0.08], [0.0, 0.0]])
  found, slope_of = jax.vjp(jax.jit(margins.distance), own, taught)
  np.testing.assert_allclose(found, [0, 4, 1], atol=1e-6)
  assert all(np.isfinite(gradient).all() for gradient in slope_of(jnp.ones(3)))
  with pytest.raises(
    TrainingError, match=r'\[3, 2\] and those of the teacher \[3, 4\]'
  ):
    margins.distance(own, jnp.ones((3, 4)))
