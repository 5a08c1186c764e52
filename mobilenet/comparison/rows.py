"""The rows of a comparison: a function of finished runs, and of what was measured."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilenet.comparison import mcnemar
from mobilenet.comparison.finished import Finished, check_comparable
from mobilenet.runs.latency import Latency
from mobilenet.training import files

SCRATCH = 'scratch'


@dataclasses.dataclass(frozen=True)
class Row:
  """A run. Shares are fractions; what was not measured is None.

  start: 'scratch', or the weights and what of them was trained.
  accuracy_low, accuracy_high: Wilson's 95 % interval.
  only_best, only_this: photos that the best run or this one alone names rightly; None
  for the best run itself, as p and p_holm.
  p: McNemar's exact p against the best run. p_holm: the same, adjusted for the number
  of rows.
  """

  run: str
  folder: str
  network: str
  width: float
  resolution: int
  start: str
  epochs: float
  photos: int
  accuracy: float
  accuracy_low: float
  accuracy_high: float
  only_best: int | None
  only_this: int | None
  p: float | None
  p_holm: float | None
  macro_f1: float
  parameters: int
  multiply_adds: int
  latency_ms: float | None
  weights_bytes: int | None
  train_seconds: float

  def differs(self) -> bool:
    """Whether it is worse than the best by more than chance."""
    return self.p_holm is not None and self.p_holm < mcnemar.CHANCE


def compare(
  runs: Sequence[Finished], measured: Mapping[pathlib.Path, Latency] | None = None
) -> list[Row]:
  """A row for each run, the most accurate first; of equal ones, the cheapest.

  Args:
    runs: two or more.
    measured: by the folder of the run; None for nothing.

  Raises:
    TrainingError: they were not trained and evaluated on the same photos.
  """
  check_comparable(runs)
  ranked = sorted(
    runs, key=lambda run: (-_right(run).sum(), run.result['multiply_adds'])
  )
  best = _right(ranked[0])
  tests = [{'only_best': None, 'only_this': None, 'p': None}]
  for run in ranked[1:]:
    right = _right(run)
    only_best, only_this = int((best & ~right).sum()), int((right & ~best).sum())
    p = mcnemar.exact(only_best, only_this)
    tests.append({'only_best': only_best, 'only_this': only_this, 'p': p})
  adjusted = [None, *mcnemar.holm([test['p'] for test in tests[1:]])]
  names = _names([run.folder for run in ranked])
  return [
    _row(run, name, (measured or {}).get(run.folder), {**test, 'p_holm': p_holm})
    for run, name, test, p_holm in zip(ranked, names, tests, adjusted, strict=True)
  ]


def _right(run: Finished) -> np.ndarray:
  return run.labels == run.predictions


def _row(run: Finished, name: str, measured: Latency | None, test) -> Row:
  from mobilenet.tasks.classification import classes

  _, scores = classes.per_class(run.labels, run.predictions, None, run.class_names)
  model = run.config['model']
  return Row(
    run=name,
    folder=str(files.typed(run.folder)),
    network=model['name'],
    width=model['width'],
    resolution=run.config['resolution'],
    start=start(run.config),
    epochs=run.result['epochs'],
    photos=len(run.labels),
    accuracy=scores['accuracy'],
    accuracy_low=scores['accuracy_low'],
    accuracy_high=scores['accuracy_high'],
    **test,
    macro_f1=scores['macro_f1'],
    parameters=run.result['parameters'],
    multiply_adds=run.result['multiply_adds'],
    latency_ms=measured and measured.milliseconds,
    weights_bytes=measured and measured.weights_bytes,
    train_seconds=run.result['train_seconds'],
  )


def start(config: Mapping[str, Any]) -> str:
  """Where a network started: 'scratch', 'v2.pth, fine-tuned' or 'v2.pth, frozen'."""
  learned = config['model']['trained']
  words = {'all': 'fine-tuned', 'classifier': 'frozen'}
  if not config['init']:
    return SCRATCH if learned == 'all' else f'{SCRATCH}, trained: {learned}'
  file = pathlib.PurePath(config['init']).name
  return f'{file}, {words.get(learned, f"trained: {learned}")}'


def _names(folders: Sequence[pathlib.Path]) -> list[str]:
  """The folders' own names, or where two are alike, paths below a common folder."""
  short = [folder.name for folder in folders]
  if len(set(short)) == len(short):
    return short
  common = os.path.commonpath([folder.parent for folder in folders])
  return [os.path.relpath(folder, common) for folder in folders]
