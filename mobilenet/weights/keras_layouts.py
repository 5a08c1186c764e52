"""The two layouts of HDF5 that Keras has written, as layers with their arrays.

Legacy (Keras 1 to 3, `.h5`): a group a layer, listed in the attribute 'layer_names',
its arrays listed in 'weight_names'; a nested model is one group. Keras 3
(`.weights.h5`, also inside `.keras`): groups 'layers/<class>_<number>/vars/<n>', nested
models inside, with the layer's name as an attribute in newer files only.
"""

import dataclasses
import re
from typing import Any

import numpy as np

from mobilenet.weights.keras_graph import MODELS, children, flatten, name_of
from mobilenet.weights.keras_names import is_known

NORM = ('gamma', 'beta', 'mean', 'variance')
# What Keras 3 calls the layers of a class, and the order of their arrays.
CLASSES = {
  'Conv2D': ('conv2d', ('kernel', 'bias')),
  'DepthwiseConv2D': ('depthwise_conv2d', ('kernel', 'bias')),
  'Dense': ('dense', ('kernel', 'bias')),
  'BatchNormalization': ('batch_normalization', NORM),
  'Normalization': ('normalization', ('mean', 'variance', 'count')),
}
ORDERS = dict(CLASSES.values())
VARIABLES = {
  'depthwise_kernel': 'kernel',
  'moving_mean': 'mean',
  'moving_variance': 'variance',
}
# Where Keras 3 and the `.keras` files of TensorFlow 2.12 to 2.14 keep layers.
CONTAINERS = ('layers', '_layer_checkpoint_dependencies')
LARGEST = 2**30  # bytes of one array; the largest in a MobileNet has 10 M


@dataclasses.dataclass(frozen=True)
class Stored:
  """A layer of a file: its name ('' if the file has none), class and arrays."""

  name: str
  kind: str  # as 'conv2d'; '' in the legacy layout, which doesn't say
  arrays: dict[str, np.ndarray]
  model: str = ''  # the nested model that it is part of


def legacy(group) -> list[Stored]:
  """Layers of a legacy group that have arrays, in the order of the model."""
  layers = []
  for name in _strings(group, 'layer_names'):
    paths = _strings(_member(group, name), 'weight_names')
    owners = {}
    for path in paths:
      owner, _, variable = path.split(':')[0].rpartition('/')
      owners.setdefault(_owner(owner), {})[variable] = _array(group, f'{name}/{path}')
    nested = len(owners) > 1
    for owner, arrays in owners.items():
      arrays = {VARIABLES.get(key, key): array for key, array in arrays.items()}
      arrays = _floats(arrays)
      if arrays:
        # A layer that isn't a model is called what the model calls it: the paths of
        # its arrays may have the names of a graph ('conv1_1/kernel:0').
        layers.append(
          Stored(owner if nested else name, '', arrays, name if nested else '')
        )
  return layers


def keras3(root, config: dict | None) -> list[Stored]:
  """Layers of a Keras 3 file that have arrays.

  config: the model's configuration where there is one. Names come from it where the
    file has none, and the order of layers; otherwise only the order among layers of one
    class is known.
  """
  layers = _container(root, config, '')
  if config:
    order = {node.name: n for n, node in enumerate(flatten(config))}
    layers.sort(key=lambda layer: order.get(layer.name, len(order)))
  return layers


def _container(group, config, model) -> list[Stored]:
  at = next((name for name in CONTAINERS if name in group), None)
  if at is None:
    return []
  found = {}
  for key in sorted(_member(group, at), key=_number):
    kind = re.sub(r'_\d+$', '', key)
    member = _member(group, f'{at}/{key}')
    if any(name in member for name in CONTAINERS):
      if _has_arrays(member):
        found.setdefault('model', []).append(member)
    elif len(member.get('vars', ())):
      found.setdefault(kind, []).append(member)
  configs = _configs(config)
  layers = []
  for kind, members in found.items():
    known = configs.get(kind, [])
    known = known if len(known) == len(members) else [None] * len(members)
    for member, own in zip(members, known, strict=True):
      name = text(member['vars'].attrs.get('name', '')) if 'vars' in member else ''
      name = name or (name_of(own) if own else '')
      if kind == 'model':
        layers += _container(member, own, name or 'model')
      else:
        layers.append(Stored(name, kind, _variables(member['vars'], kind), model))
  return layers


def _configs(config) -> dict[str, list]:
  """Configurations of the layers that have arrays, by the class of their groups."""
  found = {}
  for layer in children(config) if config else []:
    kind = layer['class_name']
    if kind in CLASSES:
      found.setdefault(CLASSES[kind][0], []).append(layer)
    elif kind in MODELS and _weighted(layer):
      found.setdefault('model', []).append(layer)
  return found


def _weighted(config) -> bool:
  return any(
    _weighted(layer)
    if layer['class_name'] in MODELS
    else layer['class_name'] in CLASSES
    for layer in children(config)
  )


def _has_arrays(group) -> bool:
  at = next((name for name in CONTAINERS if name in group), None)
  return at is not None and any(
    _has_arrays(member) or len(member.get('vars', ())) for member in group[at].values()
  )


def _variables(group, kind: str) -> dict[str, np.ndarray]:
  keys = sorted(group, key=int)
  order = ORDERS.get(kind, ())
  if len(keys) > len(order) or (order == NORM and len(keys) != len(NORM)):
    order = tuple(f'{kind} {key}' for key in keys)  # told as unknown later
  return _floats(
    {name: _array(group, key) for name, key in zip(order, keys, strict=False)}
  )


def _floats(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Without integers: states of random generators and counters."""
  return {key: array for key, array in arrays.items() if array.dtype.kind not in 'iu'}


def _owner(path: str) -> str:
  """The layer in 'model/layer'; Keras 2's names of V3's layers have slashes too."""
  parts = path.split('/')
  tails = ['/'.join(parts[n:]) for n in range(len(parts))]
  return next((tail for tail in tails if is_known(tail)), tails[-1])


def _number(key: str) -> tuple[str, int]:
  kind, _, number = key.rpartition('_')
  return (kind, int(number)) if number.isdigit() else (key, 0)


def _strings(group, name: str) -> list[str]:
  """An attribute of many strings, which Keras splits where HDF5's limit demands it."""
  if name in group.attrs:
    return [text(item) for item in group.attrs[name]]
  chunks, found = 0, []
  while f'{name}{chunks}' in group.attrs:
    found += [text(item) for item in group.attrs[f'{name}{chunks}']]
    chunks += 1
  return found


def text(value: Any) -> str:
  """HDF5's strings come as bytes from some writers."""
  return value.decode() if isinstance(value, bytes) else str(value)


def _member(group, path: str):
  """A member that lies in this very file: links to other files are refused."""
  import h5py

  for part in filter(None, path.split('/')):
    if not isinstance(group.get(part, getlink=True), h5py.HardLink):
      raise ValueError(f'{path!r} is missing, or a link')
    group = group[part]
  return group


def _array(group, path: str) -> np.ndarray:
  dataset = _member(group, path)
  if dataset.external or dataset.is_virtual:
    raise ValueError(f'{path!r} lies in another file')
  if dataset.nbytes > LARGEST:
    raise ValueError(f'{path!r} has {dataset.nbytes:,} bytes')
  if dataset.dtype.kind not in 'fiu':
    raise ValueError(f'{path!r} is stored as {dataset.dtype}; float32 is read')
  return dataset[()]
