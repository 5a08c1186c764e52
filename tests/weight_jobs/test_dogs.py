"""configs/dogs.py on two small folders: the clean stage goes on from the noisy one."""

import shutil

import numpy as np
import pytest

from mobilenet import trained
from mobilenet.models import zoo
from mobilenet.training import averages
from tests import tiny
from tests.weights.made_weights import CLASSES

SMALL = (
  '--config.batch_size=4',
  '--config.eval_batch_size=4',
  '--config.model.lowering=native',
)


@pytest.fixture(scope='module', autouse=True)
def small_network():
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(zoo.NETWORKS, 'tiny', tiny.NETWORK)
    yield


def train(stage, photos, folder, *flags):
  where = f'--config.data.dir={photos}', f'--workdir={folder}'
  return tiny.run(f'--config=configs/dogs.py:{stage}', *SMALL, *where, *flags,
                  report=False)  # fmt: skip


@pytest.fixture(scope='module')
def noisy(photos, tmp_path_factory):
  folder = tmp_path_factory.mktemp('runs') / 'noisy'
  done = train('stage=noisy,model=tiny,resolution=32,epochs=1', photos, folder)
  assert done.returncode == 0, done.stderr
  return folder


def test_the_clean_stage_begins_with_the_whole_network(noisy, photos, tmp_path):
  """At a rate of zero it ends as it begins: body and classifier of the first."""
  clean = tmp_path / 'clean_photos'
  for split in ('train', 'val'):
    shutil.copytree(photos / ('val' if split == 'train' else 'train'), clean / split)
  folder = tmp_path / 'clean'
  still = '--config.schedule.learning_rate=0'
  done = train(
    'stage=clean,data=folder,epochs=1', clean, folder, f'--config.init={noisy}', still
  )
  assert done.returncode == 0, done.stderr
  assert 'with a new classifier' not in done.stdout
  first, second = trained.load_run(noisy), trained.load_run(folder)
  assert second.outputs == first.outputs == CLASSES
  assert second.config.optimizer.layer_decay == 0.9
  begun, ended = first.variables['params'], second.variables['params']
  kind = averages.choose_at(folder, second.step, 'top1')
  tolerance = 0 if kind == averages.RAW else 1e-6
  for one, other in zip(
    *(sorted(trained.to_weights(run).variables['params']) for run in (first, second)),
    strict=True,
  ):
    assert one == other
  kernel = begun['head']['classifier']['kernel']
  np.testing.assert_allclose(
    ended['head']['classifier']['kernel'], kernel, atol=tolerance
  )
  assert np.ptp(kernel) > 0.01
  stem = 'backbone', 'stem', 'conv', 'kernel'
  for name in stem:
    begun, ended = begun[name], ended[name]
  np.testing.assert_allclose(ended, begun, atol=tolerance)


def test_other_classes_are_told_before_anything_is_trained(noisy, photos, tmp_path):
  other = tmp_path / 'photos'
  shutil.copytree(photos, other)
  for split in ('train', 'val'):
    (other / split / CLASSES[0]).rename(other / split / 'wolf')
  flags = f'--config.init={noisy}', '--config.schedule.learning_rate=0'
  done = train('stage=clean,data=folder,epochs=1', other, tmp_path / 'run', *flags)
  assert done.returncode != 0
  (line,) = done.stderr.strip().splitlines()
  assert f'only the weights have {CLASSES[0]}; only the data has wolf; give' in line
  assert line.endswith('--config.new_head=true trains a new classifier on them')
  assert not (tmp_path / 'run').exists()
