"""Writing again what a full disk or a store that is away for a minute has refused."""

from collections.abc import Callable
from time import sleep

from mobilenet.training.files import WriteError

# From one attempt to the next: about a minute in all.
WAITS = (1, 2, 4, 8, 16, 30)  # seconds


def write(attempt: Callable[[], None]) -> None:
  """Calls `attempt` until it succeeds, at most once more than there are `WAITS`.

  A printed line announces each wait. An error that a wait does not mend ends it at
  once.

  Raises:
    WriteError: of the last attempt.
  """
  for seconds in WAITS:
    try:
      attempt()
      return
    except WriteError as failure:
      if failure.lasting:
        raise
      print(
        f'note: cannot write {failure.path}: {failure.reason}; next attempt in '
        f'{seconds} s'
      )
    sleep(seconds)
  attempt()
