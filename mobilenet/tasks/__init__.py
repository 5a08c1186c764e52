"""What a run learns: one package per task; no other code knows classes or boxes.

The loop, the step, the evaluation, the checkpoints and the jobs call the methods of
`Task`. To add a task, add a folder here and a line in TASKS. Tasks do not import each
other, but `places` is classification with a distance.
"""

import importlib
import pathlib
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import flax.linen as nn
import jax
import numpy as np
from ml_collections import ConfigDict

from mobilenet.training.errors import unknown_name
from mobilenet.training.evaluation import Evaluation

# config.task -> the module whose `make_task(config)` makes it.
TASKS = {
  name: f'mobilenet.tasks.{name}'
  for name in (
    'classification',
    'detection',
    'segmentation',
    'embeddings',
    'tags',
    'places',
  )
}

Batch = dict[str, jax.Array]
Sums = dict[str, jax.Array]


class Metric(NamedTuple):
  """The number by which runs of a task are compared; more is better.

  name: among the task's metrics. title: for figures. unit: '%' or ''.
  """

  name: str
  title: str
  unit: str


class Examples(Protocol):
  """The evaluated examples, for a report's pages.

  category_ids, image_ids: the numbers of the classes and of the examples in the data's
  own files, as COCO has them; () where it has none.
  """

  category_ids: tuple[int, ...]
  image_ids: tuple[int | str, ...]

  def describe(self, index: int) -> str:
    """A name that a person can look up."""

  def pictures(self, indexes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(index, its whole picture, uint8 (height, width, 3)), one after another.

    They come in an order of their own: large ones need not all fit into memory.
    """

  def masks(self, indexes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(index, the classes of its pixels, uint8 (height, width)), of data with masks."""


class Evaluated(NamedTuple):
  """An evaluation and what is known around it, for a report.

  folder: where the report's files go.
  evaluation: with predictions.
  outputs: what the network's outputs stand for.
  examples: the evaluated ones.
  split, num_examples: of the data, with what could not be read.
  run: whose weights they are (`trained.Run`): folder, config, model, variables, step.
    None draws nothing of what the network sees, and decides nothing.
  ops: op strings by which images are prepared, 'training' and 'evaluation'.
  history: lines of the run's metrics.
  counts: by part of the data ('training', 'evaluation') the examples of each output;
    None where nobody counted.
  trained: what the run was trained on, in words; '' where nobody knows.
  chose: whether this split chose the weights: its numbers flatter them then.
  trained_on: how many of the examples were trained on; None where nobody knows.
  decide: whether to choose from it how the run's predictions are to be read.
  card: the run that the page describes; None: `run`. An exported file answers for one.
  classes: of the examples, in the order of their labels, for a task with `own_classes`.
  left_out: the names of examples, of training too, that could not be read.
  kept: (name, jitted function) -> the function, or a program that was kept of it.
  """

  folder: pathlib.Path
  evaluation: Evaluation
  outputs: tuple[str, ...]
  examples: Examples
  split: str = ''
  num_examples: int = 0
  run: Any = None
  ops: Mapping[str, str] = {}
  history: Sequence[Mapping[str, Any]] = ()
  counts: Mapping[str, Mapping[str, int]] | None = None
  trained: str = ''
  chose: bool = False
  trained_on: int | None = None
  decide: bool = False
  card: Any = None
  classes: tuple[str, ...] = ()
  left_out: tuple[str, ...] = ()
  kept: Callable[[str, Callable], Callable] = lambda name, function: function

  def unreadable(self) -> list[str]:
    """The names of the examples that were left out, of training too."""
    read = set(self.evaluation.predictions['index'].tolist())
    left_out = (n for n in range(self.num_examples) if n not in read)
    names = map(self.examples.describe, left_out)
    return list(dict.fromkeys([*names, *self.left_out]))


class Written(NamedTuple):
  """What a task wrote of an evaluation.

  numbers: for the result. sections: (title, parts) of the report's page; see
  `reports.page` for the parts.
  """

  numbers: dict[str, float]
  sections: Sequence[tuple[str, Sequence[Any]]] = ()


class Shown(NamedTuple):
  """What showing the predictions of photos needs.

  title: of the run. outputs: what the network's outputs stand for. ops: they prepare a
  photo. top: outputs per photo. out: the folder to write into, or None. run:
  `trained.Run`; None for an exported file. decision: what such a file says of how its
  answers are to be read; None if nothing. activation: whether to draw where the network
  looks. own_size: whether to draw that at the photo's own size, too. score: the least
  that an object or a tag is shown with; None for what the run's report chose.
  """

  title: str
  outputs: tuple[str, ...]
  ops: tuple
  top: int
  out: pathlib.Path | None
  run: Any = None
  decision: Mapping[str, Any] | None = None
  activation: bool = False
  own_size: bool = False
  score: float | None = None


class Task(Protocol):
  """What the rest of the code asks of a task; a frozen dataclass, hashable.

  metric: the one that counts.
  fields: names of the batch's arrays that evaluation keeps for every example, along
    with what `kept` gives.
  needs_examples: whether its metric is known only from all examples (see `finish`):
    every evaluation keeps them then, not only that of a report.
  wants: what it needs of a data set that has several: 'label', 'boxes', 'masks' or
    'tags'; 'identities' is a label, with other classes in evaluation where a folder is
    split.
  own_classes: whether what it evaluates may have classes that the run has not.
  has_embeddings: whether its networks end in a classifier of embeddings, which can
    learn alone, be taught and teach.
  takes_crops: whether the crop that belongs to given weights suits its evaluation.

  A task that can learn from a teacher has the names of two arrays in a training batch
  besides: `taught_by` holds the teacher's outputs, `embedded_by` its embeddings. A
  student whose embeddings are compared gives a `models.classifier.Answer` in training.
  A student of embeddings alone has `embedded_by`, and no `taught_by`.
  """

  metric: Metric
  fields: tuple[str, ...]
  needs_examples: bool
  wants: str
  own_classes: bool
  has_embeddings: bool
  takes_crops: bool

  def outputs(self, source) -> tuple[str, ...]:
    """What the network's outputs stand for, in their order; the run stores it.

    Raises:
      TrainingError: the task cannot learn from this data.
    """

  def check_training(self, source, split_flag: str) -> None:
    """Checks that a run can learn from a split, or be measured on it while it learns.

    Args:
      source: of the split.
      split_flag: by which a person chooses another.

    Raises:
      TrainingError: it cannot.
    """

  def for_training(self, source) -> 'Task':
    """The task, adapted to the split that a run trains on.

    Raises:
      TrainingError: what the config asks for cannot be had of it.
    """

  def knowing(self, outputs: Sequence[str]) -> 'Task':
    """The task of a network whose outputs stand for these; most need not know."""

  def make_model(self, options: dict[str, Any], count: int) -> nn.Module:
    """The network that a config's `model` section describes, with its head.

    Args:
      options: the fields of the section.
      count: of the outputs.
    """

  def loss(self, params, outputs, batch: Batch) -> jax.Array:
    """The objective of a training batch, a scalar."""

  def sums(self, outputs, batch: Batch) -> Sums:
    """Arrays that add up over batches; 'count' is the number of examples in them.

    Not among them are those whose mask is 0, and those of which the data does not say
    what is right.
    """

  def weight(self, sums: Sums) -> jax.Array | float:
    """How much a part of a batch counts beside others (see `training.accumulation`).

    That is what its loss was divided by: the mean of the parts is the loss of all.
    """

  def zero_sums(self) -> dict[str, np.ndarray]:
    """The sums of no examples."""

  def metrics(self, sums) -> dict[str, float]:
    """The metrics, computed from sums."""

  def unshown(self, count: int) -> tuple[str, ...]:
    """Metrics that say nothing if the network has `count` outputs."""

  def answered(self, answers: Mapping[str, np.ndarray]) -> Any:
    """The outputs that an exported file's answers stand for.

    `predictions` and `kept` take them.

    Args:
      answers: arrays (N, ...) by the name of the file's output.
    """

  def predictions(self, outputs) -> dict[str, jax.Array]:
    """Per example: what `predict` shows."""

  def kept(self, outputs, batch: Batch) -> dict[str, jax.Array]:
    """Per example: what evaluation keeps, the predictions or how right they are."""

  def finish(
    self, metrics: dict[str, float], kept: dict[str, np.ndarray] | None
  ) -> dict[str, float]:
    """Completes the metrics on the host after the last batch of an evaluation.

    Args:
      metrics: of the sums.
      kept: what `kept` gave, and fields, of all examples in their order; None if they
        were not kept.

    Returns:
      The metrics, with those that need all examples at once (such as mean average
      precision).
    """

  def write_report(self, evaluated: Evaluated) -> Written:
    """Writes and prints an evaluation's pages; returns what others are to show.

    Raises:
      TrainingError: a file cannot be written.
    """

  def show_predictions(self, photos: list, predicted: dict, shown: Shown) -> None:
    """Prints what is in photos; writes and draws it if `shown` asks for that.

    Args:
      photos: their paths.
      predicted: the result of `predictions` for all photos.
      shown: what to show, and how.

    Raises:
      TrainingError: a file cannot be written, or the numbers are not finite.
    """


def exported(name: str) -> types.ModuleType:
  """The module that knows what a task's exported files say of themselves.

  Its `said_of(task, folder, step, outputs)` gives fields of `export.program.Program`,
  `task_of(said)` the task that reads a file, and `decision_of(said)` how.
  """
  return importlib.import_module(f'{TASKS[name]}.exported')


def make_task(config: ConfigDict) -> Task:
  """The config's task.

  Raises:
    TrainingError: no task of that name, or a wrong field.
  """
  name = config.task
  if name not in TASKS:
    raise unknown_name('task', name, TASKS)
  return importlib.import_module(TASKS[name]).make_task(config)
