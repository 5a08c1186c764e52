"""The best state is what a run comes to, and patience ends it; both survive a kill."""

import itertools
import json
import shutil

import jax
import numpy as np
import pytest

from mobilenet.training import best, evaluation, loop
from mobilenet.training.errors import TrainingError

# By evaluation, top-1 as a run might have it; evaluations are at steps 2, 4, ...
SCORES = (50.0, 70.0, 60.0, 70.0, 65.0, 64.0)


@pytest.fixture
def scored(monkeypatch):
  """Makes the loop's evaluations score as told; returns the steps they were of."""
  seen = []

  def patch(scores=SCORES):
    seen.clear()

    def evaluate(eval_step, task, variables, *rest, **options):
      found = evaluation.evaluate(eval_step, task, variables, *rest, **options)
      seen.append(options['keep_predictions'])
      for one in found.values():
        one.metrics['top1'] = scores[min(len(seen), len(scores)) - 1]
      return found

    monkeypatch.setattr(loop, 'evaluate', evaluate)
    return seen

  return patch


def train(run, folder, **options):
  """A run of twelve steps, evaluated and saved every two."""
  whole = loop.train

  def with_options(**arguments):
    return whole(**arguments, **options)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(loop, 'train', with_options)
    return run(folder)


@pytest.fixture
def short(run):
  run.eval_steps = run.checkpoint_steps = 2
  run.total_steps = 12
  return run


def test_the_outcome_is_the_best_state(short, tmp_path, scored):
  scored()
  outcome = train(short, tmp_path, keep_best=True)
  assert (outcome.step, int(outcome.state.step), outcome.stopped) == (12, 4, None)
  assert outcome.evaluations['raw'].predictions is not None
  said = json.loads((tmp_path / 'best' / 'best.json').read_text())
  assert said == {'best': [[4, 70.0], [2, 50.0]], 'metric': 'top1'}
  assert best.holds_one(tmp_path)


def test_the_last_state_may_be_the_best(short, tmp_path, scored):
  seen = scored((1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
  outcome = train(short, tmp_path, keep_best=True)
  assert int(outcome.state.step) == 12
  assert seen == [False] * 5 + [True]  # and is not evaluated twice


@pytest.mark.parametrize(
  ('patience', 'end'),
  [
    (1, 6),
    pytest.param(2, 8, marks=pytest.mark.heavy),
    pytest.param(4, 12, marks=pytest.mark.heavy),
    (9, 12),
  ],
)
def test_patience_ends_a_run(short, tmp_path, scored, patience, end):
  scored()
  outcome = train(short, tmp_path, keep_best=True, patience=patience)
  assert (outcome.step, int(outcome.state.step)) == (end, 4)
  assert outcome.stopped is None
  # The same command again trains nothing.
  scored((70.0,))
  again = train(short, tmp_path, keep_best=True, patience=patience)
  assert (again.step, int(again.state.step)) == (end, 4)
  jax.tree.map(np.testing.assert_array_equal, again.state, outcome.state)


@pytest.mark.heavy
@pytest.mark.parametrize('step', [4, 6])  # two checkpoints are kept
def test_it_goes_on_from_an_older_checkpoint(short, tmp_path, scored, step):
  scored()
  straight = train(short, tmp_path / 'straight', keep_best=True)
  scored()
  cut = tmp_path / 'cut'
  train(short, cut, keep_best=True, patience=1)
  # As after a kill: newer checkpoints are not there yet.
  for folder in (cut / 'checkpoints').iterdir():
    if int(folder.name) > step:
      shutil.rmtree(folder)
  seen = scored()
  seen.extend([False] * (step // 2))
  resumed = train(short, cut, keep_best=True)
  jax.tree.map(np.testing.assert_array_equal, resumed.state, straight.state)


def test_a_kill_between_the_file_and_the_checkpoint(short, tmp_path, scored):
  scored()
  train(short, tmp_path, keep_best=True)
  path = tmp_path / 'best' / 'best.json'
  path.write_text(json.dumps({'best': [[6, 99.0], [4, 70.0]], 'metric': 'top1'}))
  kept = best.Best(tmp_path, 'top1', patience=None, eval_steps=2)
  assert (kept.step, kept._score) == (4, 70.0)
  kept.close()


def test_a_damaged_best_checkpoint_is_one_line_and_stays(short, tmp_path, scored):
  scored()
  train(short, tmp_path, keep_best=True)
  (tmp_path / 'best' / 'checkpoints' / '4' / 'default' / 'manifest.ocdbt').write_bytes(
    b''
  )
  scored((70.0,))
  with pytest.raises(TrainingError) as caught:
    train(short, tmp_path, keep_best=True)
  assert str(caught.value).endswith(
    f'delete {tmp_path}/best/checkpoints, and the newest checkpoint counts instead'
  )
  shutil.rmtree(tmp_path / 'best' / 'checkpoints')
  assert not best.holds_one(tmp_path)
  assert int(train(short, tmp_path, keep_best=True).state.step) == 12


@pytest.mark.heavy
def test_it_goes_on_from_before_the_best_where_the_newest_is_damaged(
  short, tmp_path, scored
):
  scores = (1.0, 2.0, 3.0, 2.5, 2.0, 1.5)
  scored(scores)
  straight = train(short, tmp_path / 'straight', keep_best=True)
  cut, whole = tmp_path / 'cut', short.train

  def until_the_best(start_step, batch_size):
    return itertools.islice(whole(start_step, batch_size), 6)

  scored(scores)
  short.train = until_the_best
  with pytest.raises(StopIteration):
    train(short, cut, keep_best=True)
  (cut / 'checkpoints' / '6' / 'default' / 'manifest.ocdbt').write_bytes(b'')
  seen = scored(scores)
  seen.extend([False] * 2)
  short.train = whole
  resumed = train(short, cut, keep_best=True)
  assert (resumed.step, int(resumed.state.step)) == (12, 6)
  jax.tree.map(np.testing.assert_array_equal, resumed.state, straight.state)


def test_a_damaged_file_is_one_line(short, tmp_path, scored):
  scored()
  train(short, tmp_path, keep_best=True)
  (tmp_path / 'best' / 'best.json').write_text('{}')
  with pytest.raises(TrainingError, match=r'best\.json is not as training wrote it'):
    train(short, tmp_path, keep_best=True)


def test_without_it_nothing_is_kept(short, tmp_path):
  outcome = train(short, tmp_path)
  assert int(outcome.state.step) == 12
  assert not (tmp_path / 'best').exists()
