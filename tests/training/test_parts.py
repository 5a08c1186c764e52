"""What is frozen stays to the bit, and costs the optimizer nothing."""

import dataclasses

import jax
import numpy as np
import pytest

from mobilenet.models import freezing
from mobilenet.models.classifier import Classifier
from mobilenet.models.initial import init_variables
from mobilenet.training import parts
from tests.tiny import NETWORK


def part_of(trained):
  frozen = freezing.frozen_parts(NETWORK, trained)
  return Classifier(NETWORK, 4, dropout=0.2, frozen=frozen)


@pytest.mark.parametrize('trained', ['all', 'last 1', 'head', 'classifier'])
def test_both_parts_together_are_the_whole(trained):
  model = part_of(trained)
  variables = init_variables(model, (12, 12, 3), 0)
  learned, fixed = parts.split(model, variables)
  joined = parts.join(learned, fixed)
  assert jax.tree.structure(joined) == jax.tree.structure(variables)
  for a, b in zip(jax.tree.leaves(joined), jax.tree.leaves(variables), strict=True):
    assert a is b
  sizes = [len(jax.tree.leaves(tree)) for tree in (learned, fixed, variables)]
  assert sizes[0] + sizes[1] == sizes[2]
  assert (sizes[1] == 0) == (trained == 'all')


@pytest.mark.parametrize('trained', ['last 1', 'classifier'])
def test_a_run_changes_what_learns_alone(run, tmp_path, trained):
  @dataclasses.dataclass
  class Partly(type(run)):
    @property
    def model(self):
      return part_of(trained)

    def optimizer(self):
      return parts.optimizer_of(self.model, super().optimizer())

  partly = Partly(total_steps=3)
  outcome = partly(tmp_path)
  before = init_variables(partly.model, (12, 12, 3), 0)
  for after in (outcome.state.variables, outcome.state.ema):
    for path, value in jax.tree_util.tree_leaves_with_path(before):
      names = tuple(key.key for key in path)
      now = after
      for name in names:
        now = now[name]
      same = np.array_equal(np.asarray(value), np.asarray(now))
      assert same != partly.model.learns(names[1:]), names
  kept = jax.tree.leaves(outcome.state.opt_state)
  learned, _ = parts.split(partly.model, before)
  count = sum(leaf.size for leaf in jax.tree.leaves(learned['params']))
  assert sum(leaf.size for leaf in kept if leaf.ndim) == 2 * count
