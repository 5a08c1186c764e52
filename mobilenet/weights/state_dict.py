"""State dicts: found in a training checkpoint, cleaned of prefixes, made arrays."""

import math
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from mobilenet.weights.torch_archive import Saved
from mobilenet.weights.torch_pickle import StoredTensor
from mobilenet.weights.weight_file import WeightsError

# Where a state dict lies in a training checkpoint, the first that is there. Averages
# come first: a published accuracy is that of the average where one was kept (timm
# writes 'state_dict_ema', torchvision's reference training 'model_ema').
_WRAPPERS = (
  'state_dict_ema',
  'ema_state_dict',
  'model_ema',
  'ema_model',
  'params_ema',
  'ema',
  'state_dict',
  'model_state_dict',
  'model_state',
  'model',
  'network',
  'net',
  'weights',
  'params',
)

# Dicts of a checkpoint that hold tensors, and no network's.
_OF_TRAINING = re.compile('optim|sched|scaler|state')

# DataParallel, averaged models and torch.compile put the model one name deeper.
_PREFIXES = ('module.', '_orig_mod.')

# Step counts of BatchNorm and of an average: no part of the network.
_COUNTERS = ('num_batches_tracked', 'n_averaged')

# A tensor may show its storage many times over (strides of 0), so that a small file
# could ask for any memory. What the arrays need together is held to this share.
_MOST_BYTES = 2**28
_MOST_BYTES_PER_BYTE = 16


def read(saved: Saved, path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict]:
  """The arrays of a state dict, wherever it lies in what was saved.

  Returns:
    The arrays by name, and 'wrapper' and 'beside' as `torch_file.read_torch` says.

  Raises:
    WeightsError: there is none, or a tensor of it does not fit its storage.
  """
  stored, wrapper = _find(saved.object) or ({}, ())
  stored = clean(stored, path)
  if not stored:
    raise WeightsError(
      f'{path} has no state dict in it but {_content(saved.object)}; save one with '
      'torch.save(model.state_dict(), file)'
    )
  wanted = sum(math.prod(tensor.shape) * 4 for tensor in stored.values())
  if wanted > max(_MOST_BYTES, _MOST_BYTES_PER_BYTE * path.stat().st_size):
    raise WeightsError(
      f'{path} asks for {wanted:,} bytes of tensors, far more than it holds: its '
      'tensors repeat one storage; save them with .contiguous()'
    )
  tensors = {
    name: _array(name, tensor, saved.read(tensor.storage), saved.order, path)
    for name, tensor in stored.items()
  }
  return tensors, {'wrapper': wrapper, 'beside': _beside(saved.object, wrapper)}


def _find(saved: Any, depth: int = 0):
  """The stored tensors by name and the keys that led there, or None."""
  # Four levels are more than any trainer writes; a dict may hold itself.
  if not isinstance(saved, dict) or depth > 4:
    return None
  for key in _WRAPPERS:
    found = _find(saved.get(key), depth + 1)
    if found:
      return found[0], (key, *found[1])
  if tensors := _tensors(saved):
    return tensors, ()
  # Under a name that nobody else has, a state dict is known by its weights.
  others = [
    (key, _tensors(value))
    for key, value in saved.items()
    if type(key) is str and isinstance(value, dict) and not _OF_TRAINING.search(key)
  ]
  others = [
    (key, tensors)
    for key, tensors in others
    if any(name.endswith('.weight') for name in tensors)
  ]
  return (others[0][1], (others[0][0],)) if len(others) == 1 else None


def _tensors(saved: dict) -> dict[str, StoredTensor]:
  return {
    name: value
    for name, value in saved.items()
    if type(name) is str and type(value) is StoredTensor
  }


def _content(saved: Any) -> str:
  if isinstance(saved, dict):
    keys = ', '.join(ascii(key) for key in list(saved)[:6] if type(key) is str)
    return f'a dict of {len(saved)} entries ({keys or "no names"})'
  if type(saved) is StoredTensor:
    return 'a single tensor'
  return f'an object of type {type(saved).__name__.lstrip("_").lower()}'


def _beside(saved: dict, wrapper: tuple[str, ...]) -> dict[str, Any]:
  if not wrapper:
    return {}
  return {
    name: value
    for name, value in saved.items()
    if type(name) is str
    and (
      type(value) in (str, int, float, bool)
      or (type(value) is list and value and all(type(v) is str for v in value))
    )
  }


def clean(tensors: Mapping[str, Any], path) -> dict[str, Any]:
  """Without the wrappers' prefixes and without counters."""
  clean = {}
  for name, tensor in tensors.items():
    short = name
    while short.startswith(_PREFIXES):
      short = short.split('.', 1)[1]
    if short.rpartition('.')[2] in _COUNTERS:
      continue
    if short in clean:
      raise WeightsError(
        f'{path} has two tensors {short!a}, with and without a prefix of '
        f'{" or ".join(_PREFIXES)}: save one model in a file'
      )
    clean[short] = tensor
  return clean


def _array(name: str, tensor: StoredTensor, raw: bytes, order: str, path) -> np.ndarray:
  """A copy of the tensor's elements, as float32 where they are floats."""
  storage = tensor.storage
  dtype = np.dtype(order + storage.dtype.code)
  here = min(storage.start + storage.count, len(raw) // dtype.itemsize) - storage.start
  steps = [
    (size - 1) * stride
    for size, stride in zip(tensor.shape, tensor.strides, strict=True)
  ]
  empty = 0 in tensor.shape
  if not empty and tensor.offset + sum(steps) >= here:
    raise WeightsError(
      f'{path}: tensor {name!a} of shape {tensor.shape} reaches element '
      f'{tensor.offset + sum(steps)} of a storage of {max(here, 0)}: the file is '
      'damaged; fetch or save it again'
    )
  try:
    if empty:
      values = np.zeros(tensor.shape, dtype)
    else:
      # numpy holds shape and strides against the length of the buffer once more. The
      # stride of an axis of one element says nothing and may be any number.
      strides = [
        stride * dtype.itemsize if size > 1 else 0
        for size, stride in zip(tensor.shape, tensor.strides, strict=True)
      ]
      start = (storage.start + tensor.offset) * dtype.itemsize
      values = np.ndarray(tensor.shape, dtype, raw, start, strides)
    if storage.dtype.name == 'bfloat16':
      # The upper half of a float32.
      return np.asarray(values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return as_float32(values)
  except (ValueError, OverflowError, MemoryError) as error:
    raise WeightsError(
      f'{path}: tensor {name!a} has no possible shape: the file is damaged'
    ) from error


def as_float32(values: np.ndarray) -> np.ndarray:
  """A contiguous native copy; floats of every width as float32."""
  if values.dtype.kind == 'f' or values.dtype.name == 'bfloat16':
    with np.errstate(over='ignore'):  # a float64 beyond float32 becomes infinite
      return values.astype(np.float32, order='C')
  return values.astype(values.dtype.newbyteorder('='), order='C')
