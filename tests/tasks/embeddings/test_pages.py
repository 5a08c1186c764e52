"""The report of an embedding network, and what predict shows."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from mobilenet.tasks import Evaluated, Shown
from mobilenet.tasks.embeddings import drawing, look_alikes, pages, photo_pages
from mobilenet.training.errors import TrainingError
from mobilenet.training.evaluation import Evaluation


class Examples:
  category_ids = image_ids = ()

  def describe(self, index):
    return f'photo {index}'

  def pictures(self, indexes):
    for index in sorted(indexes):
      yield index, np.full((20, 30, 3), 10 * index, np.uint8)


def evaluated(folder, embeddings, labels):
  kept = {
    'embedding': np.asarray(embeddings, np.float32),
    'label': np.asarray(labels),
    'index': np.arange(len(labels)) + 3,
  }
  measured = Evaluation({}, len(labels), 0, predictions=kept)
  return Evaluated(folder, measured, ('other', 'names'), Examples(), chose=True)


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """Ten photos of three classes; photo 12 is where another class is."""
  folder = tmp_path_factory.mktemp('report')
  labels = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
  angles = np.radians([0, 3, 6, 9, 60, 64, 68, 150, 155, 5])
  embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
  return folder, pages.write_report(evaluated(folder, embeddings, labels))


def test_files_and_numbers(written):
  folder, found = written
  names = sorted(path.name for path in folder.iterdir())
  assert names == [
    'distances.png', 'pairs.csv', 'retrieval.json', 'roc.png', 'verification.json'
  ]  # fmt: skip
  retrieved = json.loads((folder / 'retrieval.json').read_text())
  assert retrieved['queries'] == 10
  assert found.numbers['recall_at_1'] == retrieved['recall_at_1'] < 100
  verified = json.loads((folder / 'verification.json').read_text())
  assert verified['verification_accuracy'] == found.numbers['verification_accuracy']
  assert verified['tar_at_far_1e-04'] is None
  assert 'tar_at_far_1e-04' not in found.numbers
  with open(folder / 'pairs.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == verified['pairs'] == 24
  assert {row['photo_a'] for row in rows} <= {f'photo {n}' for n in range(3, 13)}


def test_the_page_names_the_worst_pair_and_the_wrong_neighbours(written):
  sections = {title: ' '.join(map(str, parts)) for title, parts in written[1].sections}
  assert list(sections) == [
    'How good',
    'The same or not',
    'The worst pairs',
    'Finding others of a class',
    'Nearest neighbours',
  ]
  assert '50 % is what a coin gets' in sections['How good']
  assert 'Only 12 pairs of a kind' in sections['How good']
  assert 'also chose the weights' in sections['How good']
  apart = sections['The worst pairs'].partition('Different, and closest')[0]
  first = apart.partition('<figcaption>')[2].partition('</figcaption>')[0]
  assert set(first.partition(': ')[2].split(' and ')) == {'photo 11', 'photo 12'}
  assert 'photo 12: wrong: photo 5 1.00' in sections['Nearest neighbours']


def test_without_pairs_the_reason_is_said(tmp_path):
  found = pages.write_report(evaluated(tmp_path, np.eye(3), [4, 4, 4]))
  sections = dict(found.sections)
  assert 'The same or not' not in sections
  assert 'Nothing can be verified: pairs need two classes' in str(sections['How good'])
  assert [path.name for path in tmp_path.iterdir()] == ['retrieval.json']
  assert found.numbers['recall_at_1'] == 100


def test_without_queries_there_is_no_number_in_the_result(tmp_path):
  found = pages.write_report(evaluated(tmp_path, np.eye(2), [0, 1]))
  assert found.numbers == {}
  assert 'No class has two photos' in str(dict(found.sections)['Nearest neighbours'])


def test_a_diverged_network_has_no_report(tmp_path):
  with pytest.raises(TrainingError, match='the training diverged'):
    pages.write_report(evaluated(tmp_path, [[np.nan, 1], [0, 1]], [0, 0]))


def test_a_wrong_neighbour_is_marked_by_its_shape_too():
  square = drawing.tile(np.zeros((10, 20, 3), np.uint8), 40)
  assert square.shape == (40, 40, 3)
  plain, right, wrong = (drawing.row([square], [mark]) for mark in (None, True, False))
  assert (plain[0, 0] == 255).all()
  inside = (slice(5, 10), slice(5, 10))
  np.testing.assert_array_equal(right[inside], plain[inside])
  assert (wrong[5, 5] != plain[5, 5]).any()


# ---- photos of which nobody said what they show ----------------------------------


def test_near_copies_are_joined_in_groups():
  angles = np.radians([0, 90, 1, 2, 91, 200])
  embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
  names = [f'{n}.jpg' for n in range(6)]
  found = look_alikes.find(names, embeddings, least=np.cos(np.radians(1.5)))
  assert found.groups == ((0, 2, 3), (1, 4))
  assert '5 photos in 2 groups' in look_alikes.in_words(found)
  assert found.nearest.shape == (6, 5)
  assert look_alikes.find(names, embeddings).least == look_alikes.DEFAULT


def test_what_is_usual_decides_what_is_a_copy():
  rng = np.random.default_rng(0)
  wide = rng.standard_normal((60, 40))
  narrow = wide + 5  # all of them alike, as of a network that saw other photos
  limits = [look_alikes.find(range(60), values).least for values in (wide, narrow)]
  assert 0.89 < limits[0] < 0.91 < 0.99 < limits[1] < 1
  same = look_alikes.find(range(60), wide + 50)
  assert 'the network hardly tells them apart' in look_alikes.in_words(same)


@pytest.fixture
def photos(tmp_path):
  paths = [tmp_path / f'{n}.png' for n in range(3)]
  for n, path in enumerate(paths):
    Image.new('RGB', (12, 9 + n), (70 * n, 0, 0)).save(path)
  return paths


def test_predict_shows_which_photos_are_alike(photos, tmp_path, capsys):
  shown = Shown('a run', (), ops=(), top=1, out=tmp_path / 'out')
  embeddings = np.array([[1, 0], [0, 1], [1, 0.1]], np.float32)
  photo_pages.show_predictions(photos, {'embedding': embeddings}, shown)
  printed = capsys.readouterr().out
  assert '2 photos in 1 group have' in printed
  with open(tmp_path / 'out' / 'neighbours.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  assert [row['neighbour'] for row in rows] == [str(photos[n]) for n in (2, 2, 0)]
  page = (tmp_path / 'out' / 'predictions.html').read_text()
  assert page.count('<img') == 4  # a group, and three photos with their neighbours


def test_one_photo_is_like_nothing(photos):
  shown = Shown('a run', (), ops=(), top=1, out=None)
  with pytest.raises(TrainingError, match='name two or more, or a folder'):
    photo_pages.show_predictions(photos[:1], {'embedding': np.ones((1, 2))}, shown)
