"""The two file formats of torch.save: a zip, and the older chain of pickles.

The zip holds `data.pkl` and one stored entry per storage under `data/`; the older
format is four pickles, the list of storages, and then their raw data. Layout:
https://github.com/pytorch/pytorch/blob/main/torch/serialization.py
"""

import io
import pathlib
import struct
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from mobilenet.weights import torch_pickle
from mobilenet.weights.torch_pickle import Storage
from mobilenet.weights.weight_file import WeightsError

# The older format begins with a pickled number; the bytes before these name the
# pickle's protocol, which the writer may choose.
LEGACY_MAGIC = b'\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'


class Saved(NamedTuple):
  """What a file holds: the object of torch.save with its tensors still on disk.

  read: gives the raw bytes of a storage, as long as the file is open.
  order: their byte order, '<' or '>'.
  """

  object: Any
  read: Callable[[Storage], bytes]
  order: str


def is_torch_zip(path: str | pathlib.Path) -> bool:
  """Whether `path` is a zip with a data.pkl, as torch.save writes since 1.6."""
  try:
    with zipfile.ZipFile(path) as archive:
      return _prefix(archive) is not None
  except (OSError, ValueError, zipfile.BadZipFile):
    return False


def is_torch_legacy(head: bytes) -> bool:
  """Whether a file that begins with `head` (32 bytes or more) is torch's older one."""
  return head[:1] == b'\x80' and LEGACY_MAGIC in head[:32]


def _prefix(archive: zipfile.ZipFile) -> str | None:
  """The folder in the archive that holds data.pkl, with its slash."""
  names = [
    name
    for name in archive.namelist()
    if name == 'data.pkl' or name.endswith('/data.pkl')
  ]
  return min(names, key=len).removesuffix('data.pkl') if names else None


def open_zip(archive: zipfile.ZipFile, path) -> Saved:
  """Opens what torch.save has written since 1.6; `path` is for errors."""
  prefix = _prefix(archive)
  if prefix is None:
    raise WeightsError(f'{path} is a zip without data.pkl: torch.save did not write it')
  names = set(archive.namelist())
  if f'{prefix}constants.pkl' in names:
    raise WeightsError(
      f'{path} is a TorchScript archive (code and weights); save the weights alone: '
      'torch.save(torch.jit.load(file).state_dict(), new_file)'
    )

  def entry(name: str) -> bytes:
    if prefix + name not in names:
      raise WeightsError(f'{path} lacks its entry {name!a}: save it again')
    # torch.save stores. Of a packed entry the size is known only once it has filled
    # the memory.
    if archive.getinfo(prefix + name).compress_type != zipfile.ZIP_STORED:
      raise WeightsError(f'{path} was packed again; save it anew with torch.save')
    try:
      return archive.read(prefix + name)
    except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError) as error:
      raise WeightsError(
        f'{path} is damaged at its entry {name!a}: fetch or save it again'
      ) from error

  order = entry('byteorder') if f'{prefix}byteorder' in names else b'little'
  if order not in (b'little', b'big'):
    raise WeightsError(f'{path} has the byte order {order!a}, not little or big')
  saved, _ = torch_pickle.load(io.BytesIO(entry('data.pkl')), path)
  cached: dict[str, bytes] = {}

  def read(storage: Storage) -> bytes:
    if storage.key not in cached:
      cached[storage.key] = entry(f'data/{storage.key}')
    return cached[storage.key]

  return Saved(saved, read, '<' if order == b'little' else '>')


def open_legacy(file: BinaryIO, path) -> Saved:
  """Opens the older format, little-endian on every machine."""
  for _ in ('magic number', 'protocol', 'sizes of types'):
    torch_pickle.load(file, path)
  saved, storages = torch_pickle.load(file, path)
  keys, _ = torch_pickle.load(file, path)
  if not isinstance(keys, list):
    raise WeightsError(
      f'{path} is damaged: its list of storages is none; fetch it anew'
    )
  position, end = file.tell(), path.stat().st_size
  places: dict[str, tuple[int, int]] = {}
  for key in keys:
    file.seek(position)
    count = file.read(8)
    # A key that no tensor names has no type, and so no length in bytes.
    if len(count) < 8 or type(key) is not str or key not in storages:
      raise WeightsError(_short(path, len(places), len(keys)))
    (count,) = struct.unpack('<q', count)
    length = count * storages[key].dtype.itemsize
    if count < 0 or position + 8 + length > end:
      raise WeightsError(_short(path, len(places), len(keys)))
    places[key] = (position + 8, length)
    position += 8 + length
  cached: dict[str, bytes] = {}

  def read(storage: Storage) -> bytes:
    if storage.key not in places:
      raise WeightsError(f'{path} lacks the data of a tensor: fetch or save it again')
    if storage.key not in cached:
      start, length = places[storage.key]
      file.seek(start)
      cached[storage.key] = file.read(length)
    return cached[storage.key]

  return Saved(saved, read, '<')


def _short(path, whole: int, listed: int) -> str:
  return (
    f'{path} is cut short or damaged: {whole} of its {listed} storages are whole; '
    'fetch or save it again'
  )
