"""Requests to stop: SIGTERM of a scheduler, or Ctrl-C."""

import signal

from mobilenet.training import processes

# A scheduler may signal every process, and a sweep passes on what it gets: the same
# request then comes twice, and the second must not kill a run that is saving.
REPEAT_SECONDS = 2.0


class StopRequest:
  """While entered, notes SIGTERM and SIGINT instead of dying; a second one kills.

  A second SIGTERM within `REPEAT_SECONDS` of the first is ignored. The process's alarm
  clock (SIGALRM) ends that time; without one (Windows) no signal is ignored.

  Of several processes any may be asked. JAX's own preemption notice decides after which
  step all of them stop; it is what SIGTERM gives, and SIGINT is made one.

  Args:
    start: the step that the run goes on from.
  """

  def __init__(self, start: int = 0):
    self._start = start
    self._asked = 'a preemption notice'
    self.received: str | None = None
    self._previous = {}
    self._alarm: tuple[float, float] | None = None  # what was set before ours

  def __enter__(self) -> 'StopRequest':
    if processes.several():
      self._previous[signal.SIGINT] = signal.signal(signal.SIGINT, self._give_notice)
      # JAX stops after the step beyond the last one that it was told of: after step 1
      # where the notice came while the run was prepared.
      processes.meet('the first step')
      if _reached(1):
        self.received = self._asked
      _reached(self._start)
    else:
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
    if self.received is None and processes.several() and _reached(step):
      self.received = self._asked
    return self.received is not None

  def _give_notice(self, number, frame) -> None:
    del frame
    self._asked = signal.Signals(number).name
    signal.signal(number, self._previous[number])
    signal.raise_signal(signal.SIGTERM)

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


def _reached(step: int) -> bool:
  from jax.experimental import multihost_utils

  return multihost_utils.reached_preemption_sync_point(step)
