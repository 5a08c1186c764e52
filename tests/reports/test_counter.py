"""A log gets a line now and then, and none of short work."""

import io

import rich.console

from mobilenet.reports import counter


def lines(seconds_each, total=10):
  """What is printed of things that take so long each."""
  now = [0.0]
  console = rich.console.Console(file=io.StringIO(), width=20)
  with counter.counting(total, 'photos', console=console, clock=lambda: now[0]) as add:
    for _ in range(total):
      now[0] += seconds_each
      add(1)
  return console.file.getvalue().splitlines()


def test_short_work_is_silent():
  assert lines(0.5) == []


def test_long_work_says_how_long_it_takes():
  assert lines(10.0) == [
    '2 of 10 photos | 0.1 a second | 0:01:20 left',
    '4 of 10 photos | 0.1 a second | 0:01:00 left',
    '6 of 10 photos | 0.1 a second | 0:00:40 left',
    '8 of 10 photos | 0.1 a second | 0:00:20 left',
  ]
