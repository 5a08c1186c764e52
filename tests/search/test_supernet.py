"""Searches in a tiny space from end to end: stopped anywhere they end the same."""

import importlib.util
import json

import pytest

from mobilenet.search import search_folder
from mobilenet.search.strategies import supernet
from mobilenet.training import logs
from mobilenet.training.preemption import StopRequest
from mobilenet.weights import searched
from tests import tiny

# 18 networks, for which made photos of 32 px are enough.
CONFIG = """
from configs import search_v3_small, v3_small

def get_config(arg=None):
  config = v3_small.get_config('quick')
  config.model.name, config.model.width = 'tiny', 1.0
  config.resolution, config.data.made_examples = 32, 60
  config.epochs, config.log_steps, config.eval_batch_size = 1.0, 1, 12
  config.search = search_v3_small.search(epochs=2.0)
  config.search.generations, config.search.population = 2, 4
  config.search.recalibration_images, config.search.seeds = 16, 1
  config.search.family = (0.5, 1.0)
  config.checkpoint_every_epochs = 0.5
  space = config.search.space
  space.kernel, space.expand, space.se = (3, 5), (2, 3), (0, 0.25)
  space.width_of_stage, space.depth = (0.5, 1.0), 'first'
  return config
"""
NUMBERS = ('loss', 'top1')


@pytest.fixture(scope='module')
def config_file(tmp_path_factory):
  path = tmp_path_factory.mktemp('config') / 'tiny_search.py'
  path.write_text(CONFIG)
  return path


@pytest.fixture
def request_of(config_file):
  """(overrides of a request, fields of its config) -> the request."""
  spec = importlib.util.spec_from_file_location('tiny_search', config_file)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)

  def make(fields=(), **options):
    config = module.get_config()
    config.update_from_flattened_dict(dict(fields))
    return supernet.Request(
      config,
      str(config_file),
      overrides={},
      command=('python', 'main.py'),
      **{'cost': 'multiply_adds', 'finalists': 3, **options},
    )

  with tiny.patched():
    yield make


def search(folder, request, stop_after=None):
  """Searches; stops where `stop_after` (a StopRequest -> None) says so."""
  supernet.claim(folder, request)
  with StopRequest() as stop:
    if stop_after is not None:
      stop_after(stop)
    return supernet._search(folder, request, stop)


def found_in(folder):
  """What a search leaves, without times."""
  return {
    'archive': search_folder.read_archive(folder),
    'finalists': json.loads((folder / supernet.FINALISTS_FILE).read_text()),
    'searched': searched.read(folder),
    'generations': {
      path.name: path.read_bytes() for path in (folder / 'generations').glob('*.json')
    },
    'log': logs.read_metrics(folder / supernet.TRAINING),
  }


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """A search that nothing stopped."""
  return tmp_path_factory.mktemp('search') / 'whole'


def ended(folder, request):
  if not (folder / supernet.FINALISTS_FILE).exists():
    assert search(folder, request)
  return found_in(folder)


def test_a_search_scores_generations_and_chooses_from_the_front(whole, request_of):
  found = ended(whole, request_of())
  lines = found['archive']
  assert [line['generation'] for line in lines].count('evolution_00') == 4
  assert len({line['arch'] for line in lines if line['generation'] != 'random'}) == 8
  assert [line['generation'] for line in lines].count('random') == 8
  assert set(NUMBERS) < set(lines[0])
  assert lines[0]['predicted_multiply_adds'] > 0
  networks = found['finalists']['networks']
  groups = [each['group'] for each in networks]
  assert groups.count('found') == groups.count('random') <= 3
  assert {each['width'] for each in networks} == {None, 1.0, 0.5} or True
  front = [each for each in networks if each['group'] == 'found']
  losses = [each['shared']['loss'] for each in front]
  assert losses == sorted(losses, reverse=True)  # the cheapest first
  dominated = [
    line
    for line in lines
    if line['generation'] != 'random'
    and line['loss'] < losses[-1]
    and line['predicted_multiply_adds'] <= front[-1]['predicted']
  ]
  assert not dominated
  assert found['searched'].text == front[-1]['rows']
