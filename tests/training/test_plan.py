"""Durations of a config in steps, for data of any size."""

import pytest

from configs import common
from mobilenet.training.errors import TrainingError
from mobilenet.training.plan import make_plan


def plan(num_examples, **fields):
  config = common.base()
  config.update(fields)
  return make_plan(config, num_examples=num_examples)


def test_epochs_become_steps():
  made = plan(
    1000,
    batch_size=64,
    epochs=10.0,
    eval_every_epochs=2.0,
    checkpoint_every_epochs=0.5,
    log_steps=7,
  )
  assert made.steps_per_epoch == 15.625
  assert (made.total_steps, made.eval_steps, made.checkpoint_steps) == (156, 31, 8)
  assert (made.log_steps, made.max_skipped_in_a_row) == (7, 20)
  assert made.notes == ()


def test_steps_win_over_epochs():
  assert plan(1000, batch_size=64, epochs=10.0, steps=3).total_steps == 3


def test_a_batch_larger_than_the_data_goes_through_it_more_than_once():
  made = plan(20, batch_size=256, epochs=1.0)
  assert (made.total_steps, made.eval_steps, made.checkpoint_steps) == (1, 1, 1)
  assert made.notes == (
    'batch_size = 256 is more than the 20 images for training: a step goes through '
    'them 12.8 times',
  )
  assert plan(20, batch_size=256, epochs=64.0).total_steps == 5


def test_what_is_shorter_than_a_step_is_one_and_says_so():
  made = plan(1000, batch_size=100, epochs=0.01, eval_every_epochs=0.04)
  assert (made.total_steps, made.eval_steps, made.checkpoint_steps) == (1, 1, 10)
  assert made.notes == (
    'epochs = 0.01 is less than a step: it is one step',
    'eval_every_epochs = 0.04 is less than a step: it is one step',
  )


@pytest.mark.parametrize(
  ('fields', 'text'),
  [
    ({'epochs': 0.0}, 'epochs = 0.0 must be above 0'),
    ({'steps': 0}, 'steps = 0 must be at least 1'),
    ({'eval_every_epochs': -1.0}, 'eval_every_epochs = -1.0 must be above 0'),
    ({'checkpoint_every_epochs': 0.0}, 'checkpoint_every_epochs = 0.0 must be above'),
    ({'log_steps': 0}, 'log_steps = 0 must be at least 1'),
    ({'max_skipped_in_a_row': 0}, 'max_skipped_in_a_row = 0 must be at least 1'),
  ],
)
def test_durations_that_make_no_sense(fields, text):
  with pytest.raises(TrainingError, match=text):
    plan(1000, **fields)


def test_no_data():
  with pytest.raises(TrainingError, match='the training split has no examples'):
    plan(0)
