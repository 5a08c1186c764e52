"""What happens to a run, when, and how its processes may end after it."""

import random
import re
import signal
import time
from typing import NamedTuple

from mobilenet.training.preemption import STOPPED
from tests.chaos.starts import STARTING, TRAINING, Start

ANY_TIME, WHILE_SAVING, AFTER_A_STEP = 'at any time', 'while saving', 'after a step'
_DELAY = 0.15  # seconds, up to which a save or a step may go on
_POLL = 0.004
# What Ctrl-C may do while jaxlib is imported, before this project prints a line: abort,
# or get lost in JAX's callback at garbage collections.
_ABORTED = "terminate called after throwing an instance of 'nanobind::python_"
_LOST = 'Exception ignored in: <function _xla_gc_callback'


class Kind(NamedTuple):
  """A signal, to one process or to all."""

  number: signal.Signals
  to_all: bool

  def __str__(self) -> str:
    return f'{self.number.name} of {"all" if self.to_all else "one"}'


KINDS = (
  Kind(signal.SIGKILL, False),
  Kind(signal.SIGKILL, True),  # a host of several processes reboots
  Kind(signal.SIGTERM, False),
  Kind(signal.SIGTERM, True),
  Kind(signal.SIGINT, False),
)


class Disturbance(NamedTuple):
  """Drawn for a start.

  share: of the duration of a start, at any time. count: of saves or lines of steps in
  this start. delay: seconds after that.
  """

  kind: Kind
  victim: int
  moment: str
  share: float
  count: int
  delay: float


def draw(seed: int, processes: int, number: int) -> Disturbance:
  """That of a number: always the same one."""
  drawn = random.Random(f'{seed} {processes} {number}')
  kinds = [kind for kind in KINDS if processes > 1 or not kind.to_all]
  # As often killed as asked to stop.
  weights = [2 if kind.number == signal.SIGKILL else 1 for kind in kinds]
  (kind,), victim = drawn.choices(kinds, weights), drawn.randrange(processes)
  moment = drawn.choice((ANY_TIME, WHILE_SAVING, AFTER_A_STEP))
  count = drawn.randint(1, 3 if moment == WHILE_SAVING else 6)
  return Disturbance(
    kind, victim, moment, drawn.random(), count, drawn.random() * _DELAY
  )


class Hit(NamedTuple):
  """The phases just before and just after a disturbance."""

  before: str
  after: str


def disturb(
  start: Start, what: Disturbance, seconds: float, hang_seconds: float
) -> Hit | None:
  """Waits for the moment and sends; None if a process ended before, or none came.

  Args:
    start: that is disturbed.
    what: happens.
    seconds: that a start takes.
    hang_seconds: after which the moment comes no more.
  """
  victims = range(len(start.processes)) if what.kind.to_all else [what.victim]
  if not _await_moment(start, what, seconds, hang_seconds):
    return None
  before = start.phase()
  if not all(start.running(victim) for victim in victims):
    return None
  for victim in victims:
    start.send(what.kind.number, victim)
  return Hit(before, start.phase())


def _await_moment(
  start: Start, what: Disturbance, seconds: float, hang_seconds: float
) -> bool:
  saves: set[int] = set()
  while start.running(what.victim) and start.seconds < seconds + hang_seconds:
    if what.moment == ANY_TIME and start.seconds >= what.share * seconds:
      return True
    if what.moment == WHILE_SAVING:
      saves |= {start.saves()} - {0}
      if len(saves) >= what.count:
        break
    if what.moment == AFTER_A_STEP and start.steps() >= what.count:
      break
    time.sleep(_POLL)
  else:
    return False
  time.sleep(what.delay)
  return True


def judge(start: Start, what: Disturbance, hit: Hit) -> str:
  """What is wrong with how a start ended; '' if nothing is."""
  codes, number = start.codes(), what.kind.number
  asked = number != signal.SIGKILL
  told = [start.said(process) for process in range(len(codes))]
  importing = number == signal.SIGINT and hit.before == STARTING
  for process, (code, text) in enumerate(zip(codes, told, strict=True)):
    lost = importing and text.startswith(_LOST)
    if code in (0, STOPPED) and text.count('Traceback') > lost:
      return f'process {process} ended with {code} and a traceback'
  if STOPPED in codes:
    saved = [re.search(r'saved at step (\d+)', text) for text in told]
    steps = {found and found[1] for found in saved}
    if set(codes) != {STOPPED} or len(steps) != 1 or None in steps:
      return f'they stopped with codes {codes}, at steps {steps}'
    if not (start.workdir / 'checkpoints' / steps.pop()).is_dir():
      return 'the checkpoint at which it stopped is not there'
  if asked and hit.before in TRAINING and hit.after in TRAINING:
    allowed = {0, STOPPED}
  elif asked:
    # Before and after training a signal has its usual effect.
    allowed = {0, STOPPED, 1, 130, -number, 128 + number}
    if importing and told[what.victim].startswith(_ABORTED):
      allowed.add(-signal.SIGABRT)
  else:
    allowed = {0, -signal.SIGKILL}
  if len(codes) > 1 and (not asked or hit.before not in TRAINING):
    # The others end as they do after an error, or when JAX misses a process.
    allowed |= {1, 130, -signal.SIGABRT}
  wrong = sorted(set(codes) - allowed)
  return f'exit codes {wrong}' if wrong else ''
