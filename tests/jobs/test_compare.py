"""A comparison from the config to the page, with runs of a tiny network."""

import json

import pytest

from tests import tiny

# Two items that differ in a field, and no more than a road needs.
SWEEP = """
from configs import v3_small

def get_config(arg=None):
  return v3_small.get_config('quick')

def sweep(name='two'):
  yield 'one', {'model.name': 'tiny'}
  yield 'other', {'model.name': 'tiny', 'model.width': 2.0, 'loss.l2': 0.0}
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


def test_without_checkpoints_the_times_can_be_left_out(two, tmp_path):
  runs = two / 'one', two / 'other'
  done = tiny.run('--job=compare', *runs, '--nolatency', f'--workdir={tmp_path}')
  assert done.returncode == 0, done.stderr
  said = json.loads((tmp_path / 'compare.json').read_text())
  assert {row['latency_ms'] for row in said['rows']} == {None}
  assert 'Times of one image: not measured' in (tmp_path / 'compare.md').read_text()
