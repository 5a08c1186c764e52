"""Photos as a TensorFlow server prepares them: in a graph, without any Python."""

import tensorflow as tf

from input_pipeline import decoding, exif, exif_ops
from input_pipeline.op_string import Op

# The first orientation in the EXIF of a file that `exif_ops.may_be_turned`; that of a
# preview, which has EXIF of its own, comes later.
_FIRST = (
  rb'(?s)\C*?(?:Exif\x00\x00|eXIf)(?:'
  rb'II\*\x00\C*?\x12\x01\x03\x00\x01\x00\x00\x00([\x02-\x08])\x00|'
  rb'MM\x00\*\C*?\x01\x12\x00\x03\x00\x00\x00\x01\x00([\x02-\x08]))\C*'
)


def prepare_in_graph(encoded: tf.Tensor, ops: tuple[Op, ...], side: int) -> tf.Tensor:
  """Encoded photos, string (N,), to images float32 (N, side, side, 3).

  As `eval_batches` prepares them, with two limits of what runs without Python: only
  what `tf.io.decode_image` reads (JPEG, PNG, GIF, BMP), and a JPEG of four channels may
  differ by a level.

  Args:
    encoded: files' contents.
    ops: `op_string.parse_ops(string, 'eval')`.
    side: px, that the ops make of a photo.
  """

  def one(data):
    image = decoding.apply_ops(_upright(data), ops, tf.zeros(2, tf.int64), False)
    return tf.ensure_shape(image, [side, side, 3])

  return tf.map_fn(one, encoded, fn_output_signature=tf.float32)


def _upright(encoded):
  """uint8 (height, width, 3)."""
  image = tf.cond(
    tf.image.is_jpeg(encoded),
    lambda: decoding.decode_jpeg(encoded),
    lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
  )
  image = tf.ensure_shape(image, [None, None, 3])

  def turned():
    head = tf.strings.substr(encoded, 0, exif.HEAD)
    byte = tf.strings.regex_replace(head, _FIRST, rb'\1\2', replace_global=False)
    return exif_ops.upright(
      image, tf.cast(tf.io.decode_raw(byte, tf.uint8)[0], tf.int32)
    )

  return tf.cond(exif_ops.may_be_turned(encoded), turned, lambda: image)
