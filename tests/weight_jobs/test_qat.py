"""configs/qat.py on a trained run: what it prints, evaluates, exports and refuses."""

import json
import shutil

import numpy as np
import pytest

from mobilenet import trained
from mobilenet.export.aware import Rounded
from mobilenet.models import zoo
from mobilenet.weights import loading
from tests import tiny
from tests.weights.made_weights import same_variables

SMALL = (
  '--config.resolution=32',
  '--config.batch_size=4',
  '--config.eval_batch_size=4',
  '--config.model.lowering=native',
)


@pytest.fixture(scope='module', autouse=True)
def small_network():
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(zoo.NETWORKS, 'tiny', tiny.NETWORK)
    yield


def train(photos, folder, *flags):
  where = f'--config.data.dir={photos}', f'--workdir={folder}'
  return tiny.run(*flags, *SMALL, *where, report=False)


@pytest.fixture(scope='module')
def first(photos, tmp_path_factory):
  """A run on photos, of a network of three rows with norms."""
  folder = tmp_path_factory.mktemp('runs') / 'first'
  fields = ('--config.model.name=tiny', '--config.epochs=1')
  done = train(photos, folder, '--config=configs/folder.py', *fields)
  assert done.returncode == 0, done.stderr
  return folder


def rounded(first, photos, folder, *flags):
  config = ('--config=configs/qat.py:epochs=2', f'--config.init={first}')
  return train(photos, folder, *config, *flags)


@pytest.fixture(scope='module')
def qat(first, photos):
  folder = first.with_name('qat')
  done = rounded(first, photos, folder)
  assert done.returncode == 0, done.stderr
  assert 'values begin as those of 8 images' in done.stdout
  return folder


def evaluations(folder):
  lines = map(json.loads, (folder / 'metrics.jsonl').read_text().splitlines())
  return [line for line in lines if line['kind'] == 'eval']


def test_it_starts_from_the_folded_network(first, qat):
  before, after = trained.load_run(first), trained.load_run(qat)
  assert isinstance(after.model, Rounded)
  assert trained.ranges_of(before) is None
  _, folded = trained.folded(before)
  kernel, start = (
    np.asarray(variables['params']['backbone']['stem']['conv']['kernel'])
    for variables in (after.variables, folded)
  )
  assert 0 < np.abs(kernel - start).max() < 1e-3
  found = trained.ranges_of(after)
  assert (found.images, found.batches) == (4 * after.step, after.step)
  assert found.of['images'][0] < 0 < found.of['images'][1]


def test_eval_gives_the_last_number_of_the_training(qat):
  done = tiny.run('--job=eval', f'--workdir={qat}')
  assert done.returncode == 0, done.stderr
  found = json.loads((qat / 'report-val' / 'result.json').read_text())
  assert found['loss'] == pytest.approx(evaluations(qat)[-1]['loss'], rel=1e-5)


def test_the_same_command_goes_on_to_the_same_bits(first, qat, photos, tmp_path):
  """From the checkpoint of the first epoch, without calibrating anew."""
  folder = tmp_path / 'qat'
  shutil.copytree(qat, folder)
  steps = sorted((folder / 'checkpoints').iterdir(), key=lambda path: int(path.name))
  for step in steps[1:]:
    shutil.rmtree(step)
  assert trained.load_run(folder).step < trained.load_run(qat).step
  done = rounded(first, photos, folder)
  assert done.returncode == 0, done.stderr
  assert 'values begin as' not in done.stdout
  ours, theirs = (trained.load_run(place).variables for place in (folder, qat))
  assert same_variables(ours, theirs)
  assert same_variables(ours['batch_stats'], theirs['batch_stats'])


def test_its_weights_are_a_network_without_norms(qat, tmp_path):
  out = tmp_path / 'mine.safetensors'
  export = ('--job=export', f'--workdir={qat}')
  done = tiny.run(*export, '--format=own', f'--out={out}')
  assert done.returncode == 0, done.stderr
  weights, run = loading.load(out), trained.load_run(qat)
  assert weights.model['norm'] is False
  assert same_variables(weights.variables, {'params': run.variables['params']})
  done = tiny.run(*export, '--format=timm', f'--out={out}')
  assert done.returncode == 1


def test_it_predicts(qat, photos, tmp_path):
  out = tmp_path / 'out'
  photo = photos / 'val'
  done = tiny.run('--job=predict', f'--workdir={qat}', f'--out={out}', photo)
  assert done.returncode == 0, done.stderr
  assert (out / 'predictions.csv').is_file()


@pytest.mark.parametrize(
  ('flags', 'line'),
  [
    (['--config.teacher.features=1'], 'has no embeddings to compare: --config'),
    (['--config.head_first.epochs=1'], 'as a whole: --config.head_first.epochs=0'),
  ],
)
def test_what_a_rounded_network_lacks(first, photos, tmp_path, flags, line):
  teacher = f'--config.teacher.weights={first}'
  done = rounded(first, photos, tmp_path / 'run', teacher, *flags)
  assert done.returncode == 1
  assert line in done.stderr
  assert len(done.stderr.strip().splitlines()) == 1


def test_it_has_no_norms_to_recalibrate(qat, tmp_path):
  done = tiny.run('--job=recalibrate', f'--workdir={qat}', f'--out={tmp_path / "x"}')
  assert done.returncode == 1
  assert 'tiny has no BatchNorm: there is nothing to recalibrate' in done.stderr


def test_rounding_needs_weights_to_start_from(photos, tmp_path):
  fields = ('--config.model.name=tiny', '--config.model.rounded=true')
  done = train(photos, tmp_path / 'run', '--config=configs/folder.py', *fields)
  assert done.returncode == 1
  assert done.stderr.strip().endswith('to start from, --config.init=runs/finetune')
  assert len(done.stderr.strip().splitlines()) == 1
  assert not (tmp_path / 'run').exists()
