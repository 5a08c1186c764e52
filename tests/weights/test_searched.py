"""The file of a network that a search found, and configs that name it."""

import json

import pytest

from configs import v3_small
from mobilenet import experiment, trained
from mobilenet.models.rows import ModelError
from mobilenet.weights import searched
from tests.tiny import NETWORK

FOUND = searched.Searched('mine', NETWORK, {'strategy': 'by hand'})


def written(tmp_path, **changes):
  path = tmp_path / searched.FILE
  searched.write(path, FOUND)
  path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
  return path


def test_it_comes_back(tmp_path):
  assert searched.read(written(tmp_path)) == FOUND
  assert searched.read(tmp_path) == FOUND, 'the folder of a search will do'


def test_a_config_that_names_it_keeps_the_rows(tmp_path):
  config = v3_small.get_config()
  config.model.table = str(written(tmp_path))
  config, _ = trained.complete(config)
  (tmp_path / searched.FILE).unlink()
  assert (config.model.name, config.model.table) == ('mine', FOUND.text)
  assert experiment.make_model(config, ('a', 'b')).network.rows == FOUND.network.rows


@pytest.mark.parametrize(
  ('changes', 'says'),
  [
    ({'format': 2}, 'format 2, this reads 1'),
    ({'name': 'mobilenet_v2'}, 'mobilenet_v2 is a network that has a name already'),
    ({'name': 'a/b'}, 'is no name of a network'),
    ({'rows': ['Conv(3, 16)']}, 'does not end with a head'),
    ({'rows': ['Conv(3, 16)', 'Inverse(3, 1, 16)', 'Head()']}, 'did you mean Inverted'),
    ({'rows': 'Conv(3, 16)'}, 'rows is a list of texts'),
    ({'found': 5}, 'found says how it was found'),
  ],
)
def test_a_mistake_is_one_line(tmp_path, changes, says):
  path = written(tmp_path, **changes)
  with pytest.raises(ModelError, match=says) as error:
    searched.read(path)
  assert str(path) in str(error.value)
  assert '\n' not in str(error.value)


def test_what_is_no_file_is_named(tmp_path):
  with pytest.raises(ModelError, match=r'nothing.json cannot be read: No such file'):
    searched.read(tmp_path / 'nothing.json')
  (tmp_path / 'broken.json').write_text('{')
  with pytest.raises(ModelError, match=r'broken.json is no JSON'):
    searched.read(tmp_path / 'broken.json')
