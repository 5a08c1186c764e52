"""A teacher: a network from whose answers a run learns besides the labels (1503.02531).

    config, teacher = open_teacher(config)     # None where the config names none
    teacher = fitted(teacher, outputs, source)
    batches = train_batches(teacher, config, source, mesh, start_step=0)

Its answers are arrays more in each training batch: logits, embeddings, or both. So the
step, the state and the checkpoints are those of any run. The answers are a function of
the batch, which is one of (seed, step): a run with a teacher resumes to the bit.
"""

import copy
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from mobilenet import experiment, trained
from mobilenet.runs import answering, stored_logits, teacher_images
from mobilenet.training import array_sums, workdir
from mobilenet.training.errors import require
from mobilenet.weights.own_file import flatten

LOGITS, EMBEDDINGS = 'logits', 'embeddings'  # what may be learned from
_FEW = 5  # classes that a message names


@dataclasses.dataclass(frozen=True)
class Teacher:
  """What a run is taught by.

  origin: whose answers they are, for people.
  classes: in the order of its answers; None if unknown.
  count: of the classes.
  crc32: of all that its answers depend on.
  batches: (config, source, mesh, start step, order) -> training batches with answers.
  check: raises if it has no answers for a source.
  used: which of its answers are learned from.
  order: where in its logits each output of the student is found; None before they were
    compared, and where no logits are used.
  width: numbers of its embeddings; None where a student's may have another number.
  """

  origin: str
  classes: tuple[str, ...] | None
  count: int
  crc32: str
  batches: Callable[..., Iterator[dict[str, np.ndarray]]]
  check: Callable[[Any], object] = lambda source: None
  used: tuple[str, ...] = (LOGITS,)
  order: tuple[int, ...] | None = None
  width: int | None = None

  def described(self, config: ConfigDict) -> str:
    section = config.teacher
    parts = [f'taught by {self.origin}']
    if self.width is not None:
      return f'{parts[0]}; the distance to its embeddings counts {section.features:g}'
    if LOGITS in self.used:
      parts.append(f', at temperature {section.temperature:g}')
    parts.append(f'; labels are {section.hard:.0%} of the loss')
    if EMBEDDINGS in self.used:
      parts.append(f'; similarities of embeddings are added {section.features:g} times')
    return ''.join(parts)


def open_teacher(config: ConfigDict) -> tuple[ConfigDict, Teacher | None]:
  """The teacher of a config, and the config with the teacher's checksum.

  Raises:
    TrainingError, ModelError: there is none where the loss needs one, or the other way
      round; it cannot be read; it is not the one that `teacher.crc32` names; or the
      run's data or task cannot be taught in this way.
  """
  section = config.teacher
  weights, logits = section.weights, section.logits
  used, task = _used(section), experiment.make_task(config)
  if not used:
    share = '--config.teacher.hard=0.5, or take --config=configs/distill.py'
    if not hasattr(task, 'taught_by'):
      share = '--config.teacher.features=1'
    require(
      not weights and not logits,
      'there is a teacher, and the labels are all of the loss: give the teacher a '
      f'share, {share}',
    )
    return config, None
  part = 'hard' if LOGITS in used else 'features'
  require(
    bool(weights or logits),
    f'teacher.{part} is {section[part]:g}, and there is no teacher: give a finished '
    'run or a weight file with the classes of the data, '
    '--config.teacher.weights=runs/finetune',
  )
  require(
    not (weights and logits),
    'teacher.weights and teacher.logits are two teachers: give one of them',
  )
  for part, name in ((LOGITS, 'taught_by'), (EMBEDDINGS, 'embedded_by')):
    require(
      part not in used or hasattr(task, name),
      f'--config.task={config.task} cannot be taught by {part}; leave out '
      f'--config.teacher.{"hard" if part == LOGITS else "features"}',
    )
  if EMBEDDINGS in used and task.has_embeddings:
    _check_embeddings(config)
  teacher = _of_weights(config) if weights else _of_logits(config)
  if teacher.width is not None:
    own = config.model.embedding
    require(
      own == teacher.width,
      f'the embeddings of the teacher ({teacher.origin}) have {teacher.width} numbers, '
      f'those of the config {own}, and they are compared one by one: '
      f'--config.model.embedding={teacher.width}',
    )
  require(
    section.crc32 in (None, teacher.crc32),
    f'{weights or logits} is not the teacher of before: its checksum is '
    f'{teacher.crc32}, teacher.crc32 is {section.crc32}; give that one back, or leave '
    'out --config.teacher.crc32',
  )
  config = copy.deepcopy(config)
  config.teacher.crc32 = teacher.crc32
  return config, teacher


def _used(section) -> tuple[str, ...]:
  """What the loss of a config's `teacher` section reads of a teacher."""
  used = (LOGITS,) if section.get('hard', 1.0) < 1 else ()
  return used + ((EMBEDDINGS,) if section.get('features', 0.0) > 0 else ())


def _check_embeddings(config: ConfigDict) -> None:
  """Checks that the student's embeddings can come nearer to those of a teacher."""
  features = f'teacher.features is {config.teacher.features:g}'
  require(
    experiment.make_model(config, ('',)).embedding_learns,
    f'{features}, and nothing before the classifier learns: choose more than '
    f"--config.model.trained='{config.model.trained}', or --config.teacher.features=0",
  )
  require(
    config.batch_size > 1,
    f'{features}, which compares the images of a batch, and batch_size is 1: '
    '--config.batch_size=2 at least',
  )


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
    TrainingError: it answers for other classes, or not for these examples. Where its
      logits are not learned from, its classes may be any.
  """
  if teacher is None:
    return None
  teacher.check(source)
  if LOGITS not in teacher.used:
    return teacher
  theirs = outputs if teacher.classes is None else teacher.classes
  require(
    teacher.count == len(outputs) or teacher.classes is not None,
    f'the teacher ({teacher.origin}) has {teacher.count:,} classes, the data '
    f'{len(outputs):,}; {answering.TRAIN_IT}',
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
    f'{"; ".join(differences)}; {answering.TRAIN_IT}',
  )
  places = {name: place for place, name in enumerate(theirs)}
  return dataclasses.replace(teacher, order=tuple(places[name] for name in outputs))


def train_batches(
  teacher: Teacher | None, config: ConfigDict, source, mesh: Mesh, start_step: int
):
  """`experiment.train_batches`, with what a teacher says of each example."""
  if teacher is None:
    return experiment.train_batches(config, source, mesh, start_step)
  return teacher.batches(config, source, mesh, start_step, teacher.order)


def _by_name(config, order, logits, embeddings) -> dict[str, np.ndarray]:
  """What the loss reads of a teacher's answers, by the names that the task gives."""
  task, used, named = experiment.make_task(config), _used(config.teacher), {}
  if LOGITS in used:
    named[task.taught_by] = np.asarray(logits)[:, list(order)]
  if EMBEDDINGS in used:
    named[task.embedded_by] = np.asarray(embeddings)
  return named


# ---- a network that answers ----------------------------------------------------------


def _of_weights(config: ConfigDict) -> Teacher:
  weights = trained.load_weights(config.teacher.weights)
  answering.check(weights)
  used = _used(config.teacher)
  require(
    LOGITS not in used or not answering.is_embedder(weights),
    f'{weights.origin} names no classes: learn from its embeddings, '
    '--config.teacher.hard=1 and --config.teacher.features=1',
  )
  if LOGITS in used:
    _check_task(config, weights)
  size = config.teacher.resolution
  size = size or answering.own_resolution(config.teacher.weights, weights)
  # Raises if it cannot see these images.
  _conversion(config, weights, size)
  said = [weights.model, weights.contract.as_dict(), weights.class_names, size]
  return Teacher(
    origin=f'{weights.origin}, at {size} px',
    classes=weights.class_names,
    count=weights.model['num_classes'],
    crc32=array_sums.crc32_of([said, array_sums.record(flatten(weights.variables))]),
    batches=functools.partial(_answered_batches, weights, size),
    used=used,
    width=answering.width(weights) if _compares_widths(config) else None,
  )


def _check_task(config, weights) -> None:
  """Checks that a teacher that is a run was trained for the student's task."""
  folder = pathlib.Path(config.teacher.weights).expanduser()
  stored = workdir.read_config(folder) if folder.is_dir() else None
  require(
    stored is None or stored['task'] == config.task,
    f'the teacher ({weights.origin}) was trained for {stored and stored["task"]}, and '
    f'the student is for {config.task}: its logits mean something else',
  )


def _compares_widths(config: ConfigDict) -> bool:
  """Whether a student's embeddings are to be those of its teacher."""
  return not experiment.make_task(config).has_embeddings


def _conversion(config, weights, size):
  ops = experiment.ops(config, 'train_ops')
  return teacher_images.conversion(
    teacher_images.pixels_of(ops, 'train'), weights.contract, (config.resolution, size)
  )


def _answered_batches(weights, size, config, source, mesh, start_step, order):
  return answering.Taught(
    experiment.train_batches(config, source, mesh, start_step),
    answering.answering(weights, mesh, _conversion(config, weights, size)),
    functools.partial(_by_name, config, order),
  )


# ---- answers that are stored ---------------------------------------------------------


def _of_logits(config: ConfigDict) -> Teacher:
  path = pathlib.Path(config.teacher.logits).expanduser()
  require(
    config.data.name in ('folder', 'tags'),
    f'teacher.logits is for folders of photos, and the data is {config.data.name}; a '
    'network answers for any data: --config.teacher.weights=...',
  )
  require(
    not config.data.batch_ops,
    f'data.batch_ops is {config.data.batch_ops!r}, and teacher.logits has no answers '
    "for mixtures: --config.data.batch_ops='', or --config.teacher.weights=...",
  )
  stored, used = stored_logits.read(path), _used(config.teacher)
  said = [stored.names, stored.classes, array_sums.crc32(stored.logits)]
  if EMBEDDINGS in used:
    require(
      stored.embeddings is not None,
      f'{path} has no embeddings, which teacher.features needs; write it anew: '
      '--job=logits --embeddings, or leave out --config.teacher.features',
    )
    said.append(array_sums.crc32(stored.embeddings))
  return Teacher(
    origin=f'the logits in {path}',
    classes=stored.classes,
    count=len(stored.classes),
    crc32=array_sums.crc32_of(said),
    batches=functools.partial(_stored_batches, stored, path),
    check=lambda source: stored.check(source.origin, source.names, path),
    used=used,
    width=stored.embeddings.shape[1] if _compares_widths(config) else None,
  )


def _stored_batches(stored, path, config, source, mesh, start_step, order):
  from input_pipeline.added_field import with_field  # TensorFlow

  part = stored.of(source.names, path)
  for name, values in _by_name(config, order, part.logits, part.embeddings).items():
    source = with_field(source, name, values)
  return experiment.train_batches(config, source, mesh, start_step)


def _some(names: Sequence[str]) -> str:
  return ', '.join(names[:_FEW]) + ', ...' * (len(names) > _FEW)
