"""configs/dogs.py on two small folders: the clean stage goes on from the noisy one."""

import shutil

import jax
import numpy as np
import pytest

from configs import dogs
from mobilenet import trained
from mobilenet.models import zoo
from mobilenet.models.initial import init_variables
from mobilenet.runs import preparation
from mobilenet.weights import own_file
from mobilenet.weights.contract import Contract
from tests import tiny
from tests.weights.made_weights import CLASSES, same_variables

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


@pytest.fixture(scope='module')
def weights():
  """What a first stage leaves: a network that knows its classes."""
  model = {'name': 'tiny', 'width': 1.0, 'num_classes': len(CLASSES)}
  variables = init_variables(zoo.create(**model), (32, 32, 3), seed=5)
  variables = jax.tree.map(np.asarray, variables)
  return own_file.Weights(
    'a first stage', model, variables, Contract(resolution=32), CLASSES
  )


@pytest.fixture
def first(weights, tmp_path):
  path = tmp_path / 'first.safetensors'
  own_file.save(path, weights)
  return path


def train(stage, photos, folder, *flags):
  where = f'--config.data.dir={photos}', f'--workdir={folder}'
  config = f'--config=configs/dogs.py:{stage}'
  return tiny.run(config, *SMALL, *where, *flags, report=False)


def with_another_class(photos, folder):
  shutil.copytree(photos, folder)
  for split in ('train', 'val'):
    (folder / split / CLASSES[0]).rename(folder / split / 'wolf')
  return folder


def test_the_clean_stage_begins_with_the_whole_network(first, weights, photos):
  config = dogs.get_config('stage=clean,data=folder')
  config.init, config.data.dir = str(first), str(photos)
  config.batch_size = config.eval_batch_size = 16  # over eight devices
  config, loaded, _ = preparation.complete(config)
  found = preparation.open_run(config, None, None)
  schedule = preparation.schedule_of(config, found.plan)
  made = preparation.make(config, found, loaded, schedule)
  assert found.outputs == CLASSES
  assert same_variables(made.variables(), weights.variables)


def test_other_classes_are_told_before_anything_is_trained(first, photos, tmp_path):
  other = with_another_class(photos, tmp_path / 'photos')
  done = train(
    'stage=clean,data=folder', other, tmp_path / 'run', f'--config.init={first}'
  )
  assert done.returncode != 0
  (line,) = done.stderr.strip().splitlines()
  assert f'only the weights have {CLASSES[0]}; only the data has wolf; give' in line
  assert line.endswith('--config.new_head=true trains a new classifier on them')
  assert not (tmp_path / 'run').exists()


@pytest.mark.heavy
def test_both_stages_are_trained(photos, tmp_path):
  """The second at a rate of zero, so that it ends as it begins: as the first ended."""
  noisy, clean = tmp_path / 'noisy', tmp_path / 'clean'
  done = train('stage=noisy,model=tiny,resolution=32,epochs=1', photos, noisy)
  assert done.returncode == 0, done.stderr
  flags = f'--config.init={noisy}', '--config.schedule.learning_rate=0'
  done = train('stage=clean,data=folder,epochs=1', photos, clean, *flags)
  assert done.returncode == 0, done.stderr
  begun, ended = (trained.load_run(run).variables['params'] for run in (noisy, clean))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), begun, ended)
  # A new classifier is made for other classes where that is asked for.
  other = with_another_class(photos, tmp_path / 'photos')
  flags = f'--config.init={noisy}', '--config.new_head=true'
  done = train('stage=clean,data=folder,epochs=1', other, tmp_path / 'new', *flags)
  assert done.returncode == 0, done.stderr
  assert 'with a new classifier' in done.stdout
