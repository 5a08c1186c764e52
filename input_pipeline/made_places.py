"""Made photos whose place can be seen. No files, unless they are asked for:

    python -m input_pipeline.made_places places --photos=3000

writes a folder of JPEGs with a CSV of where each was 'taken'. It is no photo of a real
place: colour follows the position on the globe, and waves in the picture become finer
towards the north and the meridian of Greenwich. Each photo is tinted a little, so that
no network can tell its place to the kilometre.
"""

import argparse
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from input_pipeline import cells, keys
from input_pipeline.errors import DataError, nearest
from input_pipeline.made import SPLITS
from input_pipeline.source import Source

_TOWNS = 24
_IN_TOWNS = 0.7  # of the photos; the others lie anywhere
_SPREAD = 0.02  # of a town, in radians: 130 km
_SMALLEST = 16  # px
# Of colours, of 255: what a step of an Earth's radius changes, the waves, a photo's own
# tint, noise.
_COLOUR, _WAVES, _TINT, _NOISE = 80.0, 20.0, 4.0, 20.0


def open_made_places(
  split: str,
  *,
  seed: int,
  examples: int,
  size: int,
  partition: Mapping[str, int] | None = None,
  known: Sequence[str] = (),
) -> Source:
  """Opens a made split; images are uint8 (size, size, 3).

  Args:
    split: 'train', 'validation' or 'test'.
    seed: of towns and photos.
    examples: of the training split; the others have a quarter.
    size: px.
    partition, known: as of `place_folder.open_places`.
  """
  if split not in SPLITS:
    raise DataError(f'unknown split {split!r} of made data: {nearest(split, SPLITS)}')
  if examples < 1 or size < _SMALLEST:
    raise DataError(
      f'made_places needs an example and {_SMALLEST} pixels at least, not {examples} '
      f'examples, {size} pixels'
    )
  base = keys.named_seed(seed, 'made places', split)
  training = positions(seed, 'train', examples)
  how = cells.Partition(**(partition or {}))
  names = tuple(known) or cells.partition(training, how)
  own = training
  if split != 'train':
    own = positions(seed, split, max(1, examples // 4))
  labels = cells.labels(own, names)
  if split == 'train':
    own, labels = own[labels >= 0], labels[labels >= 0]
  degrees, classes = tf.constant(own, tf.float32), tf.constant(labels)

  def read(index):
    position = tf.gather(degrees, index)
    image = _image(keys.position_key(base, 0, index), position, size)
    return {'image': image, 'label': tf.gather(classes, index), 'position': position}

  return Source(
    name='made_places',
    split=split,
    num_examples=len(own),
    num_classes=len(names),
    class_names=names,
    describe=lambda index: f'made_places/{split}[{index}]',
    read=read,
    image_size=(size, size),
    origin='made_places',
    labels=tuple(labels.tolist()),
  )


def positions(seed: int, split: str, count: int) -> np.ndarray:
  """float64 (count, 2): latitude and longitude, most of them in a few towns."""
  towns = np.random.default_rng([seed, _TOWNS]).standard_normal((_TOWNS, 3))
  towns /= np.linalg.norm(towns, axis=1, keepdims=True)
  rng = np.random.default_rng([seed, 1 + SPLITS.index(split)])
  # Of the towns each is half as large again as the next one.
  share = 1.5 ** -np.arange(_TOWNS)
  town = towns[rng.choice(_TOWNS, count, p=share / share.sum())]
  there = town + _SPREAD * rng.standard_normal((count, 3))
  point = np.where(
    rng.random((count, 1)) < _IN_TOWNS, there, rng.standard_normal((count, 3))
  )
  x, y, z = (point / np.linalg.norm(point, axis=1, keepdims=True)).T
  return np.degrees(np.stack([np.arcsin(z), np.arctan2(y, x)], axis=1))


def _image(key, position, size):
  """uint8 (size, size, 3); `position` is float32 (2,), degrees."""
  latitude, longitude = tf.unstack(position * (np.pi / 180))
  x = tf.cos(latitude) * tf.cos(longitude)
  y = tf.cos(latitude) * tf.sin(longitude)
  z = tf.sin(latitude)
  tint = keys.uniform(key, 0, -_TINT, _TINT, [3])
  colour = 128 + _COLOUR * tf.stack([x, y, z]) + tint
  along = tf.range(size, dtype=tf.float32) / size
  phase = keys.uniform(key, 1, 0.0, 2 * np.pi, [2])
  down = tf.sin(2 * np.pi * (4 + 2 * z) * along + phase[0])
  across = tf.sin(2 * np.pi * (4 + 2 * x) * along + phase[1])
  waves = _WAVES / 2 * (down[:, None] + across[None])
  noise = keys.uniform(key, 2, -_NOISE, _NOISE, [size, size, 3])
  image = colour + waves[..., None] + noise
  return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)


def write_photos(
  folder: pathlib.Path, count: int, seed: int = 0, size: int = 96
) -> None:
  """Writes `images/*.jpg` and places.csv, as `open_source('places')` reads them."""
  source = open_made_places(
    'train', seed=seed, examples=count, size=size, partition={'fewest': 1}
  )
  (folder / 'images').mkdir(parents=True, exist_ok=True)
  lines = ['photo,latitude,longitude']
  for index in range(count):
    example = source.read(tf.constant(index, tf.int64))
    name = f'images/{index:05d}.jpg'
    data = tf.io.encode_jpeg(example['image'], quality=95)
    (folder / name).write_bytes(data.numpy())
    latitude, longitude = example['position'].numpy()
    lines.append(f'{name},{latitude:.5f},{longitude:.5f}')
  (folder / 'places.csv').write_text('\n'.join(lines) + '\n')


if __name__ == '__main__':
  parser = argparse.ArgumentParser(description='Writes made photos with their places.')
  parser.add_argument('folder', type=pathlib.Path)
  parser.add_argument('--photos', type=int, default=3000)
  parser.add_argument('--seed', type=int, default=0)
  given = parser.parse_args()
  write_photos(given.folder, given.photos, given.seed)
