"""Weights that all networks of a space share: their training, resumed to the bit.

    setup = prepare(config)
    variables = train(setup, folder, Sandwich(setup))

The largest network of the space is trained as one (`search.steps`). Which networks a
step is for is a function of the seed and the step.
"""

import copy
import dataclasses
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import numpy as np
from ml_collections import ConfigDict

from mobilenet import experiment
from mobilenet.models.classifier import Classifier
from mobilenet.models.initial import init_variables
from mobilenet.models.rows import Network
from mobilenet.runs import preparation
from mobilenet.search import data, json_file, masks
from mobilenet.search import space as spaces
from mobilenet.search.space import Arch, Space
from mobilenet.search.steps import Masked
from mobilenet.training import files, logs, memory, sharding, workdir
from mobilenet.training.checkpoints import Checkpointer
from mobilenet.training.errors import require
from mobilenet.training.plan import Plan, make_plan
from mobilenet.training.preemption import StopRequest
from mobilenet.training.progress import Progress
from mobilenet.training.schedules import Schedule

Tree = dict[str, Any]
PHOTOS_FILE = 'photos.json'
STEP = 3  # of what a seed is folded with


@dataclasses.dataclass(frozen=True)
class Setup:
  """All that a search in a space is made of.

  config: completed. base: the network that the space is around, of its own width.
  model: the largest network. photos: those to learn from, and those to choose by.
  """

  config: ConfigDict
  base: Classifier
  space: Space
  model: Classifier
  photos: data.SearchData
  plan: Plan
  schedule: Schedule

  def choice(self, arch: Arch) -> Tree:
    """What tells the masked network which one it is."""
    return masks.choose(self.space.network, *spaces.rows_of(self.space, arch))


# Of a config's section `search`: field -> least value, and what it counts.
_LEAST = {
  'random_per_step': (0, 'networks in a step besides the ends'),
  'most_held_out': (1, 'photos that choose'),
  'recalibration_images': (1, 'photos by which norms are measured'),
  'generations': (1, 'generations'),
  'population': (2, 'networks in a generation'),
  'seeds': (1, 'trainings of each network alone'),
}
_FIELDS = (*_LEAST, 'epochs', 'held_out', 'family', 'space')


def check_section(config: ConfigDict) -> None:
  """Checks that a config says what may differ, and how it is searched for.

  Raises:
    TrainingError, ModelError: it does not.
  """
  require(
    'search' in config,
    'the config has no section search, which says what may differ between networks: '
    'take configs/search_v3_small.py or configs/search_v4.py',
  )
  asked = config.search
  for name in _FIELDS:
    require(
      name in asked,
      f'the config has no field search.{name}: take over all fields of '
      'configs/search_v3_small.py',
    )
  for name, (least, what) in _LEAST.items():
    require(
      isinstance(asked[name], int) and asked[name] >= least,
      f'--config.search.{name}={asked[name]!r} is no number of {what}: at least '
      f'{least}',
    )
  require(
    0 < asked.held_out < 1,
    f'--config.search.held_out={asked.held_out} is a share of the photos: above 0 and '
    'below 1',
  )
  for width in asked.family:  # before hours are spent
    of_width = config.copy_and_resolve_references()
    of_width.model.width = width
    experiment.make_model(of_width, ('',))


def prepare(config: ConfigDict) -> Setup:
  """Checks a config and opens its photos.

  Raises:
    TrainingError, ModelError, DataError: a mistake in the config, or no photos.
  """
  check_section(config)
  for field, default in (('init', ''), ('accumulate', 1), ('shards', 1)):
    require(
      config[field] == default,
      f'--config.{field}={config[field]}: shared weights are trained from drawn ones, '
      f'on whole batches; set it to {default!r}',
    )
  config, _, teacher = preparation.complete(config)
  require(
    teacher is None,
    'a teacher is not used by shared weights: the largest network teaches the others',
  )
  base = experiment.make_model(config, ('',))
  require(
    type(base) is Classifier,
    f'--config.task={config.task}: a search in a space is for classifiers',
  )
  require(
    not base.frozen,
    f'--config.model.trained={config.model.trained}: a search in a space trains all of '
    'the network; set it to all',
  )
  asked = config.search
  space = spaces.make(base.network, **asked.space)
  mesh = sharding.make_mesh()
  preparation.check_batch(config, mesh)
  experiment.check_ops(config)
  photos = data.open_data(
    config, mesh, share=asked.held_out, most_held_out=asked.most_held_out
  )
  require(
    not photos.task.needs_examples,
    f'--config.task={config.task}: a search in a space compares classifiers',
  )
  base = experiment.make_model(config, photos.outputs)
  shared = copy.deepcopy(photos.config)
  shared.epochs, shared.steps = asked.epochs, None
  plan = make_plan(shared, num_examples=photos.learned.num_examples)
  return Setup(
    config=shared,
    base=base,
    space=space,
    model=base.clone(network=space.network),
    photos=dataclasses.replace(photos, config=shared),
    plan=plan,
    schedule=preparation.schedule_of(shared, plan),
  )


def family(setup: Setup) -> dict[float, Network]:
  """The base network at each width of the config, ascending.

  Raises:
    ModelError: it has no such width.
  """
  found = {}
  for width in sorted(setup.config.search.family):
    config = setup.config.copy_and_resolve_references()
    config.model.width = width
    found[width] = experiment.make_model(config, setup.photos.outputs).network
  return found


def masked_of(setup: Setup) -> Masked:
  """The programs of the space's largest network."""
  tx = experiment.make_optimizer(setup.config, setup.model, setup.schedule)
  return Masked(
    setup.model, setup.photos.task, tx, setup.photos.mesh, seed=setup.config.seed
  )


class Guide(Protocol):
  """Says which networks a step is for, and learns from what comes of it."""

  def archs(self, step: int) -> Sequence[Arch]:
    """Those of step `step`, from 0; the first learns from labels."""

  def after(self, step: int, masked: Masked, variables: Tree) -> dict[str, float]:
    """Called after step `step`; returns numbers for the log."""

  def save(self, folder: pathlib.Path, step: int) -> None:
    """Writes what it has learned after `step` steps, before the checkpoint is."""

  def restore(self, folder: pathlib.Path, step: int) -> None:
    """Reads that."""


class Sandwich:
  """The largest, the smallest and random networks (BigNAS, 2003.11142)."""

  def __init__(self, setup: Setup):
    self._space, self._seed = setup.space, setup.config.seed
    self._random = setup.config.search.random_per_step

  def archs(self, step: int) -> list[Arch]:
    rng = np.random.default_rng((self._seed, STEP, step))
    drawn = [spaces.draw(self._space, rng) for _ in range(self._random)]
    return [spaces.largest(self._space), spaces.smallest(self._space), *drawn]

  def after(self, step, masked, variables) -> dict[str, float]:
    return {}

  def save(self, folder, step) -> None:
    pass

  def restore(self, folder, step) -> None:
    pass


def train(
  setup: Setup, masked: Masked, folder: pathlib.Path, guide: Guide, stop: StopRequest
) -> Tree | None:
  """Trains the shared weights, or goes on with it.

  Args:
    setup: of the search.
    masked: its programs.
    folder: of the training: checkpoints, config.json, metrics.jsonl.
    guide: of the steps.
    stop: entered; asked after each step.

  Returns:
    The variables after the last step; None where it was stopped, and saved.

  Raises:
    TrainingError: the folder holds another training, or cannot be written or read; or
      too many steps in a row were not finite.
  """
  config, plan = setup.config, setup.plan
  total = plan.total_steps
  stored = config.to_dict() | {'search': _of_training(config.search)}
  workdir.check_config(folder, stored, ignore=experiment.HARMLESS)
  shape = (config.resolution, config.resolution, 3)
  state = masked.start(init_variables(setup.model, shape, config.seed))
  with Checkpointer(folder) as checkpointer:
    _check_photos(folder, setup, begun=checkpointer.latest_step() is not None)
    workdir.write_config(folder, stored)
    workdir.write_classes(folder, setup.photos.outputs)
    if checkpointer.latest_step() is not None:
      state = checkpointer.restore(state)
      guide.restore(folder, int(state.step))
    start = int(state.step)
    if start >= total:
      return state.variables
    batches = setup.photos.train_batches(start)
    rate = jax.jit(setup.schedule)
    bad, held = 0, None
    with (
      memory.told(memory.OF_TRAINING),
      logs.Writer(
        folder, start_step=start, steps_per_epoch=plan.steps_per_epoch
      ) as writer,
      Progress(
        total,
        batch_size=config.batch_size,
        steps_per_epoch=plan.steps_per_epoch,
        start_step=start,
      ) as progress,
    ):
      for step in range(start, total):
        choices = [setup.choice(arch) for arch in guide.archs(step)]
        state, loss = masked.step(state, choices, next(batches))
        progress.advance()
        numbers = guide.after(step, masked, state.variables)
        # Read one step late, so that the device has the next step meanwhile.
        if held is not None:
          bad = 0 if math.isfinite(held) else bad + 1
        require(
          bad < plan.max_skipped_in_a_row,
          f'step {step}: the last {bad} steps had a non-finite loss and were left out: '
          'lower the learning rate or lengthen the warm-up',
        )
        held, done = loss, step + 1
        stopped = stop.after(done)
        if done % plan.log_steps == 0 or done == total:
          numbers = {'loss': float(loss), 'learning_rate': float(rate(step)), **numbers}
          progress.update(done, numbers)
          writer.write(done, numbers)
        if done % plan.checkpoint_steps == 0 or done == total or stopped:
          guide.save(folder, done)
          checkpointer.save(done, state)
        if stopped and done < total:
          checkpointer.wait()
          return None
    checkpointer.wait()
  return state.variables


def _check_photos(folder: pathlib.Path, setup: Setup, begun: bool) -> None:
  """Writes which photos there are, or refuses others: they would be divided anew."""
  path, here = folder / PHOTOS_FILE, setup.photos.whole.as_dict()
  if begun and path.exists():
    there = json_file.read(path, {str: object}, 'give it back')
    require(
      there == here,
      f'the photos for training are not those that the search in {folder.parent} began '
      'with: give those back, or choose another --workdir',
    )
  text = json.dumps(here, indent=2) + '\n'
  files.replace_file(path, text.encode())


def _of_training(section: ConfigDict) -> dict[str, Any]:
  """Of a config's section `search` what the training depends on."""
  named = ('epochs', 'random_per_step', 'held_out', 'most_held_out', 'space')
  return {name: value for name, value in section.to_dict().items() if name in named}
