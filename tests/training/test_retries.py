"""Failed writes: how often they are tried again, how long, and which are not."""

import errno

import pytest

from mobilenet.training import files, retries


@pytest.fixture
def waits(monkeypatch):
  waited = []
  monkeypatch.setattr(retries, 'sleep', waited.append)
  return waited


def failing(times, code):
  """An attempt that fails so many times, and the list of its calls."""
  calls = []

  def attempt():
    calls.append(code)
    if len(calls) <= times:
      raise files.write_error('the/file', OSError(code, 'as the system says'))

  return attempt, calls


def test_what_passes_is_waited_for(waits, capsys):
  attempt, calls = failing(3, errno.EIO)
  retries.write(attempt)
  assert len(calls) == 4
  assert waits == [1, 2, 4]
  assert capsys.readouterr().out.splitlines()[2] == (
    'note: cannot write the/file: as the system says; next attempt in 4 s'
  )


def test_after_a_minute_the_error_is_the_last_attempts(waits):
  attempt, calls = failing(100, errno.ENOSPC)
  with pytest.raises(files.WriteError, match='free some space and run the same'):
    retries.write(attempt)
  assert len(calls) == len(retries.WAITS) + 1
  assert 50 < sum(waits) < 70


@pytest.mark.parametrize('code', [errno.EROFS, errno.ENOTDIR, errno.EFBIG])
def test_what_stays_is_not_waited_for(waits, capsys, code):
  attempt, calls = failing(100, code)
  with pytest.raises(files.WriteError):
    retries.write(attempt)
  assert (len(calls), waits, capsys.readouterr().out) == (1, [], '')
