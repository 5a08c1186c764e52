"""Measures a run's BatchNorm statistics anew.

    python main.py --job=recalibrate --workdir=runs/x --out=runs/x-recalibrated

Photos are prepared as for evaluation, so nothing is drawn. The means and variances are
exact for the photos used. Each norm sees what the norms before it make of its batch, as
in training; batches are as large as those of the evaluation and hold mixed classes. The
weights are those that count for the run, raw or averaged, and do not change. Norms of
frozen rows are measured too.

--out is a new run, to be evaluated, predicted with and exported; the old one stays as
it is. Top-1 on the evaluation split says which of the two is better.
"""

import copy
import dataclasses
import math
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from mobilenet import experiment, trained
from mobilenet.command_line import Flag, Given
from mobilenet.reports import counter
from mobilenet.runs import run_data
from mobilenet.runs.training_data import Data, open_data
from mobilenet.training import files, sharding, workdir
from mobilenet.training.errors import require
from mobilenet.training.evaluation import Evaluation, evaluate
from mobilenet.training.recalibration import recalibrate
from mobilenet.training.step import make_eval_step
from mobilenet.weights import own_file

FLAGS = (
  Flag('out', str, None, 'The folder to make, a run with the new statistics.'),
  Flag('images', int, 2000, 'Training photos to measure; all if there are fewer.'),
)


class Scores(NamedTuple):
  """The task's metric on the evaluation split."""

  before: float
  after: float


def run(given: Given) -> int:
  flags = given.flags
  require(not flags.multihost, '--multihost: one process recalibrates a run')
  require(bool(flags.out), 'name the folder to make: --out=runs/...')
  recalibrate_run(
    given.run_folder(), workdir.local_path(flags.out), flags.images, given.overrides
  )
  return 0


def recalibrate_run(
  folder: pathlib.Path,
  out: pathlib.Path,
  images: int = 2000,
  overrides: Mapping[str, Any] | None = None,
) -> Scores:
  """Makes a run with new statistics of the norms, and prints what that changes.

  Args:
    folder: the run's.
    out: the new run's; it must hold no run yet.
    images: of the training split, at most.
    overrides: fields of the config; only those that change no number are taken.

  Raises:
    TrainingError, DataError: no run, nothing trained yet, a network without norms, data
      that cannot be read, or the folder holds a run.
  """
  require(images >= 1, f'--images={images} must be at least 1')
  require(
    not workdir.holds_run(out), f'{out} holds a run already; choose another --out'
  )
  mesh = sharding.make_mesh()
  run = trained.load_run(folder, mesh)
  weights = trained.to_weights(run)  # raises if no weight file can say how it sees
  require(
    bool(weights.variables.get('batch_stats')),  # the ranges of a rounded run are none
    f'{run.config.model.name} has no BatchNorm: there is nothing to recalibrate',
  )
  with run.config.unlocked():
    run.config.update_from_flattened_dict(experiment.harmless(overrides or {}))
  task = experiment.make_task(run.config).knowing(run.outputs)
  data = open_data(run.config, folder)
  known = (data.train,) if task.own_classes else (data.train, data.evaluation)
  for source in known:
    workdir.check_classes(folder, task.outputs(source), source.split)
  for note in data.notes:
    print(f'note: {note}')
  statistics = _measured(run, data.train, images, mesh)
  after = {**run.variables, 'batch_stats': statistics}
  evaluations = _evaluations(run, task, {'before': run.variables, 'after': after}, data)
  with files.together(out, last=workdir.CONFIG_FILE) as draft:
    own_file.save(
      draft / own_file.FILE,
      dataclasses.replace(
        weights,
        origin=f'{weights.origin}, recalibrated',
        variables={**weights.variables, 'batch_stats': statistics},
      ),
    )
    workdir.write_classes(draft, run.outputs)
    run_data.write(draft, data.record)
    workdir.write_config(draft, run.config.to_dict())
  scores = Scores(
    *(evaluations[k].metrics[task.metric.name] for k in ('before', 'after'))
  )
  for line in _told(evaluations, task, data.evaluation.split):
    print(line)
  print(_verdict(scores, folder, out))
  print(f'workdir: {out}')
  return scores


def _measured(run: trained.Run, source, images: int, mesh: Mesh) -> dict[str, Any]:
  """New statistics, from images of the training split."""
  config = copy.deepcopy(run.config)
  images = min(images, source.num_examples)
  devices = mesh.devices.size
  number = -(-images // config.eval_batch_size)
  config.batch_size = images // number // devices * devices
  require(
    config.batch_size > 0,
    f'{images} photos cannot be divided over {devices} devices: give more --images',
  )
  batches = _images(config, source, mesh, number)
  print(
    f'measuring {number * config.batch_size:,} images of {source.split}, '
    f'{config.batch_size} at once'
  )
  # Norms take over the statistics of a batch as they are, and nothing is dropped.
  config.model.norm_momentum, config.model.norm_group = 0.0, None
  config.model.trained = 'all'
  config.model.dropout = config.model.stochastic_depth = 0.0
  model = experiment.make_model(config, run.outputs)
  with counter.counting(number * config.batch_size, 'images') as advance:
    return recalibrate(model, run.variables, batches, mesh, advance)


def _images(
  config: ConfigDict, source, mesh: Mesh, number: int
) -> Iterator[np.ndarray]:
  """Batches of images in a mixed order, prepared as for evaluation."""
  config = copy.deepcopy(config)
  config.data.train_ops, config.data.batch_ops = config.data.eval_ops, ''
  config.data.repeats = 1
  batches = experiment.train_batches(config, source, mesh, start_step=0)
  for _ in range(number):
    yield next(batches)['image']
  for name in batches.corrupt:
    print(f'left out, since it cannot be read: {name}')


def _evaluations(
  run: trained.Run, task, variables: dict[str, Any], data: Data
) -> dict[str, Evaluation]:
  """Of both sets of variables, over the same photos, each of them once."""
  mesh = sharding.make_mesh()
  return evaluate(
    make_eval_step(run.model, task, mesh),
    task,
    variables,
    experiment.eval_batches(run.config, data.evaluation, mesh),
    mesh,
    num_examples=data.evaluation.num_examples,
  )


def _told(evaluations: dict[str, Evaluation], task, split: str) -> list[str]:
  """The metric that counts and the loss, before and after; and which is better."""
  before, after = (evaluations[name].metrics for name in ('before', 'after'))
  name, title, unit = task.metric
  where = f'on {split} ({evaluations["after"].count:,} examples)'
  lines = [
    f'{title} {where}: {before[name]:.2f} {unit} before, {after[name]:.2f} {unit} after'
  ]
  if 'loss' in before:
    lines.append(
      f'loss {where}: {before["loss"]:.4f} before, {after["loss"]:.4f} after'
    )
  return lines


def _verdict(scores: Scores, folder: pathlib.Path, out: pathlib.Path) -> str:
  if not all(map(math.isfinite, scores)):
    return 'nobody knows which of the two is better: nothing could be measured'
  if scores.after > scores.before:
    return f'the new statistics are better on this split: use {out}'
  if scores.after < scores.before:
    return f'the new statistics are worse on this split: keep using {folder}'
  return 'the new statistics are neither better nor worse on this split'
