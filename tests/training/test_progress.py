"""The progress line and its arithmetic, with a clock set by hand."""

import io

import numpy as np
import pytest
import rich.console

from mobilenet.training.progress import PREPARING, Progress, format_metric


class Clock:
  def __init__(self):
    self.now = 100.0

  def __call__(self):
    return self.now


class Terminal(io.StringIO):
  def isatty(self):
    return True


@pytest.fixture
def clock():
  return Clock()


def make(clock, file, total_steps=4000, **kwargs):
  console = rich.console.Console(file=file, width=40)
  kwargs = {'batch_size': 100, 'steps_per_epoch': 125.0} | kwargs
  return Progress(total_steps, console=console, clock=clock, **kwargs)


def run_interval(progress, clock, steps, seconds, waited=0.0):
  for _ in range(steps):
    clock.now += seconds / steps
    progress.advance(waited=waited / steps)


def test_line_where_there_is_no_terminal(clock):
  file = io.StringIO()
  with make(clock, file) as progress:
    clock.now += 60  # compilation
    progress.advance(waited=5.0)
    run_interval(progress, clock, 400, 50.0, waited=1.5)
    progress.update(400, {'loss': 1.2341, 'top1': 67.12, 'learning_rate': 0.01234})
  begin, line = file.getvalue().splitlines()
  assert begin == 'step 0/4000 epoch 0.0 | compiling the first step'
  # 400 steps of 100 in 50 s; 3,600 steps to go at 1/8 s. Wider than the console: whole.
  assert line == (
    'step 400/4000 epoch 3.2 | loss 1.234 top1 67.1 % | lr 0.0123 | 800 img/s | '
    'waiting for data 3 % | eta 0:07:30'
  )


def test_quick_steps_are_a_line_a_second_and_the_last(clock):
  file = io.StringIO()
  with make(clock, file, total_steps=100) as progress:
    progress.advance()
    for step in range(10, 101, 10):
      run_interval(progress, clock, 10, 0.4)
      progress.update(step, {'loss': 1.0})
  steps = [line.split('/')[0] for line in file.getvalue().splitlines()[1:]]
  assert steps == ['step 10', 'step 40', 'step 70', 'step 100']


def test_what_is_compiled_is_a_line(clock):
  file = io.StringIO()
  with make(clock, file, begins=PREPARING) as progress:
    progress.compiling('training')
    progress.advance()
  assert file.getvalue().splitlines() == [
    'step 0/4000 epoch 0.0 | preparing the first step',
    'step 0/4000 epoch 0.0 | compiling (training)',
  ]


def test_first_step_is_in_no_rate(clock):
  progress = make(clock, io.StringIO())
  progress.update(0, {})
  assert progress.images_per_second is None
  clock.now += 1000
  progress.advance()
  assert progress.images_per_second is None
  run_interval(progress, clock, 10, 2.0)
  progress.update(11, {})
  assert progress.images_per_second == pytest.approx(500)


def test_rate_is_of_the_last_interval_and_average_of_all(clock):
  progress = make(clock, io.StringIO())
  progress.advance()
  run_interval(progress, clock, 10, 1.0)
  progress.update(11, {})
  run_interval(progress, clock, 10, 4.0, waited=1.0)
  progress.update(21, {})
  assert progress.images_per_second == pytest.approx(250)
  assert progress.waiting_share == pytest.approx(0.25)
  assert progress.average_images_per_second == pytest.approx(400)
  assert progress.average_waiting_share == pytest.approx(1 / 5)
  assert progress.seconds == pytest.approx(5)


def test_pauses_are_in_no_rate_but_in_the_time_to_go(clock):
  file = io.StringIO()
  progress = make(clock, file, total_steps=40)
  with progress.pause():
    clock.now += 7  # before the first step: counts nowhere
  progress.advance()
  run_interval(progress, clock, 10, 1.0)
  with progress.pause('evaluating'):
    clock.now += 3
    with progress.pause('saving'):
      clock.now += 6
  run_interval(progress, clock, 10, 1.0)
  progress.update(20, {'loss': 1.0})
  assert progress.images_per_second == pytest.approx(1000)
  # 11 s for 20 steps, 20 to go.
  assert file.getvalue().splitlines()[-1].endswith('eta 0:00:11')


def test_an_update_inside_a_pause_splits_the_pause(clock):
  progress = make(clock, io.StringIO())
  progress.advance()
  run_interval(progress, clock, 10, 1.0)
  with progress.pause():
    clock.now += 5
    progress.update(11, {})
    assert progress.images_per_second == pytest.approx(1000)
    clock.now += 5
  run_interval(progress, clock, 10, 2.0)
  progress.update(21, {})
  assert progress.images_per_second == pytest.approx(500)


def test_resumed_run_counts_only_its_own_steps(clock):
  file = io.StringIO()
  with make(clock, file, start_step=3000) as progress:
    progress.advance()
    run_interval(progress, clock, 100, 10.0)
    progress.update(3101, {})
  assert progress.images_per_second == pytest.approx(1000)
  lines = file.getvalue().splitlines()
  assert lines[0] == 'resuming at step 3000'
  assert lines[-1].endswith('eta 0:01:30')


def test_evaluation_and_notes_are_lines_that_stay(clock):
  file = io.StringIO()
  with make(clock, file, total_steps=10, start_step=10) as progress:
    progress.evaluated(10, {'top1': 50.0, 'loss': 0.25, 'num_examples': 1000})
    progress.note('saved [bold]3[/bold]')
  assert file.getvalue().splitlines() == [
    'step 10/10 epoch 0.1 | evaluation | top1 50.0 % loss 0.250 num_examples 1000',
    'saved [bold]3[/bold]',
  ]


def test_disabled_progress_is_silent_but_measures(clock):
  file = io.StringIO()
  with make(clock, file, enabled=False) as progress:
    progress.advance()
    run_interval(progress, clock, 10, 1.0)
    progress.update(11, {'loss': 1.0})
    progress.note('unseen')
  assert file.getvalue() == ''
  assert progress.images_per_second == pytest.approx(1000)


def test_terminal_shows_a_bar_with_the_last_evaluation(clock):
  file = Terminal()
  console = rich.console.Console(
    file=file, force_terminal=True, width=120, color_system=None
  )
  with Progress(
    40, batch_size=100, steps_per_epoch=10.0, console=console, clock=clock
  ) as progress:
    progress.advance()
    run_interval(progress, clock, 19, 1.9)
    progress.update(20, {'loss': 0.5, 'lr': 0.1})
    progress.evaluated(20, {'top1': 75.0})
    with progress.pause('evaluating'):
      progress._live.refresh()
      shown = file.getvalue()
  # The cursor is hidden while the bar is there, and back after it.
  assert '\x1b[?25l' in shown
  assert file.getvalue().endswith('\x1b[?25h')
  last = shown[shown.rindex('\x1b[2K') :]
  assert (
    'evaluating | loss 0.500 | eval top1 75.0 % | 1000 img/s | lr 0.1 | '
    'waiting for data 0 %'
  ) in last
  assert 'step 20/40 epoch 2.0 | eta 0:00:02' in shown
  assert 'step 20/40 epoch 2.0 | evaluation | top1 75.0 %' in shown


def test_colours_forced_into_a_file_give_plain_lines(clock):
  file = io.StringIO()
  console = rich.console.Console(file=file, force_terminal=True, color_system=None)
  with Progress(
    4, batch_size=1, steps_per_epoch=2.0, console=console, clock=clock
  ) as progress:
    progress.update(1, {'loss': 1.0})
  assert '\x1b' not in file.getvalue()


@pytest.mark.parametrize(
  ('name', 'value', 'text'),
  [
    ('loss', np.float32(1.23456), 'loss 1.235'),
    ('ema_loss', 12345.6, 'ema_loss 12,346'),
    ('loss', float('nan'), 'loss nan'),
    ('ema_top5', 100, 'ema_top5 100.0 %'),
    ('grad_norm', 0.012345, 'grad_norm 0.0123'),
    ('skipped_steps', 3, 'skipped_steps 3'),
  ],
)
def test_metrics_as_text(name, value, text):
  assert format_metric(name, value) == text
