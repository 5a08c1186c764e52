"""What a check says of planted faults in boxes and masks: the kinds and the files."""

import json
import types

import numpy as np
import pytest
from PIL import Image

from input_pipeline import DataError, cells
from input_pipeline.annotated import annotations
from mobilenet.command_line import Given
from mobilenet.data_check import mark_kinds, marks
from mobilenet.jobs import check_data
from mobilenet.training.errors import TrainingError


def _check(kind, root, **asked):
  """(kind -> files, check.json)."""
  asked = mark_kinds.Asked(root, **asked)
  found = marks.check(kind, asked, root / 'out')
  said = json.loads((root / 'out' / 'check.json').read_text())
  return {one.check: one.found.photos for one in found}, said


def test_faults_of_boxes_by_the_names_of_files(tmp_path, capsys):
  (tmp_path / 'images').mkdir()
  for name in 'abcd':
    Image.new('RGB', (40, 20)).save(tmp_path / 'images' / f'{name}.jpg')
  (tmp_path / 'images' / 'c.jpg').write_bytes(b'text')
  pictures = [
    {'id': n, 'file_name': f'{name}.jpg', 'height': 20, 'width': 40}
    for n, name in enumerate('abcz')
  ]
  pictures[1].update(height=40, width=20)  # turned since
  boxes = [(0, 1, [0, 0, 10, 10]), (0, 2, [5, 5, 0, 10]), (0, 9, [0, 0, 4, 4])]
  boxes += [(1, 2, [0, 0, 10, 30])]
  content = {
    'images': pictures,
    'categories': [{'id': 1, 'name': 'cat'}, {'id': 2, 'name': 'dog'}],
    'annotations': [
      {'id': n, 'image_id': image, 'category_id': category, 'bbox': box}
      for n, (image, category, box) in enumerate(boxes)
    ],
  }
  (tmp_path / 'train.json').write_text(json.dumps(content))
  found, said = _check('boxes', tmp_path)
  assert found == {
    'unreadable': ('images/c.jpg',),
    'wrong shape': ('images/b.jpg',),
    'no size': ('images/a.jpg',),
    'unknown class': ('images/a.jpg',),
    'no picture': ('train.json',),
    'no annotation': ('images/d.jpg',),
  }
  assert said['classes'] == {'cat': {'train': 1}, 'dog': {'train': 1}}
  assert said['median_sides']['cat'] == pytest.approx(np.sqrt(100 / 800))
  assert said['findings'][0]['severity'] == 'serious'
  printed = capsys.readouterr().out
  assert 'images/b.jpg (20 x 40 pixels, the annotation says 40 x 20)' in printed


def test_faults_of_masks_by_the_names_of_files(tmp_path):
  for folder in ('images', 'masks'):
    (tmp_path / folder).mkdir()
  (tmp_path / 'classes.txt').write_text('ground\nroad\n')
  for name, value in (('a', 1), ('b', 5), ('c', 0), ('d', 0)):
    Image.new('RGB', (8, 6)).save(tmp_path / 'images' / f'{name}.jpg')
    Image.new('L', (8, 6), value).save(tmp_path / 'masks' / f'{name}.png')
  Image.new('L', (6, 8)).save(tmp_path / 'masks' / 'c.png')
  broken = (tmp_path / 'masks' / 'd.png').read_bytes()[:-20]
  (tmp_path / 'masks' / 'd.png').write_bytes(broken)
  (tmp_path / 'images' / 'a.jpg').write_bytes(b'text')
  found, said = _check('masks', tmp_path)
  assert found == {
    'unknown id': ('masks/b.png',),
    'unreadable': ('images/a.jpg', 'masks/d.png'),
    'other size': ('masks/c.png',),
    'untrained': ('classes',),
  }
  assert sum(said['classes']['road'].values()) == 1


def test_what_is_broken_does_not_end_the_check(tmp_path, capsys):
  (tmp_path / 'images').mkdir()
  noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
  for name in 'abcd':
    path = tmp_path / 'images' / f'{name}.jpg'
    Image.fromarray(noise).save(path)
    (tmp_path / 'images' / f'{name}.txt').write_text(
      '0 .5 .5 .1 .1\n1 .5 .5 .1 .1\n3 .5 .5 .1 .1\n7 .5 .5 .1 .1\n'
    )
  path.write_bytes(path.read_bytes()[:-2000])  # its head is whole
  (tmp_path / 'images' / 'a.txt').write_text('0 .5\n')
  (tmp_path / 'images' / 'b.txt').write_text('0 .5 .5\n')
  (tmp_path / 'classes.txt').write_text('cell\nCell\nrare\nlong  name\nlong name\n')
  found, said = _check('boxes', tmp_path)
  assert found == {
    'unreadable': ('images/d.jpg',),
    'broken': ('images/a.txt', 'images/b.txt'),
    'unknown class': ('images/c.txt', 'images/d.txt'),
    'alike': ('classes',),
    'untrained': ('classes',),
  }
  details = {
    finding['check']: [file['detail'] for file in finding['files']]
    for finding in said['findings']
  }
  assert details['alike'] == ['"cell", "Cell"', '"long  name", "long name"']
  assert details['untrained'] == ['"rare"', '"long name"']
  assert details['unknown class'][0] == 'images/c.jpg: line 4: 7 .5 .5 .1 .1'
  assert '<_io' not in capsys.readouterr().out


def test_nothing_that_can_be_read(tmp_path):
  Image.new('RGB', (40, 20)).save(tmp_path / 'a.jpg')
  (tmp_path / 'a.txt').write_text('0 .5\n')
  with pytest.raises(DataError, match=r'line 1: "0 \.5" is not class.*nothing else'):
    _check('boxes', tmp_path)


def test_a_folder_with_boxes_is_not_taken_for_class_folders(tmp_path):
  (tmp_path / 'images').mkdir()
  Image.new('RGB', (40, 20)).save(tmp_path / 'images' / 'a.jpg')
  (tmp_path / 'images' / 'a.txt').write_text('0 .5 .5 .1 .1\n')
  flags = types.SimpleNamespace(data=None, data_dir=str(tmp_path))
  given = Given('check_data', None, flags)
  with pytest.raises(TrainingError, match=r'\(YOLO\): add --data=boxes'):
    check_data.run(given)


def test_every_fault_has_advice_and_nothing_wrong_is_said(tmp_path, capsys):
  assert set(marks.ADVICE) == set(annotations.FAULTS)
  for folder in ('images', 'labels'):
    (tmp_path / folder).mkdir()
  for name in 'ab':
    Image.new('RGB', (8, 6)).save(tmp_path / 'images' / f'{name}.jpg')
    (tmp_path / 'labels' / f'{name}.txt').write_text('0 0.5 0.5 0.5 0.5\n')
  found, _ = _check('boxes', tmp_path)
  assert not found
  assert 'nothing is wrong' in capsys.readouterr().out
  with pytest.raises(DataError, match='no masks found'):
    _check('masks', tmp_path)


def test_tags_are_counted_and_what_no_row_names_is_listed(tmp_path, capsys):
  for name in 'abcd':
    Image.new('RGB', (8, 8)).save(tmp_path / f'{name}.png')
  rows = ['photo,split,Red,red', 'a.png,train,1,0', 'b.png,val,1,1', 'c.png,val,,']
  (tmp_path / 'said.csv').write_text('\n'.join([*rows, 'gone.png,val,1,1']))
  found, said = _check('tags', tmp_path)
  assert found == {
    'no picture': (str(tmp_path / 'said.csv'),),
    'alike': ('classes',),
    'untrained': ('classes',),
    'in no list': ('d.png',),
    'untold': ('c.png',),
  }
  assert said['classes'] == {'Red': {'train': 1, 'val': 1}, 'red': {'val': 1}}
  assert 'val: photos with it' in capsys.readouterr().out


def test_places_are_counted_by_cell_and_part(tmp_path, capsys):
  places = {'a': (48, 2), 'b': (48.1, 2.1), 'c': (-33, 151), 'd': (-33.1, 151)}
  places |= {'e': (0, 0), 'f': (48, 2), 'g': (60, -120)}
  rows = ['photo,split,lat,lon']
  for name, (latitude, longitude) in places.items():
    Image.new('RGB', (8, 8)).save(tmp_path / f'{name}.png')
    part = 'val' if name in 'fg' else 'train'
    rows.append(f'{name}.png,{part},{latitude},{longitude}')
  (tmp_path / 'said.csv').write_text('\n'.join(rows))
  how = cells.Partition(most=2, fewest=2)
  found, said = _check('places', tmp_path, partition=how)
  north, south = cells.partition(np.array([*places.values()][:4]), how)
  assert said['classes'] == {north: {'train': 2, 'val': 1}, south: {'train': 2}}
  assert found == {
    'nowhere': ('e.png',),
    'in no cell': ('e.png', 'g.png'),
    'small cell': (north, south),
  }
  assert 'val: photos in it' in capsys.readouterr().out
  found, said = _check('places', tmp_path)
  assert said['findings'][0]['check'] == 'few cells'
  assert not said['classes']
