"""CSVs: what a spreadsheet would compute is text, and numbers stay numbers."""

import csv

import pytest

from mobilenet.reports import csv_file
from mobilenet.tasks.classification import classes, predictions
from mobilenet.training.errors import TrainingError


def read(path):
  with open(path, newline='', encoding='utf-8') as file:
    return list(csv.reader(file))


@pytest.mark.parametrize('sign', ['=', '+', '-', '@', '\t', '\r', '\n'])
def test_text_that_begins_like_a_formula_gets_an_apostrophe(sign, tmp_path):
  formula = f'{sign}HYPERLINK("x", 1)'
  path = csv_file.write(tmp_path / 'a.csv', ['name', formula], [[formula, 'häsel']])
  assert read(path) == [['name', f"'{formula}"], [f"'{formula}", 'häsel']]


def test_numbers_dashes_and_nothing_stay_what_they_are(tmp_path):
  rows = [[-1, -0.25, None, '-', 'a-b', 'x=1', '', True]]
  path = csv_file.write(tmp_path / 'a.csv', 'abcdefgh', rows)
  assert read(path)[1] == ['-1', '-0.25', '', '-', 'a-b', 'x=1', '', 'True']


def test_records(tmp_path):
  records = [{'model': 'v1', 'loss': -1.5}, {'model': '=v2', 'loss': None, 'more': 1}]
  path = csv_file.write_records(tmp_path / 'new' / 'a.csv', records)
  assert read(path) == [['model', 'loss'], ['v1', '-1.5'], ["'=v2", '']]


def test_a_file_that_cannot_be_written(tmp_path):
  (tmp_path / 'a.csv').mkdir()
  with pytest.raises(TrainingError, match=r'cannot write .*a\.csv'):
    csv_file.write(tmp_path / 'a.csv', ['a'], [])


def test_a_class_that_is_a_formula_is_none_in_any_report(tmp_path):
  names, labels = ('=1+1', '@b'), [0, 1]
  rows, overall = classes.per_class(labels, labels, None, names)
  classes.write_per_class(tmp_path / 'classes.csv', rows, overall)
  classes.write_predictions(
    tmp_path / 'each.csv',
    ['-1.jpg', '2.jpg'],
    labels,
    labels,
    [1, 1],
    class_names=names,
  )
  found = predictions.top_predictions(['+1.jpg'], [[0.9, 0.1]], names, k=1)
  predictions.write_predictions(tmp_path, found)
  written = {path.name: read(path) for path in tmp_path.glob('*.csv')}
  assert [row[0] for row in written['classes.csv']] == ['class', "'=1+1", "'@b"]
  assert written['each.csv'][1:] == [
    ["'-1.jpg", "'=1+1", "'=1+1", '1', '1.000000'],
    ['2.jpg', "'@b", "'@b", '1', '1.000000'],
  ]
  assert written['predictions.csv'][1][0] == "'+1.jpg"
  assert written['predictions.csv'][1][2:4] == ["'=1+1", "'=1+1"]
  # A program reads the names as they are.
  assert '"class": "=1+1"' in (tmp_path / predictions.JSON_FILE).read_text()


def test_what_is_written_is_read_back(tmp_path):
  rows = [['=a', "'b", '-'], ["it's", '', '1,5 "x"\n']]
  path = csv_file.write(tmp_path / 'x.csv', ('one', '=two', 'three'), rows)
  back = csv_file.read_records(path)
  assert [list(row.values()) for row in back] == rows
  assert list(back[0]) == ['one', '=two', 'three']
  path.write_bytes(b'one\n"a')
  with pytest.raises(TrainingError, match='no table in CSV'):
    csv_file.read_records(path)
  path.write_bytes(b'one\na,b\n')
  with pytest.raises(TrainingError, match='line 2 has more cells'):
    csv_file.read_records(path)
  path.write_bytes(b'\xef\xbb\xbfone\na\n')
  assert csv_file.read_records(path) == [{'one': 'a'}]
  with pytest.raises(TrainingError, match='cannot read'):
    csv_file.read_records(tmp_path / 'none.csv')
