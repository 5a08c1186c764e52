"""The folders `checkpoints/<step>/` of a run: which of them count.

A folder counts if its name is a number and something is in it. All else in
`checkpoints/` is left alone: what a write is making, what was damaged, what a person
put there.
"""

import itertools
import os
import pathlib

_DAMAGED = 'damaged'


def steps(folder: pathlib.Path) -> list[int]:
  """The steps that have a folder with something in it, ascending."""
  paths = [path for path in folder.glob('*') if _is_step(path.name)]
  return sorted(int(path.name) for path in paths if not _is_empty(path))


def remove_empty(folder: pathlib.Path) -> None:
  """Removes empty folders of steps, whose names a save may need.

  Raises:
    OSError: one cannot be removed.
  """
  for path in folder.glob('*'):
    if _is_step(path.name) and path.is_dir() and _is_empty(path):
      path.rmdir()


def set_aside(folder: pathlib.Path, step: int) -> pathlib.Path:
  """Renames the folder of a step so that it counts no more; returns its new path.

  Raises:
    OSError: it cannot be renamed.
  """
  for count in itertools.count(1):
    more = f'-{count}' if count > 1 else ''
    aside = folder / f'{step}.{_DAMAGED}{more}'
    if not aside.exists():
      return (folder / str(step)).rename(aside)
  raise AssertionError


def _is_step(name: str) -> bool:
  return name.isascii() and name.isdigit() and str(int(name)) == name


def _is_empty(path: pathlib.Path) -> bool:
  """Also where it is a file, or gone meanwhile."""
  try:
    with os.scandir(path) as entries:
      return next(entries, None) is None
  except (NotADirectoryError, FileNotFoundError):
    return True
  except OSError:
    return False  # it is there and cannot be read: who restores it will say so
