"""Compiled programs are kept between runs, in the user's cache folder."""

import pathlib

import jax

from mobilenet.models import user_cache


def use_compile_cache() -> pathlib.Path | None:
  """Lets JAX keep what it compiles; the second start of a run then takes seconds.

  The folder is `mobilenet-jax/xla` in XDG_CACHE_HOME or ~/.cache, with one folder in it
  for each kind of processor: programs for a CPU may use instructions that another one
  lacks; a run's programs (`programs`) are in a folder there as well. JAX's own settings
  win: JAX_COMPILATION_CACHE_DIR names another folder, and
  JAX_ENABLE_COMPILATION_CACHE=0 turns the cache off.

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
  jax.config.update('jax_compilation_cache_dir', str(folder))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)
  return folder
