"""Photos for a report: as they are, whatever the network was given of them."""

import numpy as np
import pytest

from input_pipeline import open_source, originals


def test_photos_of_a_folder_are_those_of_the_files(photos):
  from PIL import Image

  source = open_source('folder', 'train', data_dir=str(photos))
  places = [3, 0, source.num_examples - 1]
  for index, image in zip(places, originals(source, places), strict=True):
    with Image.open(source.describe(index)) as file:
      expected = np.asarray(file.convert('RGB'))
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image.astype(int), expected.astype(int), atol=2)


def test_records_are_found_by_their_place(sharded_dir):
  source = open_source('sharded', 'train', data_dir=sharded_dir)
  all_of_them = originals(source, range(source.num_examples))
  some = originals(source, [40, 2, 17])
  for image, index in zip(some, (40, 2, 17), strict=True):
    np.testing.assert_array_equal(image, all_of_them[index])
  assert originals(source, []) == []


@pytest.mark.parametrize(('size', 'shape'), [(64, (64, 64, 3)), (500, (320, 320, 3))])
def test_large_ones_are_shrunk(size, shape):
  source = open_source('made', 'train', made_examples=2, made_size=size)
  (image,) = originals(source, [1])
  assert image.shape == shape
