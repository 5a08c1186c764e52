"""Made pictures of coloured rectangles and discs, with boxes, masks or tags.

For trying a configuration and for tests; no files.
"""

import tensorflow as tf

from input_pipeline import keys, marks
from input_pipeline.errors import DataError, nearest
from input_pipeline.made import SPLITS
from input_pipeline.source import Source

# Name -> (whether it is a disc, its colour); the classes of the boxes.
SHAPES = {
  'red rectangle': (False, (200, 40, 40)),
  'green disc': (True, (40, 180, 60)),
  'blue rectangle': (False, (50, 70, 210)),
}
MASK_CLASSES = ('background', 'rectangle', 'disc')
# One in each quarter at most, so that none covers another.
_QUARTERS = ((0, 0), (0, 1), (1, 0), (1, 1))
_LEAST, _MOST = 0.35, 0.9  # of a quarter's side
_SMALLEST = 16  # px, of the image


def open_shapes(
  name: str, split: str, *, seed: int, examples: int, size: int
) -> Source:
  """Opens a made split; images are uint8 (size, size, 3).

  Args:
    name: 'made_boxes', 'made_masks' or 'made_tags': which of the shapes it shows.
    split: 'train', 'validation' or 'test'.
    seed: of the pictures.
    examples: of the training split; the others have a quarter.
    size: px.
  """
  if split not in SPLITS:
    raise DataError(f'unknown split {split!r} of made data: {nearest(split, SPLITS)}')
  if examples < 1 or size < _SMALLEST:
    raise DataError(
      f'{name} needs an example and {_SMALLEST} pixels at least, not {examples} '
      f'examples, {size} pixels'
    )
  base = keys.named_seed(seed, 'made shapes', split)
  kind = name.removeprefix('made_')

  def read(index):
    key = keys.position_key(base, 0, index)
    image, mask, own = _picture(key, size)
    image = {'image': image}
    if kind == 'masks':
      return {**image, 'segmentation': mask}
    if kind == 'tags':
      return {**image, 'tags': _shown(own['classes'])}
    own = {part: tf.boolean_mask(own[part], own['classes'] >= 0) for part in own}
    return {**image, **marks.padded(own, len(_QUARTERS))}

  names = MASK_CLASSES if kind == 'masks' else tuple(SHAPES)
  return Source(
    name=name,
    split=split,
    num_examples=examples if split == 'train' else max(1, examples // 4),
    num_classes=len(names),
    class_names=names,
    describe=lambda index: f'{name}/{split}[{index}]',
    read=read,
    image_size=(size, size),
    origin=name,
    marks=('segmentation',) if kind == 'masks' else (kind,),
  )


def _shown(classes):
  """float32 (K,): 1 for each kind of shape that is there, else 0."""
  each = tf.one_hot(classes, len(SHAPES))  # zeros for -1, where there is none
  return tf.reduce_max(each, axis=0)


def _picture(key, size):
  """(image, mask, boxes with their classes): four quarters, some of them empty."""
  noise = keys.uniform(key, 0, 90, 150, [size, size, 3], tf.int32)
  there = keys.uniform(key, 1, shape=[len(_QUARTERS)]) < 0.7
  kinds = keys.uniform(key, 2, 0, len(SHAPES), [len(_QUARTERS)], tf.int32)
  half = size / 2
  sides = tf.round(keys.uniform(key, 3, _LEAST, _MOST, [len(_QUARTERS), 2]) * half)
  free = tf.floor(half) - sides
  begin = tf.floor(keys.uniform(key, 4, shape=[len(_QUARTERS), 2]) * (free + 1))
  begin += tf.constant(_QUARTERS, tf.float32) * tf.floor(half)
  is_disc = tf.gather([disc for disc, _ in SHAPES.values()], kinds)
  # A disc is as wide as it is high.
  sides = tf.where(is_disc[:, None], tf.reduce_min(sides, axis=1, keepdims=True), sides)
  rows = tf.range(size, dtype=tf.float32)[:, None] + 0.5
  columns = tf.range(size, dtype=tf.float32)[None] + 0.5
  image, mask = noise, tf.zeros([size, size], tf.uint8)
  for place in range(len(_QUARTERS)):
    middle, radius = begin[place] + sides[place] / 2, sides[place] / 2
    down = tf.abs(rows - middle[0]) / radius[0]
    across = tf.abs(columns - middle[1]) / radius[1]
    in_disc, in_box = down**2 + across**2 <= 1, (down <= 1) & (across <= 1)
    covered = tf.where(is_disc[place], in_disc, in_box) & there[place]
    colour = tf.gather([rgb for _, rgb in SHAPES.values()], kinds[place])
    image = tf.where(covered[..., None], colour, image)
    mask = tf.where(covered, tf.where(is_disc[place], 2, 1), tf.cast(mask, tf.int32))
    mask = tf.cast(mask, tf.uint8)
  boxes = tf.concat([begin, begin + sides], axis=1) / size
  own = {
    'boxes': tf.where(there[:, None], boxes, 0.0),
    'classes': tf.where(there, kinds, -1),
    'crowd': tf.zeros([len(_QUARTERS)], tf.bool),
  }
  return tf.cast(image, tf.uint8), mask, own
