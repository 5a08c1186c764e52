"""Runs that cannot be compared are refused by name, in one line."""

import pytest

from mobilenet.comparison import finished
from mobilenet.training.errors import TrainingError


def refused(*folders):
  with pytest.raises(TrainingError) as error:
    finished.check_comparable([finished.read(folder) for folder in folders])
  line = str(error.value)
  assert '\n' not in line
  assert str(folders[-1]) in line
  return line


@pytest.mark.parametrize(
  ('file', 'line'),
  [
    ('config.json', 'is no run'),
    ('result.json', 'the run has not ended'),
    ('classes.json', 'holds no classes.json'),
    ('data.json', 'holds no data.json'),
    ('report/predictions.csv', 'holds no report/predictions.csv'),
  ],
)
def test_a_missing_file_is_named_with_its_run(file, line, finish):
  folder = finish('a')
  (folder / file).unlink()
  assert line in refused(folder)


def test_other_photos_are_refused(finish):
  first = finish('a')
  line = refused(first, finish('b', train=('t/1.jpg', 't/2.jpg')))
  assert f'{first} cannot be compared: ' in line
  assert 'the photos trained on differ by 1 (t/2.jpg)' in line
  line = refused(first, finish('c', photos=38))
  assert 'the photos evaluated on differ by 2 (-38.jpg, -39.jpg)' in line
  assert 'other classes' in refused(first, finish('d', names=('ash', 'cedar')))


def test_photos_that_were_replaced_are_refused(finish):
  train = ('t/1.jpg', 't/2.jpg')
  first = finish('a', train=train, sizes=(100, 200))
  other = finish('b', train=train, sizes=(100, 201))
  line = refused(first, other)
  assert '1 of their photos have the same names and other sizes (t/2.jpg)' in line
  older = finish('c', train=train)  # whose version kept no sizes
  finished.check_comparable([finished.read(folder) for folder in (first, older)])


@pytest.mark.parametrize('roots', [('/old/', '/new/'), ('photos/', 'D:\\my photos\\')])
def test_a_folder_that_was_moved_is_the_same(finish, roots):
  runs = [finished.read(finish(root[1], root=root)) for root in roots]
  finished.check_comparable(runs)
  assert runs[0].examples == runs[1].examples == tuple(sorted(runs[0].examples))
  assert '-7.jpg' in runs[0].examples


def test_another_report_is_refused(finish):
  first, other = finish('a'), finish('b')
  path = other / 'report' / 'predictions.csv'
  path.write_text(path.read_text().replace('-7.jpg', '-70.jpg'))
  assert 'their reports are of other photos' in refused(first, other)
  path.write_text(path.read_text().replace(',ash,', ',oak,'))
  assert "no column or no class 'oak'" in refused(other)
  path.write_text('example,label,prediction\n')
  assert 'has no predictions' in refused(other)


def test_one_run_is_no_comparison(finish):
  with pytest.raises(TrainingError, match='at least two'):
    finished.check_comparable([finished.read(finish('a'))])


def test_other_tasks_are_refused(finish):
  assert 'only classifiers' in refused(finish('a', task='detection'))
