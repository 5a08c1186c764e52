"""Finished ImageNet runs: the only source of accuracies that are called ours."""

import dataclasses
import math
import os
import pathlib

from mobilenet.reports import result
from mobilenet.tables.rows import Row
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError

DATA = 'imagenet2012'
SPLIT = 'validation'
EXAMPLES = 50_000


@dataclasses.dataclass(frozen=True)
class Run:
  """A finished run, evaluated on the whole validation split of ImageNet."""

  path: str  # below the folder that holds the runs' folder: 'runs/v1'
  model: str
  width: float
  resolution: int
  top1: float  # percent


def find(folder: pathlib.Path | None) -> tuple[list[Run], list[str]]:
  """Finished runs below `folder` that a table can name.

  Args:
    folder: searched to any depth for a `result.json` next to a `config.json`; None for
      no runs.

  Returns:
    The runs, and a line for every run that could not be read.

  Raises:
    TrainingError: there is no such folder.
  """
  if folder is None:
    return [], []
  if not folder.is_dir():
    raise TrainingError(f'--runs={folder} is no folder; give the one that holds runs')
  runs, unread = [], []
  for file in sorted(folder.rglob(result.RESULT_FILE)):
    try:
      run = _run(file.parent, folder)
    except (TrainingError, KeyError, TypeError, AttributeError) as error:
      what = f'no {error}' if isinstance(error, KeyError) else error
      unread.append(f'left out {file.parent}: {what}')
      continue
    if run is not None:
      runs.append(run)
  return runs, unread


def _run(path: pathlib.Path, folder: pathlib.Path) -> Run | None:
  """The run in a folder; None if it is not one on the whole of ImageNet."""
  config, outcome = workdir.read_config(path), result.read_result(path)
  if config is None:
    return None
  whole = (
    config['data']['name'].partition(':')[0] == DATA
    and config['data']['eval_split'] == SPLIT
    and outcome['num_examples'] == EXAMPLES
  )
  if not whole or not math.isfinite(outcome['top1']):
    return None
  return Run(
    path=os.path.relpath(path, folder.parent),
    model=config['model']['name'],
    width=float(config['model']['width']),
    resolution=int(config['resolution']),
    top1=float(outcome['top1']),
  )


def best(row: Row, runs: list[Run]) -> Run | None:
  """The most accurate run of a row's network at its width and resolution."""
  if row.model is None or row.differs:
    return None
  wanted = (row.model, row.width, row.resolution)
  own = [run for run in runs if (run.model, run.width, run.resolution) == wanted]
  return max(own, key=lambda run: run.top1, default=None)
