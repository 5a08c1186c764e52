"""Weights in this project's own form: a `.safetensors` file that says what it holds.

Arrays are named as Flax names them ('params/backbone/stem/conv/kernel'); the network,
the contract and the class names lie in the file's metadata, as JSON, and so does a
checksum of it all: safetensors itself has none.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

import jax
import numpy as np

from mobilenet.models import named
from mobilenet.training import array_sums, workdir
from mobilenet.weights import torch_file
from mobilenet.weights.contract import Contract, make_contract
from mobilenet.weights.weight_file import WeightFile, WeightsError

KEY = 'mobilenet-jax'  # of the metadata
CHECKSUM = f'{KEY}-crc32'
EXPORTED = f'{KEY}-export'  # of arrays that are named as another framework names them
FILE = workdir.WEIGHTS_FILE


@dataclasses.dataclass(frozen=True)
class Weights:
  """A trained network with all that is needed to use it.

  origin: whose weights these are, for people.
  model: arguments of `named.create`.
  variables: {'params', 'batch_stats'} of NumPy arrays, float32.
  class_names: in the order of the outputs; None if unknown.
  has_head: False where `variables` has no classifier.
  notes: what was changed on the way, for people.
  assumed: fields of a config ('contract.mean', 'model.hidden_act') whose value here was
    neither in the file nor known of it.
  """

  origin: str
  model: dict[str, Any]
  variables: dict[str, Any]
  contract: Contract | None
  class_names: tuple[str, ...] | None
  has_head: bool = True
  notes: tuple[str, ...] = ()
  assumed: tuple[str, ...] = ()

  def network(self) -> dict[str, Any]:
    """The fields of a config's `model` section: what does not depend on the head."""
    return {k: v for k, v in self.model.items() if k != 'num_classes'}


def save(path: str | os.PathLike, weights: Weights) -> None:
  """Writes a file that `loading.load` reads back to the bit.

  Raises:
    WeightsError: it cannot be written.
  """
  said = {
    'origin': weights.origin,
    'model': weights.model,
    'contract': weights.contract and weights.contract.as_dict(),
    'class_names': weights.class_names,
    'has_head': weights.has_head,
  }
  tensors, text = flatten(weights.variables), json.dumps(said)
  metadata = {KEY: text, CHECKSUM: _checksum(text, tensors)}
  torch_file.write_safetensors(pathlib.Path(path), tensors, metadata)


def is_own(file: WeightFile) -> bool:
  return KEY in file.metadata.get('safetensors', {})


def from_file(file: WeightFile) -> Weights:
  """What `save` wrote, with a note if that was before there were checksums.

  Raises:
    WeightsError: the metadata is not what `save` writes, or the file is damaged.
  """
  metadata = file.metadata['safetensors']
  checksum = metadata.get(CHECKSUM)
  if checksum not in (None, _checksum(metadata[KEY], file.tensors)):
    raise WeightsError(
      f'{file.path} is damaged: it is not what was written; fetch or write it again'
    )
  without = f'{file.path} has no checksum: damage to it would go unnoticed'
  try:
    said = json.loads(metadata[KEY])
    names, contract = said['class_names'], said['contract']
    return Weights(
      origin=said['origin'],
      model=said['model'],
      variables=unflatten(file.tensors),
      contract=contract and make_contract(contract),
      class_names=None if names is None else tuple(names),
      has_head=said['has_head'],
      notes=(without,) if checksum is None else (),
    )
  except (ValueError, KeyError, TypeError) as error:
    if isinstance(error, WeightsError):
      raise
    raise WeightsError(f'{file.path} has broken metadata: write it again') from error


def _checksum(text: str, tensors: dict[str, np.ndarray]) -> str:
  """Of the metadata and the arrays, their names and types included."""
  return array_sums.crc32_of([text, array_sums.record(tensors)])


def exported(weights: Weights) -> dict[str, str]:
  """Metadata for what a framework's arrays don't say; `of_export` reads it."""
  # Of the network as it is: what a run leaves to its default, the reader may not.
  style = named.create(**weights.model).network.style
  said = {
    'model': {'padding': style.padding, 'norm_epsilon': style.norm_epsilon},
    'contract': weights.contract and weights.contract.as_dict(),
    'class_names': weights.class_names,
  }
  return {EXPORTED: json.dumps(said)}


def of_export(file: WeightFile, weights: Weights) -> Weights:
  """`weights` as recognised, with what an export of ours wrote into their file.

  That is what `exported` writes, or `export.program.said` in files of graphs, whose
  network is seen in the graph.

  Raises:
    WeightsError: the metadata is not what they write.
  """
  arrays = file.metadata.get('safetensors', {})
  text = arrays.get(EXPORTED) or file.metadata.get(EXPORTED)
  if text is None:
    return weights
  try:
    said = json.loads(text)
    names = said['class_names']
    # The file may normalise the images itself, for what is the network here.
    contract = said.get('network_contract') or said['contract']
    fits = names is not None and len(names) == weights.model['num_classes']
    return dataclasses.replace(
      weights,
      model=weights.model | (said['model'] if arrays else {}),
      contract=make_contract(contract) if contract else weights.contract,
      class_names=tuple(names) if fits else weights.class_names,
      notes=(),
      assumed=(),
    )
  except (ValueError, KeyError, TypeError) as error:
    if isinstance(error, WeightsError):
      raise
    raise WeightsError(f'{file.path} has broken metadata: write it again') from error


def flatten(variables: dict[str, Any]) -> dict[str, np.ndarray]:
  """{'params': {'head': ...}} -> {'params/head/...': array}."""
  leaves = jax.tree_util.tree_leaves_with_path(variables)
  return {'/'.join(key.key for key in path): np.asarray(leaf) for path, leaf in leaves}


def unflatten(tensors: dict[str, np.ndarray]) -> dict[str, Any]:
  """The inverse of `flatten`."""
  variables = {}
  for name, value in tensors.items():
    *parts, last = name.split('/')
    node = variables
    for part in parts:
      node = node.setdefault(part, {})
    node[last] = value
  return variables
