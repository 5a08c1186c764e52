"""Requests to stop: SIGTERM of a scheduler, or Ctrl-C."""

import signal

import jax

# A scheduler may signal every process, and a sweep passes on what it gets: the same
# request then comes twice, and the second must not kill a run that is saving.
REPEAT_SECONDS = 2.0


class StopRequest:
  """While entered, notes SIGTERM and SIGINT instead of dying; a second one kills.

  A second SIGTERM within `REPEAT_SECONDS` of the first is ignored. The process's alarm
  clock (SIGALRM) ends that time; without one (Windows) no signal is ignored.

  With several processes JAX's own preemption notice decides, so that all of them stop
  after the same step; it needs `jax.distributed.initialize`.
  """

  def __init__(self):
    self.received: str | None = None
    self._previous = {}
    self._alarm: tuple[float, float] | None = None  # what was set before ours

  def __enter__(self) -> 'StopRequest':
    if jax.process_count() == 1:
      for number in (signal.SIGTERM, signal.SIGINT):
        self._previous[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *exception) -> None:
    if self._alarm is not None:
      signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in self._previous.items():
      signal.signal(number, handler)
    self._previous.clear()
    if self._alarm is not None:
      signal.setitimer(signal.ITIMER_REAL, *self._alarm)
      self._alarm = None

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
    if number == signal.SIGTERM and hasattr(signal, 'setitimer'):
      # The kernel ignores it: a Python handler would run only after the current step or
      # compilation, too late to know when the signal came.
      signal.signal(number, signal.SIG_IGN)
      self._previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._give_back)
      self._alarm = signal.setitimer(signal.ITIMER_REAL, REPEAT_SECONDS)
    else:
      signal.signal(number, self._previous[number])

  def _give_back(self, number, frame) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, self._previous[signal.SIGTERM])
