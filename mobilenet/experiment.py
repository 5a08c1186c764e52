"""What a config stands for: its model, its data and its loss. Here the three meet.

    source = open_source(config, config.data.eval_split)
    model = make_model(config, source.num_classes)
    batches = eval_batches(config, source, sharding.make_mesh())

A config comes as an argument: this module imports none.
"""

from typing import Any

import flax.linen as nn
import jax
from jax.sharding import Mesh
from ml_collections import ConfigDict

import input_pipeline
from mobilenet.models import zoo
from mobilenet.models.initializers import init_variables
from mobilenet.training import sharding
from mobilenet.training.tasks import Classification

# May differ between a run and its resumption: they change no number of the training.
HARMLESS = (
  'checkpoint_every_epochs',
  'data.dir',
  'data.corrupt_limit',
  'eval_batch_size',
)


def make_model(config: ConfigDict, num_classes: int) -> nn.Module:
  """The config's network.

  Raises:
    ModelError: an unknown name, option or value.
  """
  return zoo.create(num_classes=num_classes, **config.model)


def make_task(config: ConfigDict) -> Classification:
  """The config's loss, and the metrics that go with it."""
  return Classification(
    label_smoothing=config.loss.label_smoothing,
    l2=config.loss.l2,
    l2_depthwise=config.loss.l2_depthwise,
  )


def initial_variables(config: ConfigDict, model: nn.Module) -> dict[str, Any]:
  """What a run's variables are before its first step."""
  shape = (config.resolution, config.resolution, 3)
  return init_variables(model, shape, config.seed)


def open_source(
  config: ConfigDict, split: str, data_dir: str | None = None
) -> 'input_pipeline.Source':
  """Opens a split of the config's data, or of the same kind of data in `data_dir`.

  Raises:
    DataError: the data, the split or a file is not there, or cannot be used.
  """
  return input_pipeline.open_source(
    config.data.name,
    split,
    data_dir=config.data.dir if data_dir is None else data_dir,
    seed=config.seed,
    holdout=config.data.holdout,
    made_examples=config.data.made_examples,
    made_size=max(config.resolution, 32),
    num_classes=config.data.made_classes,
  )


def ops(config: ConfigDict, name: str) -> str:
  """An op string of the config, with the resolution put in."""
  return config.data[name].replace('{resolution}', str(config.resolution))


def check_ops(config: ConfigDict) -> None:
  """Checks the op strings of a config, which costs nothing.

  Raises:
    DataError: an op does not exist or has a wrong argument, or the order is wrong.
  """
  for name, kind in (
    ('train_ops', 'train'),
    ('eval_ops', 'eval'),
    ('batch_ops', 'batch'),
  ):
    input_pipeline.check_ops(ops(config, name), kind)


def train_batches(config: ConfigDict, source, mesh: Mesh, start_step: int):
  """This process's share of the endless training batches, from a step on."""
  return input_pipeline.train_batches(
    source,
    ops=ops(config, 'train_ops'),
    batch_ops=ops(config, 'batch_ops'),
    batch_size=sharding.local_batch_size(mesh, config.batch_size),
    seed=config.seed,
    start_step=start_step,
    process_index=jax.process_index(),
    process_count=jax.process_count(),
    shuffle_buffer=config.data.shuffle_buffer,
    corrupt_limit=config.data.corrupt_limit,
  )


def eval_batches(config: ConfigDict, source, mesh: Mesh, *, all_here: bool = False):
  """This process's share of a split, or (for a report's pictures) all of it."""
  return input_pipeline.eval_batches(
    source,
    ops=ops(config, 'eval_ops'),
    batch_size=sharding.local_batch_size(
      mesh, config.eval_batch_size, 'eval_batch_size'
    ),
    process_index=0 if all_here else jax.process_index(),
    process_count=1 if all_here else jax.process_count(),
    corrupt_limit=config.data.corrupt_limit,
  )
