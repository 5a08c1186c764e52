"""Saving and restoring a run's state: orbax's CheckpointManager behind one class."""

import gc
import os
import re
import shutil
from collections.abc import Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from mobilenet.training import array_sums, files, orbax_noise, processes
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.workdir import CHECKPOINTS_FOLDER, local_path

# Below the folder of a step; the first is orbax's name for what stands alone.
_STATE, _SUMS, _SUMS_FILE = 'default', 'checksums', 'arrays.json'


class Checkpointer:
  """The checkpoints of a workdir, in `<workdir>/checkpoints/<step>/`.

  A checkpoint is written under a temporary name and renamed when it is whole, so one
  that was cut short by a kill or a full disk is never seen, and an older one is
  removed only after a newer one is whole. Writing goes on in the background, from a
  copy: the state may be donated as soon as `save` returns. An error of that writing is
  raised by the next `save`, `wait` or `close`. A checkpoint holds the checksums of its
  arrays (see `array_sums`), and `restore` compares. On several processes all of them
  call every method, with a workdir that all of them see.

  Args:
    workdir: the run's folder on a local or mounted disk.
    keep: how many checkpoints stay, the newest ones.
    read_only: for reading a run that may still be going on: nothing is made, tidied
      or written.

  Raises:
    TrainingError: the folder cannot be made or read.
  """

  def __init__(
    self, workdir: str | os.PathLike, *, keep: int = 2, read_only: bool = False
  ):
    require(keep >= 1, f'keep = {keep}: at least one checkpoint has to stay')
    self.folder = local_path(workdir) / CHECKPOINTS_FOLDER
    self._keep = keep
    self._read_only = read_only
    self._manager: ocp.CheckpointManager | None = None
    self._pending: int | None = None  # the step being written
    self._current: int | None = None  # the last step saved or restored here
    self._silence = orbax_noise.Silence()
    try:
      self._open()
    except BaseException:
      self._silence.end()
      raise

  def steps(self) -> list[int]:
    """The steps of the whole checkpoints, ascending."""
    manager = self._open()
    return sorted(manager.all_steps()) if manager else []

  def latest_step(self) -> int | None:
    """The step of the newest whole checkpoint; None where there is none."""
    return max(self.steps(), default=None)

  def save(self, step: int, state: Any) -> None:
    """Starts writing `state` (a pytree of arrays) as the checkpoint of `step`.

    Waits for the save before it, if that still goes on. Does nothing where the last
    save or restore was this very step.

    Raises:
      TrainingError: the save before, or the start of this one, failed to write; or
        the workdir holds a checkpoint of this step or a later one by another run.
    """
    require(not self._read_only, f'{self.folder} was opened for reading only')
    self.wait()
    step = int(step)
    if step == self._current:
      return
    newest = self.latest_step()
    require(
      newest is None or newest < step,
      f'{self.folder} holds step {newest} already, so step {step} is not saved; delete '
      f'the folders of step {step} and above, or choose another --workdir',
    )
    self._pending = step
    items = {
      _STATE: ocp.args.StandardSave(state),
      _SUMS: ocp.args.JsonSave(array_sums.record(state)),
    }
    try:
      self._manager.save(step, args=ocp.args.Composite(**items), force=True)
    except OSError as error:
      raise self._write_failed(error) from error

  def restore(self, state_like: Any, step: int | None = None) -> Any:
    """Reads a checkpoint into the structure and the shardings of `state_like`.

    Every array is compared with its checksum. For a checkpoint of an older version,
    which has none, a printed line says so.

    Args:
      state_like: a pytree of `jax.ShapeDtypeStruct` or arrays, of the structure that
        was saved. A leaf without a sharding goes to the default device.
      step: which checkpoint; None for the newest.

    Returns:
      A pytree like `state_like`, with the bits that were saved.

    Raises:
      TrainingError: there is no such checkpoint, it cannot be read, or it doesn't
        fit `state_like` (the first leaf that differs is named).
    """
    self.wait()
    steps = self.steps()
    require(bool(steps), f'{self.folder} holds no checkpoint')
    step = steps[-1] if step is None else int(step)
    require(
      step in steps,
      f'{self.folder} holds no step {step}; it holds {", ".join(map(str, steps))}',
    )
    target = jax.tree.map(_abstract, state_like)
    with orbax_noise.no_words_from_finalizers():
      state, reason = self._read(step, target)
      if reason:
        gc.collect()  # the rest of the failed read, while it cannot be heard
    if reason:
      self._silence.stay()
      raise TrainingError(self._unreadable(step, steps, reason))
    self._current = step
    return state

  def wait(self) -> None:
    """Returns when the last save is whole on disk.

    Raises:
      TrainingError: it could not be written; the checkpoints before it are whole.
    """
    if self._pending is None:
      return
    try:
      self._manager.wait_until_finished()
    except Exception as error:
      raise self._write_failed(error) from error
    self._current, self._pending = self._pending, None

  def close(self) -> None:
    """Waits for the last save and lets go; raises as `wait`."""
    try:
      self.wait()
      if self._manager:
        self._manager.close()
        self._manager = None
    finally:
      self._silence.end()

  def __enter__(self) -> 'Checkpointer':
    return self

  def __exit__(self, kind: type | None, error: BaseException | None, _: Any) -> None:
    try:
      self.close()
    except TrainingError as failure:
      if error is None:
        raise
      error.add_note(str(failure))  # the first error is the one to hear about

  def _open(self) -> ocp.CheckpointManager | None:
    if self._manager is None and not (self._read_only and not self.folder.is_dir()):
      options = ocp.CheckpointManagerOptions(
        preservation_policy=preservation_policy.LatestN(self._keep),
        read_only=self._read_only,
        create=False,
        # Folders are made before `save` returns: where one cannot be made, the threads
        # that wait for it would hold up the end of the program for minutes.
        async_options=ocp.AsyncOptions(create_directories_asynchronously=False),
      )
      processes.meet(f'the checkpoints in {self.folder}')
      try:
        if not self._read_only:
          self.folder.mkdir(parents=True, exist_ok=True)
        self._tidy()
        self._manager = ocp.CheckpointManager(
          self.folder,
          options=options,
          item_handlers={
            _STATE: ocp.StandardCheckpointHandler(),
            _SUMS: ocp.JsonCheckpointHandler(_SUMS_FILE),
          },
        )
      except OSError as error:
        failure = files.read_error if self._read_only else files.write_error
        raise failure(self.folder, error) from error
    return self._manager

  def _tidy(self) -> None:
    """Removes what killed or failed writes have left, to free the space now.

    Orbax can do it too, but in a thread that nothing waits for: a program that ends
    soon after makes it fail aloud.
    """
    if not self._read_only and jax.process_index() == 0:
      for left in self.folder.glob('*.orbax-checkpoint-tmp*'):
        shutil.rmtree(left)

  def _read(self, step: int, target: Any) -> tuple[Any, str]:
    """The state, or why it cannot be read.

    The reason is text, since an exception would keep alive the coroutines of the
    failed read, whose own complaints then appear when they are collected.
    """
    try:
      sums = self._sums(step)
      if sums is None:
        tree = array_sums.leaves(self._manager.item_metadata(step)[_STATE])
        stored = {path: array_sums.describe(leaf) for path, leaf in tree.items()}
      else:
        stored = {path: entry.description for path, entry in sums.items()}
      self._check_fits(step, stored, target)
      items = {_STATE: ocp.args.StandardRestore(target)}
      state = self._manager.restore(step, args=ocp.args.Composite(**items))[_STATE]
    except (TrainingError, MemoryError, jax.errors.JaxRuntimeError):
      raise  # not the checkpoint's fault: another model, or too little memory
    except Exception as error:
      return None, _reason(error)
    if sums is None and jax.process_index() == 0:
      print(
        f'note: checkpoint {self.folder / str(step)} has no checksums (an older '
        f'version made it, or its folder {_SUMS} was removed): damage to it would go '
        'unnoticed'
      )
    return state, array_sums.difference(sums, state) if sums else ''

  def _sums(self, step: int) -> dict[str, array_sums.Entry] | None:
    path = self.folder / str(step) / _SUMS / _SUMS_FILE
    if not path.exists():
      return None
    return array_sums.read(path.read_bytes())

  def _check_fits(self, step: int, stored: Mapping[str, str], target: Any) -> None:
    wanted = {k: array_sums.describe(v) for k, v in array_sums.leaves(target).items()}
    for path in [*wanted, *stored]:
      there, here = (leaves.get(path, 'absent') for leaves in (stored, wanted))
      require(
        there == here,
        f'checkpoint {self.folder / str(step)} is of another model or optimizer: '
        f'{path} is {there} there and {here} here; use the config it was made with, or '
        'another --workdir',
      )

  def _unreadable(self, step: int, steps: list[int], reason: str) -> str:
    older = [s for s in steps if s < step]
    then = f'go on from step {older[-1]}' if older else 'start from the beginning'
    return (
      f'checkpoint {self.folder / str(step)} cannot be read ({reason}); delete that '
      f'folder to {then}'
    )

  def _write_failed(self, error: Exception) -> TrainingError:
    self._silence.stay()
    # The manager counts the failed step among its own: the next use lists the disk.
    step, self._pending, self._manager = self._pending, None, None
    code = _os_error(error)
    if code:
      error = OSError(code, os.strerror(code))
      return files.write_error(self.folder / str(step), error)
    return TrainingError(
      f'checkpoint {self.folder / str(step)} was not written: {_reason(error)}; older '
      'ones are whole: run the same command again'
    )


def _abstract(leaf: Any) -> jax.ShapeDtypeStruct:
  sharding = getattr(leaf, 'sharding', None)
  if sharding is None:
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _root(error: BaseException) -> BaseException:
  while cause := error.__cause__ or (
    None if error.__suppress_context__ else error.__context__
  ):
    error = cause
  return error


def _os_error(error: Exception) -> int | None:
  """The errno behind an error; TensorStore has it in its text only."""
  for cause in (error, _root(error)):
    if isinstance(cause, OSError) and cause.errno:
      return cause.errno
    if match := re.search(r"os_error_code='(\d+)'", str(cause)):
      return int(match[1])
  return None


def _reason(error: Exception) -> str:
  """What went wrong first, on one line of readable length."""
  cause = _root(error)
  text = ' '.join(str(cause).split())
  if not isinstance(cause, OSError | ValueError) or not text:
    text = ': '.join(filter(None, (type(cause).__name__, text)))
  return text if len(text) <= 200 else f'{text[:80]} ... {text[-115:]}'
