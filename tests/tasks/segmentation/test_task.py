"""The segmentation task: its loss, sums and what it keeps of a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models.segmenters import Answer
from mobilenet.tasks.segmentation.task import Segmentation

TRUTH = np.array([[[0, 1], [1, 255]], [[2, 2], [2, 2]]], np.uint8)


def batch(**changes):
  return {'segmentation': TRUTH, **changes}


def logits(labels, strength=8.0):
  return jnp.asarray(strength * np.eye(3)[labels], jnp.float32)


RIGHT = np.where(TRUTH == 255, 0, TRUTH)


def test_what_is_right_costs_nothing():
  task = Segmentation()
  assert float(task.loss({}, logits(RIGHT), batch())) < 0.001
  sums = task.sums(logits(RIGHT), batch())
  metrics = task.metrics(jax.device_get(sums))
  assert metrics['pixel_accuracy'] == 100
  assert float(sums['pixels']) == 7
  kept = task.kept(logits(RIGHT), batch())
  assert task.finish(metrics, jax.device_get(kept))['mIoU'] == 100


def test_the_loss_is_the_mean_over_the_pixels_that_count():
  equal = jnp.zeros((2, 2, 2, 3))
  assert float(Segmentation().loss({}, equal, batch())) == pytest.approx(np.log(3))
  metrics = Segmentation().metrics(Segmentation().sums(equal, batch()))
  assert metrics['loss'] == pytest.approx(np.log(3))


def test_weights_of_classes():
  """A pixel of class 2 counts three times: its share of the loss is 12 of 15."""
  task = Segmentation(class_weights=(1.0, 1.0, 3.0))
  found = task.loss({}, logits(np.zeros_like(RIGHT), 1.0), batch())
  wrong, right = (float(-jax.nn.log_softmax(jnp.array([1.0, 0, 0]))[k]) for k in (2, 0))
  assert float(found) == pytest.approx((12 * wrong + right + 2 * wrong) / 15)


def test_smaller_logits_are_enlarged():
  truth = np.zeros((1, 4, 4), np.uint8)
  truth[:, :, 2:] = 1
  small = jnp.asarray(8.0 * np.eye(3)[np.array([[[0, 1], [0, 1]]])], jnp.float32)
  sums = Segmentation().sums(small, {'segmentation': truth})
  assert float(sums['right']) == 16


def test_padding_and_uncounted_pixels_bring_in_nothing():
  task = Segmentation()
  mask = np.array([1.0, 0.0])
  broken = logits(RIGHT).at[1].set(jnp.nan)
  sums = task.sums(broken, batch(mask=mask))
  assert [float(sums[name]) for name in ('right', 'pixels', 'count')] == [3, 3, 1]
  nothing = np.full((1, 2, 2), 255, np.uint8)
  value, gradient = jax.value_and_grad(
    lambda x: task.loss({}, x, {'segmentation': nothing})
  )(jnp.zeros((1, 2, 2, 3)))
  assert float(value) == 0
  assert float(jnp.abs(gradient).max()) == 0


def test_a_class_that_does_not_exist_is_no_small_loss():
  wrong = np.full((1, 2, 2), 7, np.uint8)
  loss = Segmentation().loss({}, jnp.zeros((1, 2, 2, 3)), {'segmentation': wrong})
  assert np.isnan(float(loss))


def test_a_second_head_adds_its_share():
  alone = float(Segmentation().loss({}, jnp.zeros((2, 2, 2, 3)), batch()))
  both = Answer(jnp.zeros((2, 2, 2, 3)), jnp.zeros((2, 1, 1, 3)))
  task = Segmentation(auxiliary_weight=0.25)
  assert float(task.loss({}, both, batch())) == pytest.approx(1.25 * alone)
  assert float(task.sums(both, batch())['pixels']) == 7
