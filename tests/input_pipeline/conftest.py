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
  path = tmp_path_factory.mktemp('sharded')
  labels = [place % 7 for place in range(41)]
  _write_tfds(path, 'sharded', {'train': (labels[:20], labels[20:21], labels[21:])})
  return str(path)


@pytest.fixture(scope='session')
def unlabelled_dir(tmp_path_factory):
  """A TFDS set 'hidden' of 7 classes, whose split 'test' has no labels; 'odd' some."""
  path = tmp_path_factory.mktemp('hidden')
  splits = {
    'train': ([0, 1, 2, 3, 4], [5, 6, 0]),
    'test': ([-1, -1, -1], [-1, -1]),
    'odd': ([3, -1, 4, 5],),
  }
  _write_tfds(path, 'hidden', splits)
  return str(path)


def _write_tfds(path, name, splits):
  """Writes a prepared set; splits are name -> the labels of each record file."""
  import tensorflow as tf
  import tensorflow_datasets as tfds

  features = tfds.features.FeaturesDict(
    {
      'image': tfds.features.Image(shape=(6, 6, 3), encoding_format='png'),
      'label': tfds.features.ClassLabel(num_classes=7),
    }
  )
  root = path / name / '1.0.0'
  root.mkdir(parents=True)
  infos = []
  for split, files in splits.items():
    place = 0
    for shard, labels in enumerate(files):
      file = f'{name}-{split}.tfrecord-{shard:05d}-of-{len(files):05d}'
      with tf.io.TFRecordWriter(str(root / file)) as writer:
        for label in labels:
          image = np.full((6, 6, 3), place, np.uint8)
          encoded = features.encode_example({'image': image, 'label': label})
          writer.write(features.serialize_example(encoded))
          place += 1
    template = tfds.core.ShardedFileTemplate(
      data_dir=root, dataset_name=name, split=split, filetype_suffix='tfrecord'
    )
    infos.append(
      tfds.core.SplitInfo(
        name=split,
        shard_lengths=[len(labels) for labels in files],
        num_bytes=0,
        filename_template=template,
      )
    )
  tfds.folder_dataset.write_metadata(
    data_dir=str(root), features=features, split_infos=infos
  )
