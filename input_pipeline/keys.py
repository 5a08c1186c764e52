"""Random keys: every draw is a pure function of a seed, a purpose, and a position.

A key is an int64 pair for `tf.random.stateless_*`. The first number holds (seed,
purpose, epoch), the second (position, op, draw), each in bits of its own: two different
draws never share a key, and no op is spent on hashing them.
"""

import hashlib

import tensorflow as tf

_OP = 8  # bits for the draws of one op
_POSITION = 16  # bits for the ops of one example: 256 ops of 256 draws


def named_seed(seed: int, *names) -> int:
  """A 32-bit number from a seed and the names of what it is for."""
  text = '/'.join(str(part) for part in (seed, *names))
  return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], 'big')


def position_key(base: int, epoch, position):
  """Key, int64 (2,), of one example or batch; `base` is a `named_seed`."""
  first = (base << 31) + tf.cast(epoch, tf.int64)
  return tf.stack([first, tf.cast(position, tf.int64) * 2**_POSITION])


def op_key(key, number: int):
  """Key of the `number`-th op of the example."""
  return _shifted(key, number << _OP)


def uniform(key, draw: int, low=0.0, high=1.0, shape=(), dtype=tf.float32):
  """The `draw`-th uniform draw of an op, from low (inclusive) to high (exclusive)."""
  return tf.random.stateless_uniform(shape, _shifted(key, draw), low, high, dtype)


def normal(key, draw: int, shape=()):
  """The `draw`-th draw of an op, standard normal."""
  return tf.random.stateless_normal(shape, _shifted(key, draw))


def random_bytes(key, draw: int, shape):
  """The `draw`-th draw of an op, uint8 of a shape: four of them are one of int32."""
  number = tf.reduce_prod(shape)
  drawn = tf.random.stateless_uniform(
    [(number + 3) // 4], _shifted(key, draw), None, None, tf.int32
  )
  return tf.reshape(tf.reshape(tf.bitcast(drawn, tf.uint8), [-1])[:number], shape)


def _shifted(key, by):
  """Without an op where there is nothing to add: every op costs about a microsecond."""
  return key + tf.constant([0, by], tf.int64) if by else key
