"""Training a run.

    train(get_config(), pathlib.Path('runs/mine'))

The same again resumes.
"""

import dataclasses
import functools
import pathlib

import jax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from mobilenet import experiment, trained
from mobilenet.models import counting
from mobilenet.reports import figures, result, run_report
from mobilenet.training import loop, sharding, workdir
from mobilenet.training.evaluation import Evaluation
from mobilenet.training.optimizer import make_optimizer
from mobilenet.training.plan import Plan, make_plan
from mobilenet.training.programs import Programs
from mobilenet.training.schedules import make_schedule
from mobilenet.weights.own_file import Weights


def train(
  config: ConfigDict, folder: pathlib.Path, compiled: pathlib.Path | None = None
) -> None:
  """Trains, or goes on training, evaluates and reports.

  Args:
    config: all of it, as `configs/common.py` has it.
    folder: the run's; made if missing.
    compiled: folder of what runs alike compiled; None keeps nothing.

  Raises:
    TrainingError, ModelError, DataError: a mistake in the config, the folder holds
      another run, or data or checkpoints cannot be read or written.
  """
  config, weights = complete(config)
  workdir.check_config(folder, config.to_dict(), ignore=experiment.HARMLESS)
  mesh = sharding.make_mesh()
  sharding.local_batch_size(mesh, config.batch_size)
  sharding.local_batch_size(mesh, config.eval_batch_size, 'eval_batch_size')
  # A wrong name or option is told before data is opened.
  experiment.make_model(config, 1)
  experiment.check_ops(config)
  source = experiment.open_source(config, config.data.train_split)
  eval_source = experiment.open_source(config, config.data.eval_split)
  plan = make_plan(config, num_examples=source.num_examples)
  programs = Programs(compiled, mesh, config.to_dict(), source.num_classes, plan)
  model = experiment.make_model(config, source.num_classes)
  size = counting.count(model, config.resolution)  # too small an image is told here
  schedule = make_schedule(
    config.schedule,
    total_steps=plan.total_steps,
    steps_per_epoch=plan.steps_per_epoch,
    batch_size=config.batch_size,
  )
  tx = make_optimizer(config.optimizer, schedule)
  variables = functools.partial(experiment.initial_variables, config, model, weights)
  if weights is not None:
    variables()  # what doesn't fit is told before anything is written
  workdir.check_classes(folder, source.class_names, config.data.train_split)
  workdir.write_config(folder, config.to_dict())
  workdir.write_classes(folder, source.class_names)
  announce(config, source, eval_source, size, folder, weights)
  warn_of_slow_statistics(model.network.style.norm_momentum, plan.total_steps)
  outcome = loop.train(
    model=model,
    task=experiment.make_task(config),
    tx=tx,
    learning_rate=schedule,
    variables=variables,
    data=loop.Data(
      train=functools.partial(experiment.train_batches, config, source, mesh),
      evaluate=functools.partial(experiment.eval_batches, config, eval_source, mesh),
      num_eval_examples=eval_source.num_examples,
    ),
    plan=plan,
    batch_size=config.batch_size,
    seed=config.seed,
    ema_decay=config.ema_decay,
    workdir=str(folder),
    mesh=mesh,
    programs=programs,
  )
  if outcome.stopped:
    step = int(outcome.state.step)
    print(
      f'{outcome.stopped}: saved at step {step}; the same command goes on from there'
    )
  elif jax.process_index() == 0:
    report_training(config, outcome, eval_source, mesh, plan, size, folder)


def complete(config: ConfigDict) -> tuple[ConfigDict, Weights | None]:
  """The config with what its `init` says, and those weights; as it is without any.

  Raises:
    TrainingError, ModelError: the weights cannot be read or are of another network.
  """
  if not config.init:
    return config, None
  weights = trained.load_weights(config.init)
  weights = dataclasses.replace(weights, notes=experiment.notes(config, weights))
  return experiment.with_weights(config, weights), weights


def report_training(
  config: ConfigDict,
  outcome: loop.Outcome,
  eval_source,
  mesh: Mesh,
  plan: Plan,
  size: tuple[int, int],
  folder: pathlib.Path,
) -> None:
  """Writes and prints what a finished run came to; process 0 alone."""
  best = outcome.evaluations.get('ema', outcome.evaluations['raw'])
  overall = write_report(folder / 'report', best, eval_source, config, mesh)
  figures.curves(folder, title=folder.name)
  finished = {
    'config': folder.name,
    'model': config.model.name,
    **best.metrics,
    'raw_top1': outcome.evaluations['raw'].metrics['top1'],
    'balanced_accuracy': 100 * overall['balanced_accuracy'],
    'num_examples': best.count,
    'unreadable_examples': best.unreadable,
    'steps': plan.total_steps,
    'epochs': plan.total_steps / plan.steps_per_epoch,
    'train_seconds': outcome.seconds,
    'images_per_second': outcome.images_per_second,
    'waiting_share': outcome.waiting_share,
    'parameters': size[0],
    'multiply_adds': size[1],
  }
  result.write_result(folder, finished)
  result.print_result(result.read_result(folder))
  print(f'report: {folder / "report"}')


def write_report(report, evaluation: Evaluation, source, config, mesh) -> dict:
  return run_report.write_evaluation(
    report,
    evaluation,
    class_names=source.class_names,
    describe=source.describe,
    batches=lambda: experiment.eval_batches(config, source, mesh, all_here=True),
  )


def announce(
  config, source, eval_source, size: tuple[int, int], folder, weights: Weights | None
) -> None:
  """Says what is about to be trained, on what and where."""
  if jax.process_index() == 0:
    parameters, multiply_adds = size
    device = jax.devices()[0]
    print(
      f'{config.model.name} x{config.model.width:g} at {config.resolution} px: '
      f'{parameters:,} parameters, {multiply_adds / 1e6:.1f} M multiply-adds\n'
      f'{source.name}: {source.num_examples:,} images for training, '
      f'{eval_source.num_examples:,} for evaluation, {source.num_classes} classes\n'
      f'{jax.device_count()} x {device.device_kind}; workdir {folder}'
    )
    if weights is not None:
      head = ', with a new classifier' if config.new_head else ''
      print(f'from {weights.origin}{head}')
      experiment.warn_of_own_ops(config)
      for note in weights.notes:
        print(f'note: {note}')


def warn_of_slow_statistics(momentum: float, steps: int) -> None:
  """The commonest reason why a network is good in training and bad in evaluation."""
  if (left := momentum**steps) > 0.05 and jax.process_index() == 0:
    print(
      f'warning: at BatchNorm momentum {momentum:g}, {left:.0%} of the running '
      f'statistics after {steps} steps are still what they began with, and evaluation '
      'suffers; lower --config.model.norm_momentum or train longer'
    )
