"""Where what is said of photos is written: not among those of a training."""

import pytest
from ml_collections import ConfigDict

from mobilenet.runs import output_folder
from mobilenet.training.errors import TrainingError


@pytest.fixture
def config(tmp_path):
  (tmp_path / 'photos' / 'cat').mkdir(parents=True)
  return ConfigDict({'data': {'name': 'folder', 'dir': str(tmp_path / 'photos')}})


@pytest.mark.parametrize('place', ['photos', 'photos/cam', 'link'])
def test_the_photos_that_were_trained_on_are_left_alone(place, config, tmp_path):
  (tmp_path / 'link').symlink_to(tmp_path / 'photos')
  with pytest.raises(TrainingError, match='the photos that the run was trained') as e:
    output_folder.check_out(tmp_path / place, [tmp_path / 'new.jpg'], config)
  assert '\n' not in str(e.value)


@pytest.mark.parametrize('change', [{'dir': ''}, {'name': 'digits'}, {'dir': 'other'}])
def test_other_folders_are_taken(change, config, tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  config.data.update(change)
  output_folder.check_out(tmp_path / 'photos', [tmp_path / 'new.jpg'], config)
  output_folder.check_out(tmp_path / 'photos' / 'cat', [tmp_path / 'new.jpg'])
  assert capsys.readouterr().out == ''


def test_photos_that_are_named_and_lie_there_are_told(tmp_path, capsys):
  paths = [tmp_path / name for name in ('new/1.jpg', 'new/a/2.jpg', '3.jpg')]
  output_folder.check_out(tmp_path / 'new', paths)
  assert f'note: --out={tmp_path / "new"} holds 2 of these' in capsys.readouterr().out
