"""Sweeps: what is run, skipped, tried again and told; with small scripts as runs."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from ml_collections import ConfigDict

from mobilenet import config_files
from mobilenet.reports import result
from mobilenet.sweeps import items as sweep_items
from mobilenet.sweeps import runner as sweep
from mobilenet.sweeps import table as sweep_table
from mobilenet.training import logs, workdir
from mobilenet.training.errors import TrainingError
from tests import tiny

ROOT = pathlib.Path(__file__).parents[2]

# Stands for a training run: argv is its folder, its config as JSON and what it does.
CHILD = """
import json, os, pathlib, signal, sys, time
folder, config, deed = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
with open(folder / 'starts', 'a') as file:
  file.write(f'{os.getpid()}\\n')
(folder / 'config.json').write_text(config)
print('step 1')
if deed == 'error':
  sys.exit('error: model.name is unknown')
if deed == 'raise':
  raise KeyError('conv')
if deed == 'kill':
  os.kill(os.getpid(), signal.SIGKILL)
if deed == 'abort':
  os.abort()
if deed == 'stopped' and not (folder / 'saved').exists():
  (folder / 'saved').write_text('')
  print('SIGTERM: saved at step 1')
  sys.exit(75)
if deed == 'nothing':
  sys.exit(0)
if deed == 'slow' and not (folder / 'saved').exists():
  def save(number, frame):
    (folder / 'saved').write_text('')
    print('SIGTERM: saved at step 1', flush=True)
    sys.exit(75)
  signal.signal(signal.SIGTERM, save)
  (folder / 'ready').write_text('')
  time.sleep(60)
seed = json.loads(config)['seed']
(folder / 'result.json').write_text(json.dumps({
  'top1': 90.0 + seed, 'raw_top1': 89.0, 'loss': 0.5, 'parameters': 1000,
  'multiply_adds': 2000000, 'train_seconds': 65.0, 'images_per_second': 10.0,
  'steps': 7, 'environment': {'jax': '0.10', 'cpu_count': 2}}))
"""

# A sweep as a process, to be killed: argv is its folder and its deeds.
PARENT = """
import sys
sys.path.insert(0, {root!r})
sys.path.insert(0, {here!r})
import test_runner
import pathlib
items = test_runner.make_items(pathlib.Path(sys.argv[1]), sys.argv[2:])
sys.exit(test_runner.run(items, pathlib.Path(sys.argv[1])))
"""


def make_items(folder, deeds, seeds=None):
  folder.mkdir(parents=True, exist_ok=True)
  script = folder / 'child.py'
  script.write_text(CHILD)
  items = []
  for n, deed in enumerate(deeds):
    config = {'seed': n if seeds is None else seeds[n], 'epochs': 1}
    run = folder / f'seed{n}'
    command = [sys.executable, str(script), str(run), json.dumps(config), deed]
    items.append(sweep_items.Item(run.name, {'seed': n}, config, run, command))
  return items


def run(items, folder, **kwargs):
  return sweep.run(items, folder, title='seeds', command=['python', 'x'], **kwargs)


def starts(item):
  path = item.folder / 'starts'
  return len(path.read_text().splitlines()) if path.exists() else 0


def read_csv(folder):
  with open(folder / 'sweep.csv', newline='') as file:
    return list(csv.DictReader(file))


def start_parent(folder, deeds):
  program = PARENT.format(root=str(ROOT), here=str(pathlib.Path(__file__).parent))
  return subprocess.Popen(
    [sys.executable, '-c', program, str(folder), *deeds],
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def wait_for(condition, what):
  deadline = time.monotonic() + 60
  while not condition():
    assert time.monotonic() < deadline, f'{what} did not come'
    time.sleep(0.02)


def alive(pid):
  try:
    return pathlib.Path(f'/proc/{pid}/stat').read_text().split()[2] != 'Z'
  except FileNotFoundError:
    return False


def test_failures_do_not_stop_the_rest_and_are_told_why(tmp_path, capfd):
  deeds = ['ok', 'error', 'kill', 'abort', 'raise', 'nothing', 'ok']
  items = make_items(tmp_path, deeds)
  assert run(items, tmp_path) == 1
  rows = read_csv(tmp_path)
  assert [row['status'] for row in rows] == ['done'] + ['failed'] * 5 + ['done']
  reasons = [row['reason'] for row in rows]
  assert reasons[1] == 'model.name is unknown'
  assert 'SIGKILL' in reasons[2]
  assert 'SIGABRT' in reasons[3]
  assert reasons[4] == "ended with exit code 1: KeyError: 'conv'"
  assert 'no result' in reasons[5]
  assert rows[6]['top1'] == '96.0'
  failure = json.loads((items[2].folder / 'failure.json').read_text())
  assert (failure['signal'], failure['exit_code']) == ('SIGKILL', None)
  assert failure['command'].startswith(sys.executable)
  failure = json.loads((items[1].folder / 'failure.json').read_text())
  assert (failure['signal'], failure['exit_code']) == (None, 1)
  assert failure['last_lines'][-1] == 'error: model.name is unknown'
  assert 'step 1' in (items[1].folder / 'log.txt').read_text()
  out = capfd.readouterr().out
  assert '[2/7] seed1: FAILED: model.name is unknown' in out
  assert 'failed: seed1, seed2, seed3, seed4, seed5' in out
  assert '2 of 7 done, 5 failed' in out
  text = (tmp_path / 'sweep.md').read_text()
  assert '- seed1: failed: model.name is unknown' in text
  assert '2 of 7 done, 5 failed; training took 2 min 10 s' in text
  assert (tmp_path / 'sweep.png').read_bytes()[:4] == b'\x89PNG'


def test_the_tables_have_the_metric_of_the_task(tmp_path, capfd):
  items = make_items(tmp_path, ['ok', 'ok'])
  run(items, tmp_path)
  for n, item in enumerate(items):
    said = {'metric': 'mAP', 'mAP': 40.0 + n, 'raw_mAP': 30.0}
    (item.folder / 'result.json').write_text(json.dumps(said))
  assert run(items, tmp_path) == 0
  assert 'seed0: done already, mAP 40.00 %' in capfd.readouterr().out
  assert [row['mAP'] for row in read_csv(tmp_path)] == ['40.0', '41.0']
  assert 'mAP, mean' in (tmp_path / 'sweep.md').read_text()


def test_what_is_done_is_skipped_and_what_failed_is_tried_again(tmp_path, capfd):
  run(make_items(tmp_path, ['ok', 'error']), tmp_path)
  items = make_items(tmp_path, ['ok', 'ok'])
  assert run(items, tmp_path) == 0
  assert [starts(item) for item in items] == [1, 2]
  assert 'seed0: done already, top-1 90.00 %' in capfd.readouterr().out
  assert not (items[1].folder / 'failure.json').exists()
  assert [row['status'] for row in read_csv(tmp_path)] == ['done', 'done']


def test_a_run_of_another_config_is_a_failure_and_stays(tmp_path, capfd):
  run(make_items(tmp_path, ['ok', 'ok']), tmp_path)
  items = make_items(tmp_path, ['ok', 'ok', 'ok'], seeds=[5, 1, 2])
  before = (items[0].folder / 'config.json').read_bytes()
  assert run(items, tmp_path) == 1
  assert 'seed: 0 -> 5' in capfd.readouterr().out
  assert (items[0].folder / 'config.json').read_bytes() == before
  assert [starts(item) for item in items] == [1, 1, 1]
  row = read_csv(tmp_path)[0]
  assert (row['status'], row['top1']) == ('failed', '')
  assert 'seed: 0 -> 5' in row['reason']
  # A field that may differ is no other run.
  assert run(items, tmp_path, ignore=('seed',)) == 0


def test_a_lengthened_item_goes_on(tmp_path, capfd):
  """A result of fewer epochs is not the one that the sweep asks for now."""
  (short,) = make_items(tmp_path, ['done'])
  assert run([short], tmp_path) == 0
  config = short.config | {'epochs': 2}
  command = [json.dumps(config) if '"seed"' in x else x for x in short.command]
  item = short._replace(config=config, command=command)
  assert sweep_items.standing(item).status == 'unfinished'
  assert run([item], tmp_path) == 0
  assert starts(item) == 2
  assert sweep_items.standing(item).status == 'done'
  assert run([item], tmp_path) == 0
  assert starts(item) == 2
  assert 'seed0: done already' in capfd.readouterr().out


def test_a_damaged_result_is_made_again(tmp_path):
  items = make_items(tmp_path, ['ok'])
  run(items, tmp_path)
  (items[0].folder / 'result.json').write_text('{"top1":')
  assert run(items, tmp_path) == 0
  assert starts(items[0]) == 2


def test_an_index_runs_that_item_alone(tmp_path):
  items = make_items(tmp_path, ['ok', 'ok', 'error'])
  assert run(items, tmp_path, index=1) == 0
  assert [starts(item) for item in items] == [0, 1, 0]
  statuses = [row['status'] for row in read_csv(tmp_path)]
  assert statuses == ['not started', 'done', 'not started']
  assert run(items, tmp_path, index=2) == 1
  for index in (3, -1):
    with pytest.raises(TrainingError, match=f'--index={index} .* 3 items, 0 to 2'):
      run(items, tmp_path, index=index)


def test_an_item_that_runs_elsewhere_is_left_alone(tmp_path, monkeypatch, capfd):
  monkeypatch.setattr(sweep, '_LOCK_SECONDS', 0.2)
  items = make_items(tmp_path, ['ok', 'ok'])
  with sweep_items.locked(items[0].folder / '.lock') as descriptor:
    assert descriptor is not None
    assert run(items, tmp_path) == 0
  assert [starts(item) for item in items] == [0, 1]
  assert [row['status'] for row in read_csv(tmp_path)] == ['running', 'done']
  assert 'seed0: skipped, it is running elsewhere' in capfd.readouterr().out
  assert run(items, tmp_path) == 0
  assert starts(items[0]) == 1


def test_sigterm_saves_and_stops_and_the_same_command_goes_on(tmp_path):
  deeds = ['ok', 'slow', 'ok']
  items = make_items(tmp_path, deeds)
  parent = start_parent(tmp_path, deeds)
  wait_for((items[1].folder / 'ready').exists, 'the second item')
  parent.send_signal(signal.SIGTERM)
  out, _ = parent.communicate(timeout=60)
  assert parent.returncode == 75, out
  assert 'seed1: SIGTERM: saved at step 1' in out
  assert 'the same command goes on from there' in out
  statuses = [row['status'] for row in read_csv(tmp_path)]
  assert statuses == ['done', 'unfinished', 'not started']
  assert not (items[1].folder / 'failure.json').exists()
  assert run(items, tmp_path) == 0
  assert [starts(item) for item in items] == [1, 2, 1]


def test_an_item_that_others_stop_is_no_failure(tmp_path, capfd):
  items = make_items(tmp_path, ['stopped', 'ok'])
  assert run(items, tmp_path) == 75
  assert [row['status'] for row in read_csv(tmp_path)] == ['unfinished', 'done']
  assert not (items[0].folder / 'failure.json').exists()
  out = capfd.readouterr().out
  assert '[1/2] seed0: SIGTERM: saved at step 1\n' in out
  assert 'stopped: seed0; the same command goes on from there\n' in out
  assert run(items, tmp_path) == 0
  assert [starts(item) for item in items] == [2, 1]
  # A failure is what a script should hear of first.
  items = make_items(tmp_path / 'two', ['stopped', 'error'])
  assert run(items, tmp_path / 'two') == 1


@pytest.mark.skipif(sys.platform != 'linux', reason='prctl is of Linux')
def test_sigkill_of_the_sweep_loses_no_finished_run(tmp_path):
  deeds = ['ok', 'slow', 'ok']
  items = make_items(tmp_path, deeds)
  parent = start_parent(tmp_path, deeds)
  wait_for((items[1].folder / 'ready').exists, 'the second item')
  child = int((items[1].folder / 'starts').read_text())
  assert alive(child)
  parent.kill()
  parent.communicate(timeout=60)
  wait_for(lambda: not alive(child), "the end of the orphan's run")
  kept = (items[0].folder / 'result.json').stat()
  assert sweep_items.standing(items[1]).status == 'unfinished'
  items[1].command[-1] = 'ok'
  assert run(items, tmp_path) == 0
  assert [starts(item) for item in items] == [1, 2, 1]
  assert (items[0].folder / 'result.json').stat() == kept
  assert [row['status'] for row in read_csv(tmp_path)] == ['done'] * 3


def config():
  return ConfigDict({'seed': 0, 'model': {'width': 1.0}, 'resolution': 32})


def test_items_have_commands_that_a_person_can_type(tmp_path):
  pairs = [('w0.5', {'model.width': 0.5}), ('w1', {'model.width': 1})]
  given = {'seed': 3, 'model.width': 2.0}
  items = sweep_items.make_items(
    'c.py:quick', pairs, config_files.override(config(), given), given, tmp_path
  )
  assert items[0].command[2:] == [
    '--config=c.py:quick',
    '--job=train',
    '--config.seed=3',
    '--config.model.width=0.5',
    f'--workdir={tmp_path / "w0.5"}',
  ]
  assert items[0].config == {'seed': 3, 'model': {'width': 0.5}, 'resolution': 32}
  assert isinstance(items[1].config['model']['width'], float)
  assert sweep_table.swept_fields(items) == ['model.width']


@pytest.mark.parametrize(
  ('pairs', 'message'),
  [
    ([], 'no items'),
    ([('a', {}), ('a', {'seed': 1})], "'a' comes twice"),
    ([('a/b', {})], "'a/b' is no name for a folder"),
    ([('..', {})], 'no name for a folder'),
    ([('a', {'model.widht': 1.0})], 'did you mean model.width'),
    ([('a', {'model': 1.0})], 'is a section'),
    ([('a', {'resolution': 'big'})], "resolution = 'big' must be of type int"),
  ],
)
def test_mistakes_in_a_sweep_are_told_before_anything_runs(pairs, message, tmp_path):
  with pytest.raises(TrainingError, match=message):
    sweep_items.make_items('c.py', pairs, config(), {}, tmp_path)


def test_a_field_set_twice_is_said(tmp_path, capfd):
  run(make_items(tmp_path, ['ok']), tmp_path, given=['seed', 'epochs'])
  out = capfd.readouterr().out
  assert 'note: the sweep itself sets seed; your value is not used' in out


def test_the_command_in_the_table_regenerates_it(monkeypatch, tmp_path):
  monkeypatch.chdir(tmp_path)
  command = sweep.command(
    'configs/v1.py', 'grid', {'epochs': 2.0}, tmp_path / 'r' / 'g'
  )
  assert ' '.join(command) == (
    'python main.py --config=configs/v1.py --job=sweep --sweep=grid '
    '--config.epochs=2.0 --workdir=r/g'
  )


TINY_SWEEP = """
from configs.v3_small import get_config

def sweep(name='two'):
  yield 'bad', {'model.name': 'mobilenet_v9'}
  yield 'good', {'model.width': 0.25}
"""


@pytest.mark.heavy
def test_the_real_thing(tmp_path):
  """Two runs through main.py; the one that fails comes first."""
  pytest.importorskip('tensorflow', reason='training reads its data with TensorFlow')
  (tmp_path / 'tiny.py').write_text(TINY_SWEEP)
  folder = tmp_path / 'sweep'
  arguments = tiny.command(
    *(f'--config={tmp_path / "tiny.py"}:quick', '--job=sweep', f'--workdir={folder}'),
    *tiny.CONFIG[1:],
  )

  def main(**settings):
    return subprocess.run(
      arguments,
      cwd=ROOT,
      # Runs begin as the sweep did: here by the path of tiny.py.
      env=os.environ | {'PYTHONPATH': str(ROOT)} | settings,
      capture_output=True,
      text=True,
      timeout=240,
      check=False,
    )

  done = main()
  assert done.returncode == 1, done.stderr
  bad, good = read_csv(folder)
  assert (bad['status'], good['status']) == ('failed', 'done'), done.stdout
  assert 'did you mean mobilenet_v' in bad['reason']
  ended = result.read_result(folder / 'good')
  assert float(good['top1']) == ended['top1']
  assert good['model.name'] == 'tiny'
  assert workdir.read_config(folder / 'good')['model']['width'] == 0.25
  assert 'git revision' in (folder / 'sweep.md').read_text()
  # Without a device the finished run is still recognised: the sweep itself has none.
  arguments.append('--index=1')
  done = main(JAX_PLATFORMS='nowhere')
  assert 'good: done already' in done.stdout, done.stderr
  assert done.returncode == 0
  assert logs.from_json(ended) == result.read_result(folder / 'good')
