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
# Enough for a large network, a slow compiler and a slow machine.
LIMIT_SECONDS = 1800


class WorkerError(Exception):
  """One line: the error that a worker answered with, or how it died.

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
      spec: what it has to do, as `worker.Server` takes it.
      log: the file for what it prints, removed if empty; its folder exists.
      environment: variables added to this process's own.
      python: the interpreter.
      command: a program to run in place of the worker's; the spec is added to it.
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
      WorkerError: it failed, died, or gave no answer in time (then it is killed).
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
    """Ends the process; kills it if it is still at work."""
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
