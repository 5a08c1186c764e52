"""Recalibration as a person uses it: a new run, the old one as it was."""

import json
import re
from unittest import mock

import jax
import numpy as np
import pytest

from mobilenet import trained
from mobilenet.jobs import recalibrate
from mobilenet.models import zoo
from tests import tiny


def contents(folder):
  return {p: p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}


def load(folder):
  with mock.patch.dict(zoo.NETWORKS, tiny=tiny.NETWORK):
    return trained.load_run(folder)


def error(*arguments, **options):
  done = tiny.run('--job=recalibrate', *arguments, **options)
  assert done.returncode == 1, done.stdout
  (line,) = [one for one in done.stderr.splitlines() if one.startswith('error: ')]
  return line


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """Three steps, after which half of the statistics are what they began with."""
  folder = tmp_path_factory.mktemp('runs') / 'run'
  done = tiny.run(
    *tiny.CONFIG, '--config.epochs=1', f'--workdir={folder}', report=False
  )
  assert done.returncode == 0, done.stderr
  return folder


@pytest.fixture(scope='module')
def recalibrated(run):
  """(the folder of the new run, what was printed)."""
  before, out = contents(run), run.with_name('new')
  done = tiny.run(
    '--job=recalibrate', f'--workdir={run}', f'--out={out}', '--images=40'
  )
  assert done.returncode == 0, done.stderr
  assert contents(run) == before
  return out, done.stdout


def test_weights_stay_and_statistics_change(run, recalibrated):
  old, new = (load(folder).variables for folder in (run, recalibrated[0]))
  jax.tree.map(np.testing.assert_array_equal, old['params'], new['params'])
  for name, few in (('mean', 0), ('var', 0.1)):
    old_one, new_one = (
      np.asarray(v['batch_stats']['backbone']['stem']['norm'][name]) for v in (old, new)
    )
    assert np.abs(old_one - new_one).max() > few


@pytest.mark.heavy
def test_what_is_printed_is_what_evaluation_says(run, recalibrated):
  out, said = recalibrated
  assert 'measuring 40 images of train, 20 at once\n' in said
  before, after = map(
    float,
    re.search(
      r'^Top-1 accuracy on validation \(12 examples\): (.+) % before, (.+) % after$',
      said,
      re.MULTILINE,
    ).groups(),
  )
  for folder, score in ((run, before), (out, after)):
    done = tiny.run('--job=eval', f'--workdir={folder}')
    assert done.returncode == 0, done.stderr
    result = json.loads((folder / 'report-validation' / 'result.json').read_text())
    assert result['top1'] == pytest.approx(score, abs=0.005)
    assert result['examples_trained_on'] == 0  # known of the new run too
  assert said.endswith(f'workdir: {out}\n')


@pytest.mark.parametrize(
  ('before', 'after', 'line'),
  [
    (50.0, 60.0, 'the new statistics are better on this split: use new'),
    (60.0, 50.0, 'the new statistics are worse on this split: keep using old'),
    (50.0, 50.0, 'the new statistics are neither better nor worse on this split'),
    (
      50.0,
      float('nan'),
      'nobody knows which of the two is better: nothing could be measured',
    ),
  ],
)
def test_the_verdict_is_plain(before, after, line):
  scores = recalibrate.Scores(before, after)
  assert recalibrate._verdict(scores, 'old', 'new') == line


def test_mistakes_are_one_line(run, recalibrated, tmp_path):
  new, _ = recalibrated
  held = error(f'--workdir={run}', f'--out={new}')
  assert held == f'error: {new} holds a run already; choose another --out'
  assert error(f'--workdir={run}') == 'error: name the folder to make: --out=runs/...'
  out = f'--out={tmp_path / "out"}'
  few = error(f'--workdir={run}', out, '--images=0')
  assert few == 'error: --images=0 must be at least 1'
  few = error(f'--workdir={run}', out, '--images=3', devices=4)
  assert few == ('error: 3 photos cannot be divided over 4 devices: give more --images')
  assert error(f'--workdir={tmp_path}', out).endswith('no run began there')
  assert list(tmp_path.iterdir()) == []


def test_a_network_without_norms_is_refused(run, tmp_path):
  loaded = load(run)
  bare = trained.dataclasses.replace(
    loaded, variables={'params': loaded.variables['params']}
  )
  with mock.patch.object(trained, 'load_run', return_value=bare):
    line = error(f'--workdir={run}', f'--out={tmp_path / "out"}')
  assert line == 'error: tiny has no BatchNorm: there is nothing to recalibrate'
  assert list(tmp_path.iterdir()) == []


def test_norms_of_frozen_rows_are_measured_too(run, tmp_path):
  """The statistics do not depend on what of a network learns."""
  loaded = load(run)
  source = recalibrate.open_data(loaded.config, run).train
  mesh = recalibrate.sharding.make_mesh()
  with mock.patch.dict(zoo.NETWORKS, tiny=tiny.NETWORK):
    found = []
    for part in ('all', 'classifier'):
      loaded.config.model.trained = part
      found.append(recalibrate._measured(loaded, source, 40, mesh))
  jax.tree.map(np.testing.assert_array_equal, *found)
