"""How well a fact alone names the class, against what can be computed by hand."""

import numpy as np
import pytest

from mobilenet.data_check import shortcuts


def test_a_fact_that_says_it_all_and_one_that_says_nothing():
  classes = ['a'] * 40 + ['b'] * 40
  found = shortcuts.strength(['x'] * 40 + ['y'] * 40, classes)
  assert found.share == found.high == 1
  assert 0.9 < found.low < 1
  assert found.chance == 0.5
  alike = shortcuts.strength(['x', 'y'] * 40, classes)
  assert alike.share == pytest.approx(0.5, abs=0.1)
  assert alike.low < 0.5


def test_half_of_a_class_is_half_of_the_way():
  """Half of a has a value of its own: all of b and half of a are named rightly."""
  classes = ['a'] * 100 + ['b'] * 100
  found = shortcuts.strength(['x'] * 50 + ['y'] * 150, classes)
  assert found.share == pytest.approx(0.75)
  assert found.low < 0.75 < found.high


def test_a_large_class_is_no_better_guess_than_a_small_one():
  classes = ['a'] * 200 + ['b'] * 20
  found = shortcuts.strength(['x', 'y'] * 110, classes)
  assert found.low < 0.5


def test_values_that_differ_on_every_photo_are_not_learned_by_heart():
  found = shortcuts.strength([f'{n}' for n in range(100)], ['a', 'b'] * 50)
  assert found.share == pytest.approx(0.5)


def test_chance_is_seldom_taken_for_a_shortcut():
  """Not even of 30 photos a class; the interval alone is too short for so few."""
  rng = np.random.default_rng(0)
  reported = 0
  for _ in range(200):
    found = shortcuts.strength(
      rng.choice(list('uvwxyz'), 90).tolist(), ['a', 'b', 'c'] * 30
    )
    reported += found.at_least >= shortcuts.LOOK
  assert reported <= 1
