"""Finds compiled programs without tracing, so that a run's next start is shorter.

JAX keeps what XLA compiles under a hash of the program. To know the hash, a start must
trace and lower the program. Here a program is found in two ways, as a compiler cache
finds an object file. The first is by what goes into tracing: the run's settings, and
the code's files by name, size and time, as Python checks them for its own byte code. If
that is new, the second way is by the program that tracing yields.
"""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import flax
import jax
import jaxlib
import optax
from jax.experimental import serialize_executable
from jax.experimental.compilation_cache import compilation_cache
from jax.sharding import Mesh

import mobilenet
from mobilenet.models import lowering, user_cache
from mobilenet.models.accelerator import build, kernels
from mobilenet.training import allocator, files
from mobilenet.training.errors import TrainingError


class Programs:
  """The programs of equal runs, in a folder; loading them begins at once.

  Only for runs of one process on a CPU. On GPUs, TPUs and several hosts nothing is
  kept, since this has not been tried there.

  Args:
    folder: where they are kept; None keeps nothing.
    mesh: of the devices that they run on.
    alike: everything that decides what is traced, besides code and machine; compared
      by `repr`.

  Attributes:
    keeps: whether programs are kept.
  """

  def __init__(self, folder: pathlib.Path | None, mesh: Mesh, *alike: Any):
    self._folder = None
    self._told: Callable[[str], object] | None = None
    is_known = jax.default_backend() == 'cpu' and jax.process_count() == 1
    if folder is None or not is_known:
      return
    self._folder = folder
    self._devices = list(mesh.devices.flat)
    self._machine = _digest(*_machine(self._devices))
    code = _stamps((flax, optax, mobilenet))
    self._index = folder / f'{_digest(self._machine, *code, repr(alike))}.json'
    self._files = _read_index(self._index)
    # A thread, since loading hardly needs Python's lock. Only one, so that an index is
    # written after the files that it names.
    self._background = concurrent.futures.ThreadPoolExecutor(1)
    self._loading = {
      name: self._background.submit(_load, folder / file, self._devices)
      for name, file in self._files.items()
    }

  @property
  def keeps(self) -> bool:
    return self._folder is not None

  def kept(self, name: str, function: Callable) -> Callable:
    """A jitted function, or the program that an earlier start compiled from it.

    The first call waits for that program to be loaded, or compiles.

    Args:
      name: which of the run's programs it is.
      function: from `jax.jit`; always called with arrays of the same shapes.
    """
    if not self.keeps:
      return function
    program = None

    def call(*args):
      nonlocal program
      if program is None:
        program = self._find(name, function, args)
        allocator.give_back_freed_memory()
      return program(*args)

    return call

  @contextlib.contextmanager
  def telling(self, told: Callable[[str], object]) -> Iterator[None]:
    """Meanwhile `told` is called with the name of each program that is compiled."""
    self._told = told
    try:
      yield
    finally:
      self._told = None

  def close(self) -> None:
    """Waits for what is being written."""
    if self.keeps:
      self._background.shutdown()

  def _find(self, name: str, function: Callable, args) -> jax.stages.Compiled:
    loading = self._loading.pop(name, None)
    program = loading and loading.result()
    if program is not None and _takes(program, args):
      return program
    lowered = function.lower(*args)
    trees = repr((lowered.in_tree, lowered.out_tree))
    file = _digest(self._machine, trees, lowered.as_text())
    program = _load(self._folder / file, self._devices)
    if program is None:
      if self._told:
        self._told(name)
      program = compile_anew(lowered)
      self._background.submit(_store, self._folder / file, program)
    self._files[name] = file
    self._background.submit(_write, self._index, json.dumps(self._files).encode())
    return program


def compile_anew(lowered: jax.stages.Lowered) -> jax.stages.Compiled:
  """Compiles; JAX's own cache is off meanwhile.

  A program that JAX has read from there cannot be written again: XLA reports no error,
  but running what was written fails. One for devices that are not here cannot be read.
  """
  flag = 'jax_enable_compilation_cache'
  before = getattr(jax.config, flag)
  jax.config.update(flag, False)
  compilation_cache.reset_cache()  # JAX looks up only once whether it is on
  try:
    return lowered.compile()
  finally:
    jax.config.update(flag, before)
    compilation_cache.reset_cache()


def _store(path: pathlib.Path, program) -> None:
  # JAX cannot store programs with constants outside of them.
  with contextlib.suppress(NotImplementedError):
    _write(path, pickle.dumps(serialize_executable.serialize(program)))


def _write(path: pathlib.Path, data: bytes) -> None:
  with contextlib.suppress(TrainingError):  # a full disk: as without a cache
    files.replace_file(path, data)


def _read_index(path: pathlib.Path) -> dict[str, str]:
  """Name of a program -> its file."""
  try:
    return json.loads(path.read_bytes())
  except (OSError, ValueError):
    return {}


def _load(path: pathlib.Path, devices: list[jax.Device]):
  """The program in a file; None if there is none."""
  try:
    parts = pickle.loads(path.read_bytes())
    path.touch()  # used: the last to be removed
    if kernels.is_built():  # else a program that calls it does not load
      kernels.register()
    return serialize_executable.deserialize_and_load(
      *parts, backend=devices[0].client, execution_devices=devices
    )
  except Exception:  # pickle and XLA raise many kinds: a damaged file counts as none
    return None


def _takes(program, args) -> bool:
  """Whether a program is for exactly these arguments."""
  asked, _ = program.args_info
  if jax.tree.structure(asked) != jax.tree.structure(args):
    return False
  return all(
    info.shape == given.shape and info.dtype == given.dtype
    for info, given in zip(jax.tree.leaves(asked), jax.tree.leaves(args), strict=True)
  )


def _machine(devices: list[jax.Device]) -> Iterable[str]:
  """What decides how a program is compiled, besides the program."""
  yield from _stamps((jax, jaxlib))
  yield from (user_cache.processor(), str(os.cpu_count()))
  yield from (f'{d.platform} {d.device_kind} {d.id}' for d in devices)
  yield repr(sorted(jax.config.values.items()))
  yield from (f'{k}={v}' for k, v in sorted(os.environ.items()) if k[:4] == 'XLA_')
  yield lowering.choose('auto')
  yield str(build.library_path())


def _stamps(packages) -> Iterable[str]:
  """Name, size and time of the code files of packages."""
  folders = [os.path.dirname(package.__file__) for package in packages]
  while folders:
    folder = folders.pop()
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
      if entry.is_dir():
        folders.extend([entry.path] if entry.name != '__pycache__' else [])
      elif entry.name.endswith(('.py', '.so', '.cc', '.h')):
        about = entry.stat()
        yield f'{entry.path} {about.st_size} {about.st_mtime_ns}'


def _digest(*texts: str) -> str:
  return hashlib.sha256('\n'.join(texts).encode()).hexdigest()[:32]
