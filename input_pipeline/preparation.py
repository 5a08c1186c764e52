"""What a batch holds of one example: read, decoded, and through all ops."""

import tensorflow as tf

from input_pipeline import decoding, keys, marks, recovery
from input_pipeline.errors import DataError


def of(source, string, ops, base, fixed):
  """(guarded, epoch, index, item) -> what a batch holds of one example.

  That is 'image', the source's fields, 'epoch', 'index' and 'ok'.

  Ops run as one traced function, so that the size they leave is known beforehand.
  """
  spec = example_spec(source)
  encoded = 'encoded' in spec
  fields = {name: spec[name] for name in spec if name not in ('encoded', 'image')}
  marked = marks.of(fields)
  try:
    marks.check_marked_ops(ops, marked, fixed)
  except DataError as error:
    raise DataError(f'op string {string!r}: {error}') from None
  in_size = source.image_size
  # An op that moves marks needs the whole picture.
  windowed = decoding.starts_with_window(ops, encoded) and not marked
  if windowed:
    in_size = (None, None)

  @tf.function(
    autograph=False,
    input_signature=[
      tf.TensorSpec((*in_size, 3), tf.uint8),
      tf.TensorSpec((2,), tf.int64),
      marked,
    ],
  )
  def augment(image, key, own):
    if own:
      return marks.apply_ops(image, own, ops, key)
    return decoding.apply_ops(image, ops, key, encoded), own

  try:
    traced = augment.get_concrete_function()
  except (tf.errors.InvalidArgumentError, ValueError) as error:
    raise DataError(
      f'op string {string!r} fails: {recovery.first_line(error)}'
    ) from None
  shape, moved_shapes = traced.output_shapes
  if not shape.is_fully_defined():
    raise DataError(
      f'op string {string!r} leaves images of different sizes; add resize(size), '
      'central_crop(size) or inception_crop(size)'
    )
  moved = {
    name: tf.TensorSpec(
      shape[:2] if name == 'segmentation' else moved_shapes[name], marked[name].dtype
    )
    for name in marked
  }
  out = {**fields, **moved}
  if 'boxes' in marked:
    out['size'] = tf.TensorSpec([2], tf.int32)

  def read(epoch, index, item):
    example = source.read(item)
    key = keys.position_key(base, epoch, index)
    return (
      decoding.read_image(example, ops if windowed else (), key),
      {name: example[name] for name in fields},
      key,
    )

  def finished(image, found, key):
    image = tf.ensure_shape(image, (*in_size, 3))
    prepared, own = traced(image, key, marks.of(found))
    found = {**found, **own}
    if 'size' in out:
      found['size'] = tf.shape(image)[:2]
    return prepared, found

  def nothing(found):
    return tf.zeros(shape), {
      name: found[name] if name in fields and name not in marked else _filled(name, out)
      for name in out
    }

  @tf.autograph.experimental.do_not_convert
  def prepare(guarded, epoch, index, item):
    if not guarded:
      image, found, key = read(epoch, index, item)
      (image, found), ok = finished(image, found, key), tf.constant(True)
    else:
      ok, image, found, key = recovery.attempt(read, fields, epoch, index, item)
      image, found = tf.cond(
        ok, lambda: finished(image, found, key), lambda: nothing(found)
      )
    found = {name: tf.ensure_shape(found[name], out[name].shape) for name in out}
    return {
      **found,
      'image': tf.ensure_shape(image, shape),
      'epoch': epoch,
      'index': index,
      'ok': ok,
    }

  prepare.output_shape, prepare.output_fields, prepare.read = tuple(shape), out, read
  return prepare


def _filled(name, specs):
  """A field of an example that is not there."""
  return tf.fill(
    specs[name].shape, tf.cast(marks.NOTHING.get(name, 0), specs[name].dtype)
  )


def example_spec(source):
  """What `source.read` returns: name -> tf.TensorSpec."""
  item = tf.TensorSpec([], tf.int64 if source.slices is None else tf.string)
  read = tf.function(source.read, autograph=False)
  example = read.get_concrete_function(item).structured_outputs
  return {
    name: tf.TensorSpec(value.shape, value.dtype) for name, value in example.items()
  }
