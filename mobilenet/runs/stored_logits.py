"""A file of what a network says of photos: logits by the names of the photos.

It is NumPy's .npz with the arrays

  names: (N,) strings, the photos' paths relative to their folder, with / between,
  logits: (N, K) floats; a constant added to a row changes nothing,
  classes: (K,) strings, the names of the classes in the order of the logits,
  embeddings: (N, D) floats, only for --config.teacher.features; a common factor changes
    nothing.

`--job=logits` writes one, and so can any other program.
"""

import io
import pathlib
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mobilenet.training import files
from mobilenet.training.errors import TrainingError, require

_ARRAYS = ('names', 'logits', 'classes')
_EMBEDDINGS = 'embeddings'  # which a file may lack


class Stored(NamedTuple):
  """What a file holds; see the module."""

  names: tuple[str, ...]
  logits: np.ndarray
  classes: tuple[str, ...]
  embeddings: np.ndarray | None = None

  def of(self, names: Sequence[str], path: pathlib.Path) -> 'Stored':
    """The rows of the named photos, in the order of the names.

    Args:
      names: of photos.
      path: of the file, for the message.

    Raises:
      TrainingError: the file lacks some of them.
    """
    rows = {name: row for row, name in enumerate(self.names)}
    missing = [name for name in names if name not in rows]
    require(
      not missing,
      f'{path} has no logits of {len(missing):,} of the {len(names):,} photos, such as '
      f'{missing[0] if missing else ""!r}; write it anew for the same folder: '
      '--job=logits --data_dir=FOLDER',
    )
    places = [rows[name] for name in names]
    return self._replace(
      names=tuple(names),
      logits=self.logits[places],
      embeddings=None if self.embeddings is None else self.embeddings[places],
    )


def write(path: pathlib.Path, stored: Stored) -> None:
  """Writes the file as a whole, or not at all; embeddings as float16.

  Raises:
    TrainingError: it cannot be written, or an embedding is too large for float16.
  """
  arrays = {
    'names': np.asarray(stored.names),
    'logits': np.asarray(stored.logits, np.float32),
    'classes': np.asarray(stored.classes),
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
  )
