"""Turns a config into a model, data and a task; here the three meet.

    source = open_source(config, config.data.eval_split)
    model = make_model(config, make_task(config).outputs(source))
    batches = eval_batches(config, source, sharding.make_mesh())

The config is an argument: this module imports no config.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax
from jax.sharding import Mesh
from ml_collections import ConfigDict

import input_pipeline
from mobilenet.export.aware import STATISTICS, Rounded
from mobilenet.models import named
from mobilenet.models.initial import init_variables
from mobilenet.models.rows import ModelError
from mobilenet.tasks import make_task
from mobilenet.training import optimizer, parts, sharding
from mobilenet.training.errors import TrainingError, require
from mobilenet.weights import searched
from mobilenet.weights.contract import Contract, make_contract
from mobilenet.weights.own_file import Weights
from mobilenet.weights.starting import start_from, trunk_from

# Fields that may differ when a run resumes: they change no number of the training, or
# only by rounding, as another number of devices does.
HARMLESS = (
  'shards',
  'model.remat',
  'checkpoint_every_epochs',
  'data.dir',
  'data.corrupt_limit',
  'eval_batch_size',
  'report.positive',
  'report.accept_share',
  # Where the teacher lies; teacher.crc32 says which one it is.
  'teacher.weights',
  'teacher.logits',
)


def harmless(overrides: Mapping[str, Any]) -> dict[str, Any]:
  """Of the fields that were typed those that may differ from the run's."""
  return {field: overrides[field] for field in overrides if field in HARMLESS}


def make_model(config: ConfigDict, outputs: Sequence[str]) -> nn.Module:
  """The config's network.

  Args:
    config: the whole config.
    outputs: what the network's outputs stand for; only their number matters.

  Raises:
    ModelError: an unknown name, option or value, or no name, or what a rounded network
      cannot have.
  """
  config = with_table(config)
  if not config.model.name:
    raise ModelError(
      'the config names no network: give the weights to start from, --config.init=FILE'
    )
  options = dict(config.model)
  rounded = options.pop('rounded')
  if rounded:
    require(
      task_of(config) == 'classification',
      f'--config.model.rounded=True trains classifiers only, not {task_of(config)}: '
      'its file with integers is made by --job=export --precision=int8',
    )
    options['norm'] = False
  model = make_task(config).make_model(options, len(outputs))
  return Rounded.like(model) if rounded else model


def with_table(config: ConfigDict) -> ConfigDict:
  """The config with the rows of the file that its `model.table` names, and its name.

  A run keeps the rows themselves: the file may change.

  Raises:
    ModelError: the file cannot be read, or is no network.
  """
  named_file = config.model.get('table')
  if not named_file or '(' in named_file:  # rows
    return config
  found = searched.read(named_file)
  config = copy.deepcopy(config)
  config.model.name, config.model.table = found.name, found.text
  return config


def task_of(config: Mapping[str, Any]) -> str:
  """What the network of a config is for."""
  return config['task']


def make_optimizer(
  config: ConfigDict, model: nn.Module, schedule: optax.Schedule
) -> optax.GradientTransformation:
  """The config's optimizer, for the part of a network that learns.

  Raises:
    TrainingError: see `training.optimizer`.
  """
  flat = shards(config) == 1
  lowering = config.model.lowering
  tx = optimizer.make_optimizer(
    config.optimizer, schedule, flat=flat, lowering=lowering
  )
  return parts.optimizer_of(model, tx)


def shards(config: ConfigDict) -> int:
  """Devices that share a state."""
  return config.shards


def initial_variables(
  config: ConfigDict,
  model: nn.Module,
  weights: Weights | None = None,
  *,
  new_head: bool | None = None,
) -> dict[str, Any]:
  """A run's variables before its first step: drawn, or those of `weights`.

  `new_head` is the config's, unless it is given. The ranges of a rounded network are
  zeros: weights hold none.

  Raises:
    WeightsError: the weights do not fit the network.
  """
  shape = (config.resolution, config.resolution, 3)
  drawn = init_variables(model, shape, config.seed)
  if weights is None:
    return drawn
  if weights.model['name'] != config.model.name:
    return trunk_from(weights, drawn)
  new_head = config.new_head if new_head is None else new_head
  ranges = {}
  if isinstance(model, Rounded):
    ranges[STATISTICS] = drawn.pop(STATISTICS)
  return {**start_from(weights, drawn, new_head=new_head), **ranges}


def with_weights(config: ConfigDict, weights: Weights) -> ConfigDict:
  """A copy of the config, completed from weights: network, contract, resolution.

  The network's name and width are those of the weights; a config that names another
  is an error. A detector or segmenter may start from weights of its trunk. Images are
  prepared by the contract: all of the evaluation (of those two, which look at whole
  pictures, the values alone), and the end of the training's op string. Only
  `data.own_ops` keeps the config's op strings. Other fields keep the values that the
  config sets.

  Raises:
    TrainingError, WeightsError: another network, or a field of the contract is wrong.
  """
  config = copy.deepcopy(config)
  model, task = weights.network(), task_of(config)
  kind = named.kind(model['name'])
  if kind not in (task, 'classification'):
    raise TrainingError(
      f'{weights.origin} is a network for {kind}, the config is for {task}: give '
      'weights of a classifier, or make a workdir of these with --job=import'
    )
  if name := config.model.name:
    name = name if kind == task else named.trunk(name)
    asked, there = (
      f'{name} x{m["width"]:g}'
      for name, m in ((name, config.model), (model['name'], model))
    )
    if asked != there:
      raise TrainingError(f'the config asks for {asked}, {weights.origin} is {there}')
  config.model.width = model.pop('width')
  for field, value in model.items():
    if not config.model[field]:
      config.model[field] = value
  contract = make_contract(contract_fields(config), weights.contract)
  config.contract.update(contract.as_dict())
  if config.resolution is None:
    config.resolution = contract.resolution
  if not config.data.own_ops:
    config.data.eval_ops = (
      '{contract}'
      if make_task(config).takes_crops
      else _normalized_as_the_weights(config.data.eval_ops)
    )
    config.data.train_ops = _normalized_as_the_weights(config.data.train_ops)
  return config


def notes(config: ConfigDict, weights: Weights) -> tuple[str, ...]:
  """What a person should know of weights before this config uses them, one line each.

  Args:
    config: as given; what it sets of the contract need not be assumed.
    weights: those of its `init`.
  """
  lines = list(weights.notes)
  sections = {'contract': weights.contract and weights.contract.as_dict()}
  sections['model'] = weights.model
  for section, values in sections.items():
    unsaid = [
      field.partition('.')[2]
      for field in weights.assumed
      if field.startswith(f'{section}.')
    ]
    unsaid = [field for field in unsaid if config[section][field] is None]
    if unsaid:
      told = ', '.join(f'{field} {_shown(values.get(field))}' for field in unsaid)
      lines.append(
        f'assumed, since the file does not say it: {told}; set what is otherwise with '
        f'--config.{section}.{unsaid[0]}=...'
      )
  return tuple(lines)


def _shown(value) -> str:
  if isinstance(value, list):
    return f'({", ".join(map(str, value))})'
  return "the network's own" if value is None else str(value)


def _normalized_as_the_weights(text: str) -> str:
  """A training op string with the value range and channels of the contract."""
  if '{normalize}' in text or '{contract}' in text:
    return text
  kept = [op for op in filter(None, text.split('|')) if not _OF_PIXELS.match(op)]
  return '|'.join([*kept, '{normalize}'])


_OF_PIXELS = re.compile(r'\s*(value_range|normalize|bgr)\b')


def warn_of_own_ops(config: ConfigDict) -> None:
  """Prints a warning if a config with weights prepares images in its own way."""
  contract, own = contract_of(config), ops(config, 'eval_ops')
  if contract is None or jax.process_index():
    return
  theirs = contract.eval_ops(config.resolution)
  if not make_task(config).takes_crops:
    theirs = _normalized_as_the_weights(own)
    theirs = theirs.replace('{normalize}', contract.normalize_op())
  if input_pipeline.parse_ops(own, 'eval') != input_pipeline.parse_ops(theirs, 'eval'):
    print(
      f'warning: data.own_ops keeps {own!r} for evaluation, the weights want {theirs!r}'
    )


def contract_fields(config: ConfigDict) -> dict[str, Any]:
  """The fields of the contract that a config sets."""
  return {field: value for field, value in config.contract.items() if value is not None}


def contract_of(config: ConfigDict) -> Contract | None:
  """The contract of a config's weights; None for a network trained from scratch."""
  fields = contract_fields(config)
  return make_contract(fields) if fields else None


def open_source(
  config: ConfigDict,
  split: str,
  data_dir: str | None = None,
  *,
  whole: bool = False,
  only: Sequence[str] | None = None,
  known: Sequence[str] = (),
  split_flag: str = '--config.data.eval_split',
) -> 'input_pipeline.Source':
  """Opens a split of the config's data, or of the same kind of data in `data_dir`.

  Args:
    config: all of it.
    split: of the data.
    data_dir: where other data is; None for the config's own.
    whole: of a folder without train/, take everything instead of the split.
    only: of a folder, the names of images to take, whatever the seed's split is.
    known: what the outputs of a run that has begun stand for: places are put into its
      cells.
    split_flag: by which a person chooses the split, for messages.

  Raises:
    DataError: the data, the split or a file is missing or cannot be used.
  """
  return input_pipeline.open_source(
    config.data.name,
    split,
    data_dir=config.data.dir if data_dir is None else data_dir,
    seed=config.seed,
    holdout=config.data.holdout,
    group=config.data.group,
    fold=config.data.fold,
    annotations=config.data.get('annotations', ''),  # of boxes and masks alone
    wants=make_task(config).wants,
    made_examples=config.data.made_examples,
    made_size=max(config.resolution, 32),
    made_classes=config.data.made_classes,
    whole=whole,
    only=only,
    partition=config.data.get('cells'),  # of places alone
    known=known,
    dir_flag='--config.data.dir' if data_dir is None else '--data_dir',
    split_flag=split_flag,
  )


def ops(config: ConfigDict, name: str) -> str:
  """An op string of the config, with the resolution and the contract's ops filled in.

  Raises:
    TrainingError: it needs a contract, and the config has none.
  """
  text = config.data[name].replace('{resolution}', str(config.resolution))
  contract = contract_of(config)
  if contract is None:
    if '{contract}' in text or '{normalize}' in text:
      raise TrainingError(
        f'data.{name} is {text!r}, which is for given weights: set --config.init=FILE'
      )
    return text
  return text.replace('{contract}', contract.eval_ops(config.resolution)).replace(
    '{normalize}', contract.normalize_op()
  )


def both_ops(config: ConfigDict) -> dict[str, str]:
  """The op strings by which images are prepared, for a report."""
  return {'training': ops(config, 'train_ops'), 'evaluation': ops(config, 'eval_ops')}


class EvaluatedExamples:
  """A split's examples for the pages of a report (`tasks.Examples`)."""

  def __init__(self, source: 'input_pipeline.Source'):
    self._source = source

  @property
  def category_ids(self) -> tuple[int, ...]:
    return self._source.category_ids or ()

  @property
  def image_ids(self) -> tuple[int | str, ...]:
    return self._source.image_ids or ()

  def describe(self, index: int) -> str:
    return self._source.describe(index)

  def pictures(self, indexes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    return input_pipeline.originals(self._source, indexes)

  def masks(self, indexes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    return input_pipeline.originals(self._source, indexes, 'segmentation')


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


def check_marked_ops(config: ConfigDict, source, name: str, kind: str) -> None:
  """Checks that boxes and masks of an opened source can follow an op string.

  Raises:
    DataError: an op moves pixels alone, or evaluation would see a part of a picture.
  """
  text = ops(config, name)
  try:
    input_pipeline.check_marked_ops(
      input_pipeline.parse_ops(text, kind), source.marks, kind == 'eval'
    )
  except input_pipeline.DataError as error:
    raise input_pipeline.DataError(f'--config.data.{name}={text!r}: {error}') from None


def train_batches(config: ConfigDict, source, mesh: Mesh, start_step: int):
  """This process's share of the endless training batches, from `start_step` on.

  Raises:
    TrainingError: the processes have different numbers of devices.
  """
  batch_size = sharding.local_batch_size(mesh, config.batch_size)
  require(
    batch_size * jax.process_count() == config.batch_size,
    f'this process has {len(mesh.local_devices)} of {mesh.devices.size} devices: the '
    f'{jax.process_count()} processes need the same number each, since they take equal '
    'shares of a batch',
  )
  batches = input_pipeline.train_batches(
    source,
    ops=ops(config, 'train_ops'),
    batch_ops=ops(config, 'batch_ops'),
    batch_size=batch_size,
    seed=config.seed,
    start_step=start_step,
    process_index=jax.process_index(),
    process_count=jax.process_count(),
    repeats=config.data.repeats,
    shuffle_buffer=config.data.shuffle_buffer,
    corrupt_limit=config.data.corrupt_limit,
  )
  return Watched(batches, contract_of(config))


def eval_batches(config: ConfigDict, source, mesh: Mesh, *, all_here: bool = False):
  """This process's share of a split, or (for a report's pictures) all of it."""
  batches = input_pipeline.eval_batches(
    source,
    ops=ops(config, 'eval_ops'),
    batch_size=sharding.local_batch_size(
      mesh, config.eval_batch_size, 'eval_batch_size'
    ),
    process_index=0 if all_here else jax.process_index(),
    process_count=1 if all_here else jax.process_count(),
    corrupt_limit=config.data.corrupt_limit,
  )
  return Watched(batches, contract_of(config))


class Watched:
  """Batches; warns if the values of the first do not fit a contract."""

  def __init__(self, batches, contract: Contract | None):
    self._batches, self._contract = batches, contract

  def __iter__(self):
    return self

  def __next__(self):
    batch = next(self._batches)
    if self._contract is not None:
      warn_of_range(self._contract, batch['image'])
      self._contract = None
    return batch

  @property
  def corrupt(self) -> list[str]:
    return self._batches.corrupt


def warn_of_range(contract: Contract, images) -> None:
  """Prints a warning if images have values that the weights have never seen."""
  complaint = contract.complaint(images)
  if complaint and jax.process_index() == 0:
    print(f'warning: {complaint}')
