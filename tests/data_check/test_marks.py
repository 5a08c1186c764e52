"""What a check says of planted faults in boxes and masks: the kinds and the files."""

import json

import numpy as np
import pytest
from PIL import Image

from input_pipeline import DataError, folder_split
from input_pipeline.annotated import annotations
from mobilenet.data_check import marks


def _check(kind, root):
  """(kind -> files, check.json)."""
  found = marks.check(kind, str(root), '', folder_split.Split(), root / 'out')
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
