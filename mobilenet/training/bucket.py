"""A folder in a bucket (gs://, s3://) or any other store that fsspec knows."""

import contextlib
import os
import pathlib
from collections.abc import Iterable, Iterator

from mobilenet.training import files
from mobilenet.training.errors import TrainingError, require

UNFINISHED = '.tmp'  # the end of the name of a file that is still written
# Of errors, those that are the same a minute later: no right to write, no such bucket.
_LASTING = (PermissionError, FileNotFoundError)


class BucketError(files.WriteError):
  """Something there cannot be read or written."""

  def __init__(self, verb: str, what: str, error: Exception):
    lasting = isinstance(error, _LASTING)
    super().__init__(what, _reason(error), '', lasting=lasting)
    self.args = (f'cannot {verb} {what}: {self.reason}',)


class Bucket:
  """The files under an address, by their paths from there ('checkpoints/7/state').

  A file that is being sent is seen as a whole or not at all, as buckets promise.

  Args:
    address: 's3://BUCKET/runs/x'.

  Raises:
    TrainingError: the package for this store is missing, or it cannot be opened.
  """

  def __init__(self, address: str):
    self.address = address
    try:
      import fsspec

      # The only store with folders, which have to be made.
      options = {'auto_mkdir': True} if address.startswith('file://') else {}
      self._store, self._root = fsspec.url_to_fs(address, **options)
    except ImportError as error:
      raise TrainingError(
        f'{address} needs a package ({error}): pip install -r requirements-bucket.txt'
      ) from error
    # Every store has its own errors here and below, and no common kind of them.
    except Exception as error:
      raise TrainingError(f'cannot open {address}: {_reason(error)}') from error

  def files(self) -> set[str]:
    """The paths of all files.

    Raises:
      BucketError: they cannot be listed.
    """
    with self._telling('read'):
      self._store.invalidate_cache()
      found = self._store.find(self._root)
    paths = {path[len(self._root) :].lstrip('/') for path in found}
    for path in paths:
      require('..' not in path.split('/'), f'{self.address} holds a file named {path}')
    return {path for path in paths if path and not path.endswith('/')}

  def read(self, path: str) -> bytes | None:
    """The contents of a file; None where there is none.

    Raises:
      BucketError: it cannot be read.
    """
    with self._telling('read', f'{self.address}/{path}'):
      try:
        return self._store.cat_file(self._there(path))
      except FileNotFoundError:
        return None

  def write(self, path: str, data: bytes) -> None:
    """Puts `data` there.

    Raises:
      BucketError: it cannot be written.
    """
    with self._telling('write', f'{self.address}/{path}'):
      self._store.pipe_file(self._there(path), data)

  def send(self, folder: pathlib.Path, paths: Iterable[str]) -> None:
    """Copies files of a local folder there, several at a time.

    Raises:
      BucketError: one is not here any more, or cannot be written.
    """
    paths = list(paths)
    with self._telling('write'):
      here = [str(folder / path) for path in paths]
      self._store.put(here, [self._there(path) for path in paths])

  def fetch(self, folder: pathlib.Path, paths: Iterable[str]) -> None:
    """Copies files to a local folder, each whole or not at all.

    Raises:
      BucketError: one is not there any more, or cannot be read or written.
    """
    paths = list(paths)
    with self._telling('read'):
      here = [f'{folder / path}{UNFINISHED}' for path in paths]
      for parent in {os.path.dirname(path) for path in here}:
        os.makedirs(parent, exist_ok=True)
      self._store.get([self._there(path) for path in paths], here)
      for path in here:
        os.replace(path, path.removesuffix(UNFINISHED))

  def remove(self, paths: Iterable[str]) -> None:
    """Removes files, of which some may be gone.

    Raises:
      BucketError: one cannot be removed.
    """
    with self._telling('write'):
      for path in paths:
        with contextlib.suppress(FileNotFoundError):
          self._store.rm_file(self._there(path))

  def _there(self, path: str) -> str:
    return f'{self._root.rstrip("/")}/{path}'

  @contextlib.contextmanager
  def _telling(self, verb: str, what: str | None = None) -> Iterator[None]:
    try:
      yield
    except Exception as error:
      raise BucketError(verb, what or self.address, error) from error


def _reason(error: Exception) -> str:
  return ' '.join(str(error).split()) or type(error).__name__
