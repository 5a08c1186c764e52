"""How far a job is that goes through many things: a bar, or a line now and then.

with counter.counting(len(photos), 'photos') as advance:
  for photo in photos:
    ...
    advance(1)
"""

import contextlib
import datetime
import time
from collections.abc import Callable, Iterator

import rich.console
import rich.progress

_SECONDS = 15.0  # between two lines of a log


@contextlib.contextmanager
def counting(
  total: int,
  things: str,
  *,
  console: rich.console.Console | None = None,
  clock: Callable[[], float] = time.monotonic,
) -> Iterator[Callable[[int], None]]:
  """Yields a function that is told how many things were done since its last call.

  A terminal gets a bar, which is gone at the end. Elsewhere a line is printed every 15
  seconds, so that short work leaves no trace in a log.

  Args:
    total: things to do.
    things: what they are, in the plural.
    console: where to show it; standard output by default.
    clock: seconds from any origin.
  """
  console = console or rich.console.Console()
  # A terminal forced by the environment (FORCE_COLOR) may still be a file.
  if console.is_interactive and console.file.isatty():
    with rich.progress.Progress(
      rich.progress.TextColumn('{task.description}'),
      rich.progress.BarColumn(),
      rich.progress.MofNCompleteColumn(),
      rich.progress.TimeRemainingColumn(),
      console=console,
      transient=True,
    ) as bar:
      task = bar.add_task(things, total=total)
      yield lambda number: bar.advance(task, number)
    return
  yield _lines(total, things, console, clock)


def _lines(total, things, console, clock):
  began = last = clock()
  done = 0

  def advance(number: int) -> None:
    nonlocal done, last
    done += number
    now = clock()
    if now - last < _SECONDS or done >= total:
      return
    last = now
    rate = done / (now - began)
    left = datetime.timedelta(seconds=round((total - done) / rate))
    console.print(
      f'{done:,} of {total:,} {things} | {rate:.3g} a second | {left} left',
      markup=False,
      highlight=False,
      soft_wrap=True,
    )

  return advance
