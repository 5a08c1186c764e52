"""Finished runs on whole data sets: the only source of what is called ours."""

import dataclasses
import math
import os
import pathlib
import re

from mobilenet.reports import result
from mobilenet.tables.quality import IMAGENET, QUALITIES, Quality
from mobilenet.tables.rows import Options, Row, Size
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError

# Of a model, besides its width: what a row may ask for.
OPTIONS = ('filters', 'output_stride')


@dataclasses.dataclass(frozen=True)
class Run:
  """A finished run, evaluated on the whole split of a quality's data."""

  path: str  # below the folder that holds the runs' folder: 'runs/v1'
  model: str
  width: float
  resolution: Size | None  # at which it was evaluated; None if that varies
  of: Quality
  quality: float  # percent
  options: Options = ()  # of OPTIONS, those that are set


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
  """The run in a folder; None if it is not one on the whole of a table's data."""
  config, outcome = workdir.read_config(path), result.read_result(path)
  if config is None:
    return None
  data = config['data']
  of = next((q for q in QUALITIES if _is_whole(q, data, outcome)), None)
  if of is None or not math.isfinite(outcome[of.metric]):
    return None
  model = config['model']
  own = ((name, model.get(name)) for name in OPTIONS)
  return Run(
    path=os.path.relpath(path, folder.parent),
    model=model['name'],
    width=float(model['width']),
    resolution=_evaluated_at(config),
    of=of,
    quality=float(outcome[of.metric]),
    options=tuple((name, value) for name, value in own if value is not None),
  )


def _is_whole(quality: Quality, data: dict, outcome: dict) -> bool:
  """Whether a run was evaluated on all of the data; TFDS's versions are alike."""
  return (
    data['name'].partition(':')[0] == quality.data
    and data['eval_split'] == quality.split
    and outcome['num_examples'] == quality.examples
  )


def _evaluated_at(config: dict) -> Size | None:
  """The size of the pictures, which segmenters may be trained on crops of."""
  resolution = int(config['resolution'])
  if config.get('task') != 'segmentation':
    return resolution
  ops = config['data']['eval_ops'].replace('{resolution}', str(resolution))
  found = re.search(r'\bpad\(\(?(\d+)(?:, *(\d+))?', ops)
  if found is None:
    return None
  height, width = (int(side) if side else None for side in found.groups())
  return height if width is None else (height, width)


def best(row: Row, runs: list[Run], of: Quality = IMAGENET) -> Run | None:
  """The best run of a row's network at its width, size and other options."""
  if row.model is None or row.differs:
    return None
  asked = tuple(option for option in row.options if option[0] in OPTIONS)
  wanted = (row.model, row.width, row.resolution, asked, of)
  own = [
    run
    for run in runs
    if (run.model, run.width, run.resolution, run.options, run.of) == wanted
  ]
  return max(own, key=lambda run: run.quality, default=None)
