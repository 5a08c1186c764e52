"""A CSV that says something of each photo of a folder."""

import pytest
from PIL import Image

from input_pipeline import DataError
from input_pipeline.annotated import photo_table


def write(root, text, photos=('a/1.png', 'b/1.png', '2.png'), name='said.csv'):
  for photo in photos:
    (root / photo).parent.mkdir(exist_ok=True)
    Image.new('RGB', (4, 4)).save(root / photo)
  (root / name).write_text(text, encoding='utf-8-sig')


@pytest.mark.parametrize('separator', [',', ';', '\t'])
def test_what_is_said_of_each_photo(tmp_path, separator):
  text = 'lat,file,split\n1.5, 2.png ,test\n,b\\1.png,\n\n'
  write(tmp_path, text.replace(',', separator))
  table = photo_table.read(tmp_path)
  assert table.columns == ('lat',)
  assert table.rows == (
    ('2.png', 'test', {'lat': '1.5'}, 2),
    ('b/1.png', '', {'lat': ''}, 3),
  )
  assert table.where(table.rows[0]) == f'{tmp_path / "said.csv"}, line 2'


def test_folders_say_parts_where_no_column_does(tmp_path):
  photos = ('train/1.png', 'val/2.png', 'train_3.png')
  write(tmp_path, 'x,y\n1.png,0\n2.png,0\ntrain_3.png,0\n', photos)
  table = photo_table.read(tmp_path)
  assert [row.part for row in table.rows] == ['train', '', 'val']


def test_what_is_left_out_is_a_fault(tmp_path):
  write(tmp_path, 'photo,y\na/1.png,0\ngone.png,0\n', ('a/1.png', 'a/2.png'))
  found = [(fault.kind, fault.detail) for fault in photo_table.read(tmp_path).faults]
  assert found == [('no picture', 'line 3: gone.png'), ('in no list', '')]


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('photo,y\n1.png,0\n', r'names no photo that is in .* \(line 2: 1\.png\)'),
    (
      'photo,y\na/1.png\n',
      "line 2: 2 cells are expected, as in the headings, not 1: 'a/1.png'",
    ),
    ('photo,y\n2.png,0\n2.png,1\n', r'two things of 2\.png, in lines 2 and 3'),
    ('photo,split\n2.png,half\n', r"line 2: 'half' is no part: train, val or test"),
    ('photo,y,y\n2.png,0,1\n', 'two columns that are called y'),
    ('', 'is empty: its first line names the columns'),
  ],
)
def test_what_cannot_be_meant_is_one_line(tmp_path, text, message):
  write(tmp_path, text)
  if not text:
    (tmp_path / 'said.csv').write_text('')
  with pytest.raises(DataError, match=message) as found:
    photo_table.read(tmp_path)
  assert '\n' not in str(found.value)


def test_a_missing_column_is_named(tmp_path):
  write(tmp_path, 'photo,lat,y\n2.png,0,0\n')
  with pytest.raises(DataError, match=r"no column 'longitude', only lat, y$"):
    photo_table.read(tmp_path).needs('lat', 'longitude')


def test_which_table_is_meant(tmp_path):
  with pytest.raises(DataError, match=r'no \.csv with a row.*annotations=FILE\.csv$'):
    photo_table.find(tmp_path)
  write(tmp_path, 'photo\n2.png\n')
  assert photo_table.find(tmp_path) == str(tmp_path / 'said.csv')
  assert photo_table.find(tmp_path, 'said.csv') == str(tmp_path / 'said.csv')
  (tmp_path / 'other.csv').write_text('photo\n2.png\n')
  with pytest.raises(DataError, match=r'has other\.csv, said\.csv: which is it\?'):
    photo_table.find(tmp_path)
  with pytest.raises(DataError, match=r'annotations=no\.csv: no such file'):
    photo_table.find(tmp_path, 'no.csv')
