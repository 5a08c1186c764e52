"""Requests to stop: SIGTERM of a scheduler, or Ctrl-C."""

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

from mobilenet.training import processes

# The exit code of what was stopped and goes on with the same command: EX_TEMPFAIL, "try
# again", of sysexits.h.
STOPPED = 75

# A scheduler may signal every process, and a sweep passes on what it gets: the same
# request then comes twice, and the second must not kill a run that is saving.
REPEAT_SECONDS = 2.0

_NUMBERS = (signal.SIGTERM, signal.SIGINT)
_SHOW_CURSOR = b'\x1b[?25h'  # a terminal's bar has hidden it
_AGAIN_SECONDS = 0.1


@contextlib.contextmanager
def ctrl_c_is_heard() -> Iterator[None]:
  """While entered, Ctrl-C ends the block also where it comes in a callback.

  Python swallows what a callback raises, such as that of JAX at each garbage
  collection: while a run was prepared, 2 of 17 came to nothing.
  """
  before = sys.unraisablehook

  def hook(unraisable) -> None:
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
      # Not at once: it would be raised in here, and be swallowed as well.
      again = threading.Timer(_AGAIN_SECONDS, _interrupt)
      again.daemon = True
      again.start()
    else:
      before(unraisable)

  sys.unraisablehook = hook
  try:
    yield
  finally:
    sys.unraisablehook = before


def _interrupt() -> None:
  """Ctrl-C for the main thread, which a signal also wakes from waiting."""
  if hasattr(signal, 'pthread_kill'):
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
  else:  # Windows
    _thread.interrupt_main()


class StopRequest:
  """While entered, notes SIGTERM and SIGINT instead of dying; a second one kills.

  A second SIGTERM within `REPEAT_SECONDS` of the first is ignored. The second ends the
  process at once, whatever it does, with the exit code 128 + signal.

  Python calls its handlers between two statements, and a step or a compilation is one
  of them. So a thread takes the time of each signal and ends the process.

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
    self._pipe = self._before = self._thread = None

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
      self._pipe = os.pipe()
      if hasattr(os, 'set_blocking'):  # not on Windows before Python 3.12
        os.set_blocking(self._pipe[1], False)
      self._before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
      self._thread = threading.Thread(target=_watch, args=self._pipe[:1], daemon=True)
      self._thread.start()
      for number in _NUMBERS:
        self._previous[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *exception) -> None:
    for number, handler in self._previous.items():
      signal.signal(number, handler)
    self._previous.clear()
    if self._pipe is not None:
      signal.set_wakeup_fd(self._before)
      os.close(self._pipe[1])  # which ends the thread
      self._thread.join()
      os.close(self._pipe[0])
      self._pipe = None

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
    self.received = self.received or signal.Signals(number).name


def _reached(step: int) -> bool:
  from jax.experimental import multihost_utils

  return multihost_utils.reached_preemption_sync_point(step)


def _watch(pipe: int) -> None:
  """Reads the numbers of signals as they come, each a byte."""
  first = {}
  while byte := os.read(pipe, 1):
    number, now = byte[0], time.monotonic()
    if number not in _NUMBERS:
      continue
    if number not in first:
      first[number] = now
    elif number != signal.SIGTERM or now - first[number] > REPEAT_SECONDS:
      _end(number)


def _end(number: int) -> None:
  if sys.stdout.isatty():
    os.write(sys.stdout.fileno(), _SHOW_CURSOR)
  os._exit(128 + number)
