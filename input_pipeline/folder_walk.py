"""What lies in a folder and in the folders below it.

Names of entries come with them from the folder itself; no file is looked at, so that a
hundred thousand of them are listed in less than a second.
"""

import collections
import os
import pathlib

# What macOS packs into a zip beside the files: hidden like a name with a dot.
_HIDDEN = ('__MACOSX',)


def visible_folders(folder: str | os.PathLike) -> list[str]:
  """The names of the folders in a folder and of the links to folders, sorted.

  Raises:
    OSError: it cannot be read.
  """
  return _visible(folder, folders=True)


def visible_files(folder: str | os.PathLike) -> list[str]:
  """The names of the files in a folder itself, sorted.

  Raises:
    OSError: it cannot be read.
  """
  return _visible(folder, folders=False)


def _visible(folder, folders: bool) -> list[str]:
  with os.scandir(folder) as entries:
    return sorted(
      e.name for e in entries if _is_visible(e.name) and e.is_dir() == folders
    )


def files_below(folder: str | os.PathLike) -> list[str]:
  """The files in a folder and in the folders below it, sorted, hidden ones left out.

  A link to a folder is followed once: not where it leads to a folder above, or to one
  that is listed already. Folders that stand there themselves come before links, so that
  what is listed does not depend on the names of links.

  Returns:
    Paths relative to `folder`, with / between.

  Raises:
    OSError: a folder cannot be read.
  """
  listed = {_identity(above) for above in _folders_above(folder)}
  files, folders = [], collections.deque([(os.fspath(folder), '')])
  links = collections.deque()
  while folders or links:
    path, prefix = folders.popleft() if folders else links.popleft()
    if (identity := _identity(path)) in listed:
      continue
    listed.add(identity)
    with os.scandir(path) as entries:
      for entry in sorted(entries, key=lambda entry: entry.name):
        if not _is_visible(entry.name):
          continue
        if not entry.is_dir():
          files.append(prefix + entry.name)
        elif entry.is_symlink():
          links.append((entry.path, f'{prefix}{entry.name}/'))
        else:
          folders.append((entry.path, f'{prefix}{entry.name}/'))
  return sorted(files)


def _folders_above(folder):
  """As the path says, and as it is once links in it are followed."""
  for path in (os.path.abspath(folder), os.path.realpath(folder)):
    yield from pathlib.Path(path).parents


def _identity(folder):
  state = os.stat(folder)
  return state.st_dev, state.st_ino


def _is_visible(name):
  return not name.startswith('.') and name not in _HIDDEN
