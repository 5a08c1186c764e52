"""Made photos whose place can be seen."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline import DataError, made_places, open_source

HOW = {'most': 30, 'fewest': 3}


def opened(split, **how):
  how = {'partition': HOW, 'made_examples': 120, 'made_size': 16, **how}
  return open_source('made_places', split, **how)


def test_splits_share_their_cells():
  train, val = opened('train'), opened('validation')
  assert train.class_names == val.class_names
  assert len(train.class_names) > 3
  assert -1 not in train.labels
  assert train.num_examples < 120  # some towns are too small
  assert val.num_examples == 30
  assert (
    opened('train', known=train.class_names[:2]).class_names == (train.class_names[:2])
  )


def test_the_place_can_be_seen():
  train = opened('train')
  examples = [train.read(np.int64(n)) for n in range(12)]
  for own in examples:
    latitude, longitude = np.radians(own['position'].numpy())
    up = np.array(
      [
        np.cos(latitude) * np.cos(longitude),
        np.cos(latitude) * np.sin(longitude),
        np.sin(latitude),
      ]
    )
    colour = own['image'].numpy().mean(axis=(0, 1))
    np.testing.assert_allclose(colour, 128 + 80 * up, atol=12)
  again = opened('train').read(np.int64(3))['image']
  np.testing.assert_array_equal(again, examples[3]['image'])


def test_a_folder_of_them_is_read_as_any_other(tmp_path):
  made_places.write_photos(tmp_path, 6, size=16)
  source = open_source(
    'places', 'all', data_dir=str(tmp_path), partition={'most': 9, 'fewest': 1}
  )
  assert source.num_examples == 6
  positions = made_places.positions(0, 'train', 6)
  read = [source.read(np.int64(n))['position'] for n in range(6)]
  np.testing.assert_allclose(read, positions, atol=1e-4)
  with Image.open(tmp_path / 'images' / '00000.jpg') as image:
    assert image.size == (16, 16)


@pytest.mark.parametrize(
  ('how', 'message'),
  [
    ({'split': 'tset'}, "unknown split 'tset' .* did you mean test"),
    ({'split': 'train', 'made_size': 4}, '16 pixels at least, not .* 4 pixels'),
  ],
)
def test_what_cannot_be_made(how, message):
  with pytest.raises(DataError, match=message):
    opened(**how)
