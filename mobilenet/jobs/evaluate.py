"""Evaluates a run or imported weights on any split or data.

    python main.py --job=eval --workdir=runs/folder --data_dir=other_photos

Every example counts exactly once. The report goes into a folder of the run.
"""

import pathlib

import jax

from mobilenet import experiment, trained
from mobilenet.command_line import Flag, Given
from mobilenet.reports import result
from mobilenet.training import sharding, workdir
from mobilenet.training.evaluation import evaluate
from mobilenet.training.step import make_eval_step

FLAGS = (
  Flag('split', str, None, "The split to evaluate; the config's by default."),
  Flag('data_dir', str, None, "Folder of other data with the run's classes."),
)


def run(given: Given) -> int:
  evaluate_run(given.run_folder(), given.flags.split, given.flags.data_dir)
  return 0


def evaluate_run(
  folder: pathlib.Path, split: str | None = None, data_dir: str | None = None
) -> None:
  """Evaluates the newest checkpoint of a run, or imported weights, and reports.

  Args:
    folder: the run's.
    split: of the data; None for the config's `data.eval_split`.
    data_dir: folder of other data with the same classes; None for the run's own.

  Raises:
    TrainingError, DataError: no run, nothing trained yet, or data that cannot be read
      or has other classes.
  """
  mesh = sharding.make_mesh()
  run = trained.load_run(folder, mesh)
  config, task = run.config, experiment.make_task(run.config)
  split = split or config.data.eval_split
  source = experiment.open_source(config, split, data_dir)
  workdir.check_classes(folder, task.outputs(source), split)
  batches = experiment.eval_batches(config, source, mesh)
  # The network as it was trained, not folded: the numbers then equal those of the
  # training's own evaluation to the last digit.
  evaluation = evaluate(
    make_eval_step(run.model, task, mesh),
    task,
    {'best': run.variables},
    batches,
    mesh,
    num_examples=source.num_examples,
    keep_predictions=True,
  )['best']
  for name in batches.corrupt:
    print(f'left out, since it cannot be read: {name}')
  if jax.process_index() == 0:
    report = folder / f'report-{split}'
    examples = experiment.EvaluatedExamples(source)
    task.write_report(report, evaluation, run.outputs, examples)
    result.print_result(
      {
        'config': f'{folder.name}, step {run.step}, on {split}',
        **evaluation.metrics,
        'num_examples': evaluation.count,
        'unreadable_examples': evaluation.unreadable,
      }
    )
    print(f'report: {report}')
