"""What a finished run leaves for people: its task's pages, curves and a result."""

import pathlib

from mobilenet.reports import curves, result
from mobilenet.training import loop
from mobilenet.training.plan import Plan


def write_training(
  task,
  outcome: loop.Outcome,
  folder: pathlib.Path,
  *,
  model: str,
  outputs: tuple[str, ...],
  examples,
  plan: Plan,
  size: tuple[int, int],
) -> None:
  """Writes and prints the report and the result of a training.

  Args:
    task: the run's.
    outcome: of the loop, finished.
    folder: the run's.
    model: the network's name.
    outputs: what its outputs stand for.
    examples: that were evaluated (`tasks.Examples`).
    plan: of the training.
    size: parameters and multiply-adds.

  Raises:
    TrainingError: a file cannot be written.
  """
  best = outcome.evaluations.get('ema', outcome.evaluations['raw'])
  report = folder / curves.REPORT_FOLDER
  details = task.write_report(report, best, outputs, examples)
  curves.write_curves(folder, task.metric, title=folder.name)
  metric = task.metric.name
  finished = {
    'config': folder.name,
    'model': model,
    'metric': metric,
    **best.metrics,
    f'raw_{metric}': outcome.evaluations['raw'].metrics[metric],
    **details,
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
  print(f'report: {report}')
