"""A run from its config to its report: what `python main.py --config=...` does.

train(config, pathlib.Path('runs/flowers'))
"""

import contextlib
import copy
import functools
import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
from ml_collections import ConfigDict

from mobilenet import experiment, trained, watching
from mobilenet.models.classifier import OnEmbeddings, WithEmbedding
from mobilenet.reports import curves, run_report
from mobilenet.runs import (
  embeddings,
  first_ranges,
  preparation,
  run_data,
  teaching,
  training_data,
)
from mobilenet.runs.announcements import (
  announce,
  tell,
  warn_of_slow_statistics,
  what_to_know,
)
from mobilenet.tasks import Evaluated
from mobilenet.training import files, loop, processes, workdir
from mobilenet.training.programs import Programs
from mobilenet.training.staleness import delayed_schedule

# What may be elsewhere on another host.
_OF_A_HOST = ('data.dir', 'init', 'teacher.weights', 'teacher.logits')
HEAD_FOLDER = 'head'  # in the run's folder: the run of `config.head_first`


def train(
  config: ConfigDict,
  folder: pathlib.Path,
  compiled: pathlib.Path | None = None,
  *,
  report: bool = True,
  data: training_data.Data | None = None,
  log_to: Sequence[str] = (),
) -> loop.Outcome:
  """Trains or resumes, evaluates and reports.

  Args:
    config: the whole config, with the fields of `configs/common.py`.
    folder: the run's; made if missing.
    compiled: folder of programs that equal runs compiled; None keeps none.
    report: whether to write and print the report and the result.
    data: opened before; None opens that of the config.
    log_to: names of `watching.PACKAGES`, which get the log as well.

  Raises:
    TrainingError, ModelError, DataError: a mistake in the config, the folder holds
      another run, or data or checkpoints cannot be read or written.
  """
  if jax.process_index() == 0:
    watching.check_installed(log_to)
  config, weights, teacher = preparation.complete(config)
  fields = workdir.fields(config.to_dict())
  processes.check_alike(
    'the config', {f: v for f, v in fields.items() if f not in _OF_A_HOST}
  )
  held = workdir.check_config(folder, config.to_dict(), ignore=experiment.HARMLESS)
  found = preparation.open_run(config, teacher, folder, data)
  mesh, data, plan, task, outputs, teacher = found
  source, eval_source = data.train, data.evaluation
  # Loading begins at once, while the network is made.
  programs = Programs(compiled, mesh, config.to_dict(), task, len(outputs), plan)
  schedule = preparation.schedule_of(config, plan)
  made = preparation.make(config, found, weights, schedule)
  model, size, tx, variables, _ = made
  workdir.check_classes(folder, outputs, config.data.train_split)
  notes = what_to_know(config, folder, held, plan, schedule)
  processes.meet('data and network')
  with workdir.alone(folder), contextlib.closing(programs):
    workdir.write_config(folder, config.to_dict())
    workdir.write_classes(folder, outputs)
    run_data.write(folder, data.record)
    summary = announce(config, source, eval_source, len(outputs), size, folder, weights)
    of_teacher = [teacher.described(config)] if teacher else []
    tell([*data.notes, *made.notes, *notes, *of_teacher])
    if weights is None and not model.frozen:
      warn_of_slow_statistics(model.network.style.norm_momentum, plan.total_steps)
    if config.head_first.epochs and workdir.newest_step(folder) is None:
      outcome, variables = train_head(
        config, model, folder / HEAD_FOLDER, compiled, data
      )
      if outcome.stopped:
        return outcome
    if first_ranges.are_needed(config, folder):
      variables = first_ranges.observed(config, model, variables(), source, mesh)
    learner, batches = to_learn(
      config, model, variables, source, eval_source, mesh, teacher
    )
    outcome = loop.train(
      model=learner,
      task=task,
      tx=tx,
      learning_rate=delayed_schedule(schedule, config.optimizer.stale_steps),
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
      accumulate=config.accumulate,
      watchers=watching.make(
        log_to,
        folder,
        fields,
        total_steps=plan.total_steps,
        batch_size=config.batch_size,
      ),
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
          classes=eval_source.class_names,
          kept=programs.kept,
        ),
        plan=plan,
        size=size,
        data=eval_source,
      )
    return outcome


def train_head(
  config: ConfigDict,
  model: nn.Module,
  folder: pathlib.Path,
  compiled: pathlib.Path | None,
  data: training_data.Data,
) -> tuple[loop.Outcome, Callable[[], dict[str, Any]] | None]:
  """Trains the classifier alone, before the rest of the network learns with it.

  Steps through a classifier of random values would undo what the rest has learned
  elsewhere. It is a run of its own, on images without augmentation, so that the network
  computes each of them once.

  It learns from the photos of the whole run, `data`, and from no other: one that began
  on others may know photos that this run is evaluated on, and is made anew.

  Returns:
    The outcome, and () -> the variables of `model` with that classifier; None where it
    was stopped.
  """
  head = copy.deepcopy(config)
  head.model.trained = embeddings.CLASSIFIER
  head.epochs, head.steps = config.head_first.epochs, None
  head.schedule.learning_rate = config.head_first.learning_rate
  head.schedule.warmup_epochs = 0.0
  head.head_first.epochs = 0.0
  head.data.train_ops, head.data.batch_ops = config.data.eval_ops, ''
  head.data.repeats, head.optimizer.layer_decay = 1, None
  head.eval_every_epochs = head.checkpoint_every_epochs = head.epochs
  head.ema_decay = None
  head.keep_best, head.patience = False, None
  head.teacher.weights = head.teacher.logits = ''
  head.teacher.hard, head.teacher.features = 1.0, 0.0
  if jax.process_index() == 0:
    print(f'first the classifier alone, for {head.epochs:g} epochs:')
    _remove_other(folder, data)
  # No other process may read what process 0 is about to remove.
  processes.meet('the classifier alone')
  outcome = train(head, folder, compiled, report=False, data=data._replace(notes=[]))
  if outcome.stopped:
    return outcome, None
  weights = trained.load_weights(str(folder))
  return outcome, functools.partial(
    experiment.initial_variables, config, model, weights, new_head=False
  )


def _remove_other(folder: pathlib.Path, data: training_data.Data) -> None:
  """Removes the head's run if it began on other data than `data`."""
  if not folder.exists():
    return
  before = run_data.recorded(folder)
  if before is not None and run_data.same(before, data.record):
    return
  print('note: the photos are others than when it began, so it is trained anew')
  try:
    shutil.rmtree(folder)
  except OSError as error:
    raise files.write_error(folder, error) from error


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
  compared = teacher is not None and teaching.EMBEDDINGS in teacher.used
  if compared and experiment.make_task(config).has_embeddings:
    model = WithEmbedding.like(model)  # an embedder gives them as it is
  return model, loop.Data(
    train=functools.partial(teaching.train_batches, teacher, config, source, mesh),
    evaluate=functools.partial(experiment.eval_batches, config, eval_source, mesh),
    num_eval_examples=eval_source.num_examples,
  )
