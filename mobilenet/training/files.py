"""Files that are written whole or not at all, and what a failure says."""

import contextlib
import errno
import os
import pathlib
import shutil
from collections.abc import Iterator

from mobilenet.training.errors import TrainingError

_A_FILE_IS_THERE = (
  'a file is where a folder must be: move it away, or choose another folder'
)
_A_FOLDER_IS_THERE = 'a folder is where a file must be: move it away'

_REMEDIES = {
  errno.ENOSPC: 'free some space and run the same command again',
  errno.EFBIG: 'choose a folder on a disk that takes files of this size',
  errno.EDQUOT: 'free some of the quota and run the same command again',
  errno.EROFS: 'choose a folder that can be written',
  errno.EACCES: 'choose a folder that can be written',
  errno.EPERM: 'choose a folder that can be written',
  errno.ENOTDIR: _A_FILE_IS_THERE,
  errno.EEXIST: _A_FILE_IS_THERE,
  errno.EISDIR: _A_FOLDER_IS_THERE,
}


_READ_REMEDIES = {
  errno.ENOTDIR: _A_FILE_IS_THERE,
  errno.EISDIR: _A_FOLDER_IS_THERE,
}

# Of writing, those that are the same a minute later.
_LASTING = {
  *(errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG),
  *(errno.ENOTDIR, errno.EEXIST, errno.EISDIR),
}


class WriteError(TrainingError):
  """Something cannot be written.

  path: what. reason: the system's words. lasting: whether waiting does not mend it.
  """

  def __init__(
    self, path: str | os.PathLike, reason: str, remedy: str, *, lasting: bool = False
  ):
    super().__init__(f'cannot write {path}: {reason}; {remedy}')
    self.path, self.reason, self.lasting = path, reason, lasting


def write_error(path: str | os.PathLike, error: OSError) -> WriteError:
  """The one line a person gets when `path` cannot be written."""
  remedy = _REMEDIES.get(error.errno, 'make it writable and run the same command again')
  return WriteError(path, _reason(error), remedy, lasting=error.errno in _LASTING)


def read_error(path: str | os.PathLike, error: OSError) -> TrainingError:
  """The one line a person gets when `path` is there and cannot be read."""
  remedy = _READ_REMEDIES.get(error.errno, 'make it readable')
  return TrainingError(f'cannot read {path}: {_reason(error)}; {remedy}')


@contextlib.contextmanager
def reading(path: str | os.PathLike, remedy: str) -> Iterator[None]:
  """While entered, what is wrong with a file's contents becomes one line.

  Args:
    path: of a file that this project wrote.
    remedy: what a person can do where it is damaged.

  Raises:
    TrainingError: it cannot be read, or holds something else.
  """
  try:
    yield
  except OSError as error:
    raise read_error(path, error) from error
  except (ValueError, KeyError, TypeError, RecursionError) as error:
    raise TrainingError(f'{path} is damaged ({error}): {remedy}') from error


def typed(path: pathlib.Path) -> pathlib.Path:
  """As a person types it: relative, if it is below the current folder."""
  here = pathlib.Path.cwd()
  return path.relative_to(here) if path.is_relative_to(here) else path


def replace_file(path: str | os.PathLike, data: bytes) -> pathlib.Path:
  """Puts `data` at `path`, making its folder; a reader sees the old file or the new.

  The bytes reach the disk under a temporary name in the same folder before the
  rename, so that neither a kill nor a full disk damages what was there before.

  Raises:
    TrainingError: the folder or the file cannot be written; the old file stays.
  """
  path = pathlib.Path(path)
  temporary = path.with_name(f'{path.name}.{os.getpid()}.tmp')
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
      with open(temporary, 'wb') as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
      os.replace(temporary, path)
    finally:
      temporary.unlink(missing_ok=True)
  except OSError as error:
    raise write_error(path, error) from error
  return path


def replace(draft: pathlib.Path, path: pathlib.Path) -> None:
  """Moves a file or a folder to `path`, in place of what is there.

  Raises:
    OSError: it cannot be moved; what was there stays.
  """
  if not (draft.is_dir() and path.is_dir()):
    os.replace(draft, path)
    return
  # A folder takes no other's place: the old one leaves it first.
  old = draft.with_name(f'{draft.name}.old')
  os.replace(path, old)
  try:
    os.replace(draft, path)
  except OSError:
    os.replace(old, path)
    raise
  shutil.rmtree(old, ignore_errors=True)


def remove(path: pathlib.Path) -> None:
  """Removes a file, or a folder with all in it, if there is one."""
  if path.is_dir():
    shutil.rmtree(path, ignore_errors=True)
  else:
    path.unlink(missing_ok=True)


def size(path: pathlib.Path) -> int:
  """Bytes of a file, or of all files in a folder."""
  if path.is_dir():
    return sum(file.stat().st_size for file in path.rglob('*') if file.is_file())
  return path.stat().st_size


@contextlib.contextmanager
def together(folder: str | os.PathLike, last: str) -> Iterator[pathlib.Path]:
  """A folder for files of which all move to `folder` at the end, or none.

  with together(run, last='config.json') as draft:
    write_classes(draft, names)
    write_config(draft, config)

  An error inside leaves `folder` as it was, or missing. The file `last` moves after all
  others: where it is, they are.

  Raises:
    TrainingError: `folder` cannot be written.
  """
  folder = pathlib.Path(folder)
  draft = folder.with_name(f'{folder.name}.{os.getpid()}.tmp')
  try:
    draft.mkdir(parents=True)
  except OSError as error:
    raise write_error(folder, error) from error
  try:
    yield draft
    _move(draft, folder, last)
  finally:
    shutil.rmtree(draft, ignore_errors=True)


def _move(draft: pathlib.Path, folder: pathlib.Path, last: str) -> None:
  try:
    if not folder.exists():
      draft.rename(folder)
      return
    for path in sorted(draft.iterdir(), key=lambda path: path.name == last):
      os.replace(path, folder / path.name)
  except OSError as error:
    raise write_error(folder, error) from error


def _reason(error: OSError) -> str:
  return error.strerror or str(error) or type(error).__name__
