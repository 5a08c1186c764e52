"""What a run leaves for people: one page, its task's files, curves and a result."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mobilenet.reports import curves, model_card, page, result
from mobilenet.training import averages, logs, loop
from mobilenet.training.plan import Plan

PAGE = 'report.html'

_MOST_COUNTED = 60  # rows of a table of counts


def write_training(
  task,
  outcome: loop.Outcome,
  evaluated,
  *,
  plan: Plan,
  size: tuple[int, int],
  data,
) -> None:
  """Writes and prints the report and the result of a training.

  Args:
    task: the run's.
    outcome: of the loop, which is finished.
    evaluated: what is known of the evaluation (`tasks.Evaluated`); its weights,
      numbers and metrics are taken from the outcome.
    plan: of the training.
    size: parameters and multiply-adds.
    data: the source that was evaluated.

  Raises:
    TrainingError: a file cannot be written.
  """
  metric, run = task.metric.name, evaluated.run
  kind = averages.choose(outcome.evaluations, metric)
  best = outcome.evaluations[kind]
  state = outcome.state
  variables = state.variables if kind == averages.RAW else state.ema
  evaluated = evaluated._replace(
    evaluation=best,
    run=dataclasses.replace(run, variables=variables, step=int(state.step)),
    history=logs.read_metrics(run.folder),
    left_out=outcome.left_out,
  )
  curves.write_curves(run.folder, task.metric, title=run.folder.name)
  numbers = write_report(task, evaluated, size=size, data=data)
  finished = {
    'config': run.folder.name,
    'model': run.config.model.name,
    'metric': metric,
    'weights': kind,
    'loss': None,  # where an evaluation has none
    **best.metrics,
    **{f'{k}_{metric}': e.metrics[metric] for k, e in outcome.evaluations.items()},
    **numbers,
    'data': data.origin,
    'split': data.split,
    'num_examples': best.count,
    'unreadable_examples': best.unreadable,
    'left_out': list(outcome.left_out),
    'steps': outcome.step,
    'epochs': outcome.step / plan.steps_per_epoch,
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
  result.write_result(run.folder, finished)
  unshown = task.unshown(len(evaluated.outputs))
  result.print_result(result.read_result(run.folder), unshown=unshown)
  print(f'report: {evaluated.folder / PAGE}')


def write_report(task, evaluated, *, size: tuple[int, int], data) -> dict[str, float]:
  """Writes the task's files and the page of an evaluation.

  Args:
    task: the run's.
    evaluated: `tasks.Evaluated`.
    size: parameters and multiply-adds.
    data: the source that was evaluated.

  Returns:
    The task's numbers for the result.

  Raises:
    TrainingError: a file cannot be written.
  """
  written = task.write_report(evaluated)
  run = evaluated.card or evaluated.run
  made = page.Page(
    f'Report of {run.folder.name}',
    f'{run.config.model.name} x{run.config.model.width:g} at {run.config.resolution} '
    f'px, evaluated on {evaluated.split} of {data.origin}',
  )
  for title, parts in written.sections:
    made.section(title, *parts)
  made.section('How the training went', *_training(task, evaluated.history))
  made.section('The data', *_data(evaluated, data))
  made.section(
    'About this network',
    page.facts(
      model_card.rows(
        run.config,
        outputs=len(evaluated.outputs),
        size=size,
        step=run.step,
        ops=evaluated.ops,
        data=_origins(evaluated, data),
      )
    ),
    page.text(f'What it is for. {model_card.INTENDED}', 'What to be careful about:'),
    page.items(model_card.LIMITS),
  )
  made.write(evaluated.folder / PAGE)
  return written.numbers


def _training(task, history) -> list:
  if not history:
    return []
  loss, score = curves.draw_panels(history, task.metric)
  return [
    page.beside(
      page.figure(loss, 'The loss: lower is better.'),
      page.figure(score, f'{task.metric.title}: higher is better.'),
    ),
    page.text(
      'Training can look worse than evaluation, and that is no mistake: in training '
      'photos may be cropped and coloured at random, parts of the network may be '
      'switched off at random (dropout), and each number is the mean of a stretch in '
      'which the network still improved. Evaluation takes whole photos, the whole '
      'network and, where the run keeps them, averaged weights (EMA). Training far '
      'above evaluation is the bad sign: the network knows its photos by heart.'
    ),
  ]


def _origins(evaluated, data) -> dict[str, str]:
  here = f'{evaluated.num_examples:,} examples of {evaluated.split}: {data.origin}'
  trained = {'Trained on': evaluated.trained} if evaluated.trained else {}
  return {**trained, 'Evaluated on': here}


def _data(evaluated, data) -> list:
  counts: Mapping[str, Mapping[str, int]] = evaluated.counts or {}
  parts: list[Any] = []
  if counts:
    names = list(dict.fromkeys(name for part in counts.values() for name in part))
    rows = [
      (name, *(f'{part.get(name, 0):,}' for part in counts.values())) for name in names
    ]
    total = ('all', *(f'{sum(part.values()):,}' for part in counts.values()))
    shown = page.table(('class', *counts), [*rows[:_MOST_COUNTED], total])
    parts.append(
      shown if len(rows) <= 12 else page.details('Photos of each class', shown)
    )
    if len(rows) > _MOST_COUNTED:
      parts.append(page.text(f'The first {_MOST_COUNTED} of {len(rows):,} classes.'))
  said = [f'{what}: {value}' for what, value in _origins(evaluated, data).items()]
  if evaluated.trained_on:
    said.append(f'Trained on, among those evaluated: {evaluated.trained_on:,}')
  if unreadable := evaluated.unreadable():
    more = f' and {len(unreadable) - 20:,} more' if len(unreadable) > 20 else ''
    said.append(f'Left out, since unreadable: {", ".join(unreadable[:20])}{more}')
  return [page.items([*said, *data.notes]), *parts]
