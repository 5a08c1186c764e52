"""Whether a file of anything but a classifier answers as its network does."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from mobilenet import experiment, tasks, trained
from mobilenet.export.program import Program
from mobilenet.export.runtimes.opened import Opened
from mobilenet.training import sharding

Batch = Mapping[str, np.ndarray]


class Compared(NamedTuple):
  """Both on the same images.

  task: what the network is for. count: of the images. differences: by name, the largest
  of a batch. metric: its name. values: of the metric in %, the network first; () where
  the images have no marks of the run's classes.
  """

  task: str
  count: int
  differences: dict[str, float]
  metric: str
  values: tuple[float, ...]


def batches(run: trained.Run, source) -> Iterator[Batch]:
  """Prepared images that could be read, with what is marked on them.

  Marks of other classes than the run's are left out, and a note says so.
  """
  task = experiment.make_task(run.config)
  same = task.own_classes or tuple(task.outputs(source)) == tuple(run.outputs)
  if not same:
    print(
      f'note: {source.origin} has other classes than the run: answers are compared, '
      f'and no {task.metric.name} is measured'
    )
  for batch in experiment.eval_batches(run.config, source, sharding.make_mesh()):
    read = np.asarray(batch['mask']) > 0
    names = batch.keys() if same else ('image',)
    if read.any():
      yield {name: np.asarray(batch[name])[read] for name in names}


def images_in(batch) -> np.ndarray:
  """The images of a batch, here and of classifiers."""
  return batch['image'] if isinstance(batch, Mapping) else batch[0]


def compare(
  made: Program,
  network: Callable[[np.ndarray], Any],
  opened: Opened,
  batches: Iterable[Batch],
) -> Compared:
  """Both answers to prepared images.

  Args:
    made: what the file is of.
    network: images to its outputs, see `Program.function`.
    opened: the file.
    batches: see the function `batches`.
  """
  of_task = tasks.exported(made.task)
  task = of_task.task_of(made.said())
  count, differences, kept = 0, {}, ([], [])
  keep = jax.jit(task.kept)
  for batch in batches:
    images = batch['image']
    outputs = network(images)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    ours = dict(zip(made.outputs(), map(np.asarray, outputs), strict=True))
    theirs = opened.named_answers(images, made.contract)
    count += len(images)
    found = of_task.differences(task, ours, theirs, made.resolution)
    for name, value in found.items():
      # Not Python's max, which passes over what is no number.
      differences[name] = float(np.maximum(differences.get(name, 0.0), value))
    if len(batch) > 1:
      fields = {name: batch[name] for name in ('index', *task.fields)}
      marks = {name: batch[name] for name in batch if name != 'image'}
      for rows, answers in zip(kept, (ours, theirs), strict=True):
        own = jax.device_get(keep(task.answered(answers), marks))
        rows.append({**fields, **own})
  name = task.metric.name
  values = tuple(_measured(task, rows) for rows in kept if rows)
  return Compared(made.task, count, differences, name, values)


def _measured(task, rows: list[dict[str, np.ndarray]]) -> float:
  joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
  return float(task.finish({}, joined)[task.metric.name])


def refusal(found: Compared, precision: str, most_lost: float) -> str | None:
  """Why a file must not be used; None if it may.

  Args:
    found: by `compare`.
    precision: of the file.
    most_lost: points of the metric that integers may lose.
  """
  if not np.isfinite(list(found.differences.values())).all():
    return 'its answers are not numbers'
  allowed = tasks.exported(found.task).TOLERANCES.get(precision)
  if allowed is not None:
    for name, value in found.differences.items():
      if value > allowed[name]:
        return f'{name}: {value:.2g} apart; rounding explains {allowed[name]:g}'
    return None
  if not found.values:
    return (
      f'{precision} is judged by the {found.metric} that it loses, and these images '
      'have no marks of its classes: give others as --data_dir'
    )
  lost = lost_points(found)
  if not lost <= most_lost:  # nothing is measured where it is NaN
    return (
      f'it loses {lost:.1f} points of {found.metric}; --most_lost={most_lost:g} may be '
      'lost. --keep_float=3 keeps the most sensitive values as floats'
    )
  return None


def lost_points(found: Compared) -> float:
  """Of the metric, in %, by which the network is better than the file."""
  return found.values[0] - found.values[1]


def rows_of(found: Compared, of: str) -> list[tuple[str, str, str]]:
  """What was compared, for a table: (what, the network's, the file's)."""
  rows = []
  if found.values:
    values = (f'{value:.2f} %' for value in found.values)
    rows.append((f'{found.metric} on {of}, {found.count:,} images', *values))
  for name, value in found.differences.items():
    rows.append((f'largest difference: {name}', '', f'{value:.2g}'))
  return rows
