"""What a finished run leaves for people: its task's pages, curves and a result."""

import pathlib

from mobilenet.reports import curves, result
from mobilenet.training import averages, loop
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
  data,
) -> None:
  """Writes and prints the report and the result of a training.

  Args:
    task: the run's.
    outcome: of the loop, which is finished.
    folder: the run's.
    model: the network's name.
    outputs: what its outputs stand for.
    examples: the evaluated ones (`tasks.Examples`).
    plan: of the training.
    size: parameters and multiply-adds.
    data: the source that was evaluated.

  Raises:
    TrainingError: a file cannot be written.
  """
  metric = task.metric.name
  kind = averages.choose(outcome.evaluations, metric)
  best = outcome.evaluations[kind]
  report = folder / curves.REPORT_FOLDER
  details = task.write_report(report, best, outputs, examples)
  curves.write_curves(folder, task.metric, title=folder.name)
  finished = {
    'config': folder.name,
    'model': model,
    'metric': metric,
    'weights': kind,
    **best.metrics,
    **{f'{k}_{metric}': e.metrics[metric] for k, e in outcome.evaluations.items()},
    **details,
    'data': data.origin,
    'split': data.split,
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
  if len(outcome.evaluations) > 1 and kind == averages.RAW:
    print(
      'note: the averaged weights are worse than the raw ones '
      f'({finished[f"ema_{metric}"]:.4g} against {finished[f"raw_{metric}"]:.4g}), as '
      'can happen after short runs; the raw ones count here, in evaluation, prediction '
      'and export'
    )
  result.write_result(folder, finished)
  result.print_result(result.read_result(folder), unshown=task.unshown(len(outputs)))
  print(f'report: {report}')
