"""Reading again what a store that is away for a moment has refused."""

import errno
import os
from collections.abc import Callable
from time import sleep

from input_pipeline.errors import DataError

# From one attempt to the next: about a minute in all.
WAITS = (1, 2, 4, 8, 16, 30)  # seconds

# What a file system that is reached by a network, or a failing disk, says for a while.
# A file that is not there, or must not be read, will not be there a second later.
_PASSING = {
  getattr(errno, name)
  for name in (
    'EIO', 'ESTALE', 'ETIMEDOUT', 'EAGAIN', 'ECONNREFUSED', 'ECONNRESET', 'ENOTCONN',
    'EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH', 'EREMOTEIO', 'ENFILE',
    'EMFILE',
  )
  if hasattr(errno, name)
}  # fmt: skip


class Attempts:
  """Counts the attempts that failed in a row, and waits after each."""

  def __init__(self):
    self._failed = 0

  def failed(self, what: str, reason: str) -> None:
    """Waits for the next attempt; a printed line announces the first wait of a row.

    Raises:
      DataError: all the attempts have failed.
    """
    if self._failed == len(WAITS):
      raise DataError(
        f'{what} cannot be read: {reason} ({self._failed + 1} attempts in '
        f'{sum(WAITS):g} s); once it can be, the same command goes on from the last '
        'checkpoint'
      )
    seconds = WAITS[self._failed]
    if self._failed == 0:
      print(
        f'note: reading {what} failed ({reason}); next attempt in {seconds:g} s, the '
        f'last within {sum(WAITS):g} s'
      )
    self._failed += 1
    sleep(seconds)

  def succeeded(self) -> None:
    self._failed = 0


class _Store:
  """What the threads of this process that read photos know of the store together."""

  silent = False  # one of them has waited in vain, and none has read since


def read(attempt: Callable[[], bytes], what: str | os.PathLike) -> bytes:
  """What `attempt` returns; it is called again while a store is away.

  After one file has been waited for in vain, others are not waited for until one can be
  read: many threads and files would wait a minute each.

  Raises:
    OSError: of the last attempt.
  """
  attempts = Attempts()
  while True:
    try:
      data = attempt()
    except OSError as error:
      if error.errno not in _PASSING or _Store.silent:
        raise
      try:
        attempts.failed(os.fspath(what), error.strerror)
      except DataError:
        _Store.silent = True
        raise error from None
    else:
      _Store.silent = False
      return data
