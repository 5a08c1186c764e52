"""What moves with an image: boxes and masks, through every op of an op string.

Marks are 'boxes' float32 (M, 4), (top, left, bottom, right) as shares of the image,
'classes' int32 (M,), -1 where there is no box, and 'crowd' bool (M,); or 'segmentation'
uint8 (height, width), 255 where nothing counts. An op draws once, and the same draw
moves the image (bilinear), the mask (nearest) and the boxes (cut off at the border). A
box of which too little is left is dropped: where the op says nothing else, one whose
centre has left the image (https://arxiv.org/abs/1512.02325, section 2.2).
"""

import tensorflow as tf

from input_pipeline import canvas_ops, catalogue, image_ops, keys
from input_pipeline.errors import DataError

OF_BOXES = ('boxes', 'classes', 'crowd')
UNCOUNTED = catalogue.UNCOUNTED
# What a mark is where there is none.
NOTHING = {'boxes': 0, 'classes': -1, 'crowd': False, 'segmentation': UNCOUNTED}
_LEAST_SIDE = 1e-3  # of the image: what is narrower is no box any more


def of(example: dict) -> dict:
  """The marks among the fields of an example; of boxes all three, or none."""
  boxed = all(name in example for name in OF_BOXES)
  names = (*OF_BOXES, 'segmentation') if boxed else ('segmentation',)
  return {name: example[name] for name in names if name in example}


def padded(own: dict, most: int) -> dict:
  """Boxes, classes and crowd of n boxes as arrays of `most` rows."""
  missing = most - tf.shape(own['classes'])[0]
  return {
    name: tf.ensure_shape(
      tf.pad(
        values,
        [[0, missing], [0, 0]] if name == 'boxes' else [[0, missing]],
        constant_values=NOTHING[name],
      ),
      [most, 4] if name == 'boxes' else [most],
    )
    for name, values in own.items()
  }


def check_marked_ops(ops, marked, fixed: bool) -> None:
  """Raises a DataError for an op that cannot stand in the op string of marked data.

  Args:
    ops: tuple of `op_string.Op`.
    marked: names of the marks that the data has.
    fixed: whether it is the op string of evaluation. Its boxes stay shares of the whole
      picture, so that found ones can be told in the picture's own pixels.
  """
  if not {*OF_BOXES, 'segmentation'} & set(marked):
    return  # tags hold of all of a picture
  what = 'boxes' if 'boxes' in marked else 'masks'
  usable = ', '.join(sorted({*OPS, *STILL}))
  for op in ops:
    if op.name not in OPS and op.name not in STILL:
      raise DataError(f'{op.name} moves the image and not its {what}; usable: {usable}')
    if fixed and what == 'boxes' and op.name in OPS and op.name not in KEEP_SHARES:
      raise DataError(
        f'{op.name} changes which part of the picture is seen, and boxes are evaluated '
        f'on all of it: use {" or ".join(KEEP_SHARES)}'
      )


def apply_ops(image, marks, ops, key):
  """An image with its marks after all ops.

  Args:
    image: uint8 (height, width, 3), the whole picture.
    marks: as above.
    ops: tuple of `op_string.Op`.
    key: of the example.

  Returns:
    (float32 (height, width, 3), marks). Boxes that are left come first.
  """
  marks = dict(marks)
  if 'segmentation' in marks:
    marks['segmentation'] = marks['segmentation'][..., None]
  for number, op in enumerate(ops):
    op_key = keys.op_key(key, number)
    if op.name in OPS:
      image, marks = OPS[op.name](image, marks, op_key, **op.args)
    else:
      image = image_ops.OPS[op.name](image, op_key, **op.args)
  if 'segmentation' in marks:
    marks['segmentation'] = marks['segmentation'][..., 0]
  if 'boxes' in marks:
    # The order of those that are left stays.
    order = tf.argsort(tf.cast(marks['classes'] < 0, tf.int32), stable=True)
    marks.update({name: tf.gather(marks[name], order) for name in OF_BOXES})
  return tf.cast(image, tf.float32), marks


def _seen_through(marks, shape, window, threshold=None):
  """The marks of an image of which a window is taken, which may reach beyond it.

  Args:
    marks: of the image; the mask with one channel.
    shape: (height, width, ...) of the image.
    window: (y, x, height, width) in its pixels.
    threshold: the least share of a box that must be inside; None for its centre.
  """
  moved = dict(marks)
  if 'segmentation' in marks:
    moved['segmentation'] = canvas_ops.window_of(
      marks['segmentation'], window, [UNCOUNTED]
    )
  if 'boxes' not in marks:
    return moved
  y, x, height, width = (tf.cast(side, tf.float32) for side in window)
  sides = tf.cast(shape[:2], tf.float32)
  boxes = marks['boxes'] * tf.tile(sides, [2]) - tf.stack([y, x, y, x])
  boxes = boxes / tf.stack([height, width, height, width])
  inside = tf.clip_by_value(boxes, 0.0, 1.0)
  if threshold is None:
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    stays = tf.reduce_all((centre > 0) & (centre < 1), axis=1)
  else:
    # A share of 1 is still met where the last bit is lost.
    stays = _areas(inside) >= threshold * _areas(boxes) * (1 - 1e-5)
  stays &= tf.reduce_all(inside[:, 2:] - inside[:, :2] >= _LEAST_SIDE, axis=1)
  stays &= marks['classes'] >= 0
  moved['boxes'] = tf.where(stays[:, None], inside, 0.0)
  moved['classes'] = tf.where(stays, marks['classes'], -1)
  moved['crowd'] = marks['crowd'] & stays
  return moved


def _areas(boxes):
  return tf.reduce_prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def _mirrored(marks, axis):
  """Upside down (axis 0), or left and right (1)."""
  moved = dict(marks)
  if 'segmentation' in marks:
    moved['segmentation'] = tf.reverse(marks['segmentation'], [axis])
  if 'boxes' in marks:
    begin, end = marks['boxes'][:, axis], marks['boxes'][:, axis + 2]
    columns = tf.unstack(marks['boxes'], axis=1)
    columns[axis], columns[axis + 2] = 1 - end, 1 - begin
    moved['boxes'] = _real(tf.stack(columns, axis=1), marks)
  return moved


def _real(boxes, marks):
  """Zeros where there is no box."""
  return tf.where(marks['classes'][:, None] >= 0, boxes, 0.0)


def _swapped(marks):
  """Rows for columns."""
  moved = dict(marks)
  if 'segmentation' in marks:
    moved['segmentation'] = tf.transpose(marks['segmentation'], [1, 0, 2])
  if 'boxes' in marks:
    moved['boxes'] = tf.gather(marks['boxes'], [1, 0, 3, 2], axis=1)
  return moved


def _either(condition, changed, marks):
  return {name: tf.where(condition, changed[name], marks[name]) for name in marks}


def _resized(marks, height, width, half_pixel_centers=True):
  if 'segmentation' not in marks:
    return marks
  mask = marks['segmentation']
  if half_pixel_centers:
    mask = tf.image.resize(mask, [height, width], 'nearest')
  else:
    mask = tf.raw_ops.ResizeNearestNeighbor(images=mask[None], size=[height, width])[0]
  return {**marks, 'segmentation': mask}


def resize(image, marks, key, **args):
  """Shares stay what they are."""
  image = image_ops.resize(image, key, **args)
  return image, _resized(marks, args['size'], args['size'], args['half_pixel_centers'])


def resize_small(image, marks, key, **args):
  image = image_ops.resize_small(image, key, **args)
  height, width = tf.unstack(tf.shape(image)[:2])
  return image, _resized(marks, height, width)


def flip(image, marks, key, prob):
  flipped = keys.uniform(key, 0) < prob  # the draw of image_ops.flip
  return image_ops.flip(image, key, prob), _either(flipped, _mirrored(marks, 1), marks)


def turn(image, marks, key):
  image = image_ops.turn(image, key)
  for place in (0, 1):  # the draws of image_ops.turn
    drawn = keys.uniform(key, place) < 0.5
    marks = _either(drawn, _mirrored(marks, place), marks)
  return image, _either(keys.uniform(key, 2) < 0.5, _swapped(marks), marks)


def _windowed(name):
  """An op of `image_ops.WINDOWED`: the part that it takes, then what it does to it."""
  window_of, finish = image_ops.WINDOWED[name]

  def op(image, marks, key, **args):
    shape = tf.shape(image)
    window = window_of(shape, key, **args)
    marks = _seen_through(marks, shape, window)
    image = finish(canvas_ops.window_of(image, window, catalogue.MEAN_PIXEL), **args)
    if name == 'inception_crop':
      marks = _resized(marks, args['size'], args['size'])
    return image, marks

  return op


def _cropped(name):
  """An op whose window `image_ops.WINDOWS` names, which may reach beyond the image."""

  def op(image, marks, key, **args):
    shape = tf.shape(image)
    moved = image_ops.OPS[name](image, key, **args)
    return moved, _seen_through(
      marks, shape, image_ops.WINDOWS[name](shape, key, **args)
    )

  return op


def ssd_crop(image, marks, key, covered, area, aspect, whole):
  """A box stays if the share of it inside is what the crop had to cover of one."""
  shape, boxes = tf.shape(image), marks.get('boxes')
  if boxes is not None:
    boxes = tf.boolean_mask(boxes, marks['classes'] >= 0)
  window, threshold = canvas_ops.ssd_window(
    shape, key, covered, area, aspect, whole, boxes
  )
  image = canvas_ops.window_of(image, window, catalogue.MEAN_PIXEL)
  return image, _seen_through(marks, shape, window, threshold)


def scale_crop(image, marks, key, size, low, high):
  scaled = canvas_ops.scaled_sides(tf.shape(image), key, low, high)
  window = canvas_ops.scale_window(scaled, key, size)
  marks = _resized(marks, scaled[0], scaled[1])
  moved = canvas_ops.scale_crop(image, key, size, low, high)
  marks = _seen_through(marks, scaled, window)
  return moved, _of_size(marks, size)


def pad(image, marks, key, size):
  window = canvas_ops.pad_window(tf.shape(image), size)
  marks = _seen_through(marks, tf.shape(image), window)
  return canvas_ops.pad(image, key, size), _of_size(marks, size)


def _of_size(marks, size):
  """Tells the graph how large the mask is."""
  if 'segmentation' not in marks:
    return marks
  mask = tf.ensure_shape(marks['segmentation'], [*catalogue.sides_of(size), 1])
  return {**marks, 'segmentation': mask}


# Op -> function, of those that move pixels.
OPS = {
  'central_crop': _cropped('central_crop'),
  'central_fraction': _windowed('central_fraction'),
  'central_square': _windowed('central_square'),
  'expand': _cropped('expand'),
  'flip': flip,
  'inception_crop': _windowed('inception_crop'),
  'pad': pad,
  'random_crop': _cropped('random_crop'),
  'resize': resize,
  'resize_small': resize_small,
  'scale_crop': scale_crop,
  'ssd_crop': ssd_crop,
  'turn': turn,
}
KEEP_SHARES = ('resize', 'resize_small')
# Ops that leave every pixel where it is.
STILL = ('bgr', 'color', 'erase', 'grey', 'normalize', 'value_range')
