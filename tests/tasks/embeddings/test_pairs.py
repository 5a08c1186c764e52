"""Pairs of a file, with every mistake in one line, and pairs of classes."""

import collections

import numpy as np
import pytest

from input_pipeline.errors import DataError
from mobilenet.tasks.embeddings import pairs
from mobilenet.training.errors import TrainingError


@pytest.fixture
def folder(tmp_path):
  """Two people; nobody decodes the photos."""
  root = tmp_path / 'people'
  for name in ('anna/anna_0001', 'anna/anna_0004', 'bert/bert_0002', 'bert/bert_0003'):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / f'{name}.jpg').write_bytes(b'')
  return root


@pytest.fixture
def read(folder, tmp_path):
  def of(text):
    path = tmp_path / 'pairs.csv'
    path.write_text(text)
    return pairs.read(path, folder)

  return of


def test_a_table(read):
  found = read(
    'Fold;photo_a;photo_b;same\n'
    '4;anna/anna_0001.jpg;anna_0004.jpg;1\n\n'
    '9;bert/bert_0002.jpg;anna/anna_0001.jpg;0\n'
  )
  one, two = 'anna/anna_0001.jpg', 'anna/anna_0004.jpg'
  assert found.photos == ((one, two), ('bert/bert_0002.jpg', one))
  assert found.same.tolist() == [True, False]
  assert found.fold.tolist() == [4, 9]


def test_folds_are_drawn_where_the_table_has_none(read):
  found = read('photo_a,photo_b,same\nanna_0001.jpg,anna_0004.jpg,1\n')
  assert found.fold.tolist() == [0]


def test_the_list_of_lfw(read):
  found = read('2\t1\nanna\t1\t4\nanna\t1\tbert\t2\nbert\t2\t3\nbert\t3\tanna\t4\n')
  assert found.photos[1] == ('anna/anna_0001.jpg', 'bert/bert_0002.jpg')
  assert found.photos[2] == ('bert/bert_0002.jpg', 'bert/bert_0003.jpg')
  assert found.same.tolist() == [True, False, True, False]
  assert found.fold.tolist() == [0, 0, 1, 1]


HEAD = 'photo_a,photo_b,same\n'


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    (f'{HEAD}anna_0001.jpg,carl.jpg,0\n', "line 2: no photo 'carl.jpg' in .*people"),
    (f'{HEAD}anna_0001.jpg,anna_0004.jpg,yes\n', "line 2: 'yes' in the column same"),
    (f'{HEAD}anna_0001.jpg,anna_0004.jpg,\n', "line 2: '' in the column same"),
    (f'{HEAD}anna_0001.jpg,anna/anna_0001.jpg,1\n', 'is paired with itself'),
    (
      f'{HEAD}anna_0001.jpg,anna_0004.jpg\n',
      'line 2: 3 cells are expected, as in the headings, not 2',
    ),
    ('a,b,same\nanna_0001.jpg,anna_0004.jpg,1\n', "no column 'photo_a' and 'photo_b'"),
    ('photo_a,photo_b,same,fold\nanna_0001.jpg,anna_0004.jpg,1,x\n', "'x' in the co"),
    (HEAD, 'has no pairs'),
    ('', 'is empty'),
    ('2 1\nanna 1 4\nanna 1 bert 2\n', r'has 2 pairs, its first line \(2 1\) promises'),
    ('1\nanna 1 4\nanna 1 bert\n', "line 3: no photo 'anna_0000|is no pair"),
    ('1\nanna 1 4\nanna 1 carl 2\n', "line 3: no photo 'carl_0002' in .*people"),
    ('0\n', 'has 0 pairs'),
  ],
)
def test_a_mistake_is_one_line(read, text, message):
  with pytest.raises(DataError, match=message) as error:
    read(text)
  assert '\n' not in str(error.value)


def test_a_file_that_is_not_there(folder):
  with pytest.raises(DataError, match=r'none\.csv cannot be read: No such file'):
    pairs.read('none.csv', folder)


def test_pairs_of_photos_that_were_not_read_are_counted():
  named = pairs.NamedPairs(
    (('a', 'b'), ('b', 'c'), ('c', 'a')), np.array([1, 0, 1], bool), np.arange(3)
  )
  found, lost = named.of(['c', 'a'])
  assert lost == 2
  assert [values.tolist() for values in found] == [[0], [1], [True], [2]]
  empty, lost = named.of([])
  assert (len(empty.first), lost) == (0, 3)


LABELS = np.array([2, 0, 2, 1, 0, -1, 2, 0])


def as_set(found):
  return {frozenset(pair) for pair in zip(found.first, found.second, strict=True)}


def test_pairs_of_classes_are_all_same_ones_and_as_many_others():
  found = pairs.of_labels(LABELS)
  same = LABELS[found.first] == LABELS[found.second]
  np.testing.assert_array_equal(found.same, same)
  assert found.same.tolist() == [True] * 6 + [False] * 6
  assert len(as_set(found)) == 12
  assert not np.isin(5, [found.first, found.second])


def test_of_too_many_pairs_some_are_drawn_by_the_seed():
  labels = np.repeat(np.arange(7), 30)
  found, again, other = (pairs.of_labels(labels, most=50, seed=s) for s in (0, 0, 1))
  assert found.same.sum() == (~found.same).sum() == 50
  assert len(as_set(found)) == 100
  assert as_set(found) == as_set(again) != as_set(other)
  np.testing.assert_array_equal(found.same, labels[found.first] == labels[found.second])
  # All classes take part, whichever come first.
  assert len(set(labels[found.first[found.same]].tolist())) > 4


def test_drawn_folds_have_as_many_of_each_kind():
  same = np.arange(60) < 40
  counts = collections.Counter(zip(pairs.draw_folds(same), same, strict=True))
  assert set(counts.values()) == {4, 2}
  assert len(counts) == 20


@pytest.mark.parametrize(
  ('labels', 'message'),
  [
    ([3, 3, 3, -1], 'pairs need two classes'),
    ([], 'pairs need two classes'),
    ([0, 1, 2], 'a class of two photos or more'),
  ],
)
def test_classes_that_make_no_pairs(labels, message):
  with pytest.raises(TrainingError, match=message):
    pairs.of_labels(np.array(labels, int))


def test_folders_are_classes():
  names = ['b/1.jpg', 'a/1.jpg', 'b/2.jpg', 'x.jpg', 'a/c/1.jpg']
  assert pairs.of_folders(names).tolist() == [3, 1, 3, 0, 2]
