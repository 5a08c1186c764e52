"""Several processes of one run: how they meet, and how the failure of one ends all.

JAX distributes: its coordination service knows the processes, XLA adds up gradients
over them. What is here uses that service. JAX gives it no public name; as orbax does,
we take its client from `jax._src.distributed`.

A collective waits only briefly for a process that is late: gloo, which CPUs use, gives
up after 30 seconds. So processes `meet` wherever they may be far apart, and compile
`together`: these wait as long as it takes, and say for whom.
"""

import contextlib
import itertools
import json
import os
import re
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
from jax._src import distributed

from mobilenet.training import process_flags
from mobilenet.training.errors import TrainingError, require

JOIN_SECONDS = 600  # until the last process has started
HEARTBEAT_SECONDS = 20  # until a process that died is missed
SHUTDOWN_SECONDS = 30
SAY_SECONDS = 30.0  # between two lines on whom the others wait for
_POLL_SECONDS = 0.5
_MARGIN_SECONDS = 10  # from the time when JAX misses a process to that when it acts
_LINGER_SECONDS = 10.0  # process 0 holds the service: the others read there why it ends
_HOST, _MET, _FAILED, _HEARD = 'run/host/', 'run/met/', 'run/failed/', 'run/heard/'
_meetings = itertools.count()  # the same number on all processes: they meet in order


class Failure(NamedTuple):
  """What a process tells the others before it ends."""

  process: int
  cause: str
  code: int  # with which it exits


@contextlib.contextmanager
def joined(flags, mistakes: tuple[type[Exception], ...]) -> Iterator[None]:
  """Makes this process one of several that do a job together.

  At the end all meet, however long one takes. An error ends this process, since the
  others must not be waited for; it is printed here, and told to them. They end within
  seconds, with the same exit code.

  Args:
    flags: with `coordinator`, `num_processes` and `process_id`; None where the cluster
      tells JAX.
    mistakes: exceptions that are told in one line, without a traceback.

  Raises:
    TrainingError: wrong flags, or the processes cannot find each other.
  """
  join(flags)
  done = threading.Event()
  watch = threading.Thread(target=_watch, args=(done,), daemon=True)
  watch.start()
  try:
    yield
    meet('the end')
  except BaseException as error:
    done.set()
    _leave(error, mistakes)
  done.set()
  watch.join()
  jax.distributed.shutdown()


def join(flags) -> None:
  """Connects this process with the others; see `joined`."""
  process_flags.check(flags.coordinator, flags.num_processes, flags.process_id)
  if flags.coordinator:
    print(
      f'process {flags.process_id} of {flags.num_processes}: joining the others at '
      f'{flags.coordinator}, for at most {JOIN_SECONDS} s',
      flush=True,
    )
  late = threading.Timer(JOIN_SECONDS, _give_up, [flags.coordinator])
  late.daemon = True
  late.start()
  try:
    jax.distributed.initialize(
      flags.coordinator,
      flags.num_processes,
      flags.process_id,
      initialization_timeout=JOIN_SECONDS + _MARGIN_SECONDS,
      heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
      shutdown_timeout_seconds=SHUTDOWN_SECONDS,
    )
  except (ValueError, RuntimeError) as error:
    reason = ' '.join(str(error).split())
    raise TrainingError(
      f'--multihost: the processes cannot find each other ({reason}); give each '
      '--coordinator=HOST:PORT --num_processes=N --process_id=0 to N-1'
    ) from error
  finally:
    late.cancel()
  _client().key_value_set(f'{_HOST}{_own()}', socket.gethostname())


def _give_up(coordinator: str | None) -> None:
  """Ends this process in a line, before JAX aborts it."""
  place = f' at {coordinator}' if coordinator else ''
  _exit(
    f'--multihost: not all processes have joined{place} within {JOIN_SECONDS} s; '
    'start all of them, with the same --coordinator and --num_processes and each with '
    'a --process_id of its own',
    1,
  )


def several() -> bool:
  """Whether this process has joined others."""
  return distributed.global_state.client is not None and _count() > 1


def meet(name: str, value: str = '') -> list[str]:
  """Waits until all processes have come here, without a limit.

  Process 0 says every `SAY_SECONDS` whom it waits for. Where another process fails
  meanwhile, this one ends.

  Args:
    name: of the place, as a person would understand it.
    value: told to the others.

  Returns:
    The values of all processes, in their order.
  """
  if not several():
    return [value]
  place = f'{_MET}{next(_meetings)}/'
  _client().key_value_set(f'{place}{_own()}', json.dumps([name, value]))
  said, pause = time.monotonic(), 0.01
  while len(come := _entries(place)) < _count():
    if _own() == 0 and time.monotonic() - said >= SAY_SECONDS:
      said = time.monotonic()
      away = [who(process) for process in range(_count()) if process not in come]
      print(f'waiting for {", ".join(away)} at: {name}', flush=True)
    time.sleep(pause)
    pause = min(2 * pause, _POLL_SECONDS)
  found = [json.loads(come[process]) for process in range(_count())]
  elsewhere = {other for other, _ in found} - {name}
  assert not elsewhere, f'this process is at {name!r}, others at {elsewhere}'
  return [value for _, value in found]


def together(name: str, function: Callable) -> Callable:
  """A jitted function that no process runs before all have compiled it.

  Args:
    name: of the program, for `meet`.
    function: from `jax.jit`; always called with arrays of the same shapes.
  """
  if not several():
    return function
  program = None

  def call(*args):
    nonlocal program
    if program is None:
      program = function.lower(*args).compile()
      meet(f'the program of {name}')
    return program(*args)

  return call


def check_alike(
  name: str, same: Mapping[str, Any], different: Mapping[str, Any] | None = None
) -> None:
  """Checks that the processes do the same work, each on data of its own.

  Args:
    name: of the place, for `meet`.
    same: what must be equal on all processes; JSON.
    different: what must be of each process alone; JSON.

  Raises:
    TrainingError: something is not so; on all processes alike.
  """
  if not several():
    return
  told = [json.loads(v) for v in meet(name, json.dumps([same, different or {}]))]
  wrong = []
  for field in dict.fromkeys(field for there, _ in told for field in there):
    values = _by_value(there.get(field) for there, _ in told)
    if len(values) > 1:
      wrong.append(f'{field} is {" and ".join(f"{v} on {p}" for v, p in values)}')
  for field in different or {}:
    values = _by_value(there.get(field) for _, there in told)
    if len(values) < len(told):
      wrong.append(f'{field} is the same: {"; ".join(p for _, p in values)}')
  require(not wrong, f'the processes are not of one run: {", ".join(wrong)}')


def _by_value(values) -> list[tuple[str, str]]:
  """(value, the processes that have it), each value once."""
  having: dict[str, list[str]] = {}
  for process, value in enumerate(values):
    having.setdefault(json.dumps(value), []).append(who(process))
  return [(value, ', '.join(there)) for value, there in having.items()]


def who(process: int) -> str:
  """'process 1 (its host)'."""
  return f'process {process} ({_entries(_HOST).get(process, "of an unknown host")})'


def _client():
  return distributed.global_state.client


def _own() -> int:
  return distributed.global_state.process_id


def _count() -> int:
  return distributed.global_state.num_processes


def _entries(place: str) -> dict[int, str]:
  """What processes have stored under a name, by their number."""
  stored = _client().key_value_dir_get(place)
  return {int(key.rpartition('/')[2]): value for key, value in stored}


def _failure() -> Failure | None:
  """The first failure that another process has told."""
  told = {p: text for p, text in _entries(_FAILED).items() if p != _own()}
  return Failure(min(told), *json.loads(told[min(told)])) if told else None


def _watch(done: threading.Event) -> None:
  """Ends this process when another has failed, whatever it is waiting for."""
  while not done.wait(_POLL_SECONDS):
    try:
      failure = _failure()
    except RuntimeError:  # the service is gone, and JAX ends this process
      return
    if failure is not None and not done.is_set():
      _follow(failure)


def _follow(failure: Failure) -> None:
  """Ends this process as another has ended."""
  with contextlib.suppress(RuntimeError):
    line = f'{who(failure.process)} failed: {failure.cause}'
    _client().key_value_set(f'{_HEARD}{_own()}', '')
    _exit(line, failure.code)
  _exit(f'process {failure.process} failed: {failure.cause}', failure.code)


def _leave(error: BaseException, mistakes: tuple[type[Exception], ...]) -> None:
  """Tells the others why this process ends, and ends it."""
  code = 1
  cause = ' '.join(str(error).split())
  if isinstance(error, Exception) and not isinstance(error, mistakes):
    _await_reason(cause)
  if isinstance(error, KeyboardInterrupt):
    cause, code = 'it was interrupted', 130
  elif isinstance(error, SystemExit):
    cause, code = f'it exited ({error.code})', error.code
    code = code if isinstance(code, int) else 1
  elif not isinstance(error, mistakes):
    traceback.print_exception(error)
    cause = f'{type(error).__name__}: {cause[:500]}'
  with contextlib.suppress(RuntimeError):
    _client().key_value_set(f'{_FAILED}{_own()}', json.dumps([cause, code]))
    _client().key_value_set(f'{_HEARD}{_own()}', '')
    end = time.monotonic() + _LINGER_SECONDS
    while _own() == 0 and time.monotonic() < end:
      if len(_entries(_HEARD)) == _count():
        break
      time.sleep(0.1)
  _exit(cause, code)


def _await_reason(text: str) -> None:
  """Where a collective failed since another process ended: asks which and why.

  That process has told its failure before. If it was killed, JAX misses its heartbeat,
  says so and ends this process.
  """
  if not re.search('gloo|nccl|UNAVAILABLE|DEADLINE', text, re.IGNORECASE):
    return
  patience = HEARTBEAT_SECONDS + _MARGIN_SECONDS
  end = time.monotonic() + patience
  said = False
  with contextlib.suppress(RuntimeError):
    while time.monotonic() < end:
      if failure := _failure():
        _follow(failure)
      if not said:
        print(
          f'the connection to another process is lost ({text[:200]}); in up to '
          f'{patience} s it is known to which',
          file=sys.stderr,
          flush=True,
        )
        said = True
      time.sleep(_POLL_SECONDS)


def _exit(line: str, code: int) -> None:
  """Ends the process at once: JAX's own end would wait for the other processes."""
  print(f'error: {line}', file=sys.stderr)
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(code)
