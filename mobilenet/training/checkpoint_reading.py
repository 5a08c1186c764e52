"""Reading checkpoints: the newest that is whole, and what is wrong with newer ones."""

import errno
import gc
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp

from mobilenet.training import array_sums, files, orbax_errors, orbax_noise
from mobilenet.training.errors import TrainingError, require

# Below the folder of a step; the first is orbax's name for what stands alone.
STATE, SUMS, SUMS_FILE = 'default', 'checksums', 'arrays.json'

# A read that fails for these says nothing of the checkpoint.
_NOT_OF_THE_FILE = {
  *(errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
  *(errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTUNREACH),
}


class Found(NamedTuple):
  """step: the newest whole one's, None if none is. damaged: newer ones, and why."""

  step: int | None
  state: Any
  damaged: dict[int, str]


def newest_whole(
  manager: ocp.CheckpointManager,
  folder: pathlib.Path,
  steps: Sequence[int],
  targets: Sequence[Any],
) -> Found:
  """Decides which checkpoint is used, and reads it.

  Every process of a run reads the same files and compares the same checksums, before
  process 0 renames any, and so comes to the same decision. Only where a disk fails one
  process and not the others would theirs differ.

  Args:
    manager: of orbax, for `folder`.
    folder: of the checkpoints.
    steps: those to choose from, ascending.
    targets: shapes, types and shardings, in the structures that a checkpoint may have.

  Raises:
    TrainingError: a checkpoint is of another model, or its files may not be read. None
      of this is damage.
  """
  damaged = {}
  for step in reversed(steps):
    with orbax_noise.no_words_from_finalizers():
      state, reason = _read(manager, folder, step, targets)
      if not reason:
        return Found(step, state, damaged)
      del state
      gc.collect()  # the rest of the failed read, while it cannot be heard
    damaged[step] = reason
  return Found(None, None, damaged)


def _read(
  manager, folder: pathlib.Path, step: int, targets: Sequence[Any]
) -> tuple[Any, str]:
  """The state and '', or anything and what is wrong with the checkpoint.

  That is text, since an exception would keep alive the coroutines of the failed read,
  whose own complaints then appear when they are collected.
  """
  path = folder / str(step)
  try:
    sums = recorded(path)
    if sums is None:
      tree = array_sums.leaves(manager.item_metadata(step)[STATE])
      stored = {name: array_sums.describe(leaf) for name, leaf in tree.items()}
    else:
      stored = {name: entry.description for name, entry in sums.items()}
    target = _fitting(path, stored, targets)
    items = {STATE: ocp.args.StandardRestore(target)}
    state = manager.restore(step, args=ocp.args.Composite(**items))[STATE]
  except (TrainingError, MemoryError, jax.errors.JaxRuntimeError):
    raise  # not the checkpoint's fault: another model, or too little memory
  except Exception as error:
    code = orbax_errors.os_error(error)
    if code in _NOT_OF_THE_FILE:
      raise files.read_error(path, OSError(code, os.strerror(code))) from None
    return None, orbax_errors.reason(error)
  if sums is None and jax.process_index() == 0:
    print(
      f'note: checkpoint {path} has no checksums (an older version made it, or its '
      f'folder {SUMS} was removed): damage to it would go unnoticed'
    )
  return state, array_sums.difference(sums, state) if sums else ''


def recorded(path: pathlib.Path) -> dict[str, array_sums.Entry] | None:
  """What is recorded of a checkpoint's arrays; None of an older version's.

  Raises:
    ValueError: the record itself is damaged.
  """
  file = path / SUMS / SUMS_FILE
  if not file.exists():
    return None
  return array_sums.read(file.read_bytes())


def _fitting(
  path: pathlib.Path, stored: Mapping[str, str], targets: Sequence[Any]
) -> Any:
  """The target that has the arrays of a checkpoint.

  Raises:
    TrainingError: none has; it names the first array that the first target lacks.
  """
  for target in targets:
    wanted = {k: array_sums.describe(v) for k, v in array_sums.leaves(target).items()}
    if wanted == stored:
      return target
  leaves = array_sums.leaves(targets[0])
  wanted = {name: array_sums.describe(leaf) for name, leaf in leaves.items()}
  for name in [*wanted, *stored]:
    there, here = (names.get(name, 'absent') for names in (stored, wanted))
    require(
      there == here,
      f'checkpoint {path} is of another model or optimizer: {name} is {there} there '
      f'and {here} here; use the config it was made with, or another --workdir',
    )
  raise AssertionError('equal descriptions that are not equal')
