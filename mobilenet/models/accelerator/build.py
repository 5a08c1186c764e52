"""Builds the library of the kernels into the user's cache, and finds it there."""

import functools
import hashlib
import importlib.metadata
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence

import jax

from mobilenet.models import user_cache
from mobilenet.models.rows import ModelError

SOURCES = pathlib.Path(__file__).with_name('source')
FLAGS = ('-std=c++17', '-O3', '-march=native', '-fPIC')
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
    include = ('-isystem', jax.ffi.include_dir())
    objects = [pathlib.Path(folder, f'{path.stem}.o') for path in _sources()]
    _run_all(
      [compiler, *FLAGS, *include, '-c', str(path), '-o', str(out)]
      for path, out in zip(_sources(), objects, strict=True)
    )
    fresh = pathlib.Path(folder, target.name)
    _run_all([[compiler, '-shared', *map(str, objects), '-o', str(fresh)]])
    fresh.replace(target)  # whole or not at all, whoever builds beside us
  return target


def _sources() -> list[pathlib.Path]:
  return sorted(SOURCES.glob('*.cc'))


def _run_all(commands: Iterable[Sequence[str]]) -> None:
  """Runs compilers side by side.

  Raises:
    AcceleratorError: one of them failed.
  """
  pipe = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.PIPE, 'text': True}
  running = [subprocess.Popen(command, **pipe) for command in commands]
  ended = [(process, process.communicate()[1]) for process in running]
  for process, said in ended:
    if process.returncode:
      errors = [line for line in said.splitlines() if 'error' in line]
      raise AcceleratorError(
        f'{process.args[0]} cannot compile the accelerator: '
        f'{(errors or ["no message"])[0]}'
      )


@functools.cache
def library_path() -> pathlib.Path:
  """Where the library for these sources, jaxlib and processor is, or would be."""
  version = importlib.metadata.version('jaxlib')
  parts = (version, *FLAGS, user_cache.processor())
  sources = [path.read_bytes() for path in sorted(SOURCES.iterdir())]
  key = hashlib.sha256(b''.join(sources) + '\n'.join(parts).encode()).hexdigest()
  return user_cache.folder('accelerator') / f'kernels-{key[:16]}.so'
