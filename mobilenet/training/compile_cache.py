"""Compiled programs are kept between runs, in the user's cache folder."""

import contextlib
import os
import pathlib
import time

import jax

from mobilenet.models import user_cache

PROGRAMS = 'programs'  # folder of those of `programs`
MOST_BYTES = 2 << 30  # of the files of a folder
MOST_DAYS = 60  # since a program was used


def use_compile_cache() -> pathlib.Path | None:
  """Lets JAX keep what it compiles; the second start of a run then takes seconds.

  The folder is `mobilenet-jax/xla` in XDG_CACHE_HOME or ~/.cache, with one folder in it
  for each kind of processor: programs for a CPU may use instructions that another one
  lacks; a run's programs (`programs`) are in a folder there as well. JAX's own settings
  win: JAX_COMPILATION_CACHE_DIR names another folder, and
  JAX_ENABLE_COMPILATION_CACHE=0 turns the cache off. What has not been used for
  MOST_DAYS is removed, and of more than MOST_BYTES what was not used for longest.

  Returns:
    The folder, or None if the settings say something else or it cannot be made.
  """
  if (
    jax.config.jax_compilation_cache_dir or not jax.config.jax_enable_compilation_cache
  ):
    return None
  folder = user_cache.folder('xla') / user_cache.processor()
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError:
    return None  # a read-only home: compiled anew every time, as without a cache
  for each in (folder, folder / PROGRAMS):
    tidy(each, MOST_BYTES, MOST_DAYS)
  jax.config.update('jax_compilation_cache_dir', str(folder))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)
  return folder


def tidy(folder: pathlib.Path, most_bytes: int, most_days: float) -> None:
  """Removes files that were used last long ago, and the oldest of too many.

  Another process may remove the same, or be using one: what it has opened it keeps.

  Args:
    folder: of the files; those in folders in it stay.
    most_bytes: of what is left, together.
    most_days: since a file was read or written.
  """
  files = []
  with contextlib.suppress(OSError), os.scandir(folder) as entries:
    for entry in entries:
      with contextlib.suppress(OSError):
        about = entry.stat()
        if entry.is_file():
          used = max(about.st_atime, about.st_mtime)
          files.append((used, about.st_size, entry.path))
  oldest, left = time.time() - 86_400 * most_days, most_bytes
  for used, size, path in sorted(files, reverse=True):
    left -= size
    if left < 0 or used < oldest:
      with contextlib.suppress(OSError):
        os.remove(path)
