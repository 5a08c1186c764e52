"""Runs that are killed and stopped again and again end as the undisturbed one does."""

import concurrent.futures
import dataclasses
import pathlib
import shutil
import threading
from collections.abc import Callable
from typing import NamedTuple

from tests.chaos import remains
from tests.chaos.disturbances import Kind, disturb, draw, judge
from tests.chaos.starts import Start, Trial


@dataclasses.dataclass
class Kill:
  """What a disturbance hit, and what came of it; `wrong` is '' if nothing is."""

  number: int
  kind: Kind
  phase: str
  codes: list[int]
  hangs: bool
  wrong: str


@dataclasses.dataclass
class Runs:
  """What happened to runs of so many processes.

  wanted: kills. finished: runs. differing, failed, hangs: lines on those that must not
  be; `failed` are starts that were not disturbed, and ended before the run was finished
  or found a checkpoint damaged. litter: temporary files that finished runs left.
  """

  processes: int
  wanted: int
  kills: list[Kill] = dataclasses.field(default_factory=list)
  finished: int = 0
  differing: list[str] = dataclasses.field(default_factory=list)
  failed: list[str] = dataclasses.field(default_factory=list)
  hangs: list[str] = dataclasses.field(default_factory=list)
  litter: list[str] = dataclasses.field(default_factory=list)

  def name(self) -> str:
    return f'{self.processes} process' + 'es' * (self.processes > 1)

  def wrong(self) -> list[str]:
    """Lines on all that must not be."""
    of_kills = [
      f'{self.name()}, kill {kill.number}: {kill.wrong}'
      for kill in self.kills
      if kill.wrong
    ]
    return [*of_kills, *self.hangs, *self.failed, *self.differing]


class Reference(NamedTuple):
  """An undisturbed run: its folder, and how many seconds it took."""

  workdir: pathlib.Path
  seconds: float


def shares(processes: list[int], kills: int) -> list[int]:
  """Divides kills so that each number of processes takes about the same time."""
  weights = [1 / count for count in processes]
  each = [int(kills * weight / sum(weights)) for weight in weights]
  return [each[0] + kills - sum(each), *each[1:]]


def run(
  trial: Trial,
  *,
  kills: int,
  processes: list[int],
  seed: int,
  first: int = 1,
  changed: Callable[[list[Runs]], None] = lambda runs: None,
) -> list[Runs]:
  """Disturbs runs of each number of processes, side by side.

  Args:
    trial: which run.
    kills: in all.
    processes: numbers of them.
    seed: of everything that is drawn.
    first: number of the first disturbance; a later one repeats a part.
    changed: called after every run.
  """
  runs = [Runs(*one) for one in zip(processes, shares(processes, kills), strict=True)]
  lock = threading.Lock()

  def say(line: str) -> None:
    with lock:
      print(line, flush=True)

  def ended() -> None:
    with lock:
      changed(runs)

  with concurrent.futures.ThreadPoolExecutor(len(runs)) as pool:
    groups = [_Group(trial, those, seed, first, say, ended) for those in runs]
    for future in [pool.submit(group.run) for group in groups]:
      future.result()
  return runs


class _Group:
  """Runs of one number of processes, one after the other."""

  def __init__(self, trial, runs: Runs, seed: int, first: int, say, ended):
    self._trial, self._runs, self._seed = trial, runs, seed
    self._next, self._say, self._ended = first, say, ended
    self._seconds = 0.0  # that a start takes which does all or the last steps
    self._run = 0

  def run(self) -> None:
    reference = self._undisturbed()
    if reference is None:
      return
    self._seconds = reference.seconds
    self._say(f'{self._runs.name()}: undisturbed in {self._seconds:.0f} s')
    expected = remains.of(reference.workdir)
    while len(self._runs.kills) < self._runs.wanted:
      self._run += 1
      workdir = self._workdir(f'run{self._run}')
      before = len(self._runs.kills)
      if self._disturbed(workdir):
        self._compare(workdir, expected, self._runs.kills[before:])
      self._ended()

  def _undisturbed(self) -> Reference | None:
    workdir = self._workdir('reference')
    with Start(self._trial, workdir, '1', self._runs.processes) as start:
      if start.wait() and not any(start.codes()):
        return Reference(workdir, start.seconds)
      self._fail(f'{workdir}: the undisturbed run ended with {start.codes()}')
      return None

  def _workdir(self, name: str) -> pathlib.Path:
    folder = self._trial.folder / f'processes{self._runs.processes}'
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name

  def _fail(self, line: str) -> None:
    self._runs.failed.append(line)
    self._say(f'FAILED: {line}')

  def _disturbed(self, workdir: pathlib.Path) -> bool:
    """Starts a run until it is finished; False if it never will be."""
    runs, count = self._runs, 0
    while True:
      count += 1
      place = f'{runs.name()}, run {self._run}, start {count}'
      with Start(self._trial, workdir, str(count), runs.processes) as start:
        hit, number = None, self._next
        if len(runs.kills) < runs.wanted:
          what = draw(self._seed, runs.processes, number)
          self._next += 1
          hit = disturb(start, what, self._seconds, self._trial.hang_seconds)
        sent = start.seconds
        hangs = not start.wait()
        took = start.seconds - sent
        wrong = '' if hangs or hit is None else judge(start, what, hit)
        damaged = [line for line in start.said().splitlines() if 'cannot be' in line]
        wrong = wrong or ''.join(damaged[:1])
        codes = [None if start.running(p) else c for p, c in enumerate(start.codes())]
      if hit:
        runs.kills.append(Kill(number, what.kind, hit.before, codes, hangs, wrong))
        self._say(
          f'kill {number} ({place}): {what.kind}, process {what.victim}, '
          f'{what.moment}: {hit.before}, exit codes {codes} after {took:.0f} s'
          + (f'; WRONG: {wrong}' if wrong else '')
        )
      elif wrong:
        self._fail(f'{place}, undisturbed: {wrong}: {workdir}')
      if hangs:
        runs.hangs.append(f'{place} hangs, kill {number}: {workdir}')
        self._say(f'HANGS: {runs.hangs[-1]}')
        return False
      if not any(codes):
        self._seconds = min(self._seconds, sent + took)
        return True
      if not hit:
        self._fail(f'{place} ended with {codes}, undisturbed: {workdir}')
        return False

  def _compare(self, workdir: pathlib.Path, expected: dict, kills: list[Kill]) -> None:
    runs = self._runs
    runs.finished += 1
    differs = remains.difference(expected, remains.of(workdir))
    left = remains.litter(workdir)
    runs.litter += left
    line = f'{runs.name()}, run {self._run}, {len(kills)} kills'
    if differs:
      runs.differing.append(f'{line}: {differs}: {workdir}')
    self._say(
      f'{line}: '
      + (f'DIFFERS: {differs}' if differs else 'as the undisturbed run')
      + (f'; left {", ".join(left)}' if left else '')
    )
    if not differs and not any(kill.wrong for kill in kills):
      shutil.rmtree(workdir)
      shutil.rmtree(workdir.with_name(f'{workdir.name}-said'))
