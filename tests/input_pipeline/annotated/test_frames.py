"""Boxes of pictures that EXIF turns, and of sizes that are not the picture's."""

import json

import numpy as np
import pytest
from PIL import Image

from input_pipeline import DataError, photo_reader
from input_pipeline.annotated import box_folder

STORED = 40, 60  # height, width
TOP, LEFT, BOTTOM, RIGHT = 4, 30, 12, 54  # of the white part, as stored


def write_picture(path, orientation):
  pixels = np.zeros((*STORED, 3), np.uint8)
  pixels[TOP:BOTTOM, LEFT:RIGHT] = 255
  exif = Image.Exif()
  exif[0x0112] = orientation
  Image.fromarray(pixels).save(path, exif=exif)


def seen(path):
  """The box of the white part of the upright picture, in its pixels, and the size."""
  white = photo_reader.pixels(path.read_bytes())[..., 0] > 128
  rows, columns = (np.flatnonzero(white.any(axis=axis)) for axis in (1, 0))
  return (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1), white.shape


def write_coco(root, boxes):
  """boxes: name -> ((top, left, bottom, right) in pixels, (height, width) stated)."""
  content = {'images': [], 'annotations': [], 'categories': [{'id': 1, 'name': 'cat'}]}
  for n, (name, (box, (height, width))) in enumerate(boxes.items()):
    top, left, bottom, right = map(int, box)
    content['images'].append(
      {'id': n, 'file_name': name, 'height': height, 'width': width}
    )
    content['annotations'].append(
      {
        'id': n,
        'image_id': n,
        'category_id': 1,
        'bbox': [left, top, right - left, bottom - top],
      }
    )
  (root / 'all.json').write_text(json.dumps(content))


def write_voc(root, boxes):
  for name, (box, (height, width)) in boxes.items():
    sides = zip(('ymin', 'xmin', 'ymax', 'xmax'), box, strict=True)
    corners = ''.join(f'<{side}>{pixel}</{side}>' for side, pixel in sides)
    (root / f'{name[:-4]}.xml').write_text(
      f'<annotation><size><width>{width}</width><height>{height}</height></size>'
      f'<object><name>cat</name><bndbox>{corners}</bndbox></object></annotation>'
    )


def read(root, boxes, write=write_coco):
  """(name -> its box in shares, [(file, kind)] of the faults)."""
  write(root, boxes)
  found = box_folder.read_boxes(root)
  shares = {picture.name: picture.boxes[0] for picture in found.pictures}
  return shares, [(fault.file, fault.kind) for fault in found.faults]


@pytest.mark.parametrize('write', [write_coco, write_voc])
def test_boxes_of_stored_pixels_are_turned_with_the_picture(tmp_path, write):
  names = {f'{n}.png': n for n in range(1, 9)}
  for name, orientation in names.items():
    write_picture(tmp_path / name, orientation)
  box = (TOP, LEFT, BOTTOM, RIGHT)
  shares, faults = read(tmp_path, dict.fromkeys(names, (box, STORED)), write)
  for name in names:
    expected, size = seen(tmp_path / name)
    np.testing.assert_allclose(shares[name] * np.tile(size, 2), expected, atol=1e-4)
  assert faults == [(name, 'turned') for name in names if name != '1.png']


def test_boxes_of_upright_pictures_stay(tmp_path):
  names = {f'{n}.png': n for n in range(1, 9)}
  for name, orientation in names.items():
    write_picture(tmp_path / name, orientation)
  boxes = {name: seen(tmp_path / name) for name in names}
  # Of 2 to 4 the size says nothing: they are as 5 to 8, which are upright.
  shares, faults = read(tmp_path, boxes)
  for name, (expected, size) in boxes.items():
    np.testing.assert_allclose(shares[name] * np.tile(size, 2), expected, atol=1e-4)
  assert not faults


@pytest.mark.parametrize(
  ('stated', 'kind'),
  [
    ((60, 40), 'wrong shape'),  # exchanged
    ((50, 50), 'wrong shape'),
    ((80, 120), 'other scale'),
    ((80, 119), 'other scale'),  # rounded
  ],
)
def test_other_sizes_are_told_and_boxes_are_shares_of_them(tmp_path, stated, kind):
  write_picture(tmp_path / 'a.png', 1)
  shares, faults = read(tmp_path, {'a.png': ((0, 0, 20, 20), stated)})
  assert faults == [('a.png', kind)]
  height, width = stated
  np.testing.assert_allclose(shares['a.png'], [0, 0, 20 / height, 20 / width])


def test_a_picture_that_cannot_be_read_keeps_its_boxes(tmp_path):
  (tmp_path / 'a.png').write_bytes(b'text')
  shares, faults = read(tmp_path, {'a.png': ((0, 0, 20, 20), (40, 40))})
  assert not faults
  np.testing.assert_allclose(shares['a.png'], [0, 0, 0.5, 0.5])
  (tmp_path / 'all.json').write_text(
    (tmp_path / 'all.json').read_text().replace('"height": 40, ', '')
  )
  with pytest.raises(DataError, match=r'a\.png cannot be read: it is not a JPEG'):
    box_folder.read_boxes(tmp_path)
  found = box_folder.read_boxes(tmp_path, go_on=True)
  assert [(fault.file, fault.kind) for fault in found.faults] == [('a.png', 'broken')]
  assert not found.pictures
