"""Processes that start at very different times end as those that start together."""

import concurrent.futures
import dataclasses
import random
import shutil
from collections.abc import Callable

from tests.chaos import remains
from tests.chaos.starts import Start, Trial


@dataclasses.dataclass
class Launches:
  """Launches of so many processes; `wrong` has a line for each that failed.

  apart: seconds from the first process to the last, of each launch. seconds: from the
  last process to the end.
  """

  processes: int
  apart: list[float] = dataclasses.field(default_factory=list)
  seconds: list[float] = dataclasses.field(default_factory=list)
  hangs: int = 0
  failed: int = 0
  differing: int = 0
  wrong: list[str] = dataclasses.field(default_factory=list)


def delays(seed: int, processes: int, number: int, most: float) -> list[float]:
  """Seconds after which each process of a launch starts; one is the first at 0."""
  drawn = random.Random(f'{seed} {processes} {number}')
  found = [drawn.random() * most for _ in range(processes)]
  return [delay - min(found) for delay in found]


def run(
  trial: Trial,
  *,
  launches: int,
  processes: list[int],
  seed: int,
  skew: float,
  at_once: int = 1,
  first: int = 1,
  changed: Callable[[list[Launches]], None] = lambda found: None,
) -> list[Launches]:
  """Launches runs of each number of processes in turn.

  Args:
    trial: which run.
    launches: in all.
    processes: numbers of them.
    seed: of the delays.
    skew: the longest of them, in seconds.
    at_once: launches side by side.
    first: number of the first launch; a later one repeats a part.
    changed: called after every launch.
  """
  found = {count: Launches(count) for count in processes}
  expected = {}
  for count in processes:
    reference = trial.folder / f'reference{count}'
    with Start(trial, reference, '1', count) as start:
      if not start.wait() or any(start.codes()):
        line = f'{reference}: the run without skew ended with {start.codes()}'
        found[count].failed += 1
        found[count].wrong.append(line)
        return list(found.values())
    expected[count] = remains.of(reference)
    print(f'{count} processes: undisturbed in {start.seconds:.0f} s', flush=True)
  with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
    numbers = range(first, first + launches)
    counts = [processes[number % len(processes)] for number in numbers]
    waiting = [
      pool.submit(_launch, trial, found[count], expected[count], number, seed, skew)
      for number, count in zip(numbers, counts, strict=True)
    ]
    for future in concurrent.futures.as_completed(waiting):
      print(future.result(), flush=True)
      changed(list(found.values()))
  return list(found.values())


def _launch(
  trial: Trial, into: Launches, expected: dict, number: int, seed: int, skew: float
) -> str:
  """One launch; returns a line on it."""
  workdir = trial.folder / f'launch{number}'
  apart = delays(seed, into.processes, number, skew)
  with Start(trial, workdir, '1', into.processes, apart) as start:
    last, wrong = start.seconds, ''
    hangs = not start.wait()
    codes, seconds = start.codes(), start.seconds - last
  if hangs:
    into.hangs += 1
    wrong = 'HANGS'
  elif any(codes):
    into.failed += 1
    wrong = f'FAILED: exit codes {codes}'
  elif differs := remains.difference(expected, remains.of(workdir)):
    into.differing += 1
    wrong = f'DIFFERS: {differs}'
  into.apart.append(max(apart))
  into.seconds.append(seconds)
  line = f'launch {number}: {into.processes} processes within {max(apart):.0f} s'
  if wrong:
    into.wrong.append(f'{line}: {wrong}: {workdir}')
    return into.wrong[-1]
  shutil.rmtree(workdir)
  shutil.rmtree(workdir.with_name(f'{workdir.name}-said'))
  return f'{line}: as without, {seconds:.0f} s after the last'
