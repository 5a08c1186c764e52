"""mixup and cutmix: batches whose images and labels are mixtures.

At most one op is applied to a batch: a single draw falls into the first op's `prob`,
the second's, or neither's. Each example is mixed with its neighbour in the batch, all
with one weight. A process that has a share of a batch also reads the row before it, so
that the shares of all are what one process would mix. Of streamed sources, whose order
depends on the processes, each share is mixed within itself.
"""

import tensorflow as tf

from input_pipeline import keys


def mix(image, label, key, ops, num_classes):
  """Mixes one batch.

  Args:
    image: float32 (batch, height, width, 3).
    label: int32 (batch,).
    key: of this batch.
    ops: tuple of `op_string.Op`, batch ops only.
    num_classes: width of the label distribution.

  Returns:
    (image, label) with label float32 (batch, num_classes), also where nothing is mixed.
  """
  label = tf.one_hot(label, num_classes)
  draw = keys.uniform(key, 0)
  branches, limits, total = [], [], 0.0
  for op in ops:
    total += op.args['prob']
    limits.append(total)
    branches.append(lambda op=op: OPS[op.name](image, label, key, op.args['alpha']))
  branches.append(lambda: (image, label))
  # The number of limits below the draw: 0 is the first op, len(ops) is none. The last
  # limit is raised over 1 where the probabilities add up to 1 but for rounding.
  limits = [2.0 if limit > 1 - 1e-6 else limit for limit in limits]
  chosen = tf.reduce_sum(tf.cast(draw >= tf.constant(limits), tf.int32))
  mixed_image, mixed_label = tf.switch_case(chosen, branches)
  mixed_image.set_shape(image.shape)
  mixed_label.set_shape(label.shape)
  return mixed_image, mixed_label


def _weight(key, alpha):
  """Beta(alpha, alpha), as a ratio of two gamma draws."""
  seed = key + tf.constant([0, 1], tf.int64)
  gammas = tf.random.stateless_gamma([2], seed, alpha)
  # Both underflow to zero for a very small alpha: then it is an even mixture.
  total = tf.reduce_sum(gammas)
  return tf.where(total > 0, gammas[0] / total, 0.5)


def mixup(image, label, key, alpha):
  weight = _weight(key, alpha)
  return (
    weight * image + (1 - weight) * tf.roll(image, 1, axis=0),
    weight * label + (1 - weight) * tf.roll(label, 1, axis=0),
  )


def cutmix(image, label, key, alpha):
  height, width = tf.shape(image)[1], tf.shape(image)[2]
  side = tf.sqrt(1 - _weight(key, alpha))
  rows = _interval(height, side, keys.uniform(key, 3))
  columns = _interval(width, side, keys.uniform(key, 4))
  inside = rows[:, None] & columns[None, :]
  # The rectangle was cut off at the border: the labels follow what was really pasted.
  pasted = tf.reduce_mean(tf.cast(inside, tf.float32))
  return (
    tf.where(inside[None, :, :, None], tf.roll(image, 1, axis=0), image),
    (1 - pasted) * label + pasted * tf.roll(label, 1, axis=0),
  )


def _interval(length, share, center):
  """Pixels of a side that the rectangle covers, around a random centre."""
  extent = tf.cast(length, tf.float32)
  half = tf.cast(share * extent, tf.int32) // 2
  middle = tf.cast(center * extent, tf.int32)
  pixels = tf.range(length)
  return (pixels >= middle - half) & (pixels < middle + half)


OPS = {'cutmix': cutmix, 'mixup': mixup}
