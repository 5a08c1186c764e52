"""The durations of a run, turned from a config's epochs into steps in one place."""

import dataclasses

from mobilenet.training.errors import require
from mobilenet.training.schedules import epochs_to_steps


@dataclasses.dataclass(frozen=True)
class Plan:
  """A run in steps. Evaluation and checkpoints also come after the last step.

  notes: lines about durations that don't fit the data.
  """

  total_steps: int
  steps_per_epoch: float
  log_steps: int
  eval_steps: int
  checkpoint_steps: int
  max_skipped_in_a_row: int
  notes: tuple[str, ...] = dataclasses.field(default=(), repr=False, compare=False)


def make_plan(config, *, num_examples: int) -> Plan:
  """Reads the durations of a config.

  A duration shorter than a step becomes one step, and a note says so. Epochs follow
  each other without a gap, so a step may go through more than one.

  Args:
    config: has epochs, or steps where that is not None; batch_size; log_steps;
      eval_every_epochs; checkpoint_every_epochs; max_skipped_in_a_row.
    num_examples: of the training split.

  Raises:
    TrainingError: a duration that makes no sense.
  """
  require(num_examples >= 1, 'the training split has no examples')
  steps_per_epoch = num_examples / config.batch_size
  notes = []
  if steps_per_epoch < 1:
    notes.append(
      f'batch_size = {config.batch_size} is more than the {num_examples:,} images for '
      f'training: a step goes through them {1 / steps_per_epoch:.1f} times'
    )

  def to_steps(name: str) -> int:
    require(config[name] > 0, f'{name} = {config[name]} must be above 0')
    steps = epochs_to_steps(config[name], steps_per_epoch)
    if not steps and steps_per_epoch >= 1:  # else a note says so for all
      notes.append(f'{name} = {config[name]:g} is less than a step: it is one step')
    return max(1, steps)

  total_steps = to_steps('epochs') if config.steps is None else config.steps
  require(total_steps >= 1, f'steps = {total_steps} must be at least 1')
  for name in ('log_steps', 'max_skipped_in_a_row'):
    require(config[name] >= 1, f'{name} = {config[name]} must be at least 1')
  return Plan(
    total_steps=total_steps,
    steps_per_epoch=steps_per_epoch,
    log_steps=config.log_steps,
    eval_steps=to_steps('eval_every_epochs'),
    checkpoint_steps=to_steps('checkpoint_every_epochs'),
    max_skipped_in_a_row=config.max_skipped_in_a_row,
    notes=tuple(notes),
  )
