"""Compiles the step that a run of a config would take, for devices elsewhere."""

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from mobilenet import experiment
from mobilenet.models import counting
from mobilenet.runs import preparation
from mobilenet.scaling import cost
from mobilenet.training import sharding
from mobilenet.training.plan import make_plan
from mobilenet.training.programs import compile_anew
from mobilenet.training.state import create, described, layout
from mobilenet.training.step import make_train_step


def measure(
  config: ConfigDict, mesh: Mesh, num_outputs: int, num_examples: int
) -> cost.Cost:
  """What a training step takes; its data is not opened.

  Args:
    config: of a classifier.
    mesh: of devices that need not exist here.
    num_outputs: classes.
    num_examples: of the training split, for the schedule.

  Raises:
    TrainingError, ModelError: a wrong field, or a batch that cannot be divided.
    JaxRuntimeError: the compiler finds that it does not fit.
  """
  preparation.check_batch(config, mesh)
  task = experiment.make_task(config)
  model = experiment.make_model(config, ('',) * num_outputs)
  layers, shapes = counting.layers_and_variables(model, config.resolution)
  plan = make_plan(config, num_examples=num_examples)
  schedule = preparation.schedule_of(config, plan)
  tx = experiment.make_optimizer(config, model, schedule)
  zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
  state = described(
    lambda: create(zeros, tx, task.zero_sums(), ema=config.ema_decay is not None), mesh
  )
  step = make_train_step(
    model,
    task,
    tx,
    mesh,
    seed=config.seed,
    ema_decay=config.ema_decay,
    accumulate=config.accumulate,
    layout=layout(state),
  )
  where = sharding.split(mesh)
  size, images = config.resolution, config.batch_size
  batch = {
    'image': jax.ShapeDtypeStruct((images, size, size, 3), np.float32, sharding=where),
    'label': jax.ShapeDtypeStruct((images,), np.int32, sharding=where),
  }
  program = compile_anew(step.lower(state, batch))
  return cost.of_step(program, state, counting.totals(layers), mesh.devices.size)
