"""Compiles a config's training step for devices, and says what it takes of each."""

import math
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from mobilenet import experiment
from mobilenet.models import counting
from mobilenet.scaling import collectives
from mobilenet.training import sharding
from mobilenet.training.plan import make_plan
from mobilenet.training.programs import compile_anew
from mobilenet.training.schedules import make_schedule
from mobilenet.training.state import create, described, layout
from mobilenet.training.step import make_train_step


class Cost(NamedTuple):
  """Of a step; bytes and operations are those of one device.

  arguments: what is there before it, state and batch. temporaries: what it needs
  besides. operations, memory_traffic: as XLA counts them. multiply_adds: of one image's
  forward pass. checkpoint: bytes of the whole state.
  """

  parameters: int
  multiply_adds: int
  arguments: int
  temporaries: int
  operations: float
  memory_traffic: float
  collectives: list[collectives.Collective]
  checkpoint: int

  @property
  def memory(self) -> int:
    """Bytes that a device must have; the new state takes the place of the old one."""
    return self.arguments + self.temporaries


def measure(config: ConfigDict, mesh: Mesh, outputs: int, num_examples: int) -> Cost:
  """Compiles the very step that a run of this config would take on these devices.

  Args:
    config: of a classifier; its data is not opened.
    mesh: of devices that need not exist here.
    outputs: classes.
    num_examples: of the training split, for the schedule.

  Raises:
    TrainingError, ModelError: a wrong field, or a batch that cannot be divided.
    JaxRuntimeError: the compiler finds that it does not fit.
  """
  sharding.local_batch_size(mesh, config.batch_size, parts=config.accumulate)
  task = experiment.make_task(config)
  model = experiment.make_model(config, ('',) * outputs)
  layers, shapes = counting.layers_and_variables(model, config.resolution)
  plan = make_plan(config, num_examples=num_examples)
  schedule = make_schedule(
    config.schedule,
    total_steps=plan.total_steps,
    steps_per_epoch=plan.steps_per_epoch,
    batch_size=config.batch_size,
  )
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
  memory, counted = program.memory_analysis(), program.cost_analysis()
  parameters, multiply_adds = counting.totals(layers)
  return Cost(
    parameters=parameters,
    multiply_adds=multiply_adds,
    arguments=memory.argument_size_in_bytes,
    temporaries=memory.temp_size_in_bytes,
    operations=counted['flops'],
    memory_traffic=counted['bytes accessed'],
    collectives=collectives.of_program(program.as_text(), mesh.devices.size),
    checkpoint=sum(
      math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)
    ),
  )
