"""Several watchers of a run as one; one that fails is left out, and the run goes on."""

from collections.abc import Mapping
from typing import Any, Protocol


class Watcher(Protocol):
  """A place that is told what a run measures.

  Any method may raise any exception, which leaves the watcher out from then on.
  """

  def open(self, start_step: int) -> None:
    """Begins, or goes on with a run that has done `start_step` steps."""

  def write(self, step: int, metrics: Mapping[str, Any], kind: str) -> None:
    """Takes the scalars of a log line ('train' or 'eval') as of `step` steps done."""

  def close(self, failed: bool) -> None:
    """Ends; `failed` says that an error ended the run."""


class Watchers:
  """What `logs.Writer` tells of every line, besides its own files.

  Args:
    watchers: by the name that a note about a failure has.
  """

  def __init__(self, watchers: Mapping[str, Watcher]):
    self._watchers = dict(watchers)

  def open(self, start_step: int) -> None:
    self._each('open', start_step)

  def write(self, step: int, metrics: Mapping[str, Any], kind: str) -> None:
    self._each('write', step, metrics, kind)

  def close(self, failed: bool) -> None:
    self._each('close', failed)

  def _each(self, method: str, *arguments) -> None:
    for name, watcher in list(self._watchers.items()):
      try:
        getattr(watcher, method)(*arguments)
      # Whatever a foreign service and its package may raise, the training goes on.
      except Exception as error:
        del self._watchers[name]
        text = ' '.join(f'{type(error).__name__}: {error}'.split())
        shown = text if len(text) <= 200 else f'{text[:200]} ...'
        print(
          f'note: --log_to={name} failed and is left out from now on, the training '
          f'goes on ({shown})'
        )
