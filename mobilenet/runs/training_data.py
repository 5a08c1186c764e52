"""What a run trains and is measured on; a run that began keeps to its photos."""

import dataclasses
import pathlib
from typing import Any, NamedTuple

from ml_collections import ConfigDict

import input_pipeline
from mobilenet import experiment
from mobilenet.runs import run_data
from mobilenet.training import workdir
from mobilenet.training.errors import require


class Data(NamedTuple):
  """The two opened splits, what is to be recorded of them, and lines for a person."""

  train: Any
  evaluation: Any
  record: run_data.RunData
  notes: list[str]


def open_data(config: ConfigDict, folder: pathlib.Path | None) -> Data:
  """Opens what a run trains and is measured on.

  A run that began already keeps to the photos it began with, as far as they are there:
  none changes sides, and those that came later are left out.

  Args:
    config: the whole config.
    folder: the run's; None where there is no run.

  Raises:
    DataError: it cannot be opened, none of those photos is there, or classes that are
      to be new in evaluation are trained on.
    TrainingError: a data set of TFDS is not what the run began with.
  """

  before = None if folder is None else run_data.read(folder)
  known = () if before is None else workdir.read_classes(folder) or ()

  def opened(train_names=None, eval_names=None):
    return (
      experiment.open_source(
        config,
        config.data.train_split,
        only=train_names,
        known=known,
        split_flag='--config.data.train_split',
      ),
      experiment.open_source(
        config, config.data.eval_split, only=eval_names, known=known
      ),
    )

  train, evaluation = opened()
  notes = list(dict.fromkeys((*train.notes, *evaluation.notes)))
  if experiment.make_task(config).own_classes:
    input_pipeline.check_apart(train, evaluation)
    if set(train.class_names) & set(evaluation.class_names):
      notes.append(
        f'{train.origin} lists the same classes for training and evaluation: where its '
        'splits do share them, nothing is measured of new ones'
      )
  now = run_data.of(train, evaluation)
  # Of photos that were replaced since, it keeps the sizes that they had.
  record = now if before is None else dataclasses.replace(before, origin=now.origin)
  change = before and run_data.changes(before, now)
  if not change:
    return Data(train, evaluation, record, notes)
  require(
    before.train.names is not None,
    f'{change.line}: give that data back, or choose another --workdir',
  )
  train, evaluation = opened(before.train.names, before.evaluation.names)
  left_out = ': new ones are left out; to train on them, choose another --workdir'
  notes.append(change.line + left_out * change.new)
  return Data(train, evaluation, record, notes)
