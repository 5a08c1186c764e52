"""Changes of pixels as one program and one pass, in place of one pass for each op."""

import functools
from collections.abc import Callable

import tensorflow as tf


def one_pass(change: Callable) -> Callable:
  """`change(image, *numbers)`, compiled by XLA for images whose size is known.

  TensorFlow goes over all pixels for each op, and bytes one by one; most changes take
  three to eight times as long so. A program is of one size: an image of unknown size
  is changed op by op, with results equal to rounding.
  """
  compiled = tf.function(change, autograph=False, jit_compile=True)

  @functools.wraps(change)
  def changed(image, *numbers):
    if not image.shape.is_fully_defined():
      return change(image, *numbers)
    return compiled(image, *map(tf.convert_to_tensor, numbers))

  return changed
