"""What is read of a step, when, and what a person sees of it."""

import io

import jax.numpy as jnp
import numpy as np
import pytest
import rich.console

from mobilenet.training import logs
from mobilenet.training.errors import TrainingError
from mobilenet.training.evaluation import Evaluation
from mobilenet.training.progress import Progress
from mobilenet.training.step_log import StepLog


class Task:
  def metrics(self, sums):
    return {'loss': float(sums['loss']), 'top1': 50.0, 'top5': 100.0}


@pytest.fixture
def out():
  return io.StringIO()


@pytest.fixture
def make_log(tmp_path, out):
  writer = logs.Writer(tmp_path)

  def make(**options):
    console = rich.console.Console(file=out, width=200)
    return StepLog(
      Task(),
      lambda step: 0.1 * (step + 1),
      writer,
      Progress(20, batch_size=8, steps_per_epoch=4.0, console=console),
      max_skipped_in_a_row=3,
      seconds_before=0.0,
      find_bad=lambda state, batch: f'the stem ({state}, {batch})',
      **options,
    )

  yield make
  writer.close()


def skips(total, in_a_row):
  return {'total': jnp.int32(total), 'in_a_row': jnp.int32(in_a_row)}


def test_the_limit_of_skipped_steps_is_looked_at_every_step(make_log, out):
  log = make_log()
  for step in (1, 2):
    log.hold(step, skips(step, step))
    log.flush('state', 'batch')
  log.hold(3, skips(3, 3))
  with pytest.raises(TrainingError) as caught:
    log.flush('state', 'batch')
  assert str(caught.value).startswith(
    'step 3: the last 3 steps had a non-finite loss or gradient, first in the stem '
    '(state, batch); their updates were left out'
  )
  assert out.getvalue() == '', 'no line was due'


def test_a_step_is_read_once_and_shown_where_a_line_is_due(make_log, out, tmp_path):
  log = make_log()
  log.flush(None, None)
  log.hold(3, skips(1, 0))
  log.flush(None, None)
  log.hold(4, skips(1, 0), {'loss': np.float32(2.5)})
  log.flush(None, None)
  log.flush(None, None)
  assert out.getvalue() == (
    'step 4/20 epoch 1.0 | loss 2.500 top1 50.0 % top5 100.0 % skipped 1 | lr 0.3 | '
    'eta unknown\n'
  )
  (line,) = logs.read_metrics(tmp_path)
  assert (line['step'], line['loss'], line['skipped']) == (4, 2.5, 1)
  # Of update 2: four steps were tried and one was left out.
  assert line['learning_rate'] == pytest.approx(0.3)


def test_what_says_nothing_is_written_and_not_shown(make_log, out, tmp_path):
  log = make_log(unshown=('top5',))
  log.hold(4, skips(0, 0), {'loss': np.float32(2.5)})
  log.flush(None, None)
  found = Evaluation({'loss': 1.0, 'top1': 75.0, 'top5': 100.0}, count=4, unreadable=0)
  log.evaluated(4, {'raw': found, 'ema': found})
  assert out.getvalue() == (
    'step 4/20 epoch 1.0 | loss 2.500 top1 50.0 % | lr 0.4 | eta unknown\n'
    'step 4/20 epoch 1.0 | evaluation | loss 1.000 top1 75.0 % ema_loss 1.000 '
    'ema_top1 75.0 %\n'
  )
  train, evaluation = logs.read_metrics(tmp_path)
  assert (train['top5'], train['skipped']) == (100.0, 0)
  assert (evaluation['top5'], evaluation['ema_top5']) == (100.0, 100.0)
