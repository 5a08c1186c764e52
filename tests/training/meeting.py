"""A process that meets another one, and what happens to it: see test_processes.py.

python -m tests.training.meeting WHAT PORT NUMBER    (or 'cluster' for the port)
"""

import os
import signal
import sys
import time
import types

import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.training import processes, sharding
from mobilenet.training.errors import TrainingError


def meet(number: int) -> None:
  """They meet, and each says whom."""
  print('values', processes.meet('the place', f'of {number}'))


def late(number: int) -> None:
  """The second process comes two seconds late."""
  processes.SAY_SECONDS = 0.5
  time.sleep(2 * number)
  meet(number)


def very_late(number: int) -> None:
  """The second compiles for 40 seconds longer, before their first sum."""
  mesh = sharding.make_mesh()
  total = jax.jit(jnp.sum, out_shardings=sharding.replicated(mesh))

  class Slow:
    def lower(self, *args):
      time.sleep(40 * number)
      return total.lower(*args)

  own = sharding.put(mesh, {'': np.array([number + 1.0], np.float32)})['']
  print(f'sum {float(processes.together("a sum", Slow())(own)):g}')


def mistake(number: int) -> None:
  """The second finds no data, while the first waits for it."""
  if number == 1:
    raise TrainingError('/photos: no such folder')
  processes.meet('the data')


def mistake_of_the_first(number: int) -> None:
  """The process that holds the service fails; the other hears of it all the same."""
  if number == 0:
    raise TrainingError('the disk is full')
  time.sleep(60)


def bug(number: int) -> None:
  """An exception that nobody foresaw, while the other is not at a meeting place."""
  if number == 1:
    raise ZeroDivisionError('by zero')
  time.sleep(60)


def interrupted(number: int) -> None:
  """Ctrl-C on the second before a run has begun."""
  if number == 1:
    os.kill(os.getpid(), signal.SIGINT)
  time.sleep(60)


def killed(number: int) -> None:
  """The second is killed, and tells nobody."""
  if number == 1:
    os.kill(os.getpid(), signal.SIGKILL)
  processes.meet('what never comes')


def killed_first(number: int) -> None:
  """The process that holds the service is killed."""
  if number == 0:
    os.kill(os.getpid(), signal.SIGKILL)
  processes.meet('what never comes')


def unlike(number: int) -> None:
  """Another seed, and the same photos."""
  processes.check_alike('the start', {'seed': number, 'steps': 5}, {'photos': 'all'})


def long_report(number: int) -> None:
  """The first reports for longer than JAX waits at its end."""
  if number == 0:
    time.sleep(2)
    print('reported')


if __name__ == '__main__':
  what, port, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
  processes.JOIN_SECONDS = int(os.environ.get('MEETING_JOIN_SECONDS', '60'))
  processes.HEARTBEAT_SECONDS = 4
  processes.SHUTDOWN_SECONDS = 1
  flags = types.SimpleNamespace(
    coordinator=f'localhost:{port}', num_processes=2, process_id=number
  )
  if port == 'cluster':  # which says it all in the environment
    flags = types.SimpleNamespace(coordinator=None, num_processes=None, process_id=None)
  with processes.joined(flags, (TrainingError,)):
    globals()[what](number)
