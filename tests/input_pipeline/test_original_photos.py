"""Photos for a report: as they are, whatever the network was given of them."""

import numpy as np
import pytest

from input_pipeline import DataError, open_source, originals


def test_photos_of_a_folder_are_those_of_the_files(photos):
  from PIL import Image

  source = open_source('folder', 'train', data_dir=str(photos))
  places = [3, 0, source.num_examples - 1]
  found = dict(originals(source, places))
  assert list(found) == sorted(places)
  for index, image in found.items():
    with Image.open(source.describe(index)) as file:
      expected = np.asarray(file.convert('RGB'))
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image.astype(int), expected.astype(int), atol=2)


def test_records_are_found_by_their_place(sharded_dir):
  source = open_source('sharded', 'train', data_dir=sharded_dir)
  all_of_them = dict(originals(source, range(source.num_examples)))
  some = dict(originals(source, [40, 2, 17]))
  assert set(some) == {40, 2, 17}
  for index, image in some.items():
    np.testing.assert_array_equal(image, all_of_them[index])
  assert list(originals(source, [])) == []


def test_they_are_whole():
  source = open_source('made', 'train', made_examples=2, made_size=500)
  ((index, image),) = originals(source, [1])
  assert index == 1
  assert image.shape == (500, 500, 3)


def test_a_photo_that_is_gone_or_spoiled_by_then_is_named(photos):
  source = open_source('folder', 'train', data_dir=str(photos))
  gone, spoiled = (photos / 'train' / 'ash' / name for name in ('0.jpg', '1.jpg'))
  gone.unlink()
  spoiled.write_bytes(b'no image')
  with pytest.raises(DataError, match=f'^{gone} cannot be read: No such file'):
    list(originals(source, [0]))
  with pytest.raises(DataError, match=f'^{spoiled} cannot be read: it is not a JPEG'):
    list(originals(source, [1]))
