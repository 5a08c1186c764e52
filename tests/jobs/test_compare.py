"""A comparison from the config to the page, with runs of a tiny network."""

import json

import pytest

from tests import tiny

SWEEP = """
from configs import v3_small

def get_config(arg=None):
  return v3_small.get_config(arg)

def sweep(name='two'):
  yield 'one', {'model.width': 1.0}
  yield 'other', {'model.width': 2.0}
"""


@pytest.fixture(scope='module')
def two(tmp_path_factory):
  """A folder of two finished runs, 'one' and 'other', on 48 made examples."""
  folder = tmp_path_factory.mktemp('two')
  for name, width in (('one', 1.0), ('other', 2.0)):
    done = tiny.run(
      *tiny.CONFIG,
      '--config.epochs=1',
      f'--config.model.width={width}',
      f'--workdir={folder / name}',
    )
    assert done.returncode == 0, done.stderr
  return folder


@pytest.mark.heavy
def test_finished_runs_become_a_table_and_a_page(two, tmp_path):
  done = tiny.run('--job=compare', two / 'one', two / 'other', f'--workdir={tmp_path}')
  assert done.returncode == 0, done.stderr
  said = json.loads((tmp_path / 'compare.json').read_text())
  by_run = {row['run']: row for row in said['rows']}
  assert set(by_run) == {'one', 'other'}
  for name, row in by_run.items():
    result = json.loads((two / name / 'result.json').read_text())
    assert 100 * row['accuracy'] == pytest.approx(result['top1'])
    assert row['accuracy_low'] < row['accuracy'] < row['accuracy_high']
    assert row['parameters'] == result['parameters']
    assert row['latency_ms'] > 0
    # The statistics of norms are in the file, but are no parameters.
    assert row['weights_bytes'] > 4 * row['parameters']
    assert row['start'] == 'scratch'
  assert (tmp_path / 'compare.png').stat().st_size > 10_000
  for file in ('compare.html', 'compare.md', 'compare.csv'):
    text = (tmp_path / file).read_text()
    assert 'one' in text, file
    assert 'tiny' in text, file
  assert f'comparison: {tmp_path / "compare.html"}' in done.stdout


@pytest.mark.heavy
def test_without_checkpoints_the_times_can_be_left_out(two, tmp_path):
  runs = two / 'one', two / 'other'
  done = tiny.run('--job=compare', *runs, '--nolatency', f'--workdir={tmp_path}')
  assert done.returncode == 0, done.stderr
  said = json.loads((tmp_path / 'compare.json').read_text())
  assert {row['latency_ms'] for row in said['rows']} == {None}
  assert 'Times of one image: not measured' in (tmp_path / 'compare.md').read_text()


@pytest.mark.heavy
def test_a_config_trains_its_items_and_compares_them(two):
  """Both are done already: the comparison is the sweep's folder's."""
  config = two / 'list.py'
  config.write_text(SWEEP)
  arguments = (
    f'--config={config}:quick',
    *tiny.CONFIG[1:],
    '--config.epochs=1',
    '--job=compare',
    '--nolatency',
    f'--workdir={two}',
  )
  done = tiny.run(*arguments)
  assert done.returncode == 0, done.stderr
  assert 'other: done already' in done.stdout
  said = json.loads((two / 'compare.json').read_text())
  assert {row['run'] for row in said['rows']} == {'one', 'other'}
  assert '--job=compare' in said['command']
  assert (two / 'sweep.md').is_file()


@pytest.mark.parametrize(
  ('arguments', 'line'),
  [
    ((), 'compare what? --config=configs/compare.py'),
    (('runs/none', 'runs/no'), 'is no run: it holds no config.json'),
    (('--config=configs/compare.py', 'runs/none'), 'give one of both'),
    (
      ('--config=configs/compare.py', '--config.init=v2.pth'),
      '--config.init is one network, and these items are 8',
    ),
    (('--multihost', 'runs/a'), '--multihost is for one run'),
  ],
)
def test_mistakes_are_one_line(arguments, line):
  done = tiny.run('--job=compare', *arguments)
  assert done.returncode == 1
  assert done.stderr.count('\n') == 1
  assert line in done.stderr


@pytest.mark.heavy
def test_the_same_run_twice_is_no_comparison(two):
  done = tiny.run('--job=compare', two / 'one', two / 'one')
  assert 'named twice' in done.stderr
