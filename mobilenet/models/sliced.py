"""The depthwise convolution as shifted slices: `lowering`'s way on CPUs.

Sums are kept in float32, whatever the type of the images. The padded input is written
out once and read k * k times: fusing the padding into every tap costs a comparison per
element and is 2 to 10 times slower.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

Pads = tuple[tuple[int, int], tuple[int, int]]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def depthwise(
  x: jax.Array, kernel: jax.Array, stride: int, padding: Pads, dilation: int = 1
) -> jax.Array:
  """Depthwise convolution of (N, H, W, C) with (k, k, 1, C), without a convolution."""
  padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
  rows, columns = output_size(padded, kernel, stride, dilation)
  taps = _taps(kernel, (x.shape[0], rows, columns, x.shape[3]))
  total = None
  for i in range(kernel.shape[0]):
    for j in range(kernel.shape[1]):
      part = window(padded, i * dilation, j * dilation, rows, columns, stride)
      total = _add_product(total, part, taps[i][j])
  return total.astype(x.dtype)


def _forward(x, kernel, stride, padding, dilation):
  return depthwise(x, kernel, stride, padding, dilation), (x, kernel)


def _backward(stride, padding, dilation, residuals, g):
  x, kernel = residuals
  return (
    _input_gradient(g, kernel, x.shape, stride, padding, dilation).astype(x.dtype),
    _kernel_gradient(x, g, kernel.shape, stride, padding, dilation).astype(
      kernel.dtype
    ),
  )


depthwise.defvjp(_forward, _backward)


def _taps(kernel, shape):
  """The kernel (k, k, 1, C) as float32 arrays [row][column] of `shape`.

  Here and in the sums `lax` is called directly: jax.numpy's operators are functions
  that JAX traces anew at every use, thousands of them in a network's gradient.
  """
  values = kernel.astype(jnp.float32)
  rows, columns, _, channels = kernel.shape
  return [
    [
      lax.broadcast_in_dim(
        lax.slice(values, (i, j, 0, 0), (i + 1, j + 1, 1, channels)), shape, range(4)
      )
      for j in range(columns)
    ]
    for i in range(rows)
  ]


def _add_product(total, values, taps):
  """total + values * taps in float32; the product alone where there is no total."""
  product = lax.mul(lax.convert_element_type(values, jnp.float32), taps)
  return product if total is None else lax.add(total, product)


def _input_gradient(g, kernel, shape, stride, padding, dilation):
  """Gathers g instead of scattering it: each phase of the stride is a plain sum.

  Input row y receives output row o through tap i where o * stride + i * dilation
  == y + top. Rows of one phase y % stride meet the same taps, so that no multiplication
  is spent on the zeros between strided gradients.
  """
  sizes = [-(-shape[1 + axis] // stride) for axis in (0, 1)]
  taps = [
    [
      [
        (i, (phase + padding[axis][0] - i * dilation) // stride)
        for i in range(kernel.shape[axis])
        if (phase + padding[axis][0] - i * dilation) % stride == 0
      ]
      for phase in range(stride)
    ]
    for axis in (0, 1)
  ]
  # One padded copy of g that every phase and tap can slice.
  borders = []
  for axis in (0, 1):
    offsets = [offset for phase in taps[axis] for _, offset in phase]
    low = max(0, -min(offsets))
    high = max(0, max(offsets) + sizes[axis] - g.shape[1 + axis])
    borders.append((low, high))
  padded = jnp.pad(g, ((0, 0), *borders, (0, 0)))
  whole = (shape[0], *sizes, shape[3])
  kernel_taps = _taps(kernel, whole)
  phases = []
  for row_taps in taps[0]:
    row = []
    for column_taps in taps[1]:
      total = None
      for i, top in row_taps:
        for j, left in column_taps:
          part = window(padded, top + borders[0][0], left + borders[1][0], *sizes, 1)
          total = _add_product(total, part, kernel_taps[i][j])
      # No tap at all where a stride skips the pixels.
      row.append(jnp.zeros(whole, g.dtype) if total is None else total.astype(g.dtype))
    phases.append(row)
  if stride == 1:
    return phases[0][0]
  interleaved = jnp.stack([jnp.stack(row, axis=3) for row in phases], axis=2)
  dense = interleaved.reshape(shape[0], sizes[0] * stride, sizes[1] * stride, shape[3])
  return dense[:, : shape[1], : shape[2]]


def _kernel_gradient(x, g, shape, stride, padding, dilation):
  """Loops over output rows with k * k running sums of shape (N, columns, C).

  Summing the product of two slices at once is what the formula says, but XLA does not
  vectorise a reduction fused with it; the running sums are element-wise and are reduced
  once at the end. The batch stays whole, so that a sharded batch stays sharded.
  """
  padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
  rows, columns, channels = g.shape[1:]
  taps = [(i, j) for i in range(shape[0]) for j in range(shape[1])]

  def add_row(y, sums):
    gradient = lax.dynamic_index_in_dim(g, y, axis=1, keepdims=False)
    gradient = gradient.astype(jnp.float32)
    inputs = [
      lax.dynamic_index_in_dim(padded, y * stride + i * dilation, 1, keepdims=False)
      for i in range(shape[0])
    ]
    sums = list(sums)
    for n, (i, j) in enumerate(taps):
      left = j * dilation
      pixels = lax.slice(
        inputs[i],
        (0, left, 0),
        (x.shape[0], left + (columns - 1) * stride + 1, channels),
        (1, stride, 1),
      )
      sums[n] = _add_product(sums[n], pixels, gradient)
    return tuple(sums)

  zero = jnp.zeros((x.shape[0], columns, channels), jnp.float32)
  sums = lax.fori_loop(0, rows, add_row, (zero,) * len(taps))
  return jnp.stack([jnp.sum(s, axis=(0, 1)) for s in sums]).reshape(shape)


def output_size(padded, kernel, stride: int, dilation: int) -> tuple[int, int]:
  """(rows, columns) that a kernel makes of a padded map."""
  rows, columns = (
    (padded.shape[1 + axis] - (kernel.shape[axis] - 1) * dilation - 1) // stride + 1
    for axis in (0, 1)
  )
  return rows, columns


def window(x, top, left, rows, columns, stride):
  """Every `stride`-th pixel of x from (top, left) on: (N, rows, columns, C)."""
  last_row, last_column = top + (rows - 1) * stride, left + (columns - 1) * stride
  return lax.slice(
    x,
    (0, top, left, 0),
    (x.shape[0], last_row + 1, last_column + 1, x.shape[3]),
    (1, stride, stride, 1),
  )
