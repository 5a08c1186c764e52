"""Being asked to stop, once and again."""

import gc
import hashlib
import os
import signal
import sys
import threading
import time
import types

import pytest

from mobilenet.training import preemption

WINDOW = 0.3


@pytest.fixture
def ended(monkeypatch):
  """The signals that would have ended the process."""
  numbers = []
  monkeypatch.setattr(preemption, 'REPEAT_SECONDS', WINDOW)
  monkeypatch.setattr(preemption, '_end', numbers.append)
  return numbers


def send(number):
  os.kill(os.getpid(), number)


def soon(condition):
  """Waits for a thread to do what it does at once."""
  deadline = time.monotonic() + 10
  while not condition():
    assert time.monotonic() < deadline
    time.sleep(0.005)


def test_ctrl_c_in_a_callback_is_heard():
  left = [signal.SIGINT]

  def callback(phase, info):
    if left:
      send(left.pop())

  def work():
    gc.collect()
    assert not left, 'the callback was called'
    time.sleep(10)

  gc.callbacks.append(callback)
  began = time.monotonic()
  try:
    with pytest.raises(KeyboardInterrupt), preemption.ctrl_c_is_heard():
      work()
  finally:
    gc.callbacks.remove(callback)
  assert time.monotonic() - began < 5, 'it wakes what waits'


def test_what_else_a_callback_raises_is_told_as_before(monkeypatch):
  told = []
  monkeypatch.setattr(sys, 'unraisablehook', told.append)
  hook = sys.unraisablehook
  with preemption.ctrl_c_is_heard():
    sys.unraisablehook(types.SimpleNamespace(exc_type=ValueError))
  assert [one.exc_type for one in told] == [ValueError]
  assert sys.unraisablehook is hook


def test_sigterm_again_at_once_is_ignored_and_later_kills(ended):
  with preemption.StopRequest() as stop:
    assert not stop.after(1)
    for _ in range(3):
      send(signal.SIGTERM)
    assert stop.after(2)
    assert stop.received == 'SIGTERM'
    time.sleep(WINDOW + 0.2)
    assert not ended, 'none was kept for later'
    send(signal.SIGTERM)
    soon(lambda: ended == [signal.SIGTERM])


@pytest.mark.parametrize('repeated', ['at once', 'later'])
def test_during_a_long_step_it_counts_when_a_repeat_came(ended, repeated):
  """Python hears of both after the step: one of them, and that the other came first."""
  with preemption.StopRequest() as stop:
    send(signal.SIGTERM)
    began = time.monotonic()
    after = 0.05 if repeated == 'at once' else WINDOW + 0.1
    repeat = threading.Timer(after, send, [signal.SIGTERM])
    repeat.start()
    while time.monotonic() - began < WINDOW + 0.3:
      # Outside Python and without its lock, as XLA's steps are.
      hashlib.pbkdf2_hmac('sha256', b'', b'', 3_000_000)
    repeat.join()
    assert stop.received == 'SIGTERM'
    if repeated == 'at once':
      assert not ended
    else:
      soon(lambda: ended == [signal.SIGTERM])


def test_the_second_ctrl_c_kills_at_once(ended):
  with preemption.StopRequest() as stop:
    send(signal.SIGINT)
    assert stop.after(1)
    assert not ended
    send(signal.SIGINT)
    soon(lambda: ended == [signal.SIGINT])


def test_ctrl_c_twice_kills_a_run_that_sigterm_stops(ended):
  with preemption.StopRequest() as stop:
    send(signal.SIGTERM)
    send(signal.SIGINT)
    assert stop.received == 'SIGTERM'
    time.sleep(0.1)
    assert not ended
    send(signal.SIGINT)
    soon(lambda: ended == [signal.SIGINT])


def test_it_leaves_everything_as_it_was(ended):
  numbers = (signal.SIGTERM, signal.SIGINT)
  before = [signal.getsignal(number) for number in numbers]
  threads = threading.active_count()
  mine, others = os.pipe()
  os.set_blocking(others, False)
  previous = signal.set_wakeup_fd(others)
  try:
    with preemption.StopRequest():
      send(signal.SIGTERM)
    assert signal.set_wakeup_fd(previous) == others
  finally:
    os.close(mine)
    os.close(others)
  assert [signal.getsignal(number) for number in numbers] == before
  assert threading.active_count() == threads
  assert not ended


def test_another_signal_is_none_of_its_business(ended):
  heard = []
  before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
  try:
    with preemption.StopRequest() as stop:
      send(signal.SIGUSR1)
      send(signal.SIGUSR1)
      time.sleep(0.1)
  finally:
    signal.signal(signal.SIGUSR1, before)
  assert heard
  assert (stop.received, ended) == (None, [])


def test_asked_twice_a_run_still_saves(ended, make_run, tmp_path):
  def train(start_step, batch_size):
    for step, batch in enumerate(make_run().train(start_step, batch_size), start_step):
      if step == 6:
        send(signal.SIGTERM)
        send(signal.SIGTERM)
      yield batch

  outcome = make_run(train=train)(tmp_path)
  assert outcome.stopped == 'SIGTERM'
  assert (tmp_path / 'checkpoints' / '7').is_dir()
  assert not ended
