"""Being asked to stop, once and again."""

import hashlib
import os
import signal
import threading
import time

import pytest

from mobilenet.training import preemption

WINDOW = 0.3


@pytest.fixture
def killed(monkeypatch):
  """The signals that would have ended the process, had they not been caught."""
  monkeypatch.setattr(preemption, 'REPEAT_SECONDS', WINDOW)
  received = []
  numbers = (signal.SIGTERM, signal.SIGINT)
  before = {n: signal.signal(n, lambda n, _: received.append(n)) for n in numbers}
  yield received
  for number, handler in before.items():
    signal.signal(number, handler)


def send(number):
  os.kill(os.getpid(), number)


def test_sigterm_again_at_once_is_ignored_and_later_kills(killed):
  with preemption.StopRequest() as stop:
    assert not stop.after(1)
    for _ in range(3):
      send(signal.SIGTERM)
    assert stop.after(2)
    assert stop.received == 'SIGTERM'
    assert not killed
    time.sleep(WINDOW + 0.2)
    assert not killed, 'none was kept for later'
    send(signal.SIGTERM)
    assert killed == [signal.SIGTERM]


def test_a_repeat_that_comes_during_a_long_step_is_ignored(killed):
  """The step ends after the window, and only then could Python hear of the signal."""
  with preemption.StopRequest() as stop:
    send(signal.SIGTERM)
    began = time.monotonic()
    repeat = threading.Timer(0.05, send, [signal.SIGTERM])
    repeat.start()
    while time.monotonic() - began < WINDOW + 0.2:
      # Outside Python and without its lock, as XLA's steps are.
      hashlib.pbkdf2_hmac('sha256', b'', b'', 3_000_000)
    repeat.join()
    assert stop.received == 'SIGTERM'
    assert not killed


def test_the_second_ctrl_c_kills_at_once(killed):
  with preemption.StopRequest() as stop:
    send(signal.SIGINT)
    assert stop.after(1)
    assert not killed
    send(signal.SIGINT)
    assert killed == [signal.SIGINT]


def test_ctrl_c_twice_kills_a_run_that_sigterm_stops(killed):
  with preemption.StopRequest():
    send(signal.SIGTERM)
    send(signal.SIGINT)
    assert not killed
    send(signal.SIGINT)
    assert killed == [signal.SIGINT]


def test_it_leaves_everything_as_it_was(killed):
  numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
  before = [signal.getsignal(number) for number in numbers]
  alarm = signal.setitimer(signal.ITIMER_REAL, 600)
  try:
    with preemption.StopRequest():
      send(signal.SIGTERM)
      assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= WINDOW
    assert 500 < signal.getitimer(signal.ITIMER_REAL)[0] <= 600
  finally:
    signal.setitimer(signal.ITIMER_REAL, *alarm)
  assert [signal.getsignal(number) for number in numbers] == before
  send(signal.SIGTERM)
  assert killed == [signal.SIGTERM]


def test_asked_twice_a_run_still_saves(killed, make_run, tmp_path):
  def train(start_step, batch_size):
    for step, batch in enumerate(make_run().train(start_step, batch_size), start_step):
      if step == 6:
        send(signal.SIGTERM)
        send(signal.SIGTERM)
      yield batch

  outcome = make_run(train=train)(tmp_path)
  assert outcome.stopped == 'SIGTERM'
  assert (tmp_path / 'checkpoints' / '7').is_dir()
  assert not killed
