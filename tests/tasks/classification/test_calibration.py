"""Calibration on made probabilities whose right temperature is known."""

import numpy as np
import pytest

from mobilenet.tasks.classification import calibration


def made(number, temperature, classes=5, seed=0):
  """Probabilities that are too sharp by a temperature, and labels."""
  rng = np.random.default_rng(seed)
  logits = rng.normal(size=(number, classes)) * 1.5
  true = softmax(logits)
  labels = (rng.random(number)[:, None] > true.cumsum(axis=1)).sum(axis=1)
  return softmax(logits * temperature).astype(np.float32), labels.clip(0, classes - 1)


def softmax(logits):
  powers = np.exp(logits - logits.max(axis=1, keepdims=True))
  return powers / powers.sum(axis=1, keepdims=True)


def loss(probabilities, labels):
  return -np.log(probabilities[np.arange(len(labels)), labels]).mean()


@pytest.mark.parametrize('temperature', [0.5, 1.0, 2.0, 4.0])
def test_the_temperature_is_found(temperature):
  found = calibration.temperature(*made(6000, temperature))
  assert found == pytest.approx(temperature, rel=0.06)


def test_it_is_the_best_of_all():
  probabilities, labels = made(3000, 2.0)
  found = calibration.temperature(probabilities, labels)
  best = loss(calibration.scaled(probabilities, found), labels)
  for other in (found * 0.95, found * 1.05):
    assert loss(calibration.scaled(probabilities, other), labels) > best


def test_many_examples_are_drawn_from():
  probabilities, labels = made(25_000, 3.0)
  found = calibration.temperature(probabilities, labels)
  assert found == pytest.approx(3.0, rel=0.05)


def test_a_split_without_a_mistake_does_not_make_everything_certain():
  probabilities = np.full((100, 5), 0.05, np.float32)
  labels = np.arange(100) % 5
  probabilities[np.arange(100), labels] = 0.8
  found = calibration.temperature(probabilities, labels)
  surest = calibration.scaled(probabilities, found).max()
  assert 0.8 < surest < 0.995


def test_no_class_changes_and_rows_add_up_to_one():
  probabilities, _ = made(500, 1.0)
  probabilities[0] = [0, 0, 1, 0, 0]
  for temperature in (0.1, 0.7, 3.0, 10.0):
    scaled = calibration.scaled(probabilities, temperature)
    np.testing.assert_array_equal(scaled.argmax(1), probabilities.argmax(1))
    np.testing.assert_allclose(scaled.sum(axis=1), 1, atol=1e-5)
  np.testing.assert_array_equal(calibration.scaled(probabilities, 1), probabilities)


def test_it_is_what_dividing_the_logits_gives():
  logits = np.random.default_rng(5).normal(size=(20, 4)) * 3
  scaled = calibration.scaled(softmax(logits), 2.5)
  np.testing.assert_allclose(scaled, softmax(logits / 2.5), atol=1e-6)


def test_bins_by_hand():
  confidence = np.array([0.99, 0.97, 0.5, 0.51, 0.52])
  correct = np.array([True, False, True, False, False])
  low, high = calibration.bins(confidence, correct)
  assert (low.count, high.count) == (3, 2)
  assert low.confidence == pytest.approx(0.51)
  assert (low.accuracy, high.accuracy) == (pytest.approx(1 / 3), 0.5)
  assert (high.low, high.high) == (pytest.approx(14 / 15), 1)
  expected = (3 * (0.51 - 1 / 3) + 2 * (0.98 - 0.5)) / 5
  assert calibration.error(confidence, correct) == pytest.approx(expected)


def test_chance_alone_makes_an_error_that_shrinks_with_the_number():
  few, many = (
    calibration.error_by_chance(np.linspace(0.3, 1, number)) for number in (50, 5000)
  )
  assert 0.05 < few < 0.25
  assert many < 0.03


def test_the_held_out_error_is_not_that_of_the_fit():
  probabilities, labels = made(400, 3.0, seed=9)
  raw = calibration.error(probabilities.max(1), probabilities.argmax(1) == labels)
  found = calibration.held_out_error(probabilities, labels)
  assert found < raw / 2
  assert found == calibration.held_out_error(probabilities, labels)
