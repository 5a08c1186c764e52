"""Builds the library of the kernels into the user's cache, and finds it there."""

import functools
import hashlib
import importlib.metadata
import os
import pathlib
import shutil
import subprocess
import tempfile

import jax

from mobilenet.models import user_cache
from mobilenet.models.rows import ModelError

SOURCES = pathlib.Path(__file__).with_name('source')
FLAGS = ('-std=c++17', '-O3', '-march=native', '-shared', '-fPIC')
COMMAND = 'python -m mobilenet.models.accelerator'


class AcceleratorError(ModelError):
  """The accelerator is asked for and not there; one line says what to do."""


def build() -> pathlib.Path:
  """Compiles the kernels for this machine, if that is not done yet; returns the file.

  The compiler is the one that CXX names, or else g++, clang++ or c++.

  Raises:
    AcceleratorError: there is no compiler, or it refuses the source.
  """
  target = library_path()
  if target.exists():
    return target
  names = [os.environ['CXX']] if os.environ.get('CXX') else ['g++', 'clang++', 'c++']
  compiler = next(filter(None, map(shutil.which, names)), None)
  if compiler is None:
    raise AcceleratorError(
      f'no C++ compiler ({", ".join(names)}) is found: install one or set CXX; '
      "lowering='sliced' needs none"
    )
  target.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(dir=target.parent) as folder:
    fresh = pathlib.Path(folder, target.name)
    include = ('-isystem', jax.ffi.include_dir())
    sources = sorted(map(str, SOURCES.glob('*.cc')))
    command = [compiler, *FLAGS, *include, *sources, '-o', str(fresh)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
      errors = [line for line in run.stderr.splitlines() if 'error' in line]
      raise AcceleratorError(
        f'{compiler} cannot compile the accelerator: {(errors or ["no message"])[0]}'
      )
    fresh.replace(target)  # whole or not at all, whoever builds beside us
  return target


@functools.cache
def library_path() -> pathlib.Path:
  """Where the library for these sources, jaxlib and processor is, or would be."""
  version = importlib.metadata.version('jaxlib')
  parts = (version, *FLAGS, user_cache.processor())
  sources = [path.read_bytes() for path in sorted(SOURCES.iterdir())]
  key = hashlib.sha256(b''.join(sources) + '\n'.join(parts).encode()).hexdigest()
  return user_cache.folder('accelerator') / f'kernels-{key[:16]}.so'
