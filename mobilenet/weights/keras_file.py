"""Reads weights and models saved by Keras 2 and 3, and writes legacy `.h5` weights.

Only h5py is needed: a file is read as arrays and JSON, and nothing in it is run.
"""

import io
import itertools
import json
import os
import pathlib
import re
import tempfile
import zipfile
from collections.abc import Iterable, Mapping

import numpy as np

from mobilenet.weights import (
  keras_computation,
  keras_graph,
  keras_layouts,
  keras_names,
)
from mobilenet.weights.keras_layouts import Stored
from mobilenet.weights.weight_file import WeightFile, WeightsError

COUNTED = ('conv2d', 'depthwise_conv2d', 'batch_normalization', 'dense')
VARIABLES = ('kernel', 'bias', *keras_layouts.NORM)
STORED = {'mean': 'moving_mean', 'variance': 'moving_variance'}
DATA_NORM = {'mean', 'variance'}  # what a Normalization layer knows of its data
LARGEST = 2**32  # bytes of a member of a .keras file
ATTRIBUTE = 60_000  # bytes


def read_keras(path: str | pathlib.Path) -> WeightFile:
  """Reads a `.h5`, `.weights.h5` or `.keras` file.

  Arrays are called `<layer>/kernel|bias|gamma|beta|mean|variance` (depthwise kernels
  too), layers as `keras_names` has them. The layers of a nested MobileNet stand under
  their plain names; dense layers put on it are `head:0`, `head:1`, ... Where the file
  has no layer names, layers are `conv2d:0`, `batch_normalization:0`, ... by class and
  order.

  metadata has, where the file says so: 'application' (the name of the MobileNet model),
  'keras_version', 'unnamed' (True: see above), 'convolutions' of a network without
  names (from `keras_computation`) and what `keras_graph.describe` returns.

  Raises:
    WeightsError: no Keras file, a broken one, none with layers, or one with layers that
      no MobileNet and no dense head has.
  """
  path = pathlib.Path(path)
  try:
    layers, config, model, version = _read(path)
    tensors, head, said = _normalise(path, layers)
    if config:
      said.update(keras_graph.describe(config, head))
    if config and said['unnamed']:
      said['convolutions'] = keras_computation.describe(config)
  except WeightsError:
    raise
  except ModuleNotFoundError as error:
    raise WeightsError(
      f'{path} needs {error.name} to be read: pip install {error.name}'
    ) from error
  except Exception as error:  # h5py, zipfile and json each have their own
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    raise WeightsError(
      f'{path} is broken, or no Keras file: {reason}; fetch or save it again'
    ) from error
  models = [layer.model for layer in layers] + [model]
  application = next((name for name in models if 'mobilenet' in name.lower()), '')
  said = {'application': application, 'keras_version': version, **said}
  said = {key: value for key, value in said.items() if value}
  return WeightFile(path, 'keras', tensors, said)


def _read(path: pathlib.Path) -> tuple[list[Stored], dict | None, str, str]:
  """Layers, the model's configuration if there is one, its name, Keras's version."""
  import h5py

  if path.is_dir():
    raise WeightsError(f'{path} is a folder (a SavedModel?): save it as .keras or .h5')
  if not path.exists():
    raise WeightsError(f'{path} does not exist')
  if zipfile.is_zipfile(path):
    return _read_archive(path)
  if not h5py.is_hdf5(path):
    raise WeightsError(f'{path} is neither HDF5 nor a .keras archive, or it is cut off')
  with h5py.File(path, 'r') as file:
    if any(name in file for name in keras_layouts.CONTAINERS):
      name = file['vars'].attrs.get('name', '') if 'vars' in file else ''
      return keras_layouts.keras3(file, None), None, keras_layouts.text(name), ''
    group = file.get('model_weights', file)
    version = group.attrs.get('keras_version', file.attrs.get('keras_version', ''))
    config = file.attrs.get('model_config')
    config = json.loads(keras_layouts.text(config)) if config is not None else None
    if config and (training := file.attrs.get('training_config')):
      config['compile_config'] = json.loads(keras_layouts.text(training))
    name = keras_graph.name_of(config) if config else ''
    return keras_layouts.legacy(group), config, name, keras_layouts.text(version)


def _read_archive(path: pathlib.Path):
  import h5py

  with zipfile.ZipFile(path) as archive:
    members = archive.namelist()
    for name in ('config.json', 'metadata.json', 'model.weights.h5'):
      if name not in members:
        raise WeightsError(f'{path} is no .keras file: there is no {name} in it')
      if archive.getinfo(name).file_size > LARGEST:
        raise WeightsError(f'{path}: {name} in it is larger than {LARGEST:,} bytes')
    config = json.loads(archive.read('config.json'))
    version = json.loads(archive.read('metadata.json')).get('keras_version', '')
    weights = io.BytesIO(archive.read('model.weights.h5'))
  with h5py.File(weights, 'r') as file:
    layers = keras_layouts.keras3(file, config)
  return layers, config, keras_graph.name_of(config), version


def _normalise(path: pathlib.Path, layers: list[Stored]):
  """Tensors, the number of dense layers in a head of somebody's own, and metadata."""
  data_norms = [
    layer.name or layer.kind for layer in layers if set(layer.arrays) == DATA_NORM
  ]
  layers = [layer for layer in layers if set(layer.arrays) != DATA_NORM]
  if not layers:
    raise WeightsError(f'{path} has no layer with weights: was the model built?')
  classes = [_counted(layer) for layer in layers]
  unnamed = all(classes)
  spelled = keras_names.spelling(layer.name for layer in layers)
  names = [spelled.get(layer.name) for layer in layers]
  if unnamed:
    names = keras_names.numbered(classes)
  elif not spelled:  # another architecture: told by who looks for a MobileNet
    names = [layer.name for layer in layers]
  head = _head(layers, names) if spelled or unnamed else []
  for number, n in enumerate(head):
    names[n] = f'head:{number}'
  shapes = [layers[n].arrays['kernel'].shape for n in head]
  if any(one[1] != two[0] for one, two in itertools.pairwise(shapes)):
    raise WeightsError(
      f'{path}: the dense layers of the head do not follow one another, their kernels '
      f'are {shapes}; save a single chain, and as .keras, which knows its order'
    )
  tensors, unknown = {}, []
  for name, layer in zip(names, layers, strict=True):
    for variable, array in layer.arrays.items():
      if name is None or variable not in VARIABLES:
        unknown.append(f'{layer.name or layer.kind}/{variable}')
      elif f'{name}/{variable}' in tensors:
        raise WeightsError(
          f'{path} has {name}/{variable} twice: two models in one file'
        )
      else:
        tensors[f'{name}/{variable}'] = array
  if unknown:
    more = f' and {len(unknown) - 4} more' if len(unknown) > 4 else ''
    raise WeightsError(
      f'{path} has arrays of no MobileNet layer and no dense head: '
      f'{", ".join(unknown[:4])}{more}; save the model without these layers'
    )
  said = {'unnamed': unnamed, 'unknown_preprocessing': data_norms}
  # A network that somebody wrote has a head of its own like one that was put on.
  dense = classes.count('dense') if unnamed else len(head)
  return tensors, dense, said


def _head(layers: list[Stored], names: list[str | None]) -> list[int]:
  """Positions of the dense layers that somebody put on a MobileNet.

  V2 has one of its own: the only dense layer, within the MobileNet and by its name.
  """
  dense = [n for n, layer in enumerate(layers) if _rank(layer) == 2]
  nested = any(layer.model and _rank(layer) == 4 for layer in layers)
  if len(dense) == 1:
    within = bool(layers[dense[0]].model) == nested
    if within and names[dense[0]] in ('predictions', 'dense:0'):
      return []
  return dense


def _rank(layer: Stored) -> int:
  return layer.arrays['kernel'].ndim if 'kernel' in layer.arrays else 0


def _counted(layer: Stored) -> str | None:
  """The class of a layer whose name is none or only 'conv2d_3'.

  A dense layer is one by its kernel: a head has names where the rest has none.
  """
  name = layer.name or layer.kind
  kind = 'dense' if _rank(layer) == 2 else re.sub(r'_\d+$', '', name)
  return kind if kind in COUNTED else None


def write_keras(
  path: str | pathlib.Path,
  tensors: Mapping[str, np.ndarray],
  layers: Iterable[str],
) -> None:
  """Writes legacy HDF5 weights, which `load_weights` of Keras 2 and 3 reads.

  Args:
    path: ends in `.h5` and not in `.weights.h5`, by which Keras 3 knows the layout. The
      file appears whole or not at all.
    tensors: `<layer>/kernel|bias|gamma|beta|mean|variance`, in Keras's layouts.
    layers: Keras's names of the layers with weights, in the order of the model: Keras
      pairs by order, or by name with `by_name=True`.

  Raises:
    WeightsError: another ending, or tensors and layers that don't agree.
  """
  import h5py

  path = pathlib.Path(path)
  if path.suffix != '.h5' or path.name.endswith('.weights.h5'):
    raise WeightsError(f'{path} must end in .h5 (and not in .weights.h5) for Keras')
  owned = {name: {} for name in layers}
  for name, array in tensors.items():
    layer, _, variable = name.rpartition('/')
    if layer not in owned or variable not in VARIABLES:
      raise WeightsError(f'{path}: {name} belongs to no layer of the Keras model')
    owned[layer][variable] = array
  empty = [name for name, arrays in owned.items() if not arrays]
  if empty:
    raise WeightsError(f'{path}: no array for {", ".join(empty)}')
  handle, draft = tempfile.mkstemp(suffix='.part', dir=path.parent)
  os.close(handle)
  try:
    with h5py.File(draft, 'w') as file:
      # Without a version Keras takes the file for one of Keras 1 and turns kernels.
      file.attrs['keras_version'] = b'3.0.0'
      file.attrs['backend'] = b'tensorflow'
      _write_strings(file, 'layer_names', owned)
      for name, arrays in owned.items():
        group = file.create_group(name)
        variables = [variable for variable in VARIABLES if variable in arrays]
        keys = [f'{name}/{STORED.get(variable, variable)}:0' for variable in variables]
        _write_strings(group, 'weight_names', keys)
        for key, variable in zip(keys, variables, strict=True):
          group[key] = np.asarray(arrays[variable])
    os.chmod(draft, 0o666 & ~_umask())
    os.replace(draft, path)
  except BaseException:
    pathlib.Path(draft).unlink(missing_ok=True)
    raise


def _umask() -> int:
  """The process's: files made by `tempfile` are readable for their owner only."""
  mask = os.umask(0)
  os.umask(mask)
  return mask


def _write_strings(group, name: str, strings: Iterable[str]) -> None:
  """As Keras does: an attribute holds 64 KiB, so long lists are split."""
  data = np.array([text.encode() for text in strings])
  chunks = np.array_split(data, -(-data.nbytes // ATTRIBUTE))
  for n, chunk in enumerate(chunks):
    group.attrs[name if len(chunks) == 1 else f'{name}{n}'] = chunk
