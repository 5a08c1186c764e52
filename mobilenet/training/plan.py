"""The durations of a run, turned from a config's epochs into steps in one place."""

import dataclasses

from mobilenet.training.errors import require
from mobilenet.training.schedules import epochs_to_steps


@dataclasses.dataclass(frozen=True)
class Plan:
  """A run in steps. Evaluation and checkpoints also come after the last step."""

  total_steps: int
  steps_per_epoch: float
  log_steps: int
  eval_steps: int
  checkpoint_steps: int
  max_skipped_in_a_row: int


def make_plan(config, *, num_examples: int) -> Plan:
  """Reads the durations of a config.

  Args:
    config: has epochs, or steps where that is not None; batch_size; log_steps;
      eval_every_epochs; checkpoint_every_epochs; max_skipped_in_a_row.
    num_examples: of the training split.

  Raises:
    TrainingError: a duration that makes no sense.
  """
  steps_per_epoch = num_examples / config.batch_size
  total_steps = config.steps
  if total_steps is None:
    require(config.epochs > 0, f'epochs = {config.epochs} must be above 0')
    total_steps = max(1, epochs_to_steps(config.epochs, steps_per_epoch))
  require(total_steps >= 1, f'steps = {total_steps} must be at least 1')
  for name in ('eval_every_epochs', 'checkpoint_every_epochs'):
    require(config[name] > 0, f'{name} = {config[name]} must be above 0')
  for name in ('log_steps', 'max_skipped_in_a_row'):
    require(config[name] >= 1, f'{name} = {config[name]} must be at least 1')
  return Plan(
    total_steps=total_steps,
    steps_per_epoch=steps_per_epoch,
    log_steps=config.log_steps,
    eval_steps=max(1, epochs_to_steps(config.eval_every_epochs, steps_per_epoch)),
    checkpoint_steps=max(
      1, epochs_to_steps(config.checkpoint_every_epochs, steps_per_epoch)
    ),
    max_skipped_in_a_row=config.max_skipped_in_a_row,
  )
