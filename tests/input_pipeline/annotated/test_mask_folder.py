"""Folders of pictures with masks: layouts, label maps, and what can be wrong."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline import DataError, eval_batches, open_source

MASK = np.array([[0, 1, 1, 3], [0, 0, 255, 3]], np.uint8).repeat(4, 0).repeat(4, 1)


def _write(root, picture, mask, values=MASK, size=None, palette=False):
  for name in (picture, mask):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
  height, width = size or values.shape[:2]
  Image.new('RGB', (width, height), (90, 120, 40)).save(root / picture)
  image = Image.fromarray(values)
  if palette:
    image.putpalette([n * 7 % 256 for n in range(768)])
    assert image.mode == 'P'
  image.save(root / mask)


def _open(root, split='all', **how):
  return open_source('masks', split, data_dir=str(root), **how)


def _mask(source, index=0):
  return source.read(np.int64(index))['segmentation'].numpy()


@pytest.mark.parametrize(
  ('picture', 'mask'),
  [
    ('images/a.jpg', 'masks/a.png'),
    ('images/a.png', 'labels/a.png'),
    ('JPEGImages/a.jpg', 'SegmentationClass/a.png'),
    ('a.jpg', 'a_mask.png'),
    ('train/images/a.jpg', 'train/masks/a.png'),
  ],
)
@pytest.mark.parametrize('palette', [False, True])
def test_layouts_and_kinds_of_png(tmp_path, picture, mask, palette):
  _write(tmp_path, picture, mask, palette=palette)
  (tmp_path / 'classes.txt').write_text('ground\nroad\nignore\ncar\n')
  source = _open(tmp_path)
  assert source.names == (picture,)
  assert source.class_names == ('ground', 'road', 'car')
  assert not source.notes
  np.testing.assert_array_equal(
    _mask(source), np.select([MASK == 1, MASK == 3, MASK == 255], [1, 2, 255], 0)
  )


@pytest.mark.parametrize(
  ('file', 'text'),
  [
    ('labels.csv', 'id,name\n0,ground\n1,road\n3,car\n255,void\n'),
    ('labels.json', '{"3": "car", "0": "ground", "1": "road"}'),
    ('labels.json', '[{"id": 0, "name": "ground"}, {"id": 1, "name": "road"}, '
                    '{"id": 3, "name": "car"}]'),
  ],
)  # fmt: skip
def test_label_maps_with_gaps(tmp_path, file, text):
  _write(tmp_path, 'images/a.jpg', 'masks/a.png')
  (tmp_path / file).write_text(text)
  source = _open(tmp_path)
  assert source.class_names == ('ground', 'road', 'car')
  assert sorted(set(_mask(source).flat)) == [0, 1, 2, 255]


def test_without_a_label_map_the_ids_of_all_masks_are_the_classes(tmp_path):
  _write(tmp_path, 'images/a.jpg', 'masks/a.png')
  _write(tmp_path, 'images/b.jpg', 'masks/b.png', np.full((4, 4), 9, np.uint8))
  source = _open(tmp_path, 'train')
  assert source.class_names == ('0', '1', '3', '9')  # whatever the split
  assert source.by_seed
  assert 'the 4 ids that the masks hold are the classes' in source.notes[0]


def test_masks_of_black_and_white(tmp_path):
  _write(tmp_path, 'images/a.jpg', 'masks/a.png', np.where(MASK, 255, 0).astype('u1'))
  source = _open(tmp_path)
  assert source.class_names == ('0', '255')
  assert sorted(set(_mask(source).flat)) == [0, 1]
  assert '255 is taken for a class' in source.notes[0]


def _of_one_bit(path):
  with Image.open(path) as image:
    image.convert('1').save(path)


@pytest.mark.parametrize('classes', ['', '{"0": "ground", "255": "cell"}'])
def test_one_bit_a_pixel_among_masks_of_black_and_white(tmp_path, classes):
  for name in 'ab':
    values = np.where(MASK == 1, 255, 0).astype('u1')
    _write(tmp_path, f'images/{name}.jpg', f'masks/{name}.png', values)
  _of_one_bit(tmp_path / 'masks' / 'b.png')
  if classes:
    (tmp_path / 'classes.json').write_text(classes)
  source = _open(tmp_path)
  for index in range(2):
    np.testing.assert_array_equal(_mask(source, index), MASK == 1)


@pytest.mark.parametrize('classes', ['', '["ground", "road", "sky", "car"]'])
def test_one_bit_a_pixel_among_masks_of_ids(tmp_path, classes):
  _write(tmp_path, 'images/a.jpg', 'masks/a.png')
  values = np.where(MASK == 1, 255, 0).astype('u1')
  _write(tmp_path, 'images/b.jpg', 'masks/b.png', values)
  _of_one_bit(tmp_path / 'masks' / 'b.png')
  if classes:
    (tmp_path / 'classes.json').write_text(classes)
  np.testing.assert_array_equal(_mask(_open(tmp_path), 1), MASK == 1)


def test_parts_and_what_is_left_out(tmp_path):
  for name in 'ab':
    _write(tmp_path, f'train/images/{name}.jpg', f'train/masks/{name}.png')
  _write(tmp_path, 'val/images/c.jpg', 'val/masks/c.png')
  _write(tmp_path, 'val/images/d.jpg', 'val/masks/d.png', size=(5, 6))
  _write(tmp_path, 'val/images/e.jpg', 'val/masks/f.png')
  (tmp_path / 'classes.txt').write_text('ground\nroad\nsky\ncar\n')
  train, val = _open(tmp_path, 'train'), _open(tmp_path, 'val')
  assert train.names == ('train/images/a.jpg', 'train/images/b.jpg')
  assert val.names == ('val/images/c.jpg',)
  assert val.notes == (
    '1 picture without a mask left out (e.jpg): --job=check_data lists them',
    '1 mask without a picture left out (f.png): --job=check_data lists them',
    '1 mask of another size than its picture left out (d.png): --job=check_data lists '
    'them',
  )


def test_the_same_name_in_two_parts_keeps_its_own_mask(tmp_path):
  for part, value in (('train', 0), ('val', 1)):
    values = np.full((4, 4), value, np.uint8)
    _write(tmp_path, f'images/{part}/a.jpg', f'masks/{part}/a.png', values)
  (tmp_path / 'classes.txt').write_text('ground\nroad\n')
  assert set(_mask(_open(tmp_path, 'train')).flat) == {0}
  assert set(_mask(_open(tmp_path, 'val')).flat) == {1}


def test_an_id_that_the_map_lacks_is_met_with_its_name(tmp_path):
  _write(tmp_path, 'images/a.jpg', 'masks/a.png')
  (tmp_path / 'classes.txt').write_text('ground\nroad\n')
  batches = eval_batches(_open(tmp_path), ops='resize(8)', batch_size=1)
  with pytest.raises(
    DataError, match=r'the mask of .*a\.jpg, met at step 0, has an id'
  ):
    next(batches)


@pytest.mark.parametrize(
  ('write', 'message'),
  [
    (lambda root: None, r'no masks found in .*masks/ beside images/'),
    (
      lambda root: _write(root, 'images/a.jpg', 'masks/a.png', size=(3, 3)),
      'every mask in .* has another size',
    ),
    (
      lambda root: (
        _write(root, 'images/a.jpg', 'masks/a.png'),
        (root / 'labels.csv').write_text('0,ground\nroad\n'),
      ),
      r'labels\.csv, line 2: "road" is not id,name',
    ),
    (
      lambda root: (
        _write(root, 'images/a.jpg', 'masks/a.png'),
        (root / 'labels.csv').write_text('0,ground\n²,road\n'),
      ),
      r'labels\.csv, line 2: "²,road" is not id,name',
    ),
    (
      lambda root: (
        _write(root, 'images/a.jpg', 'masks/a.png'),
        (root / 'labels.json').write_text('{'),
      ),
      r'labels\.json is no label map',
    ),
    (
      lambda root: _write(
        root, 'images/a.jpg', 'masks/a.png', np.tile(np.uint8([[[1, 2, 3]]]), (4, 4, 1))
      ),
      r'the mask .*a\.png cannot be used: it is in colours',
    ),
    (
      lambda root: (
        _write(root, 'images/a.jpg', 'masks/a.png'),
        (root / 'masks' / 'a.png').write_bytes(
          (root / 'masks' / 'a.png').read_bytes()[:-30]
        ),
      ),
      r'the mask .*a\.png cannot be used: it is no whole PNG',
    ),
    (
      lambda root: _write(root, 'images/a.jpg', 'masks/a.png', np.zeros((4, 4), 'u1')),
      'has 1 classes: 2 to 254 are needed',
    ),
  ],
)
def test_what_cannot_be_used_is_one_line(tmp_path, write, message):
  (tmp_path / 'images').mkdir()
  Image.new('RGB', (4, 4)).save(tmp_path / 'images' / 'z.jpg')
  write(tmp_path)
  with pytest.raises(DataError, match=message) as raised:
    _open(tmp_path)
  assert '\n' not in str(raised.value)
