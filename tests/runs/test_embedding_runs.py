"""Runs of embeddings: other classes in evaluation, and a teacher's embeddings."""

import shutil
from unittest import mock

import pytest

from configs import embed_folder
from mobilenet.models import embedders, zoo
from mobilenet.reports import result
from mobilenet.runs import preparation, teaching, training_data
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError
from tests import tiny
from tests.runs import conftest

PEOPLE = ('anna', 'ben', 'carl', 'dora', 'emil')


@pytest.fixture(scope='module')
def people(tmp_path_factory):
  """Class folders without train/ and val/: a fifth is one, so two are set aside."""
  root = tmp_path_factory.mktemp('people')
  conftest.write_photos(root, PEOPLE, (('.', 4),))
  return root


def test_a_run_keeps_its_people_and_is_measured_on_people_it_never_saw(
  people, tmp_path
):
  folder = tmp_path / 'run'
  done = tiny.run(
    '--config=configs/embed_folder.py:model=tiny_embedder,resolution=24,size=6,epochs=1,scratch',
    *conftest.fields(people),
    f'--workdir={folder}',
    report=False,
  )
  assert done.returncode == 0, done.stderr
  assert 'classes: 3 for training, 2 others for evaluation' in done.stdout
  assert 'recall_at_1' in done.stdout
  trained_on = workdir.read_classes(folder)
  assert len(trained_on) == 3
  # Somebody comes later: the run keeps to whom it began with.
  more = tmp_path / 'more'
  shutil.copytree(people, more)
  shutil.copytree(people / 'anna', more / 'aaron')
  config = embed_folder.get_config('scratch')
  config.data.dir = str(more)
  data = training_data.open_data(config, folder)
  assert any('4 new (aaron/0.png' in note for note in data.notes)
  assert data.train.class_names == trained_on
  # Other people are no other run, and who was trained on is named.
  others = tmp_path / 'others'
  for name in ('greta', trained_on[0]):
    shutil.copytree(people / PEOPLE[0], others / name)
  done = tiny.run('--job=eval', f'--workdir={folder}', f'--data_dir={others}')
  assert done.returncode == 0, done.stderr
  assert f'1 of these 2 classes were trained on ({trained_on[0]})' in done.stdout
  found = result.read_result(folder / 'report-others-all')
  assert found['num_examples'] == 8
  assert 0 <= found['recall_at_1'] <= 100


@pytest.fixture
def config(teacher, people):
  config = embed_folder.get_config(
    'model=tiny_embedder,resolution=24,loss=distance,scratch'
  )
  config.teacher.weights, config.data.dir = str(teacher), str(people)
  with (
    mock.patch.dict(zoo.NETWORKS, tiny=tiny.NETWORK),
    mock.patch.dict(embedders.EMBEDDERS, tiny_embedder=tiny.EMBEDDER),
  ):
    yield config


def test_a_classifier_teaches_with_what_its_last_layer_is_given(config):
  line = r'have 8 numbers, those of the config 128.*--config\.model\.embedding=8$'
  with pytest.raises(TrainingError, match=line):
    teaching.open_teacher(config)
  config.model.embedding = 8
  config, teacher = teaching.open_teacher(config)
  assert (teacher.width, teacher.used) == (8, (teaching.EMBEDDINGS,))
  assert teacher.described(config).endswith('the distance to its embeddings counts 1')
  data = training_data.open_data(config, None)
  assert teaching.fitted(teacher, (), data.train) is teacher


@pytest.mark.parametrize(
  ('fields', 'line'),
  [
    ({'teacher.hard': 0.5}, r'cannot be taught by logits; leave out'),
    (
      {'teacher.features': 0.0, 'embeddings.loss': 'arcface'},
      r'give the teacher a share, --config\.teacher\.features=1',
    ),
  ],
)
def test_what_a_teacher_cannot_say(config, fields, line):
  config.update_from_flattened_dict(fields)
  with pytest.raises(TrainingError, match=line):
    teaching.open_teacher(config)


def test_norms_keep_statistics_of_weights_alone():
  config = embed_folder.get_config('model=tiny_embedder')
  with pytest.raises(TrainingError, match=r'frozen_norms=true .* there are none'):
    preparation.complete(config)
