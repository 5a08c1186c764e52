"""The pickle inside a PyTorch file, read as data: nothing that it names is run.

A pickle is a program for a stack machine that may import and call anything. Here the
names it may use are a literal table of stand-ins of our own; a name outside the table
ends the reading. The stand-ins are tuples and sealed classes, so that a pickle can't
change one of them for the files that are read later. Layout of the files:
https://github.com/pytorch/pytorch/blob/main/torch/serialization.py
"""

import io
import pathlib
import pickle
import pickletools
import re
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from mobilenet.weights.weight_file import WeightsError


class Dtype(NamedTuple):
  """An element type: PyTorch's name, numpy's code (bfloat16: its bits) and bytes."""

  name: str
  code: str
  itemsize: int


class Storage(NamedTuple):
  """A run of `count` elements that begins `start` elements into the data of `key`."""

  key: str
  dtype: Dtype
  count: int
  start: int


class StoredTensor(NamedTuple):
  """A tensor as a view of a storage; offset and strides in elements."""

  storage: Storage
  offset: int
  shape: tuple[int, ...]
  strides: tuple[int, ...]

  def __setstate__(self, state):
    """Old pickles set gradient flags and hooks on a tensor; weights have neither."""


class _Function(NamedTuple):
  call: Callable[..., Any]

  def __call__(self, *args):
    return self.call(*args)


class _Sealed(type):
  def __setattr__(cls, name, value):
    raise AttributeError(f'{cls.__name__} cannot be changed')


class _Dict(dict, metaclass=_Sealed):
  """OrderedDict; what a state dict carries as an attribute (_metadata) is dropped."""

  __slots__ = ()

  def __setstate__(self, state):
    pass


class _Parameter(metaclass=_Sealed):
  """torch.nn.Parameter: the tensor it is made of."""

  def __new__(cls, tensor, *gradient_flags):
    return tensor


class _Beside(metaclass=_Sealed):
  """Whatever lies beside the weights in a training checkpoint and is passed over."""

  __slots__ = ()

  def __new__(cls, *args):
    return object.__new__(cls)

  def __setstate__(self, state):
    pass


def _whole(values: Any) -> tuple[int, ...]:
  values = tuple(values)
  if not all(type(value) is int and value >= 0 for value in values):
    raise ValueError('shapes, strides and offsets are whole numbers')
  return values


def _tensor(storage, offset, size, stride, requires_grad=False, hooks=None, bits=None):
  """torch._utils._rebuild_tensor_v2; `bits` says if values wait to be negated."""
  if type(storage) is not Storage:
    raise TypeError('a tensor has a storage')
  if bits and any(bits.values()):
    raise ValueError('negated and conjugated views are not weights')
  (offset,), shape, strides = _whole([offset]), _whole(size), _whole(stride)
  if len(shape) != len(strides) or len(shape) > 32:
    raise ValueError('as many strides as axes')
  return StoredTensor(storage, offset, shape, strides)


def _retyped(storage, offset, size, stride, requires_grad, hooks, dtype, bits=None):
  """torch._utils._rebuild_tensor_v3: the storage is bytes, the tensor has the type."""
  if type(storage) is not Storage or storage.dtype.itemsize != 1 or storage.start:
    raise TypeError('a tensor of given type has a storage of bytes')
  storage = Storage(storage.key, dtype, storage.count // dtype.itemsize, 0)
  return _tensor(storage, offset, size, stride, requires_grad, hooks, bits)


def _first(tensor, *rest):
  return tensor


_DTYPES = {
  name: Dtype(name, code, itemsize)
  for name, code, itemsize in (
    ('float64', 'f8', 8),
    ('float32', 'f4', 4),
    ('float16', 'f2', 2),
    ('bfloat16', 'u2', 2),
    ('int64', 'i8', 8),
    ('int32', 'i4', 4),
    ('int16', 'i2', 2),
    ('int8', 'i1', 1),
    ('uint8', 'u1', 1),
    ('bool', '?', 1),
  )
}

_STORAGES = {
  'DoubleStorage': 'float64',
  'FloatStorage': 'float32',
  'HalfStorage': 'float16',
  'BFloat16Storage': 'bfloat16',
  'LongStorage': 'int64',
  'IntStorage': 'int32',
  'ShortStorage': 'int16',
  'CharStorage': 'int8',
  'ByteStorage': 'uint8',
  'BoolStorage': 'bool',
}

_GLOBALS: dict[tuple[str, str], Any] = {
  ('collections', 'OrderedDict'): _Dict,
  ('torch', 'Size'): _Function(tuple),
  ('torch._utils', '_rebuild_tensor'): _Function(_tensor),
  ('torch._utils', '_rebuild_tensor_v2'): _Function(_tensor),
  ('torch._utils', '_rebuild_tensor_v3'): _Function(_retyped),
  ('torch._utils', '_rebuild_parameter'): _Function(_first),
  ('torch._utils', '_rebuild_parameter_with_state'): _Function(_first),
  ('torch.nn.parameter', 'Parameter'): _Parameter,
  ('torch.storage', 'UntypedStorage'): _DTYPES['uint8'],
  **{('torch', name): dtype for name, dtype in _DTYPES.items()},
  **{('torch', name): _DTYPES[dtype] for name, dtype in _STORAGES.items()},
  **{('torch.cuda', name): _DTYPES[dtype] for name, dtype in _STORAGES.items()},
  # What the training scripts of timm and torchvision put beside the weights: their
  # flags, a metric as a numpy scalar, the milestones of a learning rate.
  ('argparse', 'Namespace'): _Beside,
  ('collections', 'Counter'): _Beside,
  ('numpy', 'dtype'): _Beside,
  ('numpy.core.multiarray', 'scalar'): _Beside,
  ('numpy._core.multiarray', 'scalar'): _Beside,
  ('_codecs', 'encode'): _Beside,
  ('__builtin__', 'set'): _Beside,
  ('builtins', 'set'): _Beside,
  ('torch', 'device'): _Beside,
}


# Complex, quantised, sparse and other types: as little run as the rest, but no attack.
_UNREAD_TENSOR = re.compile(r'\w+Storage|_rebuild_\w+|[a-z]+\d+\w*')


class _Unpickler(pickle.Unpickler):
  def __init__(self, data: bytes, path: pathlib.Path):
    # Files that Python 2 wrote hold byte strings for names.
    super().__init__(io.BytesIO(data), encoding='utf-8')
    self.path = path
    self.storages: dict[str, Storage] = {}

  def find_class(self, module, name):
    found = _GLOBALS.get((module, name))
    if found is None:
      named = ascii(f'{module}.{name}')
      if module.startswith('torch') and _UNREAD_TENSOR.fullmatch(name):
        raise WeightsError(
          f'{self.path} holds a kind of tensor that is not read ({named}); save dense '
          'tensors of floats: torch.save(model.float().state_dict(), file)'
        )
      raise WeightsError(
        f'{self.path} is a pickle that would run code ({named}): refused; plain '
        'tensors only are read, as torch.save(model.state_dict(), file) writes them'
      )
    return found

  def persistent_load(self, pid):
    kind, dtype, key, _device, count, *view = pid
    if kind != 'storage' or type(dtype) is not Dtype or type(key) is not str:
      raise ValueError('the one kind of persistent object is a storage')
    (count,) = _whole([count])
    whole = Storage(key, dtype, count, 0)
    self.storages.setdefault(key, whole)
    if view and view[0] is not None:
      _view_key, start, length = view[0]
      start, length = _whole([start, length])
      if start + length > count:
        raise ValueError('a view ends inside its storage')
      return Storage(key, dtype, length, start)
    return whole


def _next_pickle(file: BinaryIO) -> bytes:
  """The bytes up to the STOP of the pickle that begins where `file` stands."""
  start = file.tell()
  for opcode, argument, position in pickletools.genops(file):
    # The memo is a list: a far index in a few bytes would make it fill the memory.
    if opcode.name in ('PUT', 'BINPUT', 'LONG_BINPUT') and argument > position - start:
      raise ValueError('memo index out of order')
  end = file.tell()
  file.seek(start)
  return file.read(end - start)


def load(file: BinaryIO, path: pathlib.Path) -> tuple[Any, dict[str, Storage]]:
  """Reads one pickle and leaves `file` after it.

  Args:
    file: at the first byte of the pickle.
    path: the file that an error names.

  Returns:
    The object, with `StoredTensor` for a tensor and `_Beside` for what is passed over,
    and the storages it names, by key.

  Raises:
    WeightsError: the pickle names what is not in the table, is cut short or damaged.
  """
  try:
    unpickler = _Unpickler(_next_pickle(file), path)
    return unpickler.load(), unpickler.storages
  except WeightsError:
    raise
  except Exception as error:
    # A damaged pickle can fail as nearly any exception: each opcode has its own.
    raise WeightsError(
      f'{path} is cut short or damaged: its pickle cannot be read '
      f'({type(error).__name__}); fetch or save it again'
    ) from error
