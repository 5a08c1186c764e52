"""Classes of other data and the run's, matched by their names."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from input_pipeline import DataError, open_source
from mobilenet.runs import matching
from mobilenet.tasks.classification import Classification
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError

RUN = ('n01440764', 'ash', 'n02012849', 'birch')  # tench, ash, crane (bird), birch


@pytest.fixture
def photos(tmp_path):
  """(counts of photos by class): a source of class folders."""

  def make(**counts):
    root = tmp_path / 'photos'
    for name, count in counts.items():
      (root / name).mkdir(parents=True)
      for number in range(count):
        Image.new('RGB', (9, 9)).save(root / name / f'{number}.png')
    return open_source('folder', 'all', data_dir=str(root))

  return make


@pytest.fixture
def run(tmp_path):
  """(class names): the folder of a run."""

  def make(*names):
    (tmp_path / 'run').mkdir(exist_ok=True)
    workdir.write_classes(tmp_path / 'run', names)
    return tmp_path / 'run'

  return make


def read_labels(source):
  return [int(source.read(np.int64(n))['label']) for n in range(source.num_examples)]


def test_some_classes_by_wordnet_id_or_name(photos, run):
  source = photos(birch=2, **{'crane (bird)': 1, 'n01440764': 1})
  assert source.labels == (0, 0, 1, 2)
  found, notes = matching.in_order_of_run(run(*RUN), source)
  assert (found.class_names, found.num_classes) == (RUN, 4)
  assert list(found.labels) == read_labels(found) == [3, 3, 2, 0]
  (note,) = notes
  assert note.startswith("3 of the network's 4 classes are in /")
  assert found.notes == (*source.notes, note)
  task, count = matching.restricted(Classification(), found)
  assert (task.among, count) == ((0, 2, 3), 3)


def test_all_classes_in_another_order(photos, run):
  source = photos(a=1, b=2)
  found, (note,) = matching.in_order_of_run(run('b', 'a'), source)
  assert list(found.labels) == read_labels(found) == [1, 0, 0]
  assert 'in another order or by other names than the run' in note
  assert matching.restricted(Classification(), found) == (Classification(), 2)
  assert matching.in_order_of_run(run('a', 'b'), source) == (source, [])


def test_a_class_that_the_run_does_not_know_is_named(photos, run):
  source, folder = photos(ash=1, oak=1), run(*RUN)
  with pytest.raises(TrainingError) as error:
    matching.in_order_of_run(folder, source)
  assert str(error.value) == (
    f'1 class of {source.origin} that {folder} does not answer with: oak; its 4 '
    f'classes are {", ".join(RUN)}: rename or take away what it does not know'
  )


def test_a_name_that_may_be_two_classes(photos, run):
  source, folder = photos(TENCH=1, ash=1), run('tench', 'Tench', 'ash')
  with pytest.raises(
    TrainingError, match='TENCH may be tench and Tench, which the run'
  ):
    matching.in_order_of_run(folder, source, str.lower)


def test_classes_of_records_are_read(photos, run):
  source = photos(a=2, b=1)
  records = dataclasses.replace(source, labels=None, class_names=('a', 'b'))
  found, _ = matching.in_order_of_run(run('x', 'b', 'a'), records)
  assert matching.restricted(Classification(), found)[0].among == (1, 2)
  wrong = dataclasses.replace(records, read=lambda item: {'label': item + 1})
  # A label that is no class does not become the class of another.
  found, _ = matching.in_order_of_run(run('x', 'b', 'a'), wrong)
  assert read_labels(found) == [1, 5, 6]
  with pytest.raises(DataError, match='folder has the label 5: its 3 classes have 0'):
    matching.restricted(Classification(), found)


def test_several_answers_move_together(photos, run):
  rows = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], np.uint8)

  def read(item):
    import tensorflow as tf

    return {'answers': tf.gather(tf.constant(rows), item)}

  source = dataclasses.replace(photos(a=1, b=1, c=1), labels=None, read=read)
  found, _ = matching.in_order_of_run(run('c', 'x', 'b', 'a'), source)
  moved = [found.read(np.int64(n))['answers'].numpy().tolist() for n in range(3)]
  assert moved == [[1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]]


def test_classes_of_boxes_in_another_order(tmp_path, run):
  (tmp_path / 'images').mkdir()
  for name, line in (('a', '0 .5 .5 .1 .1'), ('b', '2 .5 .5 .1 .1\n1 .5 .5 .2 .2')):
    Image.new('RGB', (20, 20)).save(tmp_path / 'images' / f'{name}.jpg')
    (tmp_path / 'images' / f'{name}.txt').write_text(line)
  (tmp_path / 'classes.txt').write_text('platelets\nrbc\nwbc\n')
  source = open_source('boxes', 'all', data_dir=str(tmp_path))
  known = ('rbc', 'wbc', 'platelets')
  found, notes = matching.in_order_of_run(run(*known), source)
  assert found.class_names == known
  assert found.class_counts == (1, 1, 1)
  read = [found.read(np.int64(index))['classes'].numpy().tolist() for index in (0, 1)]
  assert read == [[2, -1], [1, 0]]
  assert 'matched by their names' in notes[0]
  for names in (source.class_names, ('rbc', 'wbc', 'other')):
    assert matching.in_order_of_run(run(*names), source) == (source, [])
  assert matching.in_order_of_run(tmp_path / 'none', source) == (source, [])


def test_tags_may_be_others(tmp_path, run):
  Image.new('RGB', (9, 9)).save(tmp_path / '1.png')
  (tmp_path / 'tags.csv').write_text('photo,round,red\n1.png,1,0\n')
  source = open_source('tags', 'all', data_dir=str(tmp_path))
  found, notes = matching.in_order_of_run(run('red', 'old'), source)
  assert found.class_names == ('red', 'old')
  assert found.read(np.int64(0))['tags'].numpy().tolist() == [0, -1]
  assert [line.partition(str(tmp_path))[2] for line in notes] == [
    ' are matched with those of the run by their names',
    ' says nothing of old: not measured',
    '',
  ]
  assert notes[-1] == 'the run does not know round: left out'
  assert matching.in_order_of_run(run('old'), source) == (source, [])
