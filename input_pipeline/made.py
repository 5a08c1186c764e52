"""Made images: a pattern that belongs to the label, under noise. No files.

For trying a configuration, for tests, and for measuring speed.
"""

import tensorflow as tf

from input_pipeline import keys
from input_pipeline.errors import DataError, nearest
from input_pipeline.source import Source

SPLITS = ('train', 'validation', 'test')
_TILES = 4  # the pattern is 4 x 4 tiles of colour


def open_made(
  split: str, *, seed: int, examples: int, size: int, num_classes: int
) -> Source:
  """Opens a made split; images are uint8 (size, size, 3), labels go round the classes.

  The patterns depend on the seed and the label, not on the split, so that what is
  learned on 'train' holds on the others; they are symmetric, so that a flip keeps them.
  """
  if split not in SPLITS:
    raise DataError(f'unknown split {split!r} of made data: {nearest(split, SPLITS)}')
  if min(examples, num_classes) < 1 or size < _TILES:
    raise DataError(
      f'made data needs an example, a class and {_TILES} pixels at least, not '
      f'{examples} examples, {num_classes} classes, {size} pixels'
    )
  pattern_seed = keys.named_seed(seed, 'made pattern')
  noise_seed = keys.named_seed(seed, 'made noise', split)
  tile = -(-size // _TILES)

  def read(index):
    label = tf.cast(index % num_classes, tf.int32)
    half = keys.uniform(
      keys.position_key(pattern_seed, 0, label), 0, 0, 256, [_TILES, _TILES // 2, 3],
      tf.int32,
    )  # fmt: skip
    pattern = tf.concat([half, half[:, ::-1]], axis=1)
    pattern = tf.repeat(tf.repeat(pattern, tile, axis=0), tile, axis=1)[:size, :size]
    noise = keys.uniform(
      keys.position_key(noise_seed, 0, index), 0, 0, 256, [size, size, 3], tf.int32
    )
    return {'image': tf.cast((pattern + noise) // 2, tf.uint8), 'label': label}

  return Source(
    name='made',
    split=split,
    num_examples=examples if split == 'train' else max(1, examples // 4),
    num_classes=num_classes,
    class_names=tuple(f'class_{label}' for label in range(num_classes)),
    describe=lambda index: f'made/{split}[{index}]',
    read=read,
    image_size=(size, size),
    origin='made',
  )
