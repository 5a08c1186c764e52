"""What a search starts from: a run that was trained here, or that was imported."""

import copy
import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from mobilenet import experiment, trained
from mobilenet.models import table
from mobilenet.models.classifier import Classifier
from mobilenet.models.rows import ModelError, Network
from mobilenet.runs import teaching, training_data
from mobilenet.search import channels, wiring
from mobilenet.training import array_sums, workdir
from mobilenet.training.errors import TrainingError, require
from mobilenet.weights import own_file
from mobilenet.weights.own_file import Weights

Tree = dict[str, Any]

# Options of a config's model that rows say themselves.
_OF_ROWS = ('stem_width', 'hidden_width', 'hidden_act', 'act', 'expansion')


@dataclasses.dataclass(frozen=True)
class Start:
  """A run, ready to be searched from.

  config: the run's, with the photos where they are now. model: its network at width 1,
  `named` as the tables have it. variables: {'params', 'batch_stats'} of NumPy arrays.
  weights: as a file would hold them. data: the photos on the sides they were on.
  """

  folder: pathlib.Path
  config: ConfigDict
  model: Classifier
  named: Network
  variables: Tree
  weights: Weights
  data: training_data.Data

  @property
  def name(self) -> str:
    """Of the network: 'mobilenet_v2', 'mobilenet_v2_0.5'."""
    name, width = (self.weights.model[field] for field in ('name', 'width'))
    return name if width == 1 else f'{name}_{width:g}'

  @property
  def crc32(self) -> str:
    """Of all that the search depends on."""
    said = [self.weights.model, self.weights.class_names]
    arrays = array_sums.record(own_file.flatten(self.variables))
    return array_sums.crc32_of([said, arrays])

  def like(self, text: str) -> Network:
    """The network of a table's rows, computed as the start is."""
    network = table.from_text(text)
    how = {name: getattr(self.model.network.style, name) for name in table.HOW}
    return dataclasses.replace(network, style=dataclasses.replace(network.style, **how))

  def model_of(self, network: Network) -> Classifier:
    """Another network with the same classes and drop rates."""
    return self.model.clone(network=network)

  def weights_of(self, name: str, network: Network, variables: Tree) -> Weights:
    """Another network's weights, prepared for as the start's."""
    style = self.weights.model
    return dataclasses.replace(
      self.weights,
      origin=f'{name}, from {self.weights.origin}',
      model={
        'name': name,
        'width': 1.0,
        'table': table.to_text(network),
        'num_classes': style['num_classes'],
        **{field: style.get(field) for field in ('padding', 'norm_epsilon')},
      },
      variables=jax.tree.map(np.asarray, variables),
    )

  def config_of(
    self, name: str, network: Network, init: pathlib.Path | None, epochs: float | None
  ) -> ConfigDict:
    """The config that trains another network as the start was.

    Args:
      name: of the network.
      network: of width 1.
      init: its weights; None for none.
      epochs: None for as many as the start.
    """
    config = copy.deepcopy(self.config)
    with config.unlocked():
      config.model.update(dict.fromkeys(_OF_ROWS))
      config.model.name, config.model.width = name, 1.0
      config.model.table = table.to_text(network)
      config.init = str(init or '')
      config.new_head, config.head_first.epochs = False, 0.0
      if epochs is not None:
        config.epochs, config.steps = epochs, None
    return config


def load(folder: pathlib.Path, data_dir: str | None, mesh: Mesh) -> Start:
  """Loads a run and opens its photos.

  Args:
    folder: the run's.
    data_dir: where its photos are, if not where they were.
    mesh: of the devices.

  Raises:
    TrainingError, ModelError, DataError: no run, a run that cannot be searched from, or
      no photos.
  """
  run = opened(folder, mesh)
  config, model = run.config, run.model
  if data_dir is not None:
    config.data.dir = data_dir
  teaching.open_teacher(config)  # raises if there is none for the long fine-tune
  data = training_data.open_data(config, folder)
  outputs = experiment.make_task(config).outputs(data.train)
  workdir.check_classes(folder, outputs, data.train.split)
  network = channels.resized(model.network, wiring.of(model.network).sizes)
  variables = jax.tree.map(np.asarray, run.variables)
  return Start(
    folder,
    config,
    model.clone(network=network),
    model.network,
    sorted_by_norm(model.clone(network=network), variables),
    trained.to_weights(run),
    data,
  )


def opened(folder: pathlib.Path, mesh: Mesh | None = None) -> trained.Run:
  """A run that can be searched from, without its photos.

  Raises:
    TrainingError, ModelError: as `load`.
  """
  stored = workdir.read_config(folder)
  require(
    stored is not None,
    f'--start={folder} holds no {workdir.CONFIG_FILE}: name the folder of a run',
  )
  _check(folder, ConfigDict(stored))
  return trained.load_run(folder, mesh)


def sorted_by_norm(model: Classifier, variables: Tree) -> Tree:
  """The same network with the channels that matter most first in their groups."""
  wires = wiring.of(model.network)
  return channels.take(wires, variables, channels.by_norm(model, wires, variables))


def _check(folder: pathlib.Path, config: ConfigDict) -> None:
  """Refuses what cannot be searched from, before weights are read."""
  require(
    not config.model.rounded,
    f'{folder} was trained with rounding (model.rounded), whose norms are folded: '
    'search from the run that it started from',
  )
  model = experiment.make_model(config, ('',))
  require(
    type(model) is Classifier,
    f'{folder} is a run for {config.task}: a search narrows classifiers',
  )
  require(
    not model.frozen,
    f'{folder} trained only a part of its network (model.trained='
    f'{config.model.trained!r}), and a search changes all of it: train all of it '
    f'first, with --config.init={folder} and --config.model.trained=all',
  )
  try:
    wires = wiring.of(model.network)
    whole = channels.resized(model.network, wires.sizes)
  except ModelError as error:
    raise TrainingError(f'{folder}: {error}') from None
  odd = {g: n for g, n in wires.sizes.items() if wiring.of(whole).sizes.get(g) != n}
  require(
    not odd,
    f'{folder} has rows whose channels no table of width 1 can say: '
    + ', '.join(f'{group} has {size}' for group, size in odd.items()),
  )
