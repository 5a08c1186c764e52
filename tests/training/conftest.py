"""A network of three rows and the means to train it in a second."""

import contextlib
import dataclasses
import pathlib

import numpy as np
import pytest

from mobilenet.models.classifier import Classifier
from mobilenet.models.initial import init_variables
from mobilenet.tasks.classification import Classification
from mobilenet.training import loop, optimizer, schedules, sharding
from mobilenet.training.plan import Plan
from mobilenet.training.programs import Programs
from tests import devices
from tests.tiny import NETWORK

CLASSES, SIZE, TRAIN, EVAL = 4, 12, 20, 11


def examples(count, seed):
  rng = np.random.default_rng(seed)
  labels = np.arange(count) % CLASSES
  images = rng.standard_normal((count, SIZE, SIZE, 3)) * 0.3
  images[..., 0] += labels[:, None, None] - 1.5
  return images.astype(np.float32), labels.astype(np.int32)


def train_batches(start_step, batch_size=8):
  """Endless; a pure function of the step, over epochs of another order each."""
  images, labels = examples(TRAIN, 0)
  position = start_step * batch_size
  while True:
    rows = []
    for p in range(position, position + batch_size):
      order = np.random.default_rng(p // TRAIN).permutation(TRAIN)
      rows.append(order[p % TRAIN])
    position += batch_size
    yield {'image': images[rows], 'label': labels[rows]}


def eval_batches(batch_size=8):
  images, labels = examples(EVAL, 1)
  for start in range(0, EVAL, batch_size):
    index = np.arange(start, start + batch_size)
    real = index < EVAL
    rows = np.minimum(index, EVAL - 1)
    yield {
      'image': images[rows],
      'label': labels[rows],
      'mask': real.astype(np.float32),
      'index': np.where(real, index, -1),
    }


_TRACED = {}


@dataclasses.dataclass
class Traced:
  """As `Programs`: those of equal runs of this process, which are traced once."""

  alike: tuple
  keeps: bool = True

  def kept(self, name, function):
    return _TRACED.setdefault((*self.alike, name), function)

  def telling(self, told):
    return contextlib.nullcontext()

  def close(self):
    pass


@dataclasses.dataclass
class Run:
  """Arguments of `loop.train`, of which tests change one or two.

  Those that change what is traced otherwise than by a field are `anew`.
  """

  total_steps: int = 12
  ema_decay: float | None = 0.9
  batch_size: int = 8
  devices: int = 1
  learning_rate: float = 0.01
  max_skipped_in_a_row: int = 3
  log_steps: int = 4
  checkpoint_steps: int = 5
  eval_steps: int = 6
  train: object = train_batches
  programs: pathlib.Path | None = None
  shards: int = 1
  accumulate: int = 1
  style: dict = dataclasses.field(default_factory=dict)
  dropout: float = 0.2
  task: object = Classification(label_smoothing=0.1, l2=1e-4)
  anew: bool = False

  @property
  def model(self):
    style = dataclasses.replace(NETWORK.style, **self.style)
    network = dataclasses.replace(NETWORK, style=style)
    return Classifier(network, CLASSES, self.dropout, stochastic_depth=self.dropout)

  @property
  def mesh(self):
    return sharding.make_mesh(devices.first(self.devices), self.shards)

  def variables(self):
    return init_variables(self.model, (SIZE, SIZE, 3), 0)

  def schedule(self):
    return schedules.make_schedule(
      {'name': 'cosine', 'learning_rate': self.learning_rate},
      total_steps=self.total_steps,
      steps_per_epoch=TRAIN / self.batch_size,
    )

  def optimizer(self):
    return optimizer.make_optimizer(
      {'name': 'rmsprop_tf', 'eps': 1e-3}, self.schedule(), flat=self.shards == 1
    )

  def kept_programs(self):
    if self.programs or self.anew:
      return Programs(self.programs, self.mesh, 'a test')
    fields = (self.total_steps, self.ema_decay, self.batch_size, self.devices)
    fields += (self.learning_rate, self.shards, self.accumulate, self.dropout)
    style = tuple(sorted(self.style.items()))
    return Traced((type(self), *fields, style, self.task, sharding.SMALL))

  def __call__(self, workdir):
    with contextlib.closing(self.kept_programs()) as programs:
      return self.trained(workdir, programs)

  def trained(self, workdir, programs):
    return loop.train(
      model=self.model,
      task=self.task,
      tx=self.optimizer(),
      learning_rate=self.schedule(),
      variables=self.variables,
      data=loop.Data(
        train=lambda step: self.train(step, self.batch_size),
        evaluate=lambda: eval_batches(self.batch_size),
        num_eval_examples=EVAL,
      ),
      plan=Plan(
        total_steps=self.total_steps,
        steps_per_epoch=TRAIN / self.batch_size,
        log_steps=self.log_steps,
        eval_steps=self.eval_steps,
        checkpoint_steps=self.checkpoint_steps,
        max_skipped_in_a_row=self.max_skipped_in_a_row,
      ),
      batch_size=self.batch_size,
      seed=3,
      ema_decay=self.ema_decay,
      workdir=str(workdir),
      mesh=self.mesh,
      programs=programs,
      accumulate=self.accumulate,
    )


@pytest.fixture
def run():
  return Run()


@pytest.fixture
def make_run():
  return Run


@pytest.fixture(scope='module')
def make_run_for_all():
  """`make_run`, for what the tests of a file share."""
  return Run
