"""Loads a weight file of any framework: a network, its variables and their contract.

weights = load('mobilenet_v2-b0353104.pth')
model = named.create(**weights.model)
model.apply(weights.variables, images)  # the same logits as torchvision's
"""

import os
import pathlib
import zipfile

import numpy as np

from mobilenet.weights import (
  class_names,
  dialects,
  exported_graph,
  keras_file,
  official,
  onnx_file,
  own_file,
  preparation,
  slim_file,
  tflite_file,
  torch_file,
)
from mobilenet.weights.fitting import Fitted
from mobilenet.weights.graph_padding import padding_of
from mobilenet.weights.own_file import Weights
from mobilenet.weights.recognition import recognise
from mobilenet.weights.sources import TIMM_TF
from mobilenet.weights.torch_archive import is_torch_legacy
from mobilenet.weights.weight_file import WeightFile, WeightsError

TF_PREFIX = 'tf_'  # of timm's models with TensorFlow's weights


def load(path: str | os.PathLike) -> Weights:
  """Loads a file of Keras, torchvision, timm, TF-slim, TFLite, ONNX or this project.

  Format and network are recognised from the content; see `mobilenet.weights.sources`
  for what is known.

  Args:
    path: a file, the prefix of a TensorFlow checkpoint, or the URL of one of
      `official.OFFICIAL`.

  Raises:
    WeightsError: it is not there, is damaged, holds numbers that are not finite, would
      run code, or fits no network; one line, or a diff.
  """
  if official.is_url(path):
    path = official.fetch(os.fspath(path))
  path = pathlib.Path(path).expanduser()
  file = read(path)
  if own_file.is_own(file):
    return _finite(own_file.from_file(file), file)
  if exported_graph.is_exported(file):
    return _finite(exported_graph.from_file(file), file)
  known = official.find(path) if path.is_file() else None
  fitted = recognise(file, known.framework if known else _framework(file))
  contract, notes = preparation.contract_of(fitted, file, known)
  assumed = preparation.assumed(fitted, file, known)
  notes += fitted.notes
  if file.dialect in dialects.GRAPHS:
    fitted.model['padding'] = padding_of(file, fitted.model['name'])
  if 'quantised' in file.metadata:
    notes.append(file.metadata['quantised'])
  if not fitted.has_head:
    notes.append('the file has no classifier')
  weights = Weights(
    origin=f'{fitted.source.label} x{fitted.model["width"]:g} in {path.name}'
    + (' (as published)' if known else ''),
    model=fitted.model,
    variables=fitted.variables,
    contract=contract,
    class_names=_class_names(fitted, file),
    has_head=fitted.has_head,
    notes=tuple(notes),
    assumed=(*(f'contract.{field}' for field in assumed), *fitted.assumed),
  )
  return own_file.of_export(file, _finite(weights, file))


def _finite(weights: Weights, file: WeightFile) -> Weights:
  """The weights, of which every number is finite.

  Raises:
    WeightsError: one is not, as in a damaged file; the line names the array.
  """
  ours = own_file.flatten(weights.variables)
  for tensors in (file.tensors, ours):
    wrong = [name for name, value in tensors.items() if not _is_finite(value)]
    # Arrays of the file that the network does not take may hold what they like.
    if wrong and not all(map(_is_finite, ours.values())):
      raise WeightsError(
        f'{file.path} holds numbers that are not finite, in {len(wrong):,} of '
        f'{len(tensors):,} arrays, such as {wrong[0]}: it is damaged, or its training '
        'diverged; fetch or make it anew'
      )
  return weights


def _is_finite(value: np.ndarray) -> bool:
  return value.dtype.kind != 'f' or bool(np.isfinite(value).all())


def read(path: pathlib.Path) -> WeightFile:
  """Reads a file by its content; its name counts only for TensorFlow's.

  Raises:
    WeightsError: not there, or none of the formats.
  """
  if path.is_dir() or path.with_name(f'{path.name}.index').is_file():
    return slim_file.read_checkpoint(path)
  if not path.exists():
    raise WeightsError(f'{path} does not exist; give the path of a weight file')
  try:
    with path.open('rb') as opened:
      head = opened.read(64)
  except OSError as error:
    raise WeightsError(f'{path} cannot be read: {error.strerror}') from error
  if head.startswith(b'\x89HDF\r\n'):
    return keras_file.read_keras(path)
  if head[4:8] == b'TFL3':
    return tflite_file.read_tflite(path)
  if head.startswith(b'PK'):
    return (keras_file.read_keras if _is_keras(path) else torch_file.read_torch)(path)
  if is_torch_legacy(head):
    return torch_file.read_torch(path)
  if head[8:9] == b'{':  # after the length of the header, which may be any byte
    return torch_file.read_safetensors(path)
  if onnx_file.is_onnx(head):
    return onnx_file.read_onnx(path)
  if head.startswith(b'\x80'):  # another pickle, to be refused with its reason
    return torch_file.read_torch(path)
  if path.suffix == '.pb':
    return slim_file.read_frozen(path)
  if path.suffix == '.index' or '.data-' in path.name:
    return slim_file.read_checkpoint(path)
  raise WeightsError(
    f'{path} is no weight file known here; Keras (.h5, .keras), PyTorch (.pth, '
    '.safetensors), TF-slim (checkpoint, .pb), .tflite and .onnx files can be read'
  )


def _is_keras(path: pathlib.Path) -> bool:
  try:
    with zipfile.ZipFile(path) as archive:
      return 'model.weights.h5' in archive.namelist()
  except zipfile.BadZipFile:
    return path.suffix == '.keras'


def _framework(file: WeightFile) -> str | None:
  """The framework that a file's name, its config.json or its graph gives away."""
  framework = file.metadata.get('framework')
  if framework == 'timm' and padding_of(file, '') == 'tf':
    return TIMM_TF
  if framework:
    return framework
  architecture = file.metadata.get('timm', {}).get('architecture', '')
  names = (architecture, file.path.name)
  if any(name.startswith(TF_PREFIX) for name in names):
    return TIMM_TF
  return None


def _class_names(fitted: Fitted, file: WeightFile) -> tuple[str, ...] | None:
  """What the file says, else ImageNet's WordNet ids where there are 1,000."""
  if not fitted.has_head:
    return None
  said = file.metadata.get('labels') or file.metadata.get('timm', {}).get('label_names')
  said = list(said or ())[fitted.label_offset :]
  if len(said) == fitted.model['num_classes']:
    return tuple(said)
  if fitted.model['num_classes'] == 1000:
    return tuple(wnid for wnid, _ in class_names.imagenet())
  return None
