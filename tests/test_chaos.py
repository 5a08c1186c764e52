"""tests/chaos: its own rules and two kills; more kills, and delays, are heavy."""

import signal
import types

import pytest

from tests.chaos import __main__ as command
from tests.chaos import kills, remains, skew, tables
from tests.chaos.disturbances import KINDS, Hit, Kind, draw, judge
from tests.chaos.starts import BETWEEN, REPORTING, STARTING, Start, Trial

TERM = Kind(signal.SIGTERM, False)
INT = Kind(signal.SIGINT, False)
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
  'step 0/6 epoch 0.0 | preparing the first step\n',
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


ABORTED = "terminate called after throwing an instance of 'nanobind::python_error'\n"
LOST = 'Exception ignored in: <function _xla_gc_callback at 0x7f>\nTraceback\n'
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
    (INT, (STARTING, STARTING), [-6], ABORTED, ''),
    (INT, (STARTING, STARTING), [-6], 'F0000', 'exit codes [-6]'),
    (INT, (BETWEEN, BETWEEN), [-6], ABORTED, 'exit codes [-6]'),
    (INT, (STARTING, STARTING), [0], LOST, ''),
    (INT, (STARTING, STARTING), [0], LOST + 'Traceback', 'a traceback'),
    (INT, (STARTING, STARTING), [0], '1 x cpu\n' + LOST, 'a traceback'),
    (TERM, (STARTING, STARTING), [0], LOST, 'a traceback'),
    (KILL, (BETWEEN, BETWEEN), [-9, -6], '', ''),
    (KILL, (BETWEEN, BETWEEN), [75], SAVED, 'exit codes [75]'),
    (KILL, (BETWEEN, BETWEEN), [-9, 75], SAVED, 'stopped with codes'),
  ],
)
def test_how_a_start_may_end(tmp_path, kind, hit, codes, said, wrong):
  (tmp_path / 'run' / 'checkpoints' / '3').mkdir(parents=True)
  start = told(tmp_path, *[said] * len(codes))
  start.processes = [types.SimpleNamespace(returncode=code) for code in codes]
  what = draw(0, 1, 1)._replace(kind=kind)
  assert wrong in judge(start, what, Hit(*hit))
  assert bool(wrong) == bool(judge(start, what, Hit(*hit)))


def short(folder):
  """A run of four epochs without a report."""
  return Trial(folder, epochs=4, report=False, hang_seconds=300, join_seconds=150)


@pytest.mark.heavy
def test_one_process_is_disturbed_and_ends_as_undisturbed(tmp_path, capsys):
  # SIGTERM after the second step, then SIGKILL after the next one.
  (runs,) = kills.run(short(tmp_path), kills=2, processes=[1], seed=22)
  assert runs.wrong() == []
  assert len(runs.kills) == 2
  assert runs.finished >= 1
  assert capsys.readouterr().out.count(': as the undisturbed run') == runs.finished
  assert f'| all | {runs.finished} | 2 |' in tables.of_kills([runs])


def runs_with(wrong):
  kill = kills.Kill(7, TERM, BETWEEN, [0 if wrong else 75], False, wrong)
  return [kills.Runs(1, 1, [kill], finished=1)]


@pytest.mark.parametrize('wrong', ['', 'exit codes [1]'])
def test_the_command_sums_up_and_ends_with_1_if_something_is_wrong(
  wrong, tmp_path, monkeypatch, capsys
):
  monkeypatch.setattr(kills, 'run', lambda *_, **__: runs_with(wrong))
  folder, out = tmp_path / 'folder', tmp_path / 'out.md'
  folder.mkdir()
  assert command.main(['kills', f'--folder={folder}', f'--out={out}']) == bool(wrong)
  said = capsys.readouterr()
  assert out.read_text() in said.out
  assert f'| SIGTERM of one | between steps | {0 if wrong else 75} (1) |' in said.out
  assert ('1 process, kill 7: exit codes [1]\n' in said.err) == bool(wrong)
  assert folder.exists() == bool(wrong)


def test_the_command_takes_no_folder_of_other_things(tmp_path, capsys):
  (tmp_path / 'mine').touch()
  assert command.main(['skew', f'--folder={tmp_path}']) == 2
  assert 'is not empty: choose another --folder' in capsys.readouterr().err
  with pytest.raises(SystemExit):
    command.main(['kills', '--processes=0,2'])
  assert "'0,2' is not like 1,2,4" in capsys.readouterr().err


def test_a_run_that_ends_otherwise_is_found(tmp_path):
  one, other = (
    {'./params/kernel': ['float32[3]', crc], 'result.json': {'top1': 1.0}}
    for crc in ('0a', '0b')
  )
  assert remains.difference(one, one) == ''
  assert remains.difference(one, other) == (
    "1 of 2 differ: ./params/kernel is ['float32[3]', '0b'] instead of "
    "['float32[3]', '0a']"
  )
  assert remains.difference(one, {}).startswith('2 of 2 differ: ./params')


@pytest.mark.heavy
def test_two_processes_that_start_apart_find_each_other(tmp_path):
  with Start(short(tmp_path), tmp_path / 'run', '1', 2, [2.0, 0.0]) as start:
    assert start.wait(), start.said()
    assert start.codes() == [0, 0], start.said(0) + start.said(1)
    assert start.phase() == REPORTING


@pytest.mark.heavy
def test_several_processes_are_disturbed_and_end_as_undisturbed(tmp_path):
  found = kills.run(short(tmp_path), kills=12, processes=[2, 4], seed=0)
  assert [line for runs in found for line in runs.wrong()] == []
  assert sum(len(runs.kills) for runs in found) == 12


@pytest.mark.heavy
def test_processes_that_start_apart_end_as_together(tmp_path):
  found = skew.run(short(tmp_path), launches=4, processes=[2, 4], seed=0, skew=20)
  assert [line for those in found for line in those.wrong] == []
  assert [len(those.apart) for those in found] == [2, 2]
  assert all(0 < apart <= 20 for those in found for apart in those.apart)
  assert '| 2 | 2 | ' in tables.of_launches(found)
