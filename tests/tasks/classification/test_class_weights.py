"""Class weights: what they are, and what they do to the loss."""

import types

import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.tasks.classification.task import Classification
from mobilenet.tasks.losses import cross_entropy
from mobilenet.training.errors import TrainingError

SIZES = (80, 15, 5)


def source(sizes=SIZES, **fields):
  labels = tuple(np.repeat(np.arange(len(sizes)), sizes).tolist())
  fields = {'labels': labels, 'num_classes': len(sizes), 'name': 'folder', **fields}
  return types.SimpleNamespace(**fields)


@pytest.mark.parametrize('balance', [0.25, 0.5, 1.0])
def test_weights_are_powers_of_the_sizes_and_one_on_average(balance):
  weights = np.array(
    Classification(balance=balance).for_training(source()).class_weights
  )
  assert np.average(weights, weights=SIZES) == pytest.approx(1)
  assert weights[2] / weights[0] == pytest.approx(16**balance)
  if balance == 1:
    np.testing.assert_allclose(weights * SIZES, 100 / 3)


def test_without_balance_nothing_changes():
  task = Classification()
  assert task.for_training(source()) is task


def test_a_class_without_examples_is_no_division_by_zero():
  weights = Classification(balance=1.0).for_training(source((4, 0))).class_weights
  assert np.isfinite(weights).all()


def test_the_loss_is_the_weighted_mean():
  task = Classification(balance=1.0).for_training(source())
  logits = jnp.asarray(np.random.default_rng(0).standard_normal((4, 3)), jnp.float32)
  labels = jnp.array([0, 1, 2, 0])
  each = cross_entropy(logits, labels)
  weights = np.array(task.class_weights)[np.array(labels)]
  assert float(task.loss({}, logits, {'label': labels})) == pytest.approx(
    float(np.mean(np.array(each) * weights)), rel=1e-5
  )
  shares = jnp.eye(3)[labels]
  assert float(task.loss({}, logits, {'label': shares})) == pytest.approx(
    float(task.loss({}, logits, {'label': labels})), rel=1e-5
  )


def test_a_wrong_label_is_still_not_a_number():
  task = Classification(balance=1.0).for_training(source())
  loss = task.loss({}, jnp.zeros((2, 3)), {'label': jnp.array([0, 3])})
  assert not np.isfinite(float(loss))


def test_data_that_does_not_tell_is_refused():
  with pytest.raises(TrainingError, match=r'balance=1 needs the size .* not cifar10'):
    Classification(balance=1.0).for_training(source(labels=None, name='cifar10'))
