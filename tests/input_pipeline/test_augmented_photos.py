"""Pictures of the augmentation are what training sees, before the last ops."""

import numpy as np

from input_pipeline import augmented, open_source, train_batches

OPS = 'inception_crop(24)|flip|color'


def test_they_are_what_the_first_epochs_see(photos):
  source = open_source('folder', 'train', data_dir=str(photos))
  drawn = augmented(
    source, range(15), ops=f'{OPS}|value_range(-1, 1)', seed=5, epochs=2
  )
  batches = train_batches(source, ops=OPS, batch_size=15, seed=5)
  for epoch in range(2):
    seen = next(batches)['image'].clip(0, 255)
    for pictures in drawn:
      off = np.abs(seen - pictures[epoch].astype(np.float32)).max(axis=(1, 2, 3))
      assert off.min() < 0.51  # rounded


def test_no_ops_show_the_photo(photos):
  source = open_source('folder', 'val', data_dir=str(photos))
  ((picture,),) = augmented(source, [3], ops='normalize()', seed=0, epochs=1)
  assert picture.dtype == np.uint8
  assert picture.shape == (40, 52, 3)
