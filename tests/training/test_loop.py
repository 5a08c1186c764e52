"""The loop: killed anywhere and started again, stopped, poisoned, finished."""

import json
import os
import signal

import jax
import numpy as np
import pytest

from mobilenet.training import loop, progress
from mobilenet.training.errors import TrainingError

# What a clock measured differs from run to run; all else may not.
CLOCKED = ('images_per_second', 'waiting_share', 'seconds')


class Killed(Exception):
  pass


def killed_after(batches, steps):
  """Batches that end the process, as it were, when step `steps` + 1 asks for one."""

  def train(start_step, batch_size):
    for step, batch in enumerate(batches(start_step, batch_size), start_step):
      if step == steps:
        raise Killed
      yield batch

  return train


def metrics(workdir):
  text = (workdir / 'metrics.jsonl').read_text()
  lines = [json.loads(line) for line in text.splitlines()]
  return [{k: v for k, v in line.items() if k not in CLOCKED} for line in lines]


def assert_same(outcome, other):
  jax.tree.map(np.testing.assert_array_equal, outcome.state, other.state)
  for kind, evaluation in outcome.evaluations.items():
    assert evaluation.metrics == other.evaluations[kind].metrics


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
  from tests.training.conftest import Run

  workdir = tmp_path_factory.mktemp('uninterrupted')
  return Run()(workdir), metrics(workdir)


# Before and after what is logged, evaluated and saved; `heavy` has the others.
TELLING = (0, 5, 6, 11)


@pytest.mark.parametrize(
  'step',
  [pytest.param(n, marks=[] if n in TELLING else pytest.mark.heavy) for n in range(12)],
)
def test_killed_at_any_step_it_ends_the_same_to_the_bit(
  step, uninterrupted, make_run, tmp_path
):
  with pytest.raises(Killed):
    make_run(train=killed_after(make_run().train, step))(tmp_path)
  outcome = make_run()(tmp_path)
  assert_same(uninterrupted[0], outcome)
  assert metrics(tmp_path) == uninterrupted[1]


def test_what_an_uninterrupted_run_leaves(uninterrupted):
  outcome, lines = uninterrupted
  assert int(outcome.state.step) == 12
  assert outcome.stopped is None
  assert [(m['step'], m['kind']) for m in lines] == [
    (4, 'train'),
    (6, 'eval'),
    (8, 'train'),
    (12, 'train'),
    (12, 'eval'),
  ]
  evaluation = lines[-1]
  assert {'loss', 'top1', 'top5', 'ema_loss', 'ema_top1'} <= set(evaluation)
  assert evaluation['top1'] == outcome.evaluations['raw'].metrics['top1']
  assert outcome.evaluations['ema'].predictions['index'].tolist() == list(range(11))


def test_it_learns(make_run, tmp_path):
  steps = 200
  outcome = make_run(
    total_steps=steps,
    log_steps=50,
    eval_steps=steps,
    checkpoint_steps=steps,
    learning_rate=0.03,
  )(tmp_path)
  assert outcome.evaluations['raw'].metrics['top1'] > 90


def test_a_finished_run_trains_no_further(uninterrupted, make_run, tmp_path, capsys):
  make_run()(tmp_path)
  before = (tmp_path / 'metrics.jsonl').read_bytes()
  outcome = make_run(train=killed_after(make_run().train, 0))(tmp_path)
  assert_same(uninterrupted[0], outcome)
  assert (tmp_path / 'metrics.jsonl').read_bytes() == before
  assert 'is finished at step 12' in capsys.readouterr().out


def test_a_finished_run_that_is_lengthened_goes_on_by_the_longer_schedule(
  uninterrupted, make_run, tmp_path
):
  make_run()(tmp_path)
  longer = make_run(total_steps=16)
  outcome = longer(tmp_path)
  assert int(outcome.state.step) == 16
  assert outcome.evaluations['raw'].count == 11
  lines = metrics(tmp_path)
  assert lines[: len(uninterrupted[1])] == uninterrupted[1]
  last = [line for line in lines if line['kind'] == 'train'][-1]
  assert last['step'] == 16
  assert last['learning_rate'] == pytest.approx(float(longer.schedule()(15)))


def test_too_little_memory_is_one_line(make_run, tmp_path, monkeypatch):
  def exhausted(*args, **kwargs):
    def step(state, batch):
      raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: Out of\nmemory')

    return step

  monkeypatch.setattr(loop, 'make_train_step', exhausted)
  with pytest.raises(TrainingError) as caught:
    make_run(anew=True)(tmp_path)
  assert str(caught.value) == (
    'a device has too little memory (RESOURCE_EXHAUSTED: Out of memory): lower '
    '--config.batch_size, --config.resolution or --config.model.width, or raise '
    '--config.accumulate'
  )


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_saves_and_goes_on_later(
  number, uninterrupted, make_run, tmp_path, capsys
):
  def train(start_step, batch_size):
    for step, batch in enumerate(make_run().train(start_step, batch_size), start_step):
      if step == 7 and start_step == 0:
        os.kill(os.getpid(), number)
      yield batch

  before = signal.getsignal(number)  # Ctrl-C is ignored in a shell's background
  outcome = make_run(train=train)(tmp_path)
  assert outcome.stopped == signal.Signals(number).name
  assert int(outcome.state.step) == 8
  assert not outcome.evaluations
  assert signal.getsignal(number) == before
  assert 'resuming' not in capsys.readouterr().out
  assert_same(uninterrupted[0], make_run(train=train)(tmp_path))
  lines = capsys.readouterr().out.splitlines()
  assert lines[0] == 'resuming at step 8'
  assert not [line for line in lines if 'skipped' in line]
  assert metrics(tmp_path) == uninterrupted[1]


@pytest.mark.parametrize('log_steps', [2, 1000])
def test_too_many_bad_steps_in_a_row_end_it_with_a_diagnosis(
  log_steps, make_run, tmp_path
):
  asked = []

  def train(start_step, batch_size):
    for step, batch in enumerate(make_run().train(start_step, batch_size), start_step):
      asked.append(step)
      if step >= 6:
        batch = {**batch, 'image': np.full_like(batch['image'], np.nan)}
      yield batch

  with pytest.raises(TrainingError, match='first in the images of the batch') as caught:
    make_run(train=train, log_steps=log_steps)(tmp_path)
  assert '\n' not in str(caught.value)
  assert 'step 9: the last 3 steps' in str(caught.value)
  assert max(asked) <= 9, 'it went on for more than the one step that was under way'
  # What was good is still there.
  assert (tmp_path / 'checkpoints' / '5').is_dir()
  outcome = make_run(log_steps=log_steps)(tmp_path)
  assert int(outcome.state.step) == 12


def test_a_few_bad_steps_are_skipped_and_said(make_run, tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(progress, '_BETWEEN_LINES', 0)  # every line

  def train(start_step, batch_size):
    for step, batch in enumerate(make_run().train(start_step, batch_size), start_step):
      if step in (2, 3):
        batch = {**batch, 'image': np.full_like(batch['image'], np.inf)}
      yield batch

  outcome = make_run(train=train)(tmp_path)
  assert int(outcome.state.skipped) == 2
  assert [m['skipped'] for m in metrics(tmp_path) if m['kind'] == 'train'] == [2, 2, 2]
  assert capsys.readouterr().out.count('skipped 2') == 3
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(outcome.state))


def flip_a_bit(checkpoint):
  """In the middle of each file of arrays."""
  for path in checkpoint.glob('default/**/d/*'):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)


@pytest.mark.parametrize('finished', [False, True])
def test_a_damaged_newest_checkpoint_costs_some_steps_and_no_bit(
  finished, uninterrupted, make_run, tmp_path, capsys
):
  if finished:
    make_run()(tmp_path)
    newest, before = 12, 10
  else:
    with pytest.raises(Killed):
      make_run(train=killed_after(make_run().train, 11))(tmp_path)
    newest, before = 10, 5
  assert max(m['step'] for m in metrics(tmp_path)) > before
  folder = tmp_path / 'checkpoints'
  flip_a_bit(folder / str(newest))
  capsys.readouterr()
  begun = []

  def train(start_step, batch_size):
    begun.append(start_step)
    return make_run().train(start_step, batch_size)

  outcome = make_run(train=train)(tmp_path)
  assert_same(uninterrupted[0], outcome)
  assert metrics(tmp_path) == uninterrupted[1]
  assert begun[-1] == before
  out = capsys.readouterr().out.splitlines()
  assert out[0].endswith(f', and is now called {newest}.damaged; step {before} is used')
  assert out[1] == f'resuming at step {before}'
  assert (folder / f'{newest}.damaged').is_dir()
  assert (folder / '12').is_dir()


def test_where_no_checkpoint_is_whole_nothing_is_trained_or_lost(make_run, tmp_path):
  make_run()(tmp_path)
  for path in (tmp_path / 'checkpoints').glob('*/default/manifest.ocdbt'):
    path.write_bytes(b'')
  before = (tmp_path / 'metrics.jsonl').read_bytes()
  for _ in range(2):
    with pytest.raises(TrainingError, match=r'cannot be read .* nor any before it'):
      make_run()(tmp_path)
  assert (tmp_path / 'metrics.jsonl').read_bytes() == before


def test_another_model_in_the_workdir_is_refused(make_run, tmp_path):
  make_run()(tmp_path)
  with pytest.raises(TrainingError, match='of another model or optimizer'):
    make_run(ema_decay=None)(tmp_path)
