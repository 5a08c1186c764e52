"""Evaluates a run or imported weights on any data.

    python main.py --job=eval --workdir=runs/folder --data_dir=other_photos
    python main.py --job=eval --exported=runs/folder/export/folder-int8.tflite

Every example counts exactly once. Class folders without train/ and val/ are evaluated
whole. Other data may have some of the run's classes alone, in any order; they are
matched by their names, and with --restrict the network chooses among them. The report
goes into a folder of the run, named after the split and, for other data, after that
data. An exported file is evaluated in its own runtime, on the data of its run, so that
its top-1, mAP or mIoU is measured and not guessed.
"""

import dataclasses
import itertools
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from ml_collections import ConfigDict

import input_pipeline
from mobilenet import experiment, trained
from mobilenet.command_line import Flag, Given
from mobilenet.models import counting
from mobilenet.reports import result, run_report
from mobilenet.runs import (
  exported_evaluation,
  exported_file,
  matching,
  overlap,
  run_data,
)
from mobilenet.runs.exported_file import ExportedFile
from mobilenet.tasks import Evaluated
from mobilenet.training import logs, processes, sharding, workdir
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.evaluation import evaluate
from mobilenet.training.step import make_eval_step

FLAGS = (
  Flag('split', str, None, "The split, or 'all'; the config's by default."),
  Flag('data_dir', str, None, 'Folder of other data with classes of the run.'),
  Flag('restrict', bool, False, 'Choose among the classes that this data has alone.'),
  Flag('exported', str, None, 'A file of --job=export, which answers for its run.'),
  Flag('runtime', str, None, "What runs the file; the format's first by default."),
)


def run(given: Given) -> int:
  flags, exported = given.flags, None
  require(
    flags.runtime is None or flags.exported is not None,
    '--runtime is for an --exported file: name it',
  )
  if flags.exported is not None:
    exported = exported_file.open_file(
      workdir.local_path(flags.exported), flags.runtime
    )
  folder = _folder_of(given, exported)
  evaluate_run(
    folder,
    flags.split,
    flags.data_dir,
    given.overrides,
    exported,
    restrict=flags.restrict,
  )
  return 0


def _folder_of(given: Given, exported) -> pathlib.Path:
  """The run's: of an exported file the one it lies in, where none is named."""
  if exported is not None and not (given.flags.workdir or given.argument):
    path = exported.opened.path
    folder = path.resolve().parent.parent
    require(
      (folder / workdir.CONFIG_FILE).is_file(),
      f'{path} lies in no run, whose data it could be evaluated on: give its --workdir',
    )
    return folder
  return given.run_folder()


def evaluate_run(
  folder: pathlib.Path,
  split: str | None = None,
  data_dir: str | None = None,
  overrides: Mapping[str, Any] | None = None,
  exported: ExportedFile | None = None,
  *,
  restrict: bool = False,
) -> None:
  """Evaluates the newest checkpoint of a run, or imported weights, and reports.

  Args:
    folder: the run's.
    split: of the data; None for the config's `data.eval_split`, and for all of other
      class folders that have no parts.
    data_dir: folder of other data with some or all of the classes; None for the run's
      own.
    overrides: fields of the config; only those that change no number are taken.
    exported: a file that answers in the place of the run.
    restrict: whether the network chooses among the classes that the data has alone.

  Raises:
    TrainingError, DataError: no run, nothing trained yet, or data that cannot be read
      or has a class that the run does not know.
  """
  mesh = sharding.make_mesh()
  run = trained.load_run(folder, mesh)
  config = run.config
  if 'report' not in config:  # a run of an older version
    config.report = ConfigDict()
  with config.unlocked():
    config.update_from_flattened_dict(experiment.harmless(overrides or {}))
  task = experiment.make_task(config)
  require(
    not restrict or experiment.task_of(config) == 'classification',
    f'--restrict is for classifiers, and {folder} is a run of {config.task}',
  )
  if data_dir and config.data.dir and _same_place(data_dir, config.data.dir):
    data_dir = None
  before = run_data.recorded(folder)
  opened, notes = open_data(config, before, split, data_dir, run.outputs)
  task = task.knowing(run.outputs)
  source, of_classes = opened, []
  if not task.own_classes:
    source, of_classes = matching.in_order_of_run(folder, opened)
    workdir.check_classes(folder, task.outputs(source), source.split)
  answers = len(run.outputs)
  if restrict:
    task, answers = matching.restricted(task, source)
    of_classes.append(f'the network chooses among {answers:,} of its classes')
    source = dataclasses.replace(source, notes=(*source.notes, of_classes[-1]))
    if exported is not None:
      own = dataclasses.replace(exported.task, among=task.among)
      exported = exported._replace(task=own)
  first = jax.process_index() == 0
  if first:
    for note in (*notes, *of_classes):
      print(f'note: {note}')
    trained_on = warn_of_overlap(config, before, opened, data_dir)
    if task.own_classes:
      warn_of_classes(run.outputs, source)
  batches = experiment.eval_batches(config, source, mesh)
  if exported is not None:
    evaluation = exported_evaluation.evaluate(exported, run, batches, source)
  else:
    # The network as it was trained, not folded: the numbers then equal those of the
    # training's own evaluation to the last digit.
    evaluation = evaluate(
      processes.together('evaluation', make_eval_step(run.model, task, mesh)),
      task,
      {'best': run.variables},
      batches,
      mesh,
      num_examples=source.num_examples,
      keep_predictions=True,
    )['best']
  for name in batches.corrupt:
    print(f'left out, since it cannot be read: {name}')
  if not first:
    return
  file = exported and exported.opened.path.name
  report = report_folder(
    folder, source, own=data_dir is None, restrict=restrict, file=file
  )
  own = before is not None and source.origin == before.origin
  details = run_report.write_report(
    task,
    Evaluated(
      folder=report,
      evaluation=evaluation,
      outputs=run.outputs,
      examples=experiment.EvaluatedExamples(source),
      split=source.split,
      num_examples=source.num_examples,
      run=None if exported else run,  # whose network answers for pictures of a page
      card=run,
      ops=experiment.both_ops(config),
      history=logs.read_metrics(folder),
      trained=run_data.described(before.train, before.origin) if before else '',
      chose=own and source.split == before.evaluation.split,
      trained_on=trained_on,
      classes=source.class_names,
    ),
    size=counting.count(run.model, config.resolution),
    data=source,
  )
  metrics = {'loss': None, **evaluation.metrics, **details}  # a file tells not all
  shown = {
    'config': f'{file or folder.name}, step {run.step}, on {source.split}',
    'metric': task.metric.name,
    'data': source.origin,
    'split': source.split,
    **{name: v if evaluation.count else None for name, v in metrics.items()},
    'num_examples': evaluation.count,
    'unreadable_examples': evaluation.unreadable,
  }
  if evaluation.untold:
    shown['unlabelled_examples'] = evaluation.untold
  if restrict:
    shown['answers_among'] = answers
  if trained_on:
    shown['examples_trained_on'] = trained_on
  write_result(report, run, {**shown, 'examples_trained_on': trained_on})
  result.print_result(shown, unshown=task.unshown(answers))
  print(f'report: {report / run_report.PAGE}')


def write_result(report: pathlib.Path, run: trained.Run, shown: dict[str, Any]) -> None:
  """Writes what was shown, and of which run it is."""
  parameters, multiply_adds = counting.count(run.model, run.config.resolution)
  not_trained_here = ('epochs', 'train_seconds', 'images_per_second')
  result.write_result(
    report,
    {
      **shown,
      'run': str(run.folder),
      'model': run.config.model.name,
      'steps': run.step,
      'parameters': parameters,
      'multiply_adds': multiply_adds,
      **dict.fromkeys(not_trained_here),
    },
  )


def open_data(
  config: ConfigDict,
  before: run_data.RunData | None,
  split: str | None,
  data_dir: str | None,
  known: Sequence[str] = (),
) -> tuple['input_pipeline.Source', list[str]]:
  """Opens what is to be evaluated.

  A split that a seed made stays as the run began with it: what it was trained on does
  not come in when photos are added or deleted, nor does what came later.

  Args:
    config: the run's.
    before: what the run began with, if that is known.
    split, data_dir: as in `evaluate_run`.
    known: what the run's outputs stand for, see `experiment.open_source`.

  Returns:
    The source, and lines for a person.
  """

  def opened(split, **how):
    how |= {'known': known, 'split_flag': '--split'}
    return experiment.open_source(config, split, data_dir, **how)

  other = data_dir is not None
  source = opened(split or config.data.eval_split, whole=other and split is None)
  notes = list(source.notes)
  if other or before is None:
    return source, notes
  try:
    now = run_data.of(opened(before.train.split), opened(before.evaluation.split))
  except input_pipeline.DataError as error:
    return source, [
      *notes,
      f'what it was trained on cannot be opened any more: {error}',
    ]
  if change := run_data.changes(before, now):
    line, part = change.line, before.of_split(source.split)
    if source.by_seed and part is not None:
      source = opened(source.split, only=part.names)
      line += ': new ones are left out; --split=all takes them in' * change.new
    notes.append(line)
  return source, notes


def warn_of_overlap(
  config: ConfigDict,
  before: run_data.RunData | None,
  source: 'input_pipeline.Source',
  data_dir: str | None,
) -> int | None:
  """Warns of examples that the run was trained on.

  Returns:
    How many there are; None where nobody knows what the run was trained on.
  """
  if before is None:
    return None
  found = overlap.find(
    before, source, lambda split: experiment.open_source(config, split, data_dir)
  )
  if found.count:
    print(f'warning: {overlap.described(found, source)}')
  return found.count


def warn_of_classes(trained: Sequence[str], source: 'input_pipeline.Source') -> None:
  """Warns of classes that an embedding network was trained on, by their names."""
  both = sorted(set(trained) & set(source.class_names))
  if both:
    print(
      f'warning: {len(both):,} of these {len(source.class_names):,} classes were '
      f'trained on ({run_data.some(both)}), going by their names: new ones are harder'
    )


def report_folder(
  folder: pathlib.Path,
  source: 'input_pipeline.Source',
  *,
  own: bool,
  restrict: bool = False,
  file: str | None = None,
) -> pathlib.Path:
  """The folder for the report on a source: its own from last time, or a new one.

  'report-val' is for the run's own data, 'report-<name>-all' for other, with
  '-restricted' behind it where the network chose among some classes; where that holds
  the report on something else, a number is added.
  """
  data = source.origin if source.names is None else os.path.basename(source.origin)
  data = '' if own else f'-{data}'
  told = f'report{data}-{source.split}' + '-restricted' * restrict
  told += f'-{file}' if file else ''
  name = re.sub(r'[^\w.+-]+', '-', told).strip('-')
  for number in itertools.count(1):
    report = folder / (name if number == 1 else f'{name}-{number}')
    try:
      there = result.read_result(report)
    except TrainingError:
      if not report.exists():
        return report
      continue  # of an older version, which did not say what it is of
    if (there.get('data'), there.get('split')) == (source.origin, source.split):
      return report
  raise AssertionError('unreachable')


def _same_place(one: str, other: str) -> bool:
  one, other = (os.path.realpath(os.path.expanduser(path)) for path in (one, other))
  return one == other
