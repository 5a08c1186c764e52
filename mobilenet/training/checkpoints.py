"""Saving and restoring a run's state: orbax's CheckpointManager behind one class."""

import os
import shutil
from collections.abc import Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from mobilenet.training import (
  array_sums,
  checkpoint_reading,
  files,
  orbax_errors,
  orbax_noise,
  processes,
  retries,
  step_folders,
)
from mobilenet.training.checkpoint_reading import STATE, SUMS, SUMS_FILE
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.workdir import CHECKPOINTS_FOLDER, local_path


class Checkpointer:
  """The checkpoints of a workdir, in `<workdir>/checkpoints/<step>/`.

  A checkpoint is written under a temporary name and renamed when it is whole, so one
  that was cut short by a kill or a full disk is never seen, and an older one is
  removed only after a newer one is whole. Writing goes on in the background, from a
  copy: the state may be donated as soon as `save` returns. A checkpoint holds the
  checksums of its arrays (see `array_sums`), and `restore` compares: a damaged one is
  set aside as `<step>.damaged`, and the one before it is used.

  How that writing ended is known at the next `save`, `wait` or `close`. If it failed,
  they write again for about a minute (see `retries`): `save` the new state, the others
  the same one, unless it was donated. On several processes, of which one alone may have
  failed, the error is raised at once.

  On several processes all of them call every method, with a workdir that all of them
  see.

  Args:
    workdir: the run's folder on a local or mounted disk.
    keep: how many checkpoints stay, the newest ones; what is set aside is not counted.
    read_only: for reading a run that may still be going on: nothing is made, tidied,
      renamed or written.
    without: what happens once no checkpoint is there, for the line that says so.

  Raises:
    TrainingError: the folder cannot be made or read.
  """

  def __init__(
    self,
    workdir: str | os.PathLike,
    *,
    keep: int = 2,
    read_only: bool = False,
    without: str = 'the training starts from the beginning',
  ):
    require(keep >= 1, f'keep = {keep}: at least one checkpoint has to stay')
    self.folder = local_path(workdir) / CHECKPOINTS_FOLDER
    self._keep = keep
    self._read_only = read_only
    self._without = without
    self._manager: ocp.CheckpointManager | None = None
    self._pending: int | None = None  # the step being written
    self._writing: Any = None  # its state, which may be donated meanwhile
    self._current: int | None = None  # the last step saved or restored here
    self._silence = orbax_noise.Silence()
    try:
      self._open()
    except BaseException:
      self._silence.end()
      raise

  def steps(self) -> list[int]:
    """The steps of the checkpoints, ascending."""
    manager = self._open()
    there = manager.all_steps() if manager else ()
    return sorted(set(there) & set(step_folders.steps(self.folder)))

  def latest_step(self) -> int | None:
    """The step of the newest checkpoint; None where there is none."""
    return max(self.steps(), default=None)

  def save(self, step: int, state: Any) -> None:
    """Starts writing `state` (a pytree of arrays) as the checkpoint of `step`.

    Waits for the save before it, if that still goes on. Does nothing where the last
    save or restore was this very step.

    Raises:
      TrainingError: this save or the one before failed to write; or the workdir holds a
        checkpoint of this step or a later one by another run.
    """
    require(not self._read_only, f'{self.folder} was opened for reading only')
    step, failure = int(step), None
    if self._pending is not None:
      try:
        self._finish()
      except files.WriteError as error:
        if error.lasting or jax.process_count() > 1:
          raise
        failure = error
    if step == self._current:
      return
    if failure is None:
      self._start(step, state)
      return
    # The state before is out of date. This one is waited for: writing is in doubt.
    print(f'note: cannot write {failure.path}: {failure.reason}; step {step} is next')
    retries.write(lambda: self._write(step, state))

  def restore(self, state_like: Any, *others: Any, step: int | None = None) -> Any:
    """Reads a checkpoint into the structure and the shardings of `state_like`.

    Every array is compared with its checksum. For a checkpoint of an older version,
    which has none, a printed line says so. Of damaged ones that are newer than the one
    that is read, printed lines say what is wrong and where they are now.

    Args:
      state_like: a pytree of `jax.ShapeDtypeStruct` or arrays, of the structure that
        was saved. A leaf without a sharding goes to the default device.
      others: structures that it may have been saved in instead.
      step: which checkpoint, and no other; None for the newest that is whole.

    Returns:
      A pytree like `state_like` or one of the others, with the bits that were saved.

    Raises:
      TrainingError: there is no such checkpoint, none is whole, or it doesn't fit
        `state_like` (the first leaf that differs is named).
    """
    self.wait()
    steps = self.steps()
    require(bool(steps), f'{self.folder} holds no checkpoint')
    targets = [jax.tree.map(_abstract, like) for like in (state_like, *others)]
    then = f', nor any before it; delete {self.folder}, and {self._without}'
    if step is not None:
      step = int(step)
      require(
        step in steps,
        f'{self.folder} holds no step {step}; it holds {", ".join(map(str, steps))}',
      )
      steps, then = [step], '; choose another step'
    found = checkpoint_reading.newest_whole(self._manager, self.folder, steps, targets)
    if found.damaged:
      self._silence.stay()
    # All of them keep their names: the next start has to say so too.
    require(
      found.step is not None,
      f'checkpoint {self.folder / str(steps[-1])} cannot be read '
      f'({found.damaged.get(steps[-1])}){then}',
    )
    self._set_aside(found.damaged, found.step)
    self._current = found.step
    return found.state

  def wait(self) -> None:
    """Returns when the last save is whole on disk.

    Raises:
      TrainingError: it could not be written; the checkpoints before it are whole.
    """
    if self._pending is None:
      return
    step, state = self._pending, self._writing
    try:
      self._finish()
    except files.WriteError as failure:
      if failure.lasting or jax.process_count() > 1 or _is_gone(state):
        raise
      print(f'note: cannot write {failure.path}: {failure.reason}; it is tried again')
      retries.write(lambda: self._write(step, state))

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
    if error is not None:
      self._writing = None  # the program is to end, not to wait for a disk
    try:
      self.close()
    except TrainingError as failure:
      if error is None:
        raise
      error.add_note(str(failure))  # the first error is the one to hear about

  def _start(self, step: int, state: Any) -> None:
    newest = self.latest_step()
    require(
      newest is None or newest < step,
      f'{self.folder} holds step {newest} already, so step {step} is not saved; delete '
      f'the folders of step {step} and above, or choose another --workdir',
    )
    self._pending, self._writing = step, state
    items = {
      STATE: ocp.args.StandardSave(state),
      SUMS: ocp.args.JsonSave(array_sums.record(state)),
    }
    try:
      self._manager.save(step, args=ocp.args.Composite(**items), force=True)
    except OSError as error:
      raise self._write_failed(error) from error

  def _finish(self) -> None:
    try:
      self._manager.wait_until_finished()
    except Exception as error:
      raise self._write_failed(error) from error
    self._current, self._pending, self._writing = self._pending, None, None

  def _write(self, step: int, state: Any) -> None:
    """Saves and waits; no more than one attempt."""
    self._start(step, state)
    self._finish()

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
            STATE: ocp.StandardCheckpointHandler(),
            SUMS: ocp.JsonCheckpointHandler(SUMS_FILE),
          },
        )
      except OSError as error:
        failure = files.read_error if self._read_only else files.write_error
        raise failure(self.folder, error) from error
    return self._manager

  def _tidy(self) -> None:
    """Removes what killed or failed writes have left, to free space and names now.

    Orbax can do it too, but in a thread that nothing waits for: a program that ends
    soon after makes it fail aloud.
    """
    if not self._read_only and jax.process_index() == 0:
      for left in self.folder.glob('*.orbax-checkpoint-tmp*'):
        shutil.rmtree(left)
      step_folders.remove_empty(self.folder)

  def _set_aside(self, damaged: Mapping[int, str], step: int) -> None:
    """Renames what is damaged, but not for a reader, and says so."""
    if not damaged:
      return
    for wrong, reason in damaged.items():
      path, now = self.folder / str(wrong), ''
      if jax.process_index():
        continue
      if not self._read_only:
        try:
          now = f', and is now called {step_folders.set_aside(self.folder, wrong).name}'
        except OSError as error:
          raise files.write_error(path, error) from error
      print(
        f'note: checkpoint {path} cannot be read ({reason}){now}; step {step} is used'
      )
    if not self._read_only:
      processes.meet('damaged checkpoints are set aside')
      self._manager.reload()

  def _write_failed(self, error: Exception) -> files.WriteError:
    self._silence.stay()
    # The manager counts the failed step among its own: the next use lists the disk.
    step, self._pending, self._manager = self._pending, None, None
    self._writing = None
    path, code = self.folder / str(step), orbax_errors.os_error(error)
    if code:
      return files.write_error(path, OSError(code, os.strerror(code)))
    return files.WriteError(
      path,
      orbax_errors.reason(error),
      'older checkpoints are whole: run the same command again',
    )


def _abstract(leaf: Any) -> jax.ShapeDtypeStruct:
  sharding = getattr(leaf, 'sharding', None)
  if sharding is None:
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _is_gone(state: Any) -> bool:
  """Whether a state was donated to a step, or let go."""
  leaves = jax.tree.leaves(state)
  return not leaves or any(
    leaf.is_deleted() for leaf in leaves if isinstance(leaf, jax.Array)
  )
