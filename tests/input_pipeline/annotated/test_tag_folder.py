"""A folder of photos with a CSV of tags."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline import DataError, eval_batches, open_source, renumbering

PHOTOS = ('a.png', 'b.png', 'c.png')
COLUMNS = 'photo,red,round\na.png,1,-1\nb.png,TRUE,?\nc.png,0.0,\n'
WANTED = [[1, 0], [1, -1], [0, -1]]


def write(root, text):
  for photo in PHOTOS:
    Image.new('RGB', (8, 8)).save(root / photo)
  (root / 'said.csv').write_text(text)
  return root


def opened(root, text, split='all', **how):
  return open_source('tags', split, data_dir=str(write(root, text)), **how)


def test_a_column_for_each_tag(tmp_path):
  source = opened(tmp_path, COLUMNS)
  assert (source.class_names, source.marks) == (('red', 'round'), ('tags',))
  assert source.class_counts == (2, 0)
  (batch,) = eval_batches(source, ops='central_fraction(0.5)|resize(4)', batch_size=3)
  assert batch['tags'].dtype == np.float32
  assert batch['tags'].tolist() == WANTED
  assert source.fields['tags'].tolist() == WANTED
  assert source.notes == ()


@pytest.mark.parametrize('cell', ['"round,red"', 'red| round', 'red;round|'])
def test_a_column_of_names(tmp_path, cell):
  cell = cell.replace(';round|', ';round')
  text = f'file,who,Tags\na.png,Ann,{cell}\nb.png,Bob,\nc.png,Ann,?\n'
  source = opened(tmp_path, text)
  assert source.class_names == ('red', 'round')
  assert source.fields['tags'].tolist() == [[1, 1], [0, 0], [-1, -1]]
  assert source.notes == (
    '1 of 3 photos of all have no known tag: they are not measured, and learned from '
    'with a teacher alone (teacher.hard below 1)',
  )


def test_splits_are_drawn_or_said(tmp_path):
  names = [opened(tmp_path, COLUMNS, split).names for split in ('train', 'val')]
  assert sorted(names[0] + names[1]) == list(PHOTOS)
  text = 'photo,split,red\na.png,test,1\nb.png,train,1\nc.png,val,0\n'
  source = opened(tmp_path, text, 'train+val')
  assert (source.names, source.class_names) == (('b.png', 'c.png'), ('red',))
  one = opened(tmp_path, COLUMNS, 'train', only=['b.png'])
  assert one.names == ('b.png',)
  assert one.notes == (
    'every photo of train has red, as far as it is known: nothing shows what a photo '
    'without looks like',
  )


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('photo,red\na.png,1\nb.png,2\n', r"line 3, column 'red': '2' is no tag"),
    ('photo,red,who\na.png,1,Ann\n', r"line 2, column 'who': 'Ann' is no tag"),
    ('photo,red\na.png,nan\n', r"'nan' is no tag"),
    ('photo\na.png\n', 'has no column of a tag: add one for each'),
    ('photo,tags\na.png,?\nb.png,\n', "names no tag in its column 'tags'"),
    ('photo,tags\na.png,x\na.png,y\n', 'says two things of a.png.*a photo has one row'),
  ],
)
def test_what_is_no_tag_is_one_line(tmp_path, text, message):
  with pytest.raises(DataError, match=message) as found:
    opened(tmp_path, text)
  assert '\n' not in str(found.value)


def test_a_run_reads_tags_in_its_own_order(tmp_path):
  source = opened(tmp_path, COLUMNS)
  ours = renumbering.renumbered_tags(source, ('round', 'old', 'red'))
  (batch,) = eval_batches(ours, ops='resize(4)', batch_size=3)
  assert batch['tags'].tolist() == [[0, -1, 1], [-1, -1, 1], [-1, -1, 0]]
  assert ours.fields['tags'].tolist() == batch['tags'].tolist()
  assert (ours.class_counts, ours.num_classes) == ((0, 0, 2), 3)


def test_made_tags_are_what_the_pictures_show():
  source = open_source('made_tags', 'train', made_examples=24, made_size=32)
  assert source.class_names == ('red rectangle', 'green disc', 'blue rectangle')
  (batch,) = eval_batches(source, ops='value_range(0, 255)', batch_size=24)
  red = (np.abs(batch['image'] - (200, 40, 40)) < 1).all(-1).any((1, 2))
  assert batch['tags'][:, 0].tolist() == red.tolist()
  assert 0 < red.sum() < 24
