"""One start of a run: its processes, what they say, how far they are, how they end."""

import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from tests import tiny

EVAL_EPOCHS = 2
_STEPS_PER_EPOCH = 3  # 48 examples in batches of 16
_STEP = re.compile(r'^step (\d+)/(\d+) epoch \S+ \| (loss|evaluation) ', re.MULTILINE)
_DUMP_SECONDS = 2.0
_LEASH = tiny.ROOT / 'mobilenet' / 'sweeps' / 'leash.py'
# What is tried is the road: programs may be slow, but are soon compiled.
_XLA_FLAGS = (
  '--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1'
)
_ONE_DEVICE = '--xla_force_host_platform_device_count=1'  # as hosts have

STARTING, BETWEEN, EVALUATING = 'before the first step', 'between steps', 'evaluating'
SAVING, REPORTING = 'saving', 'reporting'
PHASES = (STARTING, BETWEEN, EVALUATING, SAVING, REPORTING)
TRAINING = (BETWEEN, EVALUATING, SAVING)  # here a signal makes a run save and stop


@dataclasses.dataclass(frozen=True)
class Trial:
  """What all starts of a command have in common.

  folder: of runs, outputs and, unless JAX has one, the cache of programs.
  epochs: of a run; each is three steps and ends with a checkpoint.
  hang_seconds: without an end, after which a start hangs.
  join_seconds: that processes wait for those that have not started.
  report: whether a run ends with its report.
  """

  folder: pathlib.Path
  epochs: int = 8
  hang_seconds: float = 600.0
  join_seconds: int = 600
  report: bool = True

  def arguments(self, workdir: pathlib.Path) -> list[str]:
    """Those of main.py, for a run in `workdir` of which much is written."""
    return [
      *tiny.CONFIG,
      f'--config.epochs={self.epochs}',
      '--config.log_steps=1',
      f'--config.eval_every_epochs={EVAL_EPOCHS}',
      '--config.keep_best=True',
      f'--workdir={workdir}',
    ]

  def command(self, workdir: pathlib.Path, *more: str) -> list[str]:
    return [
      *(sys.executable, str(_LEASH), str(os.getpid())),
      *(sys.executable, '-m', 'tests.chaos.process', *self.arguments(workdir), *more),
    ]

  def environment(self, count: int) -> dict[str, str]:
    """That of each of so many processes."""
    flags = (os.environ.get('XLA_FLAGS', ''), _XLA_FLAGS, _ONE_DEVICE * (count > 1))
    own = {
      'XLA_FLAGS': ' '.join(flags),
      'PYTHONUNBUFFERED': '1',
      'CHAOS_JOIN_SECONDS': str(self.join_seconds),
      'CHAOS_REPORT': str(int(self.report)),
    }
    if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
      own['XDG_CACHE_HOME'] = str(self.folder / 'cache')
    return {**os.environ, **own}


class Start:
  """The processes of one start of a run; killed at the end of the `with` block.

  Args:
    trial: which run.
    workdir: its folder.
    name: of the files of output, beside the workdir.
    count: of processes.
    delays: seconds after which each is started.
  """

  def __init__(
    self,
    trial: Trial,
    workdir: pathlib.Path,
    name: str,
    count: int,
    delays: Sequence[float] = (),
  ):
    self._trial, self.workdir = trial, workdir
    said = workdir.with_name(f'{workdir.name}-said')
    said.mkdir(parents=True, exist_ok=True)
    self._said = [said / f'{name}-{process}.txt' for process in range(count)]
    self.processes: list[subprocess.Popen | None] = [None] * count
    self.began = time.monotonic()
    delays = delays or [0.0] * count
    port = _free_port()
    try:
      for process in sorted(range(count), key=lambda process: delays[process]):
        time.sleep(max(0.0, self.began + delays[process] - time.monotonic()))
        more = (
          '--multihost',
          f'--coordinator=localhost:{port}',
          f'--num_processes={count}',
          f'--process_id={process}',
        )
        with open(self._said[process], 'wb') as output:
          self.processes[process] = subprocess.Popen(
            trial.command(workdir, *(more if count > 1 else ())),
            cwd=tiny.ROOT,
            env=trial.environment(count),
            stdout=output,
            stderr=subprocess.STDOUT,
          )
    except BaseException:
      self.kill()
      raise

  def __enter__(self) -> 'Start':
    return self

  def __exit__(self, *exception) -> None:
    self.kill()

  @property
  def seconds(self) -> float:
    return time.monotonic() - self.began

  def said(self, process: int = 0) -> str:
    return self._said[process].read_text(errors='replace')

  def running(self, process: int) -> bool:
    return self.processes[process].poll() is None

  def ended(self) -> bool:
    return not any(self.running(process) for process in range(len(self.processes)))

  def send(self, number: signal.Signals, process: int) -> None:
    self.processes[process].send_signal(number)

  def steps(self) -> int:
    """Lines of steps that this start has shown."""
    return sum(found[2] == 'loss' for found in _STEP.findall(self.said()))

  def saves(self) -> int:
    """The newest checkpoint that this start is writing, by its name; 0 for none."""
    if not self.steps():
      return 0  # what is there was left by the start before
    writing = [
      int(path.name.partition('.')[0])
      for folder in ('checkpoints', 'best/checkpoints')
      for path in self.workdir.glob(f'{folder}/*.orbax-checkpoint-tmp*')
    ]
    return max(writing, default=0)

  def phase(self) -> str:
    """Where the run is now, as process 0 has said."""
    found = _STEP.findall(self.said())
    if 'nothing to train' in self.said():
      return REPORTING
    if not found:
      return STARTING
    step, total, kind = found[-1]
    if kind == 'evaluation' and step == total and not self.saves():
      return REPORTING
    if self.saves():
      return SAVING
    is_evaluated = int(step) % (EVAL_EPOCHS * _STEPS_PER_EPOCH) == 0 or step == total
    return EVALUATING if kind == 'loss' and is_evaluated else BETWEEN

  def wait(self) -> bool:
    """Waits until all have ended; False if they hang, and have said where."""
    end = time.monotonic() + self._trial.hang_seconds
    while not self.ended():
      if time.monotonic() > end:
        self._dump()
        return False
      time.sleep(0.05)
    return True

  def codes(self) -> list[int]:
    return [process.returncode for process in self.processes]

  def kill(self) -> None:
    for process in filter(None, self.processes):
      process.kill()
      process.wait()

  def _dump(self) -> None:
    for process in range(len(self.processes)):
      if self.running(process):
        with contextlib.suppress(ProcessLookupError):
          self.send(signal.SIGUSR1, process)
    time.sleep(_DUMP_SECONDS)


def _free_port() -> int:
  with socket.socket() as found:
    found.bind(('localhost', 0))
    return found.getsockname()[1]
