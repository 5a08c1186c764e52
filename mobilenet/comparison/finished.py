"""What finished runs left in their folders, and whether it can be compared."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilenet.reports import csv_file, curves, result
from mobilenet.runs import run_data
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError, require

PREDICTIONS_FILE = 'predictions.csv'
TASK = 'classification'
_ANEW = 'its training command writes it anew'


@dataclasses.dataclass(frozen=True)
class Finished:
  """A run that has ended.

  folder: the run's. config, result: its files as dicts. class_names: K names.
  examples: names of the evaluated photos, sorted; of a folder relative to it. labels,
  predictions: int (N,) each, in that order. data: what it was trained and evaluated on.
  """

  folder: pathlib.Path
  config: dict[str, Any]
  result: dict[str, Any]
  class_names: tuple[str, ...]
  examples: tuple[str, ...]
  labels: np.ndarray
  predictions: np.ndarray
  data: run_data.RunData


def read(folder: pathlib.Path) -> Finished:
  """Reads a finished run of a classifier.

  Raises:
    TrainingError: something is missing or cannot be read; the line names the run.
  """
  config = workdir.read_config(folder)
  require(config is not None, f'{folder} is no run: it holds no {workdir.CONFIG_FILE}')
  task = config['task']
  require(task == TASK, f'{folder} is a run of {task}: only classifiers are compared')
  ended = result.read_result(folder)
  names = workdir.read_classes(folder)
  require(names is not None, f'{folder} holds no {workdir.CLASSES_FILE}; {_ANEW}')
  data = run_data.recorded(folder)
  require(
    data is not None,
    f'{folder} holds no {run_data.FILE}, which says on what it was trained: an older '
    'version made it; train it again in another folder',
  )
  examples, labels, predictions = _predictions(folder, names)
  examples = _relative(examples, data.evaluation.names)
  return Finished(folder, config, ended, names, examples, labels, predictions, data)


def _predictions(folder: pathlib.Path, names: Sequence[str]):
  """(examples, labels, predictions) of the run's own evaluation, sorted by example."""
  path = folder / curves.REPORT_FOLDER / PREDICTIONS_FILE
  require(
    path.is_file(),
    f'{folder} holds no {curves.REPORT_FOLDER}/{PREDICTIONS_FILE}; {_ANEW}',
  )
  places = {name: place for place, name in enumerate(names)}
  try:
    rows = sorted(csv_file.read_records(path), key=lambda row: row['example'])
    labels, predictions = (
      np.array([places[row[column]] for row in rows], np.int64)
      for column in ('label', 'prediction')
    )
  except KeyError as error:
    raise TrainingError(
      f'{path} has no column or no class {error}: it is not of this run; {_ANEW}'
    ) from error
  require(len(rows) > 0, f'{path} has no predictions; {_ANEW}')
  return tuple(row['example'] for row in rows), labels, predictions


def _relative(
  examples: tuple[str, ...], names: Sequence[str] | None
) -> tuple[str, ...]:
  """Paths as a report prints them, without the folder that all of them are in."""
  known = {n.encode('utf-8', 'backslashreplace').decode() for n in names or ()}
  for place in (n for n, letter in enumerate(examples[0]) if letter in '/\\'):
    root = examples[0][: place + 1]
    short = tuple(example.removeprefix(root) for example in examples)
    if known.issuperset(short):
      return short
  return examples


def check_comparable(runs: Sequence[Finished]) -> None:
  """Checks that runs were trained and evaluated on the same photos.

  Raises:
    TrainingError: fewer than two runs, or two that differ, which the line names.
  """
  require(len(runs) > 1, 'a comparison needs at least two finished runs')
  first = runs[0]
  for run in runs[1:]:
    pair = f'{run.folder} and {first.folder} cannot be compared'
    require(
      run.class_names == first.class_names,
      f'{pair}: they have other classes; compare runs of the same data',
    )
    for part in run_data.PARTS:
      here, there = (run_data.identity(each.data, part) for each in (run, first))
      require(
        here == there,
        f'{pair}: {_difference(run, first, part)}; compare runs of the same data, '
        'seed and data.holdout',
      )
      changed = getattr(run.data, part).changed(getattr(first.data, part))
      require(
        not changed,
        f'{pair}: {len(changed):,} of their photos have the same names and other sizes '
        f'({run_data.some(changed)}); train one of them again',
      )
    require(
      run.examples == first.examples and np.array_equal(run.labels, first.labels),
      f'{pair}: their reports are of other photos or labels; compare runs of the same '
      'data, or train one again',
    )


def _difference(run: Finished, other: Finished, part: str) -> str:
  """'the photos trained on differ by 12 (a/1.jpg, ...)', or the sizes of both."""
  here, there = getattr(run.data, part), getattr(other.data, part)
  verb = {'train': 'trained', 'evaluation': 'evaluated'}[part]
  if here.names is None or there.names is None:
    sizes = [
      run_data.described(p, each.data.origin)
      for p, each in ((here, run), (there, other))
    ]
    return f'they are {verb} on {sizes[0]} and on {sizes[1]}'
  only = sorted(set(here.names) ^ set(there.names))
  return f'the photos {verb} on differ by {len(only):,} ({run_data.some(only)})'
