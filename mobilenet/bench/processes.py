"""The parent's side of a worker process: starting it, asking it, ending it."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Sequence

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_MODULE = 'mobilenet.bench.worker'
# A step of a large network compiled by a slow compiler on a slow machine.
LIMIT_SECONDS = 1800


class WorkerError(Exception):
  """What a worker answered instead of a result, or that it died; one line.

  missing: the package that is not installed, where that is the reason.
  """

  def __init__(self, message: str, missing: str | None = None):
    super().__init__(message)
    self.missing = missing


class Worker:
  """A process that answers one request at a time; a context manager."""

  def __init__(
    self,
    spec: dict,
    log: pathlib.Path,
    *,
    environment: dict[str, str] | None = None,
    python: str = sys.executable,
    command: Sequence[str] | None = None,
  ):
    """Starts the process.

    Args:
      spec: what it is to be, as `worker.Server` takes it.
      log: the file for what it prints, removed if that is nothing; its folder is there.
      environment: variables added to this process's own.
      python: the interpreter.
      command: another program than the worker's, to which the spec is added.
    """
    self.log = log
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get('PYTHONPATH'))))
    try:
      with open(log, 'wb') as stderr:
        self.process = subprocess.Popen(
          [*(command or (python, '-m', _MODULE)), json.dumps(spec)],
          stdin=subprocess.PIPE,
          stdout=subprocess.PIPE,
          stderr=stderr,
          env=os.environ | {'PYTHONPATH': path} | (environment or {}),
          text=True,
        )
    except OSError as error:
      raise WorkerError(f'cannot start {python}: {error.strerror}') from error

  def ask(self, do: str, *, limit_seconds: float = LIMIT_SECONDS, **arguments) -> dict:
    """The answer to a request.

    Raises:
      WorkerError: it failed, died, or gave no answer in time (it is ended then).
    """
    late = threading.Event()

    def end():
      late.set()
      self.process.kill()

    timer = threading.Timer(limit_seconds, end)
    timer.start()
    try:
      self.process.stdin.write(json.dumps({'do': do} | arguments) + '\n')
      self.process.stdin.flush()
      line = self.process.stdout.readline()
    except OSError:  # a broken pipe: it died before the question
      line = ''
    finally:
      timer.cancel()
    if late.is_set():
      raise WorkerError(f'gave no answer to {do!r} in {limit_seconds:g} s')
    if not line:
      raise WorkerError(self._death())
    answer = json.loads(line)
    if 'error' in answer:
      raise WorkerError(answer['error'], answer.get('missing'))
    return answer

  def _death(self) -> str:
    code = self.process.wait()
    how = f'was killed by signal {-code}' if code < 0 else f'ended with code {code}'
    lines = self.log.read_text(errors='replace').strip().splitlines()
    return f'its process {how}' + (f': {lines[-1].strip()[:160]}' if lines else '')

  def close(self) -> None:
    """Ends the process; one that is still at work is killed."""
    with contextlib.suppress(OSError):  # it died with a request unread
      self.process.stdin.close()
    try:
      self.process.wait(timeout=5)
    except subprocess.TimeoutExpired:
      self.process.kill()
      self.process.wait()
    self.process.stdout.close()
    with contextlib.suppress(OSError):  # it may be gone already
      if self.log.stat().st_size == 0:
        self.log.unlink()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.close()
