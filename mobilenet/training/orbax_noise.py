"""Keeps off the terminal what orbax logs besides raising its errors.

A write or read that fails raises an error, which the caller reports in one line. Orbax
also logs each stage of each save, and every error once per thread that it passes
through. Its event loop ends with the first failure. The callbacks of the other writes
or reads then find it closed, asyncio reports every failure that nobody retrieved, and
Python warns of coroutines that never began. On a full disk these are hundreds of lines,
some after the program's last statement.
"""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator


class Silence:
  """Drops those lines, and no others, from `__init__` until `end`."""

  def __init__(self):
    previous = sys.unraisablehook
    # Filters of its own: a shared one would be removed by whichever ends first.
    self._filters = {
      'absl': lambda record: not _is_of_orbax(record),
      'asyncio': lambda record: not _is_never_retrieved(record),
    }
    self._previous = previous
    self._ends = True
    self._hook = lambda raised: _is_of_a_closed_loop(raised) or previous(raised)
    sys.unraisablehook = self._hook
    for name, accepts in self._filters.items():
      logging.getLogger(name).addFilter(accepts)

  def stay(self) -> None:
    """To call after a failure: threads of orbax and TensorStore outlive it."""
    self._ends = False
    unawaited = "coroutine '.*' was never awaited"
    warnings.filterwarnings('ignore', unawaited, RuntimeWarning)

  def end(self) -> None:
    if not self._ends:
      return
    if sys.unraisablehook is self._hook:
      sys.unraisablehook = self._previous
    for name, accepts in self._filters.items():
      logging.getLogger(name).removeFilter(accepts)


@contextlib.contextmanager
def no_words_from_finalizers() -> Iterator[None]:
  """Drops 'Exception ignored in ...' of coroutines that a failed read leaves."""
  hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
  try:
    yield
  finally:
    sys.unraisablehook = hook


def _is_of_orbax(record: logging.LogRecord) -> bool:
  return f'{os.sep}orbax{os.sep}' in record.pathname


def _is_never_retrieved(record: logging.LogRecord) -> bool:
  return 'exception was never retrieved' in record.getMessage()


def _is_of_a_closed_loop(raised) -> bool:
  error = raised.exc_value
  return isinstance(error, RuntimeError) and str(error) == 'Event loop is closed'
