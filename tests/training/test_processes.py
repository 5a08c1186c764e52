"""Processes of their own that meet, wait, fail and stop; meeting.py has the acts."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from mobilenet import trained
from mobilenet.training import process_flags, processes
from mobilenet.training.errors import TrainingError
from tests import tiny


def free_port():
  with socket.socket() as found:
    found.bind(('', 0))
    return found.getsockname()[1]


def start(command, **variables):
  """One process with one device, as hosts have where nothing else is said."""
  flags = '--xla_force_host_platform_device_count=1'
  return subprocess.Popen(
    command,
    cwd=tiny.ROOT,
    env={
      **os.environ,
      'XLA_FLAGS': os.environ['XLA_FLAGS'] + ' ' + flags,
      **variables,
    },
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def ended(started, seconds):
  """(exit codes, outputs) of processes, which must end by themselves."""
  try:
    outputs = [process.communicate(timeout=seconds)[0] for process in started]
  finally:
    for process in started:
      process.kill()
  return [process.returncode for process in started], outputs


def act(what, seconds=60):
  """Two processes do this of meeting.py."""
  port = free_port()
  command = [sys.executable, '-m', 'tests.training.meeting', what, str(port)]
  return ended([start([*command, str(number)]) for number in (0, 1)], seconds)


def joining(*arguments, processes=2):
  """Several processes of this command."""
  port = free_port()
  return [
    start(
      tiny.command(
        '--multihost',
        f'--coordinator=localhost:{port}',
        f'--num_processes={processes}',
        f'--process_id={number}',
        *arguments,
      )
    )
    for number in range(processes)
  ]


def test_a_late_process_is_waited_for_and_named():
  codes, (first, second) = act('late')
  assert codes == [0, 0], first + second
  host = re.escape(socket.gethostname())
  assert re.search(rf'waiting for process 1 \({host}\) at: the place\n', first)
  assert 'waiting for' not in second
  for output in (first, second):
    assert "values ['of 0', 'of 1']" in output


@pytest.mark.parametrize(
  ('what', 'failing', 'cause', 'code'),
  [
    ('mistake', 1, '/photos: no such folder', 1),
    ('mistake_of_the_first', 0, 'the disk is full', 1),
    ('bug', 1, 'ZeroDivisionError: by zero', 1),
    ('interrupted', 1, 'it was interrupted', 130),
  ],
)
def test_what_ends_one_process_ends_the_other_with_its_cause(
  what, failing, cause, code
):
  began = time.monotonic()
  codes, outputs = act(what)
  assert codes == [code, code], outputs
  host = socket.gethostname()
  assert f'error: {cause}\n' in outputs[failing]
  assert f'error: process {failing} ({host}) failed: {cause}\n' in outputs[1 - failing]
  assert ('Traceback' in outputs[failing]) == (what == 'bug')
  assert 'Traceback' not in outputs[1 - failing]
  assert time.monotonic() - began < 40


@pytest.mark.parametrize(('what', 'number'), [('killed', 1), ('killed_first', 0)])
def test_a_process_that_is_killed_is_missed(what, number):
  """By JAX, which ends the other: it prints the number and aborts."""
  codes, outputs = act(what, seconds=40)
  assert codes[number] == -signal.SIGKILL
  assert codes[1 - number] == -signal.SIGABRT, outputs
  if number:
    assert re.search(r'stopped sending heartbeats\):\n1\n', outputs[0])


def test_processes_of_different_runs_are_told_what_differs():
  codes, outputs = act('unlike')
  assert codes == [1, 1], outputs
  host = socket.gethostname()
  line = (
    f'the processes are not of one run: seed is 0 on process 0 ({host}) and 1 on '
    f'process 1 ({host}), photos is the same: process 0 ({host}), process 1 ({host})'
  )
  assert all(line in output for output in outputs)


def test_a_report_may_take_longer_than_jax_waits_at_its_end():
  codes, outputs = act('long_report')
  assert codes == [0, 0], outputs
  assert 'reported' in outputs[0]


def taken_port():
  taken = socket.socket()
  taken.bind(('', 0))
  taken.listen()
  return taken


@pytest.mark.parametrize(
  ('flags', 'said'),
  [
    ((None, None, 0), '--coordinator and --num_processes missing'),
    (('a:1', 2, None), '--process_id missing'),
    (('localhost:1', 0, 0), '--num_processes=0'),
    (('localhost:1', 2, 2), 'of 2 processes the numbers are 0 to 1'),
    (('localhost:1', 2, -1), '--process_id=-1'),
    (('localhost', 2, 1), 'is not HOST:PORT'),
    (('localhost:x', 2, 1), 'is not HOST:PORT'),
    (('localhost:70000', 2, 1), 'is not HOST:PORT'),
    (('no-such-host.invalid:1', 2, 1), 'host no-such-host.invalid is not known here'),
  ],
)
def test_wrong_flags_are_one_line_at_once(flags, said):
  with pytest.raises(TrainingError, match=re.escape(said)) as error:
    process_flags.check(*flags)
  assert '\n' not in str(error.value)


def test_a_port_that_is_taken_is_said():
  with taken_port() as taken:
    port = taken.getsockname()[1]
    with pytest.raises(TrainingError, match=f'cannot use port {port}'):
      process_flags.check(f'localhost:{port}', 2, 0)
    process_flags.check(f'localhost:{port}', 2, 1)  # where process 0 is


def test_a_process_that_stays_alone_says_so():
  port = free_port()
  command = [sys.executable, '-m', 'tests.training.meeting', 'meet', str(port), '0']
  codes, outputs = ended([start(command, MEETING_JOIN_SECONDS='1')], 60)
  assert codes == [1]
  last = outputs[0].splitlines()[-1]
  assert last.startswith(
    f'error: --multihost: not all processes have joined at localhost:{port} within 1 s'
  )


# What a launcher sets for the processes of a job; JAX makes a port of the job's number.
CLUSTERS = {
  'SLURM': {
    'SLURM_JOB_ID': '{job}',
    'SLURM_STEP_NODELIST': 'localhost',
    'SLURM_NTASKS': '2',
    'SLURM_PROCID': '{number}',
    'SLURM_LOCALID': '{number}',
  },
  'Open MPI': {
    'OMPI_MCA_orte_hnp_uri': '{job}.0;tcp://127.0.0.1:1',
    'OMPI_COMM_WORLD_SIZE': '2',
    'OMPI_COMM_WORLD_RANK': '{number}',
    'OMPI_COMM_WORLD_LOCAL_RANK': '{number}',
  },
}


@pytest.mark.parametrize('cluster', CLUSTERS)
def test_a_cluster_says_who_they_are(cluster):
  job = (free_port() % 4096) * (4096 if cluster == 'Open MPI' else 1)
  command = [sys.executable, '-m', 'tests.training.meeting', 'meet', 'cluster']
  codes, outputs = ended(
    [
      start(
        [*command, str(number)],
        **{k: v.format(job=job, number=number) for k, v in CLUSTERS[cluster].items()},
      )
      for number in (0, 1)
    ],
    60,
  )
  assert codes == [0, 0], outputs
  for output in outputs:
    assert "values ['of 0', 'of 1']" in output


def test_one_process_meets_nobody():
  assert not processes.several()
  assert processes.meet('the place', 'mine') == ['mine']
  processes.check_alike('the place', {'seed': 1}, {'photos': 'all'})
  assert processes.together('sum', sum) is sum


def test_wrong_flags_on_the_command_line():
  done = tiny.run(*tiny.CONFIG, '--multihost', '--process_id=0')
  assert done.returncode == 1
  assert done.stderr.startswith('error: --multihost: --coordinator and')


# 13 examples to evaluate, which no number of processes divides.
PRIME = ('--config.data.made_examples=52', '--config.eval_batch_size=16')


@pytest.mark.heavy
@pytest.mark.parametrize(('processes', 'shards'), [(2, 1), (2, 2), (4, 2)])
def test_processes_train_and_evaluate_as_one_does(tmp_path, processes, shards):
  """The same examples in the same places of each batch, so dropout is the same, too."""
  alone, joined = tmp_path / 'alone', tmp_path / 'joined'
  done = tiny.run(*tiny.CONFIG, *PRIME, f'--workdir={alone}')
  assert done.returncode == 0, done.stderr
  command = (*tiny.CONFIG, *PRIME, f'--config.shards={shards}', f'--workdir={joined}')
  codes, outputs = ended(joining(*command, processes=processes), 400)
  assert codes == [0] * processes, outputs
  assert ['top-1' in output for output in outputs] == [True] + [False] * (processes - 1)
  assert_same_run(alone, joined)
  said = [json.loads((r / 'result.json').read_text()) for r in (alone, joined)]
  assert said[0]['num_examples'] == said[1]['num_examples'] == 13
  rows = (joined / 'report' / 'predictions.csv').read_text().splitlines()
  assert len(set(rows)) == 14  # each example once, below a line of names
  codes, outputs = ended(
    joining('--job=eval', f'--workdir={joined}', processes=processes), 300
  )
  assert codes == [0] * processes, outputs
  again = json.loads((joined / 'report-validation' / 'result.json').read_text())
  assert again['loss'] == pytest.approx(said[1]['loss'], rel=1e-5)
  # From the checkpoint of half of it, one process alone comes to the same end.
  first, last = sorted((joined / 'checkpoints').iterdir(), key=lambda f: int(f.name))
  shutil.rmtree(last)
  done = tiny.run(*tiny.CONFIG, *PRIME, f'--workdir={joined}')
  assert done.returncode == 0, done.stderr
  assert (first.name, 'step 2/' in done.stdout) == ('3', False)
  assert_same_run(alone, joined)


def assert_same_run(*folders):
  """Every array within 1e-5 of its length, after as many steps."""
  with tiny.patched():
    runs = [trained.load_run(folder) for folder in folders]
  assert runs[0].step == runs[1].step
  one, two = (
    jax.tree.map(lambda x: np.asarray(x, np.float64), run.variables) for run in runs
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_array_less(
      np.linalg.norm(a - b), 1e-5 * np.linalg.norm(a) + 1e-7
    ),
    one,
    two,
  )


@pytest.mark.heavy
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_one_stops_all_after_the_same_step(tmp_path, number):
  """And the same commands go on from there."""
  many = ('--config.epochs=1000', '--config.eval_every_epochs=1000')
  many += ('--config.checkpoint_every_epochs=1000', f'--workdir={tmp_path}')
  started = joining(*tiny.CONFIG, *many)
  end, log = time.monotonic() + 200, tmp_path / 'metrics.jsonl'
  # Its first line says that all are past the step before, and hear signals.
  while time.monotonic() < end and not (log.exists() and log.stat().st_size):
    time.sleep(0.2)
  started[1].send_signal(number)
  codes, outputs = ended(started, 100)
  saved = [re.search(r'saved at step (\d+)', output) for output in outputs]
  assert all(saved), outputs
  assert saved[0][1] == saved[1][1]
  assert codes[0] == codes[1]
  assert (tmp_path / 'checkpoints' / saved[0][1]).is_dir()


@pytest.mark.heavy
def test_a_process_that_is_40_seconds_late_is_waited_for():
  """Longer than gloo waits for a connection."""
  codes, outputs = act('very_late', seconds=150)
  assert codes == [0, 0], outputs
  assert outputs[0].count('waiting for process 1') == 1
  assert all('sum 3\n' in output for output in outputs)
