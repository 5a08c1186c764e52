"""A teacher: a network from whose answers a run learns besides the labels (1503.02531).

    config, teacher = open_teacher(config)     # None where the config names none
    teacher = fitted(teacher, outputs, source)
    batches = train_batches(teacher, config, source, mesh, start_step=0)

Its answers are an array more in each training batch. So the step, the state and the
checkpoints are those of any run. The answers are a function of the batch, which is one
of (seed, step): a run with a teacher resumes to the bit.
"""

import copy
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from mobilenet import experiment, trained
from mobilenet.models import folding, zoo
from mobilenet.runs import stored_logits, teacher_images
from mobilenet.training import array_sums, sharding, workdir
from mobilenet.training.errors import require
from mobilenet.weights.own_file import Weights, flatten

_FEW = 5  # classes that a message names
_TRAIN_IT = 'train it on them first: --config=configs/finetune.py'


@dataclasses.dataclass(frozen=True)
class Teacher:
  """What a run is taught by.

  origin: whose answers they are, for people.
  classes: in the order of its answers; None if unknown.
  count: of the classes.
  crc32: of all that its answers depend on.
  batches: (config, source, mesh, start step, order) -> training batches with answers.
  check: raises if it has no answers for a source.
  order: where in its answers each output of the student is found; None before they were
    compared.
  """

  origin: str
  classes: tuple[str, ...] | None
  count: int
  crc32: str
  batches: Callable[..., Iterator[dict[str, np.ndarray]]]
  check: Callable[[Any], object] = lambda source: None
  order: tuple[int, ...] | None = None

  def described(self, config: ConfigDict) -> str:
    section = config.teacher
    return (
      f'taught by {self.origin}, at temperature {section.temperature:g}; labels are '
      f'{section.hard:.0%} of the loss'
    )


def open_teacher(config: ConfigDict) -> tuple[ConfigDict, Teacher | None]:
  """The teacher of a config, and the config with the teacher's checksum.

  Raises:
    TrainingError, ModelError: there is none where the loss needs one, or the other way
      round; it cannot be read; it is not the one that `teacher.crc32` names; or the
      run's data or task cannot be taught in this way.
  """
  section = config.get('teacher', {})  # configs of older versions have none
  weights, logits = section.get('weights', ''), section.get('logits', '')
  if section.get('hard', 1.0) >= 1:
    require(
      not weights and not logits,
      'there is a teacher, and the labels are all of the loss: give the teacher a '
      'share, --config.teacher.hard=0.5, or take --config=configs/distill.py',
    )
    return config, None
  require(
    bool(weights or logits),
    f'teacher.hard is {section.hard:g}, and there is no teacher: give a finished run '
    'or a weight file with the classes of the data, '
    '--config.teacher.weights=runs/finetune',
  )
  require(
    not (weights and logits),
    'teacher.weights and teacher.logits are two teachers: give one of them',
  )
  task = experiment.make_task(config)
  require(
    hasattr(task, 'taught_by'),
    f'--config.task={config.task} cannot be taught; leave out --config.teacher.*',
  )
  teacher = _of_weights(config) if weights else _of_logits(config)
  require(
    section.crc32 in (None, teacher.crc32),
    f'{weights or logits} is not the teacher of before: its checksum is '
    f'{teacher.crc32}, teacher.crc32 is {section.crc32}; give that one back, or leave '
    'out --config.teacher.crc32',
  )
  config = copy.deepcopy(config)
  config.teacher.crc32 = teacher.crc32
  return config, teacher


def completed(config: ConfigDict) -> ConfigDict:
  """The config as a run of it stores it: with what its weights and its teacher say.

  Raises:
    TrainingError, ModelError: see `trained.complete` and `open_teacher`.
  """
  return open_teacher(trained.complete(config)[0])[0]


def fitted(teacher: Teacher | None, outputs: Sequence[str], source) -> Teacher | None:
  """The teacher, with its answers in the order of a run's outputs.

  Args:
    teacher: from `open_teacher`.
    outputs: of the run; for a task with classes, their names.
    source: of the training examples.

  Raises:
    TrainingError: it answers for other classes, or not for these examples.
  """
  if teacher is None:
    return None
  theirs = outputs if teacher.classes is None else teacher.classes
  require(
    teacher.count == len(outputs) or teacher.classes is not None,
    f'the teacher ({teacher.origin}) has {teacher.count:,} classes, the data '
    f'{len(outputs):,}; {_TRAIN_IT}',
  )
  differences = [
    f'only {who} has {_some(sorted(set(one) - set(other)))}'
    for who, one, other in (
      ('the teacher', theirs, outputs),
      ('the data', outputs, theirs),
    )
    if set(one) - set(other)
  ]
  require(
    not differences,
    f'the teacher ({teacher.origin}) has other classes than the data: '
    f'{"; ".join(differences)}; {_TRAIN_IT}',
  )
  teacher.check(source)
  places = {name: place for place, name in enumerate(theirs)}
  return dataclasses.replace(teacher, order=tuple(places[name] for name in outputs))


def train_batches(
  teacher: Teacher | None, config: ConfigDict, source, mesh: Mesh, start_step: int
):
  """`experiment.train_batches`, with what a teacher says of each example."""
  if teacher is None:
    return experiment.train_batches(config, source, mesh, start_step)
  return teacher.batches(config, source, mesh, start_step, list(teacher.order))


# ---- a network that answers ----------------------------------------------------------


class Taught(Iterator):
  """Batches with answers; those for the next batch are computed while one is used.

  Args:
    batches: of images.
    name: of the array of answers.
    answer: images -> (B, K).
    order: of the K answers.
  """

  def __init__(
    self,
    batches,
    name: str,
    answer: Callable[[Any], jax.Array],
    order: Sequence[int],
  ):
    self._batches, self._name = batches, name
    self._answer, self._order = answer, order
    self._next = None

  def __next__(self):
    batch, answers = self._next or self._asked()
    # Asked before these answers are waited for: a device then has the next ones to
    # compute, and the step that is running, and never waits for the host.
    self._next = self._asked()
    return {**batch, self._name: np.asarray(answers)[:, self._order]}

  def _asked(self):
    batch = next(self._batches)
    return batch, self._answer(batch['image'])

  @property
  def corrupt(self) -> list[str]:
    return self._batches.corrupt


def _of_weights(config: ConfigDict) -> Teacher:
  weights = trained.load_weights(config.teacher.weights)
  check_answers(weights)
  size = config.teacher.resolution or own_resolution(config.teacher.weights, weights)
  # Raises if it cannot see these images.
  _conversion(config, weights, size)
  said = [weights.model, weights.contract.as_dict(), weights.class_names, size]
  return Teacher(
    origin=f'{weights.origin}, at {size} px',
    classes=weights.class_names,
    count=weights.model['num_classes'],
    crc32=array_sums.crc32_of([said, array_sums.record(flatten(weights.variables))]),
    batches=functools.partial(_answered_batches, weights, size),
  )


def check_answers(weights: Weights) -> None:
  """Checks that weights are a network whose answers can be had.

  Raises:
    TrainingError: there is no classifier, or nobody knows how to prepare images.
  """
  require(
    weights.has_head,
    f'the teacher ({weights.origin}) has no classifier; {_TRAIN_IT}',
  )
  require(
    weights.contract is not None,
    f'the teacher ({weights.origin}) does not say how images are prepared for it; '
    'import it first: --job=import --init=FILE --workdir=runs/teacher',
  )


def own_resolution(path: str, weights: Weights) -> int:
  """Px of the images that a network was last evaluated on."""
  folder = pathlib.Path(path).expanduser()
  stored = workdir.read_config(folder) if folder.is_dir() else None
  return weights.contract.resolution if stored is None else stored['resolution']


def _conversion(config, weights, size):
  ops = experiment.ops(config, 'train_ops')
  return teacher_images.conversion(
    teacher_images.pixels_of(ops, 'train'), weights.contract, (config.resolution, size)
  )


def _answered_batches(weights, size, config, source, mesh, start_step, order):
  return Taught(
    experiment.train_batches(config, source, mesh, start_step),
    experiment.make_task(config).taught_by,
    answering(weights, mesh, _conversion(config, weights, size)),
    order,
  )


def answering(
  weights: Weights, mesh: Mesh, convert: Callable[[jax.Array], jax.Array]
) -> Callable[[Any], jax.Array]:
  """A jitted function from this process's images to the logits of a network.

  The images are split over this process's devices of the mesh. Norms are folded.
  """
  devices = sharding.make_mesh(mesh.local_devices)
  model, variables = folding.fold(zoo.create(**weights.model), weights.variables)
  everywhere, over_devices = sharding.replicated(devices), sharding.split(devices)
  jitted = jax.jit(
    lambda variables, images: model.apply(variables, convert(images)),
    in_shardings=(everywhere, over_devices),
    out_shardings=over_devices,
  )
  return functools.partial(jitted, jax.device_put(variables, everywhere))


# ---- answers that are stored ---------------------------------------------------------


def _of_logits(config: ConfigDict) -> Teacher:
  path = pathlib.Path(config.teacher.logits).expanduser()
  require(
    config.data.name == 'folder',
    f'teacher.logits is for folders of photos, and the data is {config.data.name}; a '
    'network answers for any data: --config.teacher.weights=...',
  )
  require(
    not config.data.batch_ops,
    f'data.batch_ops is {config.data.batch_ops!r}, and teacher.logits has no answers '
    "for mixtures: --config.data.batch_ops='', or --config.teacher.weights=...",
  )
  stored = stored_logits.read(path)
  return Teacher(
    origin=f'the logits in {path}',
    classes=stored.classes,
    count=len(stored.classes),
    crc32=array_sums.crc32_of(
      [stored.names, stored.classes, array_sums.crc32(stored.logits)]
    ),
    batches=functools.partial(_stored_batches, stored, path),
    check=lambda source: stored.check(source.origin, source.names, path),
  )


def _stored_batches(stored, path, config, source, mesh, start_step, order):
  from input_pipeline.added_field import with_field  # TensorFlow

  values = stored.of(source.names, path)[:, order]
  source = with_field(source, experiment.make_task(config).taught_by, values)
  return experiment.train_batches(config, source, mesh, start_step)


def _some(names: Sequence[str]) -> str:
  return ', '.join(names[:_FEW]) + ', ...' * (len(names) > _FEW)
