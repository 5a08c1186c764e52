"""What is in the local copy of a workdir (see `mirror`), and what has changed."""

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
from collections.abc import Iterable

from mobilenet.training import files
from mobilenet.training.bucket import UNFINISHED
from mobilenet.training.workdir import CHECKPOINTS_FOLDER

OWNER_FILE = '.owner'  # never sent: the name under which the copy was last sent
_CHECKPOINT = re.compile(rf'(?:.+/)?{CHECKPOINTS_FOLDER}/[0-9]+(?=/)')
_ATTEMPTS = 10  # while a checkpoint is removed

# Path -> size and time of the last change; None where they are not known.
Stamps = dict[str, tuple[int, int] | None]


def stamps(folder: pathlib.Path) -> Stamps:
  """The files that are to be sent: all but those that are still being written."""
  found = {}
  for parent, folders, names in os.walk(folder):
    folders[:] = [name for name in folders if not _stays(name)]
    for name in names:
      path = pathlib.Path(parent, name)
      with contextlib.suppress(FileNotFoundError):
        if not _stays(name):
          told = path.stat()
          found[path.relative_to(folder).as_posix()] = told.st_size, told.st_mtime_ns
  return found


def checkpoint_of(path: str) -> str | None:
  """'best/checkpoints/7/state/d' -> 'best/checkpoints/7'."""
  found = _CHECKPOINT.match(path)
  return found and found.group()


def checkpoints(found: Stamps) -> dict[str, Stamps]:
  """The folders of checkpoints among files -> their files."""
  folders: dict[str, Stamps] = {}
  for path, stamp in found.items():
    if name := checkpoint_of(path):
      folders.setdefault(name, {})[path] = stamp
  return folders


def link(folder: pathlib.Path, to: pathlib.Path, known: Stamps) -> dict[str, Stamps]:
  """Links the checkpoints to another folder, where nobody removes them.

  Returns:
    As `checkpoints`: those that `folder` holds. `to` has those of which a file is not
    `known`.

  Raises:
    WriteError: they cannot be linked.
  """
  for _ in range(_ATTEMPTS):
    files.remove(to)
    found = checkpoints(stamps(folder))
    try:
      for those in found.values():
        if any(known.get(path) != stamp for path, stamp in those.items()):
          for path in those:
            _link(folder / path, to / path)
    except FileNotFoundError:
      continue
    except OSError as error:
      raise files.write_error(to, error) from error
    now = checkpoints(stamps(folder))
    if all(now.get(name) == those for name, those in found.items()):
      return found
  raise files.WriteError(folder, 'its checkpoints come and go', 'save them less often')


def digest(folder: pathlib.Path, paths: Iterable[str]) -> str:
  """A hash of files, with their paths."""
  found = hashlib.blake2b(digest_size=16)
  for path in sorted(paths):
    with open(folder / path, 'rb') as file:
      found.update(f'{path}\0{os.fstat(file.fileno()).st_size}\0'.encode())
      while part := file.read(1 << 20):
        found.update(part)
  return found.hexdigest()


def remove_all_but(folder: pathlib.Path, kept: Iterable[str]) -> None:
  """Removes all other files, and the folders that are empty then.

  Raises:
    OSError: a file cannot be removed.
  """
  kept = {folder / path for path in kept}
  for parent, folders, names in os.walk(folder, topdown=False):
    for name in names:
      if (path := pathlib.Path(parent, name)) not in kept:
        path.unlink()
    for name in folders:
      with contextlib.suppress(OSError):  # not empty
        os.rmdir(os.path.join(parent, name))


def _link(path: pathlib.Path, to: pathlib.Path) -> None:
  to.parent.mkdir(parents=True, exist_ok=True)
  try:
    os.link(path, to)
  except FileNotFoundError:
    raise
  except OSError:  # a file system without links
    shutil.copy2(path, to)


def _stays(name: str) -> bool:
  return name.endswith((UNFINISHED, OWNER_FILE)) or '.orbax-checkpoint-tmp' in name
