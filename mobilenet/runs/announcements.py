"""What is printed before a training begins; process 0 alone prints."""

import pathlib
from collections.abc import Iterable

import jax
from ml_collections import ConfigDict

from mobilenet import experiment
from mobilenet.runs import data_summary
from mobilenet.training import run_length, workdir
from mobilenet.training.plan import Plan
from mobilenet.training.schedules import Schedule, fitted
from mobilenet.weights.own_file import Weights

# With less than this share of their first values left, runs did as well as longer ones.
_STATISTICS_LEFT = 0.25


def announce(
  config,
  source,
  eval_source,
  outputs: int,
  size: tuple[int, int],
  folder,
  weights: Weights | None,
) -> data_summary.Summary:
  """Prints what is about to be trained, on which data and device."""
  if jax.process_index():
    return data_summary.Summary(None, None)
  parameters, multiply_adds = size
  device = jax.devices()[0]
  print(
    f'{config.model.name} x{config.model.width:g} at {config.resolution} px: '
    f'{parameters:,} parameters, {multiply_adds / 1e6:.1f} M multiply-adds\n'
    f'{source.name}: {source.num_examples:,} images for training, '
    f'{eval_source.num_examples:,} for evaluation, {outputs} outputs\n'
    f'{jax.device_count()} x {device.device_kind}; workdir {folder}'
  )
  summary = data_summary.tell(source, eval_source, config.data.group)
  if weights is not None:
    head = ', with a new classifier' if config.new_head else ''
    print(f'from {weights.origin}{head}')
    print(f'images: {experiment.ops(config, "eval_ops")}')
    experiment.warn_of_own_ops(config)
    tell(weights.notes)
  return summary


def what_to_know(
  config: ConfigDict,
  folder: pathlib.Path,
  held: workdir.Held,
  plan: Plan,
  schedule: Schedule,
) -> list[str]:
  """Notes on durations that don't fit the data, and on a run that is lengthened."""
  notes = list(plan.notes)
  notes += fitted(
    config.schedule, total_steps=plan.total_steps, steps_per_epoch=plan.steps_per_epoch
  )
  if held is workdir.Held.SHORTER_RUN:
    notes.append(
      run_length.lengthened(
        workdir.read_config(folder),
        config,
        step=workdir.newest_step(folder) or 0,
        total_steps=plan.total_steps,
        learning_rate=schedule,
      )
    )
  return notes


def tell(notes: Iterable[str]) -> None:
  """Prints what a person should know before the run begins; process 0 alone."""
  if jax.process_index() == 0:
    for note in notes:
      print(f'note: {note}')


def warn_of_slow_statistics(momentum: float, steps: int) -> None:
  """Warns of the most common reason for good training and bad evaluation.

  Only for training from scratch: statistics that come with weights are a good start.
  """
  if (left := momentum**steps) > _STATISTICS_LEFT and jax.process_index() == 0:
    print(
      f'warning: at BatchNorm momentum {momentum:g}, {left:.0%} of the running '
      f'statistics after {steps} steps are still what they began with, and evaluation '
      'suffers; lower --config.model.norm_momentum or train longer'
    )
