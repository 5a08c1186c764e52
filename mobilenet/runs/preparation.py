"""What a run is made of, from its config: data, task, network, optimizer.

    config, weights, teacher = complete(config)
    found = open_run(config, teacher, folder)
    made = make(config, found, weights, schedule)

Training begins with it, and so does the search for a learning rate. Nothing is written.
"""

import functools
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import optax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from mobilenet import experiment, limits, trained
from mobilenet.models import counting
from mobilenet.runs import first_ranges, output_folder, teaching
from mobilenet.runs.teaching import Teacher
from mobilenet.runs.training_data import Data, open_data
from mobilenet.tasks import Task
from mobilenet.training import memory, sharding
from mobilenet.training.errors import require
from mobilenet.training.plan import Plan, make_plan
from mobilenet.training.schedules import Schedule, make_schedule
from mobilenet.weights import starting
from mobilenet.weights.own_file import Weights


class Found(NamedTuple):
  """What a run finds before it makes a network.

  mesh: of the devices. task: adapted to the training split. outputs: what the network's
  outputs stand for. teacher: with its answers in their order; None without one.
  """

  mesh: Mesh
  data: Data
  plan: Plan
  task: Task
  outputs: tuple[str, ...]
  teacher: Teacher | None


class Made(NamedTuple):
  """A network, ready to learn.

  size: (parameters, multiply-adds). variables: () -> those before the first step.
  notes: lines on them that a person should see.
  """

  model: nn.Module
  size: tuple[int, int]
  tx: optax.GradientTransformation
  variables: Callable[[], dict[str, Any]]
  notes: tuple[str, ...] = ()


def complete(
  config: ConfigDict,
) -> tuple[ConfigDict, Weights | None, Teacher | None]:
  """The config completed from its weights and its teacher, and those two.

  Raises:
    TrainingError, ModelError: a field is out of range, or they cannot be used.
  """
  limits.check(config)
  config, weights = trained.complete(config)
  require(
    weights is not None or not config.model.get('frozen_norms', False),
    '--config.model.frozen_norms=true keeps the statistics that weights came with, and '
    'there are none: --config.init=FILE, or set it to false',
  )
  first_ranges.check(config, weights)
  config, teacher = teaching.open_teacher(config)
  return config, weights, teacher


def open_run(
  config: ConfigDict,
  teacher: Teacher | None,
  folder: pathlib.Path | None,
  data: Data | None = None,
) -> Found:
  """Checks a config and opens its data.

  Args:
    config: completed.
    teacher: from `complete`.
    folder: the run's, which may have begun; None where there is no run.
    data: opened already; None opens the config's.

  Raises:
    TrainingError, ModelError, DataError: a mistake in the config, or data that cannot
      be opened or learned from.
  """
  mesh = sharding.make_mesh(shards=config.shards)
  check_batch(config, mesh)
  sharding.local_batch_size(mesh, config.eval_batch_size, 'eval_batch_size')
  # These raise for a wrong name or option before data is opened.
  task = experiment.make_task(config)
  require(
    task.has_embeddings or not config.head_first.epochs,
    f'--config.head_first.epochs={config.head_first.epochs:g} is for classifiers: the '
    f'heads of {config.task} need the whole network; set it to 0',
  )
  experiment.make_model(config, ('',))
  experiment.check_ops(config)
  data = data or open_data(config, folder)
  source = data.train
  if folder is not None:
    output_folder.check_workdir(folder, config)
  for part, name, kind in (
    (source, 'train_ops', 'train'),
    (data.evaluation, 'eval_ops', 'eval'),
  ):
    experiment.check_marked_ops(config, part, name, kind)
  task.check_training(source, '--config.data.train_split')
  task.check_training(data.evaluation, '--config.data.eval_split')
  plan = make_plan(config, num_examples=source.num_examples)
  outputs = task.outputs(source)
  task = task.for_training(source)
  teacher = teaching.fitted(teacher, outputs, source)
  return Found(mesh, data, plan, task, outputs, teacher)


def check_batch(config: ConfigDict, mesh: Mesh) -> None:
  """Checks that a batch can be divided over devices, repeats, parts and norms' groups.

  Raises:
    TrainingError: it cannot; the line names the field.
  """
  sharding.local_batch_size(mesh, config.batch_size, parts=config.accumulate)
  repeats = config.data.repeats
  require(
    config.batch_size % repeats == 0,
    f'--config.data.repeats={repeats} does not divide --config.batch_size='
    f'{config.batch_size}: a batch has each of its images so many times',
  )
  together, group = config.batch_size // config.accumulate, config.model.norm_group
  require(
    not group or together % group == 0,
    f'--config.model.norm_group={group} does not divide the {together} images that are '
    'computed together (batch_size / accumulate)',
  )


def schedule_of(config: ConfigDict, plan: Plan) -> Schedule:
  """The config's learning rate, step by step.

  Raises:
    TrainingError: a wrong field.
  """
  return make_schedule(
    config.schedule,
    total_steps=plan.total_steps,
    steps_per_epoch=plan.steps_per_epoch,
    batch_size=config.batch_size,
  )


def make(
  config: ConfigDict, found: Found, weights: Weights | None, schedule: Schedule
) -> Made:
  """Makes a config's network and the optimizer that trains it.

  Raises:
    TrainingError, ModelError: images too small, a wrong field, weights that do not fit
      the network, or more than the device's memory would be needed.
  """
  model = experiment.make_model(config, found.outputs)
  layers, shapes = counting.layers_and_variables(model, config.resolution)
  tx = experiment.make_optimizer(config, model, schedule)
  learning = [layer for layer in layers if model.learns(tuple(layer.name.split('/')))]
  memory.check(
    memory.needed(
      shapes,
      tx,
      [] if config.model.remat else counting.kept_for_backward(learning),
      image_shape=(config.resolution, config.resolution, 3),
      batch_size=config.batch_size // (jax.device_count() * config.accumulate),
      ema=config.ema_decay is not None,
      shards=config.shards,
    )
  )
  variables = functools.partial(experiment.initial_variables, config, model, weights)
  notes = ()
  if weights is not None:
    variables()  # raises if they don't fit, before anything is written
    if weights.model['name'] == config.model.name and not config.new_head:
      starting.check_classes(weights, found.outputs)
    if weights.model['name'] != config.model.name:
      notes = (_of_trunk(weights, shapes),)
  return Made(model, counting.totals(layers), tx, variables, notes)


def _of_trunk(weights: Weights, shapes) -> str:
  rows = starting.drawn_rows(weights, shapes)
  line = f'the trunk starts from {weights.model["name"]}, the heads are new'
  if rows:
    line += f'; new too, since they have other widths there: {", ".join(rows)}'
  return line
