"""Being asked to stop: SIGTERM of a scheduler, or Ctrl-C."""

import signal

import jax


class StopRequest:
  """While entered, notes SIGTERM and SIGINT instead of dying; a second one kills.

  On several processes JAX's own preemption notice is asked, so that all of them stop
  after the same step; it needs `jax.distributed.initialize`.
  """

  def __init__(self):
    self.received: str | None = None
    self._previous = {}

  def __enter__(self) -> 'StopRequest':
    if jax.process_count() == 1:
      for number in (signal.SIGTERM, signal.SIGINT):
        self._previous[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *exception) -> None:
    for number, handler in self._previous.items():
      signal.signal(number, handler)
    self._previous.clear()

  def after(self, step: int) -> bool:
    """Whether to save and stop after `step`."""
    if self.received is None and jax.process_count() > 1:
      from jax.experimental import multihost_utils

      if multihost_utils.reached_preemption_sync_point(step):
        self.received = 'a preemption notice'
    return self.received is not None

  def _note(self, number, frame) -> None:
    del frame
    self.received = signal.Signals(number).name
    signal.signal(number, self._previous[number])
