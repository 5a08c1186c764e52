"""A student's prepared images, as its teacher wants them.

Both networks then see the same part of the same photo, in the same colours. Only what
is done to pixels last differs between them: the value range, the order of the channels
and the size of the image.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

import input_pipeline
from mobilenet.training.errors import require
from mobilenet.weights.contract import Contract

# Interpolation of a contract -> that of `jax.image.resize`.
_METHODS = {'bilinear': 'linear', 'bicubic': 'cubic', 'nearest': 'nearest'}


class Pixels(NamedTuple):
  """What the last ops of a string do: pixels 0..255 -> pixels * scale + shift.

  scale, shift: float64 (3,), in the order of the channels that the network sees.
  bgr: whether that is blue, green, red.
  """

  scale: np.ndarray
  shift: np.ndarray
  bgr: bool


def pixels_of(ops: str, kind: str) -> Pixels:
  """The value range and the channels that an op string ends with.

  Args:
    ops: of images, without braces.
    kind: 'train' or 'eval'.

  Raises:
    DataError: it cannot be parsed.
  """
  parsed = input_pipeline.parse_ops(ops, kind)
  scale, shift = np.ones(3), np.zeros(3)
  for op in parsed:  # one at most, and it is the last
    if op.name == 'value_range':
      low, high = op.args['low'], op.args['high']
      scale, shift = np.full(3, (high - low) / 255), np.full(3, float(low))
    elif op.name == 'normalize':
      mean, std = np.array(op.args['mean']), np.array(op.args['std'])
      scale, shift = 1 / (255 * std), -mean / std
  return Pixels(scale, shift, sum(op.name == 'bgr' for op in parsed) % 2 == 1)


def conversion(
  student: Pixels, contract: Contract, sizes: tuple[int, int]
) -> Callable[[jax.Array], jax.Array]:
  """A function of a batch of the student's images that gives the teacher's.

  The contract's resize and crop are not applied: the student's ops have chosen the part
  of the photo. Its interpolation, with or without antialiasing, makes the new size.
  Where value range, channels and size are alike, the images stay as they are, to the
  bit.

  Args:
    student: of the student's op string.
    contract: of the teacher.
    sizes: px of the student's images, as far as is known, and of the teacher's.

  Raises:
    TrainingError: the contract resizes in a way that JAX does not have.
  """
  expected, there = sizes

  def method(here: int) -> str:
    require(
      contract.interpolation in _METHODS,
      f'the teacher resizes by {contract.interpolation!r}, which cannot be done to a '
      f'batch of the student; let it see the size of the student: '
      f'--config.teacher.resolution={here}',
    )
    return _METHODS[contract.interpolation]

  if expected != there:
    method(expected)  # raises now, not in the first step
  teacher = pixels_of(contract.normalize_op(), 'eval')
  swap = student.bgr != teacher.bgr
  scale, shift = student.scale, student.shift
  if swap:
    scale, shift = scale[::-1], shift[::-1]
  factor = teacher.scale / scale
  added = teacher.shift - shift * factor
  alike = np.allclose(factor, 1, 0, 1e-12) and np.allclose(added, 0, 0, 1e-12)

  def convert(images: jax.Array) -> jax.Array:
    here = images.shape[1]  # ops may leave another size than the config's
    if here != there:
      images = jax.image.resize(
        images,
        (len(images), there, there, 3),
        method(here),
        antialias=contract.antialias,
      )
    if swap:
      images = images[..., ::-1]
    if not alike:
      images = images * factor.astype(np.float32) + added.astype(np.float32)
    return images

  return convert
