"""Weights out of a file that this project exported for phones, browsers and servers.

Its arrays are named as variables are ('params/backbone/stem/conv/kernel'), and its
metadata has the rest, so that no network has to be recognised. What the exporter folded
away is there again as what changes nothing: a norm that adds its bias alone, a layer
scale of ones.
"""

import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from mobilenet.models import counting, zoo
from mobilenet.weights import quantisation
from mobilenet.weights.contract import make_contract
from mobilenet.weights.own_file import Weights
from mobilenet.weights.weight_file import WeightFile, WeightsError

SAID = 'exported'  # of a `WeightFile`'s metadata: what the exporter wrote, as text
ROUNDED = 'rounded'  # of the same: as `quantisation.note` wants it
COLLECTIONS = ('params/', 'batch_stats/')


def is_exported(file: WeightFile) -> bool:
  return SAID in file.metadata


def from_file(file: WeightFile) -> Weights:
  """What was exported: a network, its contract and its class names.

  Args:
    file: its tensors in our layouts, of any shape with as many values as the variable
      has.

  Raises:
    WeightsError: the metadata is not what the exporter writes, or an array is missing
      or has another size.
  """
  try:
    said = json.loads(file.metadata[SAID])
    origin, model, names = said['origin'], said['model'], said['class_names']
    contract = make_contract(said['contract'])
    classifier = zoo.create(**model)
  except WeightsError:
    raise
  except (ValueError, KeyError, TypeError) as error:
    raise WeightsError(f'{file.path} has broken metadata: export it again') from error
  _, shapes = counting.layers_and_variables(classifier, said['resolution'])
  epsilon = classifier.network.style.norm_epsilon
  variables = jax.tree_util.tree_map_with_path(
    lambda path, leaf: _variable(file, [k.key for k in path], leaf.shape, epsilon),
    shapes,
  )
  note = quantisation.note(file.metadata.get(ROUNDED, {}))
  return Weights(
    origin=origin,
    model=model,
    variables=variables,
    contract=contract,
    class_names=tuple(names),
    notes=(note,) if note else (),
  )


def _variable(
  file: WeightFile, path: list[str], shape: tuple[int, ...], epsilon: float
) -> np.ndarray:
  *module, array = path
  value = file.tensors.get('/'.join(path))
  if value is None and array == 'bias' and module[-1] == 'norm':
    value = file.tensors.get('/'.join([*module[:-1], 'conv', 'bias']))
    value = np.zeros(shape) if value is None else value
  if value is None:
    neutral = {'scale': 1.0, 'layer_scale': 1.0, 'mean': 0.0, 'var': 1.0 - epsilon}
    if array not in neutral:
      raise WeightsError(f'{file.path} is damaged: it has no {"/".join(path)}')
    value = np.full(shape, neutral[array])
  if value.size != np.prod(shape, dtype=int):
    raise WeightsError(
      f'{file.path} is damaged: {"/".join(path)} is {value.shape}, not {shape}'
    )
  return value.reshape(shape).astype(np.float32)


def tensors_of(constants: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Those of an ONNX file in our layouts: kernels there are OIHW, maps NCHW."""
  return {
    name: value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
    for name, value in named(constants).items()
  }


def named(constants: Mapping[str, Any]) -> dict[str, Any]:
  """Those entries of a file's constants that are variables."""
  return {name: v for name, v in constants.items() if name.startswith(COLLECTIONS)}


def metadata(text: str, rounded: Mapping[str, tuple[str, float]]) -> dict[str, Any]:
  """The metadata of a `WeightFile` that `from_file` reads."""
  return {SAID: text, ROUNDED: named(rounded)}
