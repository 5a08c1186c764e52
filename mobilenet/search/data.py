"""What a search learns from and what it chooses by: two parts of the training photos.

The split that a run is evaluated on is not looked at: a network that was chosen by it
would be flattered by it.
"""

import copy
import dataclasses
import itertools
import re
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

import input_pipeline
from mobilenet import experiment
from mobilenet.runs import run_data
from mobilenet.tasks import Task
from mobilenet.training import sharding
from mobilenet.training.errors import require

HELD_OUT = 2  # of what the seed is folded with


@dataclasses.dataclass(frozen=True)
class SearchData:
  """Both parts, opened.

  outputs: what the network's outputs stand for. whole: the photos of both. learned: to
  train on. held_out: to choose by.
  """

  config: ConfigDict
  mesh: Mesh
  task: Task
  outputs: tuple[str, ...]
  whole: run_data.Part
  learned: Any
  held_out: Any
  most_held_out: int

  def train_batches(self, start_step: int = 0) -> Iterator[dict[str, np.ndarray]]:
    """Endless; from step k it yields what that from step 0 yields after k batches."""
    return experiment.train_batches(self.config, self.learned, self.mesh, start_step)

  def held_out_batches(self) -> list[dict[str, jax.Array]]:
    """The photos to choose by, as evaluation prepares them: at most `most_held_out`.

    On the devices, for every network that is scored uses them.
    """
    batches = experiment.eval_batches(self.config, self.held_out, self.mesh)
    number = -(-self.most_held_out // self.config.eval_batch_size)
    return sharding.put_all(self.mesh, itertools.islice(batches, number))


def open_data(
  config: ConfigDict,
  mesh: Mesh,
  *,
  whole: Any = None,
  share: float = 0.2,
  most_held_out: int = 1000,
) -> SearchData:
  """Opens a config's training split in two parts, by its seed.

  Args:
    config: completed.
    mesh: of the devices.
    whole: the split, if it is open.
    share: of the photos that are held out, of every class alike; of many photos less.
    most_held_out: images that are scored, at most.

  Raises:
    DataError, TrainingError: it cannot be opened or divided.
  """
  require(0 < share < 1, f'the share that is held out is {share}: it is in (0, 1)')
  task = experiment.make_task(config)
  whole = whole or experiment.open_source(
    config, config.data.train_split, split_flag='--config.data.train_split'
  )
  # More would not be scored, and of a sorted folder only the first classes would be.
  share = min(share, most_held_out / whole.num_examples)
  task.check_training(whole, '--config.data.train_split')
  learned, held_out = _parts(config, whole, share)
  config = copy.deepcopy(config)
  # A part may be smaller than a batch of evaluation.
  devices = mesh.devices.size
  most = -(-min(held_out.num_examples, most_held_out) // devices) * devices
  config.eval_batch_size = min(config.eval_batch_size, most)
  return SearchData(
    config=config,
    mesh=mesh,
    task=task.for_training(learned),
    outputs=task.outputs(whole),
    whole=run_data.part_of(whole),
    learned=learned,
    held_out=held_out,
    most_held_out=most_held_out,
  )


def _parts(config, whole, share):
  if whole.slices is None:  # any example can be read by its number
    first, second = divided(whole.num_examples, whole.labels, share, config.seed)
    return input_pipeline.part_of(whole, first), input_pipeline.part_of(whole, second)
  split = config.data.train_split
  require(
    re.fullmatch(r'\w+', split) is not None,
    f'--config.data.train_split={split!r} cannot be divided for a search: name a whole '
    "split, such as 'train'",
  )
  cut = max(1, round(100 * share))
  return tuple(
    experiment.open_source(config, part, split_flag='--config.data.train_split')
    for part in (f'{split}[{cut}%:]', f'{split}[:{cut}%]')
  )


def divided(
  count: int, labels, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
  """(learned, held out): numbers of examples, sorted; of every class its share.

  A class with fewer than two examples is only learned.
  """
  rng = np.random.default_rng((seed, HELD_OUT))
  labels = np.zeros(count, int) if labels is None else np.asarray(labels)
  held_out = []
  for label in np.unique(labels):
    members = rng.permutation(np.flatnonzero(labels == label))
    held_out.append(members[: min(round(share * len(members)), len(members) - 1)])
  held_out = np.sort(np.concatenate(held_out))
  require(len(held_out) > 0, f'{count} photos are too few to hold some of them out')
  return np.setdiff1d(np.arange(count), held_out), held_out
