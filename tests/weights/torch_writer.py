"""Writes files of torch.save opcode by opcode, since torch is not at hand."""

import io
import itertools
import pickle
import struct
import zipfile
from typing import NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {
  'float64': 'DoubleStorage',
  'float32': 'FloatStorage',
  'float16': 'HalfStorage',
  'bfloat16': 'BFloat16Storage',
  'int64': 'LongStorage',
  'int32': 'IntStorage',
  'int16': 'ShortStorage',
  'int8': 'CharStorage',
  'uint8': 'ByteStorage',
  'bool': 'BoolStorage',
}


class Global(NamedTuple):
  name: str  # 'module name', as the opcode has it


class Call(NamedTuple):
  function: Global
  arguments: tuple
  state: object = None


class Stored(NamedTuple):
  """A storage: elements under a key, of which a view may be all that is named."""

  key: str
  elements: np.ndarray
  view: tuple | None = None
  count: int | None = None


def tensor(stored, shape, strides, offset=0, tail=(False, None)):
  return Call(
    Global('torch._utils _rebuild_tensor_v2'), (stored, offset, shape, strides, *tail)
  )


class Writer:
  """Pickles what torch.save pickles, and keeps the storages that it met."""

  def __init__(self, *, legacy=False):
    self.storages = {}
    self.legacy = legacy

  def program(self, value) -> bytes:
    match value:
      case Global():
        return b'c' + value.name.replace(' ', '\n').encode() + b'\n'
      case Call():
        state = self.program(value.state) + b'b' if value.state is not None else b''
        return (
          self.program(value.function) + self.program(value.arguments) + b'R' + state
        )
      case Stored():
        self.storages.setdefault(value.key, value.elements)
        dtype = Global('torch ' + STORAGES[value.elements.dtype.name])
        count = value.elements.size if value.count is None else value.count
        view = (value.view,) if self.legacy else ()
        return self.program(('storage', dtype, value.key, 'cpu', count, *view)) + b'Q'
      case tuple():
        return b'(' + b''.join(map(self.program, value)) + b't'
      case list():
        return b'](' + b''.join(map(self.program, value)) + b'e'
      case dict():
        pairs = itertools.chain.from_iterable(value.items())
        ordered = self.program(Call(Global('collections OrderedDict'), ()))
        return ordered + b'(' + b''.join(map(self.program, pairs)) + b'u'
      case _:  # numbers, text and None, of which pickle gives only the opcodes
        return pickle.dumps(value, protocol=2)[2:-1]

  def dumps(self, value) -> bytes:
    return b'\x80\x02' + self.program(value) + b'.'


def zip_bytes(value, *, prefix='archive/', order='little', compression=0) -> bytes:
  writer, out = Writer(), io.BytesIO()
  with zipfile.ZipFile(out, 'w', compression) as archive:
    archive.writestr(f'{prefix}data.pkl', writer.dumps(value))
    if order:
      archive.writestr(f'{prefix}byteorder', order)
    sign = '>' if order == 'big' else '<'
    for key, elements in writer.storages.items():
      if elements.dtype.kind in 'fiu':
        elements = elements.astype(elements.dtype.newbyteorder(sign))
      archive.writestr(f'{prefix}data/{key}', elements.tobytes())
    archive.writestr(f'{prefix}version', '3\n')
  return out.getvalue()


def legacy_bytes(value, *, keys=None) -> bytes:
  writer = Writer(legacy=True)
  sizes = {'protocol_version': 1001, 'little_endian': True}
  parts = [writer.dumps(part) for part in (MAGIC, 1001, sizes, value)]
  keys = list(writer.storages) if keys is None else keys
  parts.append(writer.dumps(keys))
  for key in keys:
    elements = writer.storages[key]
    parts.append(struct.pack('<q', elements.size) + elements.tobytes())
  return b''.join(parts)


FORMATS = {'zip': zip_bytes, 'legacy': legacy_bytes}


def whole(key, elements):
  elements = np.asarray(elements)
  strides = tuple(s // elements.itemsize for s in elements.strides)
  return tensor(Stored(key, elements.reshape(-1)), elements.shape, strides)


def floats(*shape):
  return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + 0.1
