"""A file of what a network says of photos: logits by the names of the photos.

It is NumPy's .npz with the arrays

  names: (N,) strings, the photos' paths relative to their folder, with / between,
  logits: (N, K) floats; of classes, a constant added to a row changes nothing; of tags
    each has a sigmoid of its own; K is 0 where a network names no classes,
  classes: (K,) strings, the names of the classes or tags in the order of the logits,
  embeddings: (N, D) floats, only for --config.teacher.features; a common factor changes
    nothing.

`--job=logits` writes one, and so can any other program. Two arrays more tell the photos
from others of the same names; without them, names are all that is compared:

  photos: (P,) strings, the paths of all photos, also of those that could not be read,
    which have no logits,
  files: (P, 2) integers, the size of each file in bytes and the CRC-32 of its end
    (`overlap.end`); -1 and 0 where it could not be looked at.
"""

import io
import os
import pathlib
import types
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mobilenet.runs import overlap
from mobilenet.training import files
from mobilenet.training.errors import TrainingError, require

_ARRAYS = ('names', 'logits', 'classes')
_EMBEDDINGS = 'embeddings'  # which a file may lack


class Stored(NamedTuple):
  """What a file holds; see the module. files: path of a photo -> its two numbers."""

  names: tuple[str, ...]
  logits: np.ndarray
  classes: tuple[str, ...]
  embeddings: np.ndarray | None = None
  files: Mapping[str, tuple[int, int]] = types.MappingProxyType({})

  def of(self, names: Sequence[str], path: pathlib.Path) -> 'Stored':
    """The rows of the named photos, in the order of the names.

    Zeros where a photo could not be read when they were computed: `check` raises if it
    can be now, and training leaves it out.

    Args:
      names: of photos.
      path: of the file, for the message.

    Raises:
      TrainingError: the file lacks some of them.
    """
    rows = {name: row for row, name in enumerate(self.names)}
    missing = [name for name in names if name not in rows and name not in self.files]
    require(
      not missing,
      f'{path} has no logits of {len(missing):,} of the {len(names):,} photos, such as '
      f'{missing[0] if missing else ""!r}; write it anew for the same folder: '
      '--job=logits --data_dir=FOLDER',
    )
    none = len(self.names)  # the place of a row of zeros
    places = [rows.get(name, none) for name in names]

    def chosen(array):
      zeros = np.zeros((1, array.shape[1]), array.dtype)
      return np.concatenate([array, zeros])[places]

    return self._replace(
      names=tuple(names),
      logits=chosen(self.logits),
      embeddings=None if self.embeddings is None else chosen(self.embeddings),
    )

  def check(self, folder: str, names: Sequence[str], path: pathlib.Path) -> None:
    """Checks that the photos are those whose logits these are.

    Args:
      folder: of the photos.
      names: of them.
      path: of the file, for the message.

    Raises:
      TrainingError: there are none of some, or the photos are others.
    """
    self.of(names, path)
    known = [name for name in names if name in self.files]
    now = zip(known, looked_at(folder, known), strict=True)
    others = [name for name, numbers in now if tuple(self.files[name]) != numbers]
    first = others[0] if others else ''
    require(
      not others,
      f'{path} is of other photos: {len(others):,} of {len(names):,} have the same '
      f'names and other content, such as {first!r}; write it anew for this folder: '
      '--job=logits --data_dir=FOLDER',
    )


def looked_at(folder: str, names: Sequence[str]) -> list[tuple[int, int]]:
  """Of each photo its size in bytes and the CRC-32 of its end.

  (-1, 0) where it cannot be looked at.
  """
  found = []
  for name in names:
    path = os.path.join(folder, name)
    try:
      found.append((os.path.getsize(path), zlib.crc32(overlap.end(path))))
    except OSError:
      found.append((-1, 0))
  return found


def write(path: pathlib.Path, stored: Stored) -> None:
  """Writes the file as a whole, or not at all; embeddings as float16.

  Raises:
    TrainingError: it cannot be written, or an embedding is too large for float16.
  """
  arrays = {
    'names': np.asarray(stored.names),
    'logits': np.asarray(stored.logits, np.float32),
    'classes': np.asarray(stored.classes, str),
  }
  if stored.embeddings is not None:
    largest = float(np.abs(stored.embeddings).max(initial=0))
    require(
      largest <= float(np.finfo(np.float16).max),
      f'{path}: embeddings of up to {largest:.3g} cannot be stored as float16; leave '
      'out --embeddings, and give the network itself: --config.teacher.weights=...',
    )
    arrays[_EMBEDDINGS] = np.asarray(stored.embeddings, np.float16)
  data = io.BytesIO()
  arrays['photos'] = np.asarray(list(stored.files), str)
  looked = np.asarray(list(stored.files.values()), np.int64)
  arrays['files'] = looked.reshape(-1, 2)
  np.savez(data, **arrays)
  files.replace_file(path, data.getvalue())


def read(path: pathlib.Path) -> Stored:
  """Reads the file.

  Raises:
    TrainingError: it is not there, or is no such file.
  """
  try:
    with np.load(path) as arrays:
      names, logits, classes = (arrays[name] for name in _ARRAYS)
      embeddings = arrays.get(_EMBEDDINGS)
      looked = _files(arrays)
  except OSError as error:
    raise files.read_error(path, error) from error
  except (ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
    raise TrainingError(
      f'{path} is no file of logits (.npz with names, logits and classes); write one: '
      '--job=logits'
    ) from error
  require(
    names.ndim == classes.ndim == 1
    and {names.dtype.kind, classes.dtype.kind} == {'U'}
    and logits.dtype.kind == 'f'
    and logits.shape == (len(names), len(classes)),
    f'{path} has names {list(names.shape)}, logits {list(logits.shape)} and classes '
    f'{list(classes.shape)}: they must be strings [N], floats [N, K] and strings [K]',
  )
  require(
    embeddings is None
    or (
      embeddings.ndim == 2
      and len(embeddings) == len(names)
      and embeddings.dtype.kind == 'f'
    ),
    f'{path} has names {list(names.shape)} and embeddings '
    f'{list(np.shape(embeddings))}: these must be floats [N, D]',
  )
  for what, array in (('logits', logits), ('embeddings', embeddings)):
    if array is None:
      continue
    finite = np.isfinite(array).all(axis=1)
    require(
      bool(finite.all()),
      f'{path}: the {what} of {str(names[np.argmin(finite)])!r} are not finite; write '
      'the file anew',
    )
  return Stored(
    tuple(names.tolist()),
    logits.astype(np.float32),
    tuple(classes.tolist()),
    embeddings,
    looked,
  )


def _files(arrays) -> dict[str, tuple[int, int]]:
  if 'photos' not in arrays or 'files' not in arrays:
    return {}
  pairs = zip(arrays['photos'].tolist(), arrays['files'].tolist(), strict=True)
  return {str(name): (int(size), int(crc32)) for name, (size, crc32) in pairs}
