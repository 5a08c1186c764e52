"""A process with one contender in it, which its parent asks over a pipe.

    python -m mobilenet.bench.worker '{"module": ..., "mode": "train", ...}'

Requests and answers are JSON, one per line: `prepare` builds, compiles and warms up;
`time` makes calls and returns the milliseconds of each, by the clock and of processors;
`memory` returns the peaks; `measure` is the contender's own. Between requests the
process waits for the pipe and uses no processor time. Standard output is the pipe, so
what a framework prints goes to standard error.
"""

import dataclasses
import importlib
import json
import os
import re
import sys
import time
import traceback
from collections.abc import Callable

_STATUS, _RESET = '/proc/self/status', '/proc/self/clear_refs'  # Linux


@dataclasses.dataclass(frozen=True)
class Prepared:
  """What a contender's `prepare(spec)` returns.

  run: one call, which returns when its result is there. parameters: number of learned
  values, to check that contenders have the same network. init_seconds: time to make the
  variables and the optimizer's state. platform: 'cpu', 'gpu' or 'tpu'. device: the name
  that its maker gives it. device_memory: () -> peak bytes in use on a device with a
  memory of its own, or None. parts, measure: for contenders that measure more than the
  time of `run`; measure(number, ...) -> dict for each number below `parts`.
  """

  run: Callable[[], None]
  parameters: int
  init_seconds: float
  platform: str
  versions: dict[str, str]
  device: str = 'cpu'
  notes: tuple[str, ...] = ()
  device_memory: Callable[[], int | None] = lambda: None
  parts: int = 0
  measure: Callable[..., dict] | None = None


class Server:
  """Answers requests about one contender; `spec` says which and at what size."""

  def __init__(self, spec: dict):
    self.spec = spec
    self.prepared: Prepared | None = None
    self.peak_before: float | None = None

  def prepare(self) -> dict:
    """Imports and builds, then makes two calls, the first of which compiles."""
    began = time.perf_counter()
    module = importlib.import_module(self.spec['module'])
    imported = time.perf_counter() - began
    self.prepared = module.prepare(self.spec)
    (first, _), (second, _) = self._call(), self._call()
    self.peak_before = peak_memory()
    forget_peak_memory()
    told = dataclasses.replace(
      self.prepared, run=None, device_memory=None, measure=None
    )
    return dataclasses.asdict(told) | {
      'import_seconds': imported,
      'first_call_seconds': first / 1e3,
      'call_ms': second,
    }

  def time(self, repeats: int, lead: int = 0) -> dict:
    """Milliseconds of `repeats` calls, after `lead` calls that are not counted."""
    for _ in range(lead):
      self._call()
    calls = [self._call() for _ in range(repeats)]
    return {
      'ms': [wall for wall, _ in calls],
      'processor_ms': [own for _, own in calls],
    }

  def measure(self, **arguments) -> dict:
    """What the contender itself measures."""
    return self.prepared.measure(**arguments)

  def memory(self) -> dict:
    """MiB: peak while calls were timed, in the process's life, and on the device."""
    running, on_device = peak_memory(), self.prepared.device_memory()
    before = self.peak_before
    return {
      'running_mib': running,
      'whole_mib': None if running is None else max(running, before),
      'device_mib': None if on_device is None else on_device / 2**20,
    }

  def _call(self) -> tuple[float, float]:
    """Milliseconds of a call by the clock, and of processors in all its threads."""
    worked, began = time.process_time(), time.perf_counter()
    self.prepared.run()
    wall = time.perf_counter() - began
    return 1e3 * wall, 1e3 * (time.process_time() - worked)


def peak_memory() -> float | None:
  """Peak MiB of this process since it was last reset; None except on Linux."""
  try:
    with open(_STATUS) as file:
      found = re.search(r'VmHWM:\s*(\d+) kB', file.read())
  except OSError:
    return None
  return int(found[1]) / 1024 if found else None


def forget_peak_memory() -> None:
  """Resets the peak to what is in use now, if the system can."""
  try:
    with open(_RESET, 'w') as file:
      file.write('5')
  except OSError:
    pass


def keep_to(threads: int) -> None:
  """Keeps this process to as many cores as it may have threads.

  XLA takes its number of threads from the cores that it may use and has no other
  setting; so all contenders get the same cores.
  """
  if hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def one_line(error: BaseException) -> str:
  """What went wrong, in a line fit for a table."""
  text = ' '.join(str(error).split())
  text = f'{type(error).__name__}: {text}' if text else type(error).__name__
  return text if len(text) <= 200 else text[:199] + '…'


def serve(server: Server, requests, answers) -> None:
  """Answers until there are no more requests."""
  for line in requests:
    request = json.loads(line)
    try:
      answer = getattr(server, request.pop('do'))(**request)
    except Exception as error:
      traceback.print_exc()
      answer = {'error': one_line(error)}
      # An error of ours may say in its own words that a package is missing.
      for reason in (error, error.__cause__):
        if isinstance(reason, ModuleNotFoundError):
          answer['missing'] = (reason.name or '').partition('.')[0]
    answers.write(json.dumps(answer) + '\n')
    answers.flush()


def main() -> None:
  answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w')
  os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
  spec = json.loads(sys.argv[1])
  keep_to(spec['threads'])
  serve(Server(spec), sys.stdin, answers)


if __name__ == '__main__':
  main()
