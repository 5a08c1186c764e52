"""What a network makes of photos, as numbers: of a run, or of a weight file.

found = of_run(pathlib.Path('runs/finetune'))
predicted = embeddings(found, paths)  # predicted.outputs['embedding'], (N, E)
"""

import functools
import io
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

import input_pipeline
from mobilenet import experiment, trained
from mobilenet.models import folding, named
from mobilenet.reports import csv_file, prediction
from mobilenet.runs import answering
from mobilenet.training import files, sharding
from mobilenet.training.errors import require
from mobilenet.weights.contract import Contract

NPZ, CSV = 'embeddings.npz', 'embeddings.csv'
_BATCH = 32
_MOST_CELLS = 20_000_000  # of the CSV; a spreadsheet opens far fewer
# What a network is for -> its method that gives embeddings.
_METHODS = {
  **dict.fromkeys(('classification', 'tags', 'places'), 'embed'),
  'embeddings': '__call__',
}


class Network(NamedTuple):
  """A network that embeds.

  origin: what it is, for people. model, variables: for inference, on the devices.
  method: of the model. ops: they prepare a photo. contract: how its weights want
  photos; None where only the run knows. config: of the run; None of a file.
  """

  origin: str
  model: nn.Module
  variables: Any
  method: str
  ops: tuple
  contract: Contract | None
  config: ConfigDict | None


def of_run(folder: pathlib.Path, resolution: int | None = None) -> Network:
  """The network of a run.

  Args:
    folder: the run's.
    resolution: px; None for the run's own.

  Raises:
    TrainingError, ModelError: no run, or its network gives no embeddings.
  """
  run = trained.load_run(folder)
  method = _method_of(experiment.task_of(run.config), str(folder))
  if resolution is not None:
    run.config.resolution = resolution
  text = experiment.ops(run.config, 'eval_ops')
  model, variables = trained.folded(run)
  return Network(
    f'{run.config.model.name} x{run.config.model.width:g} of {folder}, step {run.step}',
    model,
    variables,
    method,
    input_pipeline.parse_ops(text, 'eval'),
    experiment.contract_of(run.config),
    run.config,
  )


def of_file(path: str, resolution: int | None = None) -> Network:
  """The network of a weight file of any framework, or of a workdir.

  Args:
    path: of the file.
    resolution: px; None for that of the weights.

  Raises:
    TrainingError, ModelError: it cannot be read, does not say how photos are prepared,
      or its network gives no embeddings.
  """
  weights = trained.load_weights(path)
  method = _method_of(named.kind(weights.model['name']), weights.origin)
  require(
    weights.contract is not None,
    f'{weights.origin} does not say how photos are prepared for it; import it first: '
    f'--job=import --init={path} --workdir=runs/imported',
  )
  size = resolution or answering.own_resolution(path, weights)
  model, variables = folding.fold(named.create(**weights.model), weights.variables)
  return Network(
    weights.origin,
    model,
    jax.device_put(variables, sharding.replicated(sharding.make_mesh())),
    method,
    input_pipeline.parse_ops(weights.contract.eval_ops(size), 'eval'),
    weights.contract,
    None,
  )


def _method_of(kind: str, origin: str) -> str:
  require(
    kind in _METHODS,
    f'{origin} is for {kind}, which has no embeddings: give a classifier or a run of '
    'config.task=embeddings',
  )
  return _METHODS[kind]


def embeddings(
  network: Network,
  paths: Sequence[pathlib.Path],
  *,
  flip: bool = False,
  advance: Callable[[int], None] = lambda number: None,
) -> prediction.Predicted:
  """The embeddings of photos: `outputs['embedding']`, float32 (N, E).

  They are as the network gives them, of any length; a map (SqueezeNet's) is averaged
  over its places.

  Args:
    network: what embeds.
    paths: of the photos.
    flip: whether to add the embedding of the mirrored photo.
    advance: is told how many more photos were read.

  Raises:
    DataError: no photo can be read.
  """
  compute = functools.partial(
    _embedded, network.model, network.method, flip, network.variables
  )
  return prediction.photos_through(
    lambda images: {'embedding': compute(images)},
    paths,
    network.ops,
    min(len(paths), _BATCH),
    advance=advance,
  )


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _embedded(model, method: str, flip: bool, variables, images) -> jax.Array:
  def of(images):
    values = model.apply(variables, images, method=method).astype(jnp.float32)
    places = tuple(range(1, values.ndim - 1))
    return values.mean(axis=places) if places else values

  return of(images) + of(images[:, :, ::-1]) if flip else of(images)


def write(
  folder: pathlib.Path,
  names: Sequence[str],
  values: np.ndarray,
  *,
  origin: str,
  normalised: bool,
) -> list[pathlib.Path]:
  """Writes embeddings.npz and embeddings.csv, each whole or not at all.

  The .npz holds 'names' (N,), 'embeddings' float32 (N, E), 'network' (a line) and
  'normalised' (a bool); the CSV a row of six digits for each photo.

  Args:
    folder: for the files.
    names: of the photos.
    values: (N, E).
    origin: of which network.
    normalised: whether they are of length 1.

  Raises:
    TrainingError: a file cannot be written.
  """
  data = io.BytesIO()
  np.savez(
    data,
    names=np.asarray(names, str),
    embeddings=np.asarray(values, np.float32),
    network=np.asarray(origin),
    normalised=np.asarray(normalised),
  )
  written = [files.replace_file(folder / NPZ, data.getvalue())]
  if values.size > _MOST_CELLS:
    print(f'note: {CSV} is left out: {values.size:,} numbers; {NPZ} has them')
    return written
  columns = ('photo', *(f'e{n}' for n in range(values.shape[1])))
  rows = (
    (name, *(float(f'{value:.6g}') for value in row.tolist()))
    for name, row in zip(names, values, strict=True)
  )
  return [*written, csv_file.write(folder / CSV, columns, rows)]
