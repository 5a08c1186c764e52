"""The application configs: what they choose, on names as their data has them."""

import importlib
import pathlib

import pytest

from configs.applications import fish, xray
from input_pipeline.photo_groups import group_of
from mobilenet import experiment
from tests.test_configs import check, with_weights

ROOT = pathlib.Path(__file__).parents[1]
FILES = sorted((ROOT / 'configs' / 'applications').glob('[!_]*.py'))
NAMES = [file.stem for file in FILES]


def load(name, arg=None):
  return importlib.import_module(f'configs.applications.{name}').get_config(arg)


@pytest.mark.parametrize('name', NAMES)
def test_it_can_be_run_and_has_its_page(name):
  check(with_weights(load(name)))
  check(with_weights(load(name, 'epochs=3,trained=last 2')))
  page = (ROOT / 'docs' / 'applications' / f'{name}.md').read_text()
  assert f'--config=configs/applications/{name}.py' in page
  overview = (ROOT / 'docs' / 'applications' / 'README.md').read_text()
  assert f'[`{name}.py`]({name}.md)' in overview


def test_there_are_six():
  assert NAMES == ['fish', 'leaf', 'mask', 'skin', 'weld', 'xray']


def test_patients_of_chest_x_rays():
  names = [
    'PNEUMONIA/person78_bacteria_380.jpeg',
    'PNEUMONIA/person78_virus_140.jpeg',
    'NORMAL/IM-0115-0001.jpeg',
    'NORMAL/NORMAL2-IM-0501-0001-0002.jpeg',
  ]
  groups = group_of(names, xray.get_config().data.group)
  assert list(groups.values()) == ['person78', 'person78', 'IM-0115', 'IM-0501']
  assert 'flip' not in load('xray').data.train_ops


def test_tracks_of_fish():
  names = ['fish_01/fish_000000009598_05281.png', 'fish_02/fish_000000009598_05282.png']
  assert set(group_of(names, fish.get_config().data.group).values()) == {'000000009598'}


@pytest.mark.parametrize('name', ['skin', 'leaf', 'weld'])
def test_what_has_no_upper_side_is_turned(name):
  assert '|turn|' in experiment.ops(with_weights(load(name)), 'train_ops')
