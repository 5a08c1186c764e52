"""Boxes of every format come out alike, and what is wrong with them is named."""

import json

import numpy as np
import pytest
from PIL import Image

from input_pipeline import DataError, open_source
from input_pipeline.annotated import box_folder
from input_pipeline.annotated.annotations import Box, make_picture, notes

# Name -> (height, width) and boxes as (class, left, top, right, bottom) in pixels.
PICTURES = {
  'a': ((40, 80), [('cat', 8, 10, 40, 30), ('dog', 0, 0, 80, 40)]),
  'b': ((60, 60), [('dog', 15, 30, 30, 45)]),
  'c': ((40, 40), []),
}
SHARES = {
  'a': [[0.25, 0.1, 0.75, 0.5], [0, 0, 1, 1]],
  'b': [[0.5, 0.25, 0.75, 0.5]],
  'c': [],
}
CLASSES = {'a': [0, 1], 'b': [1], 'c': []}


def write_pictures(folder, names='abc'):
  folder.mkdir(parents=True, exist_ok=True)
  for name in names:
    (height, width), _ = PICTURES[name]
    Image.new('RGB', (width, height), (90, 120, 40)).save(folder / f'{name}.jpg')


def coco(names='abc', **changes):
  """An instances file with gapped ids; `changes` are of the first annotation."""
  ids = {'cat': 3, 'dog': 17}
  content = {
    'images': [],
    'annotations': [],
    'categories': [{'id': n, 'name': name} for name, n in reversed(ids.items())],
  }
  for name in names:
    (height, width), boxes = PICTURES[name]
    content['images'].append(
      {'id': ord(name), 'file_name': f'{name}.jpg', 'height': height, 'width': width}
    )
    for kind, left, top, right, bottom in boxes:
      content['annotations'].append(
        {
          'id': len(content['annotations']),
          'image_id': ord(name),
          'category_id': ids[kind],
          'bbox': [left, top, right - left, bottom - top],
        }
      )
  content['annotations'][0].update(changes)
  return content


def write_coco(root):
  (root / 'instances.json').write_text(json.dumps(coco()))


def voc(name, boxes=None):
  (height, width), own = PICTURES[name]
  objects = ''.join(
    f'<object><name>{kind}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>'
    f'<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>'
    for kind, left, top, right, bottom in (own if boxes is None else boxes)
  )
  size = f'<size><width>{width}</width><height>{height}</height></size>'
  return f'<annotation><filename>x</filename>{size}{objects}</annotation>'


def write_voc(root):
  (root / 'Annotations').mkdir()
  for name in PICTURES:
    (root / 'Annotations' / f'{name}.xml').write_text(voc(name))


def write_yolo(root):
  (root / 'labels').mkdir()
  (root / 'classes.txt').write_text('cat\ndog\n')
  for name in PICTURES:
    lines = [
      f'{label} {(left + right) / 2} {(top + bottom) / 2} {right - left} {bottom - top}'
      for label, (top, left, bottom, right) in zip(
        CLASSES[name], SHARES[name], strict=True
      )
    ]
    (root / 'labels' / f'{name}.txt').write_text('\n'.join(lines))


FORMATS = {'COCO': write_coco, 'VOC': write_voc, 'YOLO': write_yolo}


@pytest.mark.parametrize('name', FORMATS)
def test_every_format_gives_the_same_boxes(tmp_path, name):
  write_pictures(tmp_path / 'images')
  FORMATS[name](tmp_path)
  found = box_folder.read_boxes(tmp_path)
  assert found.format == name
  assert found.class_names == ('cat', 'dog')
  assert not found.faults
  assert [picture.name for picture in found.pictures] == [
    f'images/{stem}.jpg' for stem in PICTURES
  ]
  for picture, stem in zip(found.pictures, PICTURES, strict=True):
    wanted = np.array(SHARES[stem], np.float32).reshape(-1, 4)
    np.testing.assert_allclose(picture.boxes, wanted, atol=1e-6)
    assert picture.boxes.dtype == np.float32
    assert picture.classes.tolist() == CLASSES[stem]
    assert not picture.crowd.any()


def test_ids_travel_with_the_source_and_iscrowd_is_read(tmp_path):
  write_pictures(tmp_path / 'images')
  (tmp_path / 'instances.json').write_text(json.dumps(coco(iscrowd=1)))
  source = open_source('boxes', 'all', data_dir=str(tmp_path))
  assert source.category_ids == (3, 17)
  assert source.image_ids == (97, 98, 99)
  assert source.class_counts == (1, 2)
  example = source.read(np.int64(0))
  assert example['boxes'].shape == (2, 4)  # the most of any picture
  assert example['crowd'].numpy().tolist() == [True, False]
  empty = source.read(np.int64(2))
  assert empty['classes'].numpy().tolist() == [-1, -1]
  assert not empty['boxes'].numpy().any()


def test_parts_by_files_folders_and_lists(tmp_path):
  write_pictures(tmp_path / 'images')
  (tmp_path / 'annotations').mkdir()
  # The pictures of the second file have no boxes; its categories are the same.
  for part, content in (
    ('train2017', coco('ab')),
    ('val2017', {**coco(), 'images': coco()['images'][2:], 'annotations': []}),
  ):
    path = tmp_path / 'annotations' / f'instances_{part}.json'
    path.write_text(json.dumps(content))
  (tmp_path / 'annotations' / 'captions_val2017.json').write_text('{}')

  def names(split):
    return open_source('boxes', split, data_dir=str(tmp_path)).names

  assert names('train') == ('images/a.jpg', 'images/b.jpg')
  assert names('val') == ('images/c.jpg',)
  assert len(names('all')) == 3
  with pytest.raises(DataError, match=r'no pictures for test in .*eval_split=train'):
    names('test')

  listed = tmp_path / 'listed'
  write_pictures(listed / 'JPEGImages')
  write_voc(listed)
  (listed / 'ImageSets' / 'Main').mkdir(parents=True)
  (listed / 'ImageSets' / 'Main' / 'train.txt').write_text('a\nc\n')
  (listed / 'ImageSets' / 'Main' / 'val.txt').write_text('b\n')
  source = open_source('boxes', 'val', data_dir=str(listed))
  assert source.names == ('JPEGImages/b.jpg',)
  assert not source.by_seed
  # One number for all splits.
  assert source.read(np.int64(0))['boxes'].shape == (2, 4)

  folders = tmp_path / 'folders'
  write_pictures(folders / 'train' / 'images', 'ab')
  write_pictures(folders / 'valid' / 'images', 'c')
  for part, own in (('train', 'ab'), ('valid', 'c')):
    (folders / part / 'labels').mkdir()
    for stem in own:
      (folders / part / 'labels' / f'{stem}.txt').write_text('0 0.5 0.5 0.2 0.2\n')
  (folders / 'data.yaml').write_text('nc: 2\nnames: [cat, dog]\n')
  source = open_source('boxes', 'val', data_dir=str(folders))
  assert source.names == ('valid/images/c.jpg',)
  assert source.class_names == ('cat', 'dog')


def test_split_by_a_seed_covers_all_pictures_once(tmp_path):
  write_pictures(tmp_path / 'images')
  write_yolo(tmp_path)

  def names(split, **how):
    return open_source('boxes', split, data_dir=str(tmp_path), **how).names

  for seed in range(3):
    both = names('train', seed=seed) + names('val', seed=seed)
    assert sorted(both) == [f'images/{stem}.jpg' for stem in PICTURES]
  assert {names('val', fold=f'{n}/3') for n in (1, 2, 3)} == {
    (f'images/{stem}.jpg',) for stem in PICTURES
  }
  assert names('val', only=['images/b.jpg', 'gone.jpg']) == ('images/b.jpg',)


def test_annotations_chooses_among_formats(tmp_path):
  write_pictures(tmp_path / 'images')
  for write in FORMATS.values():
    write(tmp_path)
  assert box_folder.read_boxes(tmp_path).format == 'COCO'
  assert box_folder.read_boxes(tmp_path, 'Annotations').format == 'VOC'
  assert box_folder.read_boxes(tmp_path, str(tmp_path / 'labels')).format == 'YOLO'
  with pytest.raises(DataError, match=r'annotations=nowhere: no such file or folder'):
    box_folder.read_boxes(tmp_path, 'nowhere')


def test_a_changed_file_is_read_again(tmp_path):
  write_pictures(tmp_path / 'images')
  write_coco(tmp_path)
  assert len(box_folder.read_boxes(tmp_path).pictures) == 3
  (tmp_path / 'instances.json').write_text(json.dumps(coco('ab')))
  assert len(box_folder.read_boxes(tmp_path).pictures) == 2


@pytest.mark.parametrize(
  ('corners', 'label', 'kind', 'kept'),
  [
    ((0.5, 0.5, 0.5, 0.7), 0, 'no size', 0),
    ((0.5, 0.5, 0.5 + 1e-9, 0.7), 0, 'no size', 0),
    ((0.7, 0.5, 0.5, 0.7), 0, 'inverted', 0),
    ((1.1, 0.5, 1.3, 0.7), 0, 'outside', 0),
    ((0.5, 1.0, 0.7, 1.2), 0, 'outside', 0),
    ((float('nan'), 0.5, 0.7, 0.7), 0, 'no number', 0),
    ((0.5, 0.5, 0.7, 0.7), None, 'unknown class', 0),
    ((-0.1, 0.5, 0.7, 1.2), 0, 'clipped', 1),
    ((-0.001, 0.5, 0.7, 0.7), 0, None, 1),
  ],
)
def test_wrong_boxes_are_named_and_dropped(corners, label, kind, kept):
  faults = []
  picture = make_picture(
    'a.jpg', 'a.xml', [Box(*corners, label), Box(0, 0, 1, 1, 1, True)], '', faults
  )
  assert [(fault.file, fault.kind) for fault in faults] == [('a.xml', kind)] * bool(
    kind
  )
  assert picture.classes.tolist() == [0] * kept + [1]
  assert picture.crowd.tolist() == [False] * kept + [True]
  assert (picture.boxes >= 0).all()
  assert (picture.boxes <= 1).all()
  assert len(notes(faults)) == bool(kind)


def test_faults_of_files_are_notes_of_the_source(tmp_path):
  write_pictures(tmp_path / 'images')
  write_voc(tmp_path)
  flat = [('cat', 8, 10, 8, 30), ('cat', 8, 10, 20, 10), ('dog', 1, 1, 9, 9)]
  (tmp_path / 'Annotations' / 'a.xml').write_text(voc('a', flat))
  (tmp_path / 'Annotations' / 'z.xml').write_text(voc('b'))
  (tmp_path / 'Annotations' / 'c.xml').unlink()
  source = open_source('boxes', 'all', data_dir=str(tmp_path))
  assert source.notes == (
    '2 boxes of no size dropped (a.xml): --job=check_data lists them',
    '1 picture without an annotation left out (c.jpg): --job=check_data lists them',
    '1 annotation without a picture left out (z.xml): --job=check_data lists them',
  )
  assert source.names == ('images/a.jpg', 'images/b.jpg')


@pytest.mark.parametrize(
  ('write', 'message'),
  [
    (lambda root: None, r'no boxes found in .*train\.json.*data\.annotations='),
    (
      lambda root: (root / 'instances.json').write_text('{"a'),
      r'instances\.json is not',
    ),
    (
      lambda root: (root / 'instances.json').write_text('{"images": []}'),
      r'instances\.json is no COCO instances file: it needs lists called',
    ),
    (
      lambda root: (root / 'train.json').write_text(json.dumps(coco(bbox=[1, 2]))),
      r'train\.json: bbox of annotation 0 is \[1, 2\], not \[x, y, width, height\]',
    ),
    (
      lambda root: [
        (root / f'{name}.json').write_text(json.dumps(coco())) for name in 'xy'
      ],
      r'has x\.json and y\.json, both for all pictures: say which',
    ),
    (lambda root: (root / 'a.xml').write_text('<annotation>'), r'a\.xml is not XML'),
    (lambda root: (root / 'a.xml').write_text('<x/>'), r'a\.xml is no VOC annotation'),
    (
      lambda root: (root / 'a.xml').write_text(voc('a', [('cat', 1, 2, 3, 'x')])),
      r'a\.xml: a <bndbox> of cat needs ymin, xmin',
    ),
    (
      lambda root: (root / 'images' / 'a.txt').write_text('0 .5 .5 .1 .1\n0 .5 .5\n'),
      r'a\.txt, line 2: "0 \.5 \.5" is not class x y width height',
    ),
    (
      lambda root: (root / 'train.json').write_text(
        json.dumps({**coco(), 'annotations': []})
      ),
      r'the COCO annotations hold no box',
    ),
  ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, write, message):
  write_pictures(tmp_path / 'images')
  write(tmp_path)
  with pytest.raises(DataError, match=message) as raised:
    open_source('boxes', 'train', data_dir=str(tmp_path))
  assert '\n' not in str(raised.value)


def _entry(kind, **changes):
  """Writes COCO's file with the first entry of a list changed."""

  def write(root):
    content = coco()
    content[kind][0].update(changes)
    (root / 'train.json').write_text(json.dumps(content))

  return write


def _xml(old, new):
  return lambda root: (root / 'a.xml').write_text(voc('a').replace(old, new))


def _yolo(line, names='', file='classes.txt'):
  def write(root):
    (root / 'images' / 'a.txt').write_text(f'{line}\n')
    if names:
      (root / file).write_text(names)

  return write


@pytest.mark.parametrize(
  ('write', 'message'),
  [
    (_entry('images', width='80'), r'train\.json: "width" is "80", not a whole number'),
    (_entry('images', width=float('nan')), r'"width" is NaN: \{"id": 97'),
    (_entry('images', id=[1]), r'"id" is \[1\], not a whole number or a text'),
    (_entry('images', id=None), r'"id" is null'),
    (_entry('images', id=ord('b')), r'a\.jpg and b\.jpg have the same id, 98'),
    (_entry('images', file_name=None), r'"file_name" is null, not a text'),
    (_entry('categories', id='17'), r'"id" is "17", not a whole number'),
    (_entry('categories', id=3), r'category 3 is "cat", and "dog" again'),
    (_entry('annotations', iscrowd='no'), r'iscrowd of annotation 0 is "no"'),
    (_entry('annotations', category_id=[3]), r'"category_id" is \[3\]'),
    (_entry('annotations', bbox='1234'), r'"bbox" is "1234", not a list'),
    (
      lambda root: (root / 'train.json').write_text('[' * 100_000 + ']' * 100_000),
      r'train\.json: its lists are nested too deep',
    ),
    (_xml('<width>80', '<width>nan'), r'a\.xml: <size> is not in pixels'),
    (_xml('<width>80', '<width>inf'), r'a\.xml: <size> is not in pixels'),
    (_xml('<annotation>', '<?xml version="1.0" encoding="x"?><annotation>'), 'not XML'),
    (_yolo('inf .5 .5 .1 .1'), r'a\.txt, line 1: "inf \.5 .* is not class x y width'),
    (_yolo('1.5 .5 .5 .1 .1'), r'is not class x y width height'),
    (_yolo('10000000 .5 .5 .1 .1'), r'line 1: 10000000 is no class'),
    (_yolo('0 .5 .5 .1 .1', 'names: 5', 'data.yaml'), r'names must be a list'),
    (_yolo('0 .5 .5 .1 .1', 'names: [[a]]', 'data.yaml'), r'name 0 is no text'),
    (_yolo('0 .5 .5 .1 .1', '{"a": 0}', 'classes.json'), r'numbered from 0'),
  ],
)
def test_fields_of_other_kinds_are_one_line(tmp_path, write, message):
  write_pictures(tmp_path / 'images')
  write(tmp_path)
  with pytest.raises(DataError, match=message) as raised:
    open_source('boxes', 'all', data_dir=str(tmp_path))
  assert '\n' not in str(raised.value)


def test_iscrowd_as_a_text(tmp_path):
  write_pictures(tmp_path / 'images')
  content = coco(iscrowd='0')
  content['annotations'][1]['iscrowd'] = '1'
  (tmp_path / 'train.json').write_text(json.dumps(content))
  assert box_folder.read_boxes(tmp_path).pictures[0].crowd.tolist() == [False, True]


def test_a_polygon_is_told_and_what_is_no_number_is_dropped(tmp_path):
  write_pictures(tmp_path / 'images')
  lines = ['0 .1 .2 .5 .2 .5 .6', '0 .1 nan .5 .2 .5 .6', '0 inf .5 .1 .1']
  (tmp_path / 'images' / 'a.txt').write_text('\n'.join(lines))
  found = box_folder.read_boxes(tmp_path)
  np.testing.assert_allclose(found.pictures[0].boxes, [[0.2, 0.1, 0.6, 0.5]])
  told = [(f.kind, f.detail) for f in found.faults if f.file == 'images/a.txt']
  assert told == [
    ('polygon', f'line 1: {lines[0]}'),
    ('polygon', f'line 2: {lines[1]}'),
    ('no number', f'images/a.jpg: line 2: {lines[1]}'),
    ('no number', f'images/a.jpg: line 3: {lines[2]}'),
  ]


@pytest.mark.parametrize('name', FORMATS)
@pytest.mark.parametrize(
  ('file', 'text'), [('classes.txt', 'dog\ncat\n'), ('classes.json', '["dog", "cat"]')]
)
def test_a_list_of_names_orders_the_classes_of_every_format(tmp_path, name, file, text):
  write_pictures(tmp_path / 'images')
  FORMATS[name](tmp_path)
  (tmp_path / 'classes.txt').unlink(missing_ok=True)
  (tmp_path / file).write_text(text)
  found = box_folder.read_boxes(tmp_path)
  assert found.class_names == ('dog', 'cat')
  assert found.category_ids in (None, (17, 3))
  numbered = name == 'YOLO'  # its lines hold numbers, not names
  assert found.pictures[0].classes.tolist() == ([0, 1] if numbered else [1, 0])


def test_going_on_after_what_is_broken(tmp_path):
  write_pictures(tmp_path / 'images')
  write_voc(tmp_path)
  (tmp_path / 'Annotations' / 'a.xml').write_text('<annotation>')
  (tmp_path / 'Annotations' / 'c.xml').write_text('<x/>')
  with pytest.raises(DataError, match=r'a\.xml is not XML.*; --job=check_data'):
    box_folder.read_boxes(tmp_path)
  found = box_folder.read_boxes(tmp_path, go_on=True)
  assert [picture.name for picture in found.pictures] == ['images/b.jpg']
  assert [(fault.file, fault.kind) for fault in found.faults] == [
    ('Annotations/a.xml', 'broken'),
    ('Annotations/c.xml', 'broken'),
  ]


@pytest.mark.parametrize('name', FORMATS)
def test_the_format_of_a_folder(tmp_path, name):
  write_pictures(tmp_path / 'images')
  assert not box_folder.format_of(tmp_path)
  (tmp_path / 'images' / 'a.txt').write_text('a photo of a cat\n')  # no boxes
  assert not box_folder.format_of(tmp_path)
  (tmp_path / 'images' / 'a.txt').unlink()
  FORMATS[name](tmp_path)
  assert box_folder.format_of(tmp_path) == name
