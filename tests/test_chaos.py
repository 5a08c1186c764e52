"""tests/chaos, in short: its own rules, then a few kills and a launch with a delay."""

import signal
import types

import pytest

from tests.chaos import kills, skew, tables
from tests.chaos.disturbances import KINDS, Hit, Kind, draw, judge
from tests.chaos.starts import BETWEEN, REPORTING, STARTING, Start, Trial

TERM = Kind(signal.SIGTERM, False)
KILL = Kind(signal.SIGKILL, False)


def told(tmp_path, *texts):
  """A start whose processes have said this."""
  start = object.__new__(Start)
  start.workdir = tmp_path / 'run'
  start._said = []
  for process, text in enumerate(texts):
    start._said.append(tmp_path / f'{process}.txt')
    start._said[-1].write_text(text)
  return start


LINES = (
  'step 0/6 epoch 0.0 | compiling the first step\n',
  'step 1/6 epoch 0.3 | loss 2.3 | lr 0.1\nstep 2/6 epoch 0.7 | loss 2.3 | lr 0.1\n',
  'step 6/6 epoch 2.0 | loss 2.3 | lr 0.1\n',
  'step 6/6 epoch 2.0 | evaluation | loss 2.3\n',
)


@pytest.mark.parametrize(
  ('lines', 'steps', 'phase'),
  [
    (1, 0, STARTING),
    (2, 2, BETWEEN),
    (3, 3, 'evaluating'),
    (4, 3, REPORTING),
  ],
)
def test_the_phase_is_what_process_0_has_said(tmp_path, lines, steps, phase):
  start = told(tmp_path, ''.join(LINES[:lines]))
  assert (start.steps(), start.phase()) == (steps, phase)


@pytest.mark.parametrize(('lines', 'saves'), [(1, 0), (2, 3)])
def test_what_the_start_before_was_writing_is_not_a_save(tmp_path, lines, saves):
  (tmp_path / 'run' / 'checkpoints' / '3.orbax-checkpoint-tmp').mkdir(parents=True)
  start = told(tmp_path, ''.join(LINES[:lines]))
  assert start.saves() == saves
  assert (start.phase() == 'saving') == bool(saves)


def test_what_is_drawn_depends_on_the_seed_and_the_number():
  drawn = [draw(0, 2, number) for number in range(200)]
  assert drawn == [draw(0, 2, number) for number in range(200)]
  assert drawn[:9] != [draw(1, 2, number) for number in range(9)]
  assert {what.kind for what in drawn} == set(KINDS)
  assert {what.victim for what in drawn} == {0, 1}
  assert not any(draw(0, 1, number).kind.to_all for number in range(50))
  assert kills.shares([1, 2, 4], 200) == [115, 57, 28]


SAVED = 'SIGTERM: saved at step 3; the same command goes on from there\n'


@pytest.mark.parametrize(
  ('kind', 'hit', 'codes', 'said', 'wrong'),
  [
    (TERM, (BETWEEN, BETWEEN), [75, 75], SAVED, ''),
    (TERM, (BETWEEN, BETWEEN), [0, 0], '', ''),
    (TERM, (BETWEEN, BETWEEN), [-15, -6], '', 'exit codes [-15, -6]'),
    (TERM, (BETWEEN, BETWEEN), [75, 0], SAVED, 'stopped with codes [75, 0]'),
    (TERM, (BETWEEN, BETWEEN), [75, 75], '', 'at steps {None}'),
    (TERM, (BETWEEN, BETWEEN), [75, 75], SAVED.replace('3', '6'), 'is not there'),
    (TERM, (BETWEEN, BETWEEN), [75, 75], 'Traceback' + SAVED, 'a traceback'),
    (TERM, (STARTING, STARTING), [-15, 1], '', ''),
    (TERM, (STARTING, STARTING), [-11, 1], '', 'exit codes [-11]'),
    (KILL, (BETWEEN, BETWEEN), [-9, -6], '', ''),
    (KILL, (BETWEEN, BETWEEN), [-9, 75], SAVED, 'stopped with codes'),
  ],
)
def test_how_a_start_may_end(tmp_path, kind, hit, codes, said, wrong):
  (tmp_path / 'run' / 'checkpoints' / '3').mkdir(parents=True)
  start = told(tmp_path, said, said)
  start.processes = [types.SimpleNamespace(returncode=code) for code in codes]
  what = draw(0, 2, 1)._replace(kind=kind)
  assert wrong in judge(start, what, Hit(*hit))
  assert bool(wrong) == bool(judge(start, what, Hit(*hit)))


def trial_of(folder, **changes):
  """A run of two epochs without a report."""
  return Trial(folder, **{'epochs': 2, 'report': False, 'hang_seconds': 200, **changes})


@pytest.mark.parametrize('kills_', [pytest.param(3)])
def test_one_process_is_killed_thrice(tmp_path, kills_, capsys):
  (runs,) = kills.run(trial_of(tmp_path), kills=kills_, processes=[1], seed=0)
  assert runs.wrong() == []
  assert len(runs.kills) == kills_
  assert runs.finished >= 1
  assert capsys.readouterr().out.count(': as the undisturbed run') == runs.finished
  assert f'| all | {runs.finished} | 3 |' in tables.of_kills([runs])


def test_processes_that_start_apart_end_as_together(tmp_path):
  (launches,) = skew.run(
    trial_of(tmp_path), launches=1, processes=[2], seed=0, skew=4, at_once=1
  )
  assert launches.wrong == []
  assert 0 < launches.apart[0] <= 4
  assert '| 2 | 1 | ' in tables.of_launches([launches])
