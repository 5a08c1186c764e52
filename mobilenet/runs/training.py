"""A run from its config to its report: what `python main.py --config=...` does.

train(config, pathlib.Path('runs/flowers'))
"""

import copy
import functools
import pathlib
from typing import Any

import jax
from ml_collections import ConfigDict

from mobilenet import experiment, limits, trained
from mobilenet.models import counting
from mobilenet.models.classifier import OnEmbeddings
from mobilenet.reports import curves, run_report
from mobilenet.runs import embeddings, first_ranges, run_data, teaching
from mobilenet.runs.announcements import (
  announce,
  tell,
  warn_of_slow_statistics,
  what_to_know,
)
from mobilenet.runs.training_data import open_data
from mobilenet.tasks import Evaluated
from mobilenet.training import loop, memory, sharding, workdir
from mobilenet.training.plan import make_plan
from mobilenet.training.programs import Programs
from mobilenet.training.schedules import make_schedule

HEAD_FOLDER = 'head'  # in the run's folder: the run of `config.head_first`


def train(
  config: ConfigDict,
  folder: pathlib.Path,
  compiled: pathlib.Path | None = None,
  *,
  report: bool = True,
) -> loop.Outcome:
  """Trains or resumes, evaluates and reports.

  Args:
    config: the whole config, with the fields of `configs/common.py`.
    folder: the run's; made if missing.
    compiled: folder of programs that equal runs compiled; None keeps none.
    report: whether to write and print the report and the result.

  Raises:
    TrainingError, ModelError, DataError: a mistake in the config, the folder holds
      another run, or data or checkpoints cannot be read or written.
  """
  limits.check(config)
  config, weights = trained.complete(config)
  first_ranges.check(config, weights)
  config, teacher = teaching.open_teacher(config)
  held = workdir.check_config(folder, config.to_dict(), ignore=experiment.HARMLESS)
  mesh = sharding.make_mesh()
  sharding.local_batch_size(mesh, config.batch_size)
  sharding.local_batch_size(mesh, config.eval_batch_size, 'eval_batch_size')
  # These raise for a wrong name or option before data is opened.
  task = experiment.make_task(config)
  experiment.make_model(config, ('',))
  experiment.check_ops(config)
  data = open_data(config, folder)
  source, eval_source = data.train, data.evaluation
  task.check_training(source, '--config.data.train_split')
  task.check_training(eval_source, '--config.data.eval_split')
  plan = make_plan(config, num_examples=source.num_examples)
  outputs = task.outputs(source)
  task = task.for_training(source)
  teacher = teaching.fitted(teacher, outputs, source)
  programs = Programs(compiled, mesh, config.to_dict(), task, len(outputs), plan)
  model = experiment.make_model(config, outputs)
  # Raises for an image that is too small.
  layers, shapes = counting.layers_and_variables(model, config.resolution)
  size = counting.totals(layers)
  schedule = make_schedule(
    config.schedule,
    total_steps=plan.total_steps,
    steps_per_epoch=plan.steps_per_epoch,
    batch_size=config.batch_size,
  )
  tx = experiment.make_optimizer(config, model, schedule)
  memory.check(
    memory.needed(
      shapes,
      tx,
      counting.kept_for_backward(
        [layer for layer in layers if model.learns(tuple(layer.name.split('/')))]
      ),
      image_shape=(config.resolution, config.resolution, 3),
      batch_size=config.batch_size // jax.device_count(),
      ema=config.ema_decay is not None,
    )
  )
  variables = functools.partial(experiment.initial_variables, config, model, weights)
  if weights is not None:
    variables()  # raises if they don't fit, before anything is written
  workdir.check_classes(folder, outputs, config.data.train_split)
  notes = what_to_know(config, folder, held, plan, schedule)
  with workdir.alone(folder):
    workdir.write_config(folder, config.to_dict())
    workdir.write_classes(folder, outputs)
    run_data.write(folder, data.record)
    summary = announce(config, source, eval_source, len(outputs), size, folder, weights)
    tell([*data.notes, *notes, *([teacher.described(config)] if teacher else [])])
    if weights is None and not model.frozen:
      warn_of_slow_statistics(model.network.style.norm_momentum, plan.total_steps)
    if config.head_first.epochs and workdir.newest_step(folder) is None:
      outcome = train_head(config, folder / HEAD_FOLDER, compiled)
      if outcome.stopped:
        return outcome
      weights = trained.load_weights(str(folder / HEAD_FOLDER))
      variables = functools.partial(
        experiment.initial_variables, config, model, weights, new_head=False
      )
    if first_ranges.are_needed(config, folder):
      started = first_ranges.observed(config, model, variables(), source, mesh)
      variables = lambda: started  # noqa: E731
    learner, batches = to_learn(
      config, model, variables, source, eval_source, mesh, teacher
    )
    outcome = loop.train(
      model=learner,
      task=task,
      tx=tx,
      learning_rate=schedule,
      variables=variables,
      data=batches,
      plan=plan,
      batch_size=config.batch_size,
      seed=config.seed,
      ema_decay=config.ema_decay,
      workdir=str(folder),
      mesh=mesh,
      programs=programs,
      unshown=task.unshown(len(outputs)),
      keep_best=config.keep_best or config.patience is not None,
      patience=config.patience,
    )
    if outcome.stopped:
      print(
        f'{outcome.stopped}: saved at step {outcome.step}; the same command goes on '
        'from there'
      )
    elif report and jax.process_index() == 0:
      run_report.write_training(
        task,
        outcome,
        Evaluated(
          folder=folder / curves.REPORT_FOLDER,
          evaluation=None,  # that of the better weights, which the outcome holds
          outputs=outputs,
          examples=experiment.EvaluatedExamples(eval_source),
          split=eval_source.split,
          num_examples=eval_source.num_examples,
          run=trained.Run(folder, config, model, None, outputs, step=0),
          ops=experiment.both_ops(config),
          trained=run_data.described(data.record.train, data.record.origin),
          counts=summary.counts,
          chose=True,
          trained_on=summary.copies,
          decide=True,
        ),
        plan=plan,
        size=size,
        data=eval_source,
      )
    return outcome


def train_head(
  config: ConfigDict, folder: pathlib.Path, compiled: pathlib.Path | None
) -> loop.Outcome:
  """Trains the classifier alone, before the rest of the network learns with it.

  Steps through a classifier of random values would undo what the rest has learned
  elsewhere. It is a run of its own, on images without augmentation, so that the network
  computes each of them once.
  """
  head = copy.deepcopy(config)
  head.model.trained = embeddings.CLASSIFIER
  head.epochs, head.steps = config.head_first.epochs, None
  head.schedule.learning_rate = config.head_first.learning_rate
  head.schedule.warmup_epochs = 0.0
  head.head_first.epochs = 0.0
  head.data.train_ops, head.data.batch_ops = config.data.eval_ops, ''
  head.eval_every_epochs = head.checkpoint_every_epochs = head.epochs
  head.ema_decay = None
  head.keep_best, head.patience = False, None
  head.teacher.weights = head.teacher.logits = ''
  head.teacher.hard = 1.0
  if jax.process_index() == 0:
    print(f'first the classifier alone, for {head.epochs:g} epochs:')
  return train(head, folder, compiled, report=False)


def to_learn(
  config: ConfigDict, model, variables, source, eval_source, mesh, teacher
) -> tuple[Any, loop.Data]:
  """(model, data) for the loop: of images, or of what a frozen network makes of it."""
  if teacher is None and embeddings.suffice(config):
    first = variables()
    kept = (
      embeddings.of_source(config, model, first, part) for part in (source, eval_source)
    )
    train_part, eval_part = kept
    return OnEmbeddings.like(model), loop.Data(
      train=functools.partial(train_part.train_batches, config.batch_size, config.seed),
      evaluate=functools.partial(eval_part.eval_batches, config.eval_batch_size),
      num_eval_examples=eval_source.num_examples,
    )
  return model, loop.Data(
    train=functools.partial(teaching.train_batches, teacher, config, source, mesh),
    evaluate=functools.partial(experiment.eval_batches, config, eval_source, mesh),
    num_eval_examples=eval_source.num_examples,
  )
