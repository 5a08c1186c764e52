"""The ranges that a rounded network begins with, observed on training images."""

import copy
import dataclasses
import itertools
import pathlib
from collections.abc import Callable
from typing import Any

from jax.sharding import Mesh
from ml_collections import ConfigDict

from mobilenet import experiment
from mobilenet.export import aware, calibration
from mobilenet.runs.announcements import tell
from mobilenet.training import sharding, workdir
from mobilenet.training.errors import require
from mobilenet.weights.own_file import Weights

IMAGES = 256


def check(config: ConfigDict, weights: Weights | None) -> None:
  """Checks that a rounded network has weights to start from, and learns by itself.

  Raises:
    TrainingError: it has none, or the config asks for what it cannot do.
  """
  if not config.model.rounded:
    return
  require(
    weights is not None,
    'a rounded network learns from a trained one: give the run or the weights to start '
    'from, --config.init=runs/finetune',
  )
  require(
    not config.head_first.epochs,
    'a rounded network learns as a whole: --config.head_first.epochs=0',
  )
  require(
    not config.teacher.features,
    'a rounded network has no embeddings to compare: --config.teacher.features=0',
  )


def are_needed(config: ConfigDict, folder: pathlib.Path) -> bool:
  """Whether a run's network is rounded and has taken no step yet."""
  return config.model.rounded and workdir.newest_step(folder) is None


def observed(
  config: ConfigDict,
  model: aware.Rounded,
  variables: dict[str, Any],
  source,
  mesh: Mesh,
) -> Callable[[], dict[str, Any]]:
  """() -> a network's variables with the ranges of its values, before any is rounded.

  Args:
    config: of the run; its seed says which images are looked at.
    model, variables: the network.
    source: the training split; images are prepared as for evaluation.
    mesh: of the devices.

  Raises:
    ExportError: a value that is no number.
  """
  plain = copy.deepcopy(config)
  plain.data.train_ops, plain.data.batch_ops = config.data.eval_ops, ''
  plain.data.repeats = 1
  number = -(-min(IMAGES, source.num_examples) // config.batch_size)
  batches = experiment.train_batches(plain, source, mesh, 0)
  shape = (config.resolution, config.resolution, 3)
  graph = model.graph(shape)
  graph = dataclasses.replace(graph, constants=aware.constants_of(graph, variables))
  found = calibration.observe(
    graph,
    (
      sharding.put(mesh, {'image': batch['image']})['image']
      for batch in itertools.islice(batches, number)
    ),
  )
  tell([f'ranges of {len(found.of)} values begin as those of {found.images:,} images'])
  ready = aware.with_ranges(model, variables, shape, found.of)
  return lambda: ready
