"""XLA's own convolution, and what follows from any convolution by transposition."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from mobilenet.models.window import Window


def convolve(wanted: str, a: jax.Array, b: jax.Array, window: Window) -> jax.Array:
  """The array in the `wanted` role from the other two: see `window.ROLES`."""
  return by_transposition(_output, wanted, a, b, window)


def by_transposition(
  output: Callable, wanted: str, a: jax.Array, b: jax.Array, window: Window
) -> jax.Array:
  """`convolve` with a function that makes the output of images, kernel and window."""
  if wanted == 'output':
    return output(a, b, window)
  if wanted == 'images':
    of_wanted = lambda images: output(images, a, window)  # noqa: E731
  else:
    of_wanted = lambda kernel: output(a, kernel, window)  # noqa: E731
  return jax.linear_transpose(of_wanted, window.type(wanted, b))(b)[0]


def _output(images, kernel, window):
  padding = window.padding
  if not all(isinstance(pad, int) for axis in padding for pad in axis):
    # The images of an exported program, of any size: XLA wants numbers there.
    images = jnp.pad(images, ((0, 0), *padding, (0, 0)))
    padding = 'VALID'
  return lax.conv_general_dilated(
    images,
    kernel,
    window_strides=(window.stride, window.stride),
    padding=padding,
    rhs_dilation=(window.dilation, window.dilation),
    feature_group_count=window.groups,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )
