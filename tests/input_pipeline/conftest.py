"""Small data sets on disk for the tests of the input pipeline."""

import numpy as np
import pytest


@pytest.fixture(scope='session')
def jpeg():
  """(seed, height, width) -> bytes of a smooth random JPEG."""
  import tensorflow as tf

  def make(seed, height=40, width=52):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 6, 3)).astype(np.float32)
    image = tf.saturate_cast(tf.image.resize(coarse, (height, width)), tf.uint8)
    return tf.io.encode_jpeg(image, quality=90).numpy()

  return make


@pytest.fixture
def photos(tmp_path, jpeg):
  """A folder with train/ and val/: three classes of 5 and 3 JPEGs."""
  seed = 0
  for part, count in (('train', 5), ('val', 3)):
    for label in ('ash', 'birch', 'cedar'):
      folder = tmp_path / part / label
      folder.mkdir(parents=True)
      for number in range(count):
        (folder / f'{number}.jpg').write_bytes(jpeg(seed))
        seed += 1
  return tmp_path


@pytest.fixture(scope='session')
def digits_dir(tmp_path_factory):
  """A data_dir in which the digits are built."""
  from input_pipeline import open_source

  path = str(tmp_path_factory.mktemp('tfds'))
  open_source('digits', 'test', data_dir=path)
  return path


@pytest.fixture(scope='session')
def sharded_dir(tmp_path_factory):
  """A TFDS set 'sharded' of 41 flat 6 x 6 images in three record files.

  The red value of an image is its place when written, the label that modulo 7.
  """
  import tensorflow_datasets as tfds

  path = tmp_path_factory.mktemp('sharded')
  features = tfds.features.FeaturesDict(
    {
      'image': tfds.features.Image(shape=(6, 6, 3), encoding_format='png'),
      'label': tfds.features.ClassLabel(num_classes=7),
    }
  )
  root = path / 'sharded' / '1.0.0'
  root.mkdir(parents=True)
  lengths, place = (20, 1, 20), 0
  for shard, length in enumerate(lengths):
    import tensorflow as tf

    name = f'sharded-train.tfrecord-{shard:05d}-of-{len(lengths):05d}'
    with tf.io.TFRecordWriter(str(root / name)) as writer:
      for _ in range(length):
        image = np.full((6, 6, 3), place, np.uint8)
        writer.write(
          features.serialize_example(
            features.encode_example({'image': image, 'label': place % 7})
          )
        )
        place += 1
  tfds.folder_dataset.write_metadata(
    data_dir=str(root),
    features=features,
    split_infos=[
      tfds.core.SplitInfo(
        name='train',
        shard_lengths=list(lengths),
        num_bytes=0,
        filename_template=tfds.core.ShardedFileTemplate(
          data_dir=root, dataset_name='sharded', split='train',
          filetype_suffix='tfrecord',
        ),
      )
    ],
  )  # fmt: skip
  return str(path)
