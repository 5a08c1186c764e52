"""A run that is ready for use: its config, its network and its trained variables.

    run = load_run(pathlib.Path('runs/flowers'))
    logits = run.model.apply(run.variables, images)

Of a run that was trained here, the newest whole checkpoint is read, or the best one
where that is kept: the raw or the averaged weights, see `training.averages`. Of an
imported run, `weights.safetensors` is read.
"""

import dataclasses
import pathlib
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

import input_pipeline
from mobilenet import experiment
from mobilenet.export import aware
from mobilenet.export.calibration import Ranges
from mobilenet.models import folding
from mobilenet.training import averages, best, sharding, workdir
from mobilenet.training.checkpoints import Checkpointer
from mobilenet.training.errors import require
from mobilenet.training.state import create, described, restore
from mobilenet.weights import loading, own_file, starting
from mobilenet.weights.contract import Contract, make_contract
from mobilenet.weights.own_file import Weights


@dataclasses.dataclass(frozen=True)
class Run:
  """A trained or imported network.

  variables: {'params', 'batch_stats'} on every device of the mesh.
  outputs: what the network's outputs stand for.
  step: of the training; 0 where it was imported.
  """

  folder: pathlib.Path
  config: ConfigDict
  model: nn.Module
  variables: dict[str, Any]
  outputs: tuple[str, ...]
  step: int


def folded(run: Run) -> tuple[nn.Module, dict[str, Any]]:
  """A run's (model, variables) for inference, its norms folded into its convolutions.

  Logits differ by rounding.
  """
  # In NumPy: JAX would compile a program for every shape.
  model, variables = folding.fold(run.model, jax.tree.map(np.asarray, run.variables))
  return model, jax.device_put(variables, sharding.replicated(sharding.make_mesh()))


def load_run(folder: pathlib.Path, mesh: Mesh | None = None) -> Run:
  """Loads the run in a workdir.

  Raises:
    TrainingError, ModelError: no run, nothing trained yet, or it cannot be read.
  """
  mesh = mesh or sharding.make_mesh()
  stored = workdir.read_config(folder)
  require(
    stored is not None, f'{folder} holds no {workdir.CONFIG_FILE}: no run began there'
  )
  config = ConfigDict(stored)
  names = workdir.read_classes(folder)
  require(
    names is not None,
    f'{folder} holds no {workdir.CLASSES_FILE}, which names what the network answers: '
    'give it back (of a trained run, the training command writes it anew)',
  )
  model = experiment.make_model(config, names)
  variables, step = _checkpoint(folder, config, model, mesh)
  if variables is None:
    path = folder / own_file.FILE
    require(
      path.is_file(),
      f'{folder} holds no checkpoint and no {own_file.FILE}: nothing is trained yet',
    )
    weights = loading.load(path)
    require(
      weights.model['num_classes'] == len(names),
      f'{folder / workdir.CLASSES_FILE} names {len(names)} classes, the weights have '
      f'{weights.model["num_classes"]}: give it back as it was',
    )
    variables = jax.device_put(weights.variables, sharding.replicated(mesh))
  return Run(folder, config, model, variables, names, step)


def _checkpoint(folder, config, model, mesh):
  """(variables, step) of the best or the newest checkpoint, or (None, 0)."""
  tx = experiment.make_optimizer(config, model, lambda step: 0.0)
  task = experiment.make_task(config)

  def new_state():
    initial = experiment.initial_variables(config, model)
    return create(initial, tx, task.zero_sums(), ema=config.ema_decay is not None)

  kept = best.holds_one(folder)
  place = folder / best.FOLDER if kept else folder
  without = {'without': best.WITHOUT} if kept else {}
  with Checkpointer(place, read_only=True, **without) as checkpointer:
    like = described(new_state, mesh)
    state = restore(checkpointer, like, model, mesh)
  if state is None:
    return None, 0
  step = int(state.step)
  if state.ema is None:
    return state.variables, step
  kind = averages.choose_at(folder, step, task.metric.name)
  return state.variables if kind == averages.RAW else state.ema, step


def load_weights(path: str) -> Weights:
  """Loads a weight file of any framework, or the weights of a workdir.

  Raises:
    TrainingError, ModelError: the file is missing or cannot be used.
  """
  folder = pathlib.Path(path).expanduser()
  if not (folder / workdir.CONFIG_FILE).is_file():
    return loading.load(path)
  return to_weights(load_run(workdir.local_path(folder)))


def complete(config: ConfigDict) -> tuple[ConfigDict, Weights | None]:
  """The config completed from its `init`, and those weights; None without `init`.

  The rows of a network that a file describes are copied into the config. A rounded
  network starts from weights whose norms are folded.

  Raises:
    TrainingError, ModelError: the weights cannot be read or are of another network.
  """
  config = experiment.with_table(config)
  if not config.init:
    return config, None
  weights = load_weights(config.init)
  if config.model.rounded:
    weights = starting.folded(weights)
  weights = dataclasses.replace(weights, notes=experiment.notes(config, weights))
  return experiment.with_weights(config, weights), weights


def to_weights(run: Run) -> Weights:
  """A run's variables with its network, contract and classes.

  The ranges of a rounded network are no weights: see `ranges_of`.
  """
  style = {
    field: value for field, value in run.config.model.items() if field in _OF_WEIGHTS
  }
  variables = run.variables
  if isinstance(run.model, aware.Rounded):
    variables = {'params': variables['params']}
  return Weights(
    origin=f'{run.config.model.name} x{run.config.model.width:g} of {run.folder}',
    model={**style, 'num_classes': len(run.outputs)},
    variables=jax.tree.map(np.asarray, variables),
    contract=contract_of_run(run.config),
    class_names=run.outputs,
  )


def ranges_of(run: Run) -> Ranges | None:
  """The ranges that a run was trained with; None where its network is not rounded."""
  if not isinstance(run.model, aware.Rounded):
    return None
  shape = (run.config.resolution, run.config.resolution, 3)
  return Ranges(
    of=aware.ranges_of(run.model, run.variables, shape),
    images=run.step * run.config.batch_size,
    batches=run.step,
  )


# Fields of a config's model that its variables depend on.
_OF_WEIGHTS = (
  'name',
  'width',
  'padding',
  'norm',
  'norm_epsilon',
  'stem_width',
  'hidden_width',
  'hidden_act',
  'act',
  'expansion',
  'table',
  'filters',
  'output_stride',
  'embedding',
  'pooling',
)


def contract_of_run(config: ConfigDict) -> Contract:
  """The contract by which a run's evaluation prepares images.

  That is the config's, or the equivalent of the op string that it evaluates with.

  Raises:
    TrainingError: the op string prepares images in a way that no contract can express.
  """
  given = experiment.contract_of(config)
  if given and config.data.eval_ops == '{contract}':
    return given
  text = experiment.ops(config, 'eval_ops')
  ops = {op.name: op.args for op in input_pipeline.parse_ops(text, 'eval')}
  said = {'resolution': config.resolution, 'crop_fraction': 1.0}
  said['label_offset'] = given.label_offset if given else 0
  if 'resize_small' in ops:
    size = ops['resize_small']
    said |= {
      'resize': 'short_side',
      'crop_fraction': config.resolution / size['size'],
    }
  else:
    size = ops.get('resize')
    if 'central_fraction' in ops:
      said['crop_fraction'] = ops['central_fraction']['fraction']
  if size:
    said |= {'interpolation': size['method'], 'antialias': size['antialias']}
  if 'normalize' in ops:
    said |= ops['normalize']
  elif 'value_range' in ops:
    low, high = ops['value_range']['low'], ops['value_range']['high']
    said |= {'mean': [-low / (high - low)] * 3, 'std': [1 / (high - low)] * 3}
  if 'bgr' in ops:
    said['channel_order'] = 'bgr'
  contract = make_contract(said)
  same = input_pipeline.parse_ops(contract.eval_ops(config.resolution), 'eval')
  require(
    same == input_pipeline.parse_ops(text, 'eval'),
    f'data.eval_ops is {text!r}, which the contract of a weight file cannot express; '
    f'nearest is {contract.eval_ops(config.resolution)!r}',
  )
  return contract
