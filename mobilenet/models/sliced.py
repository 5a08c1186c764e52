"""Convolutions as slices, sums and products: `lowering`'s way on CPUs.

A depthwise convolution is a sum of shifted slices, its gradients are sums of the same
kind. Sums are kept in float32, whatever the type of the images. The padded input is
written out once and read k * k times: fusing the padding into every tap costs a
comparison per element and is 2 to 10 times slower.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from mobilenet.models import native
from mobilenet.models.window import Pads, Window, is_smaller


def convolve(wanted: str, a: jax.Array, b: jax.Array, window: Window) -> jax.Array:
  """The array in the `wanted` role from the other two: see `window.ROLES`."""
  if window.is_depthwise:
    geometry = (window.stride, window.padding, window.dilation)
    if wanted == 'output':
      return depthwise(a, b, *geometry)
    if wanted == 'images':
      shape = window.shape('images', b.shape[0])
      return _input_gradient(b, a, shape, *geometry).astype(b.dtype)
    shape = window.shape('kernel', b.shape[0])
    return _kernel_gradient(a, b, shape, *geometry).astype(b.dtype)
  if window.is_pointwise:
    return native.by_transposition(_products, wanted, a, b, window)
  if window.groups == 1 and is_smaller(window.image, max(window.kernel)):
    # On maps smaller than the kernel XLA's own is up to eighty times slower.
    return native.by_transposition(_patches, wanted, a, b, window)
  return native.convolve(wanted, a, b, window)


def pixels(x: jax.Array, stride: int) -> tuple[jax.Array, tuple[int, ...]]:
  """Each `stride`-th pixel of (N, H, W, C): a matrix of C columns, and (N, H', W')."""
  if stride > 1:
    rows, columns = (-(-n // stride) for n in x.shape[1:3])
    x = _window(x, 0, 0, rows, columns, stride)
  return lax.reshape(x, (math.prod(x.shape[:3]), x.shape[3])), x.shape[:3]


def _products(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
  """A pointwise convolution as one matrix product a group; kernel (1, 1, C / g, O).

  Flat on purpose: the same product over four dimensions is several times slower, and
  so is one batched product over the groups, whose operands XLA transposes first.
  """
  flat, shape = pixels(x, window.stride)
  parts = zip(
    jnp.split(flat, window.groups, axis=1),
    jnp.split(lax.reshape(kernel, kernel.shape[2:]), window.groups, axis=1),
    strict=True,
  )
  product = jnp.concatenate([part @ taps for part, taps in parts], axis=1)
  return lax.reshape(product, (*shape, kernel.shape[3]))


def _patches(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
  """A full convolution as one product of all patches, written out, with the kernel."""
  padded = jnp.pad(x, ((0, 0), *window.padding, (0, 0)))
  taps = [
    _window(
      padded, i * window.dilation, j * window.dilation, *window.output, window.stride
    )
    for i in range(kernel.shape[0])
    for j in range(kernel.shape[1])
  ]
  flat, shape = pixels(jnp.concatenate(taps, axis=3), 1)
  return lax.reshape(
    flat @ kernel.reshape(-1, kernel.shape[3]), (*shape, kernel.shape[3])
  )


def depthwise(
  x: jax.Array, kernel: jax.Array, stride: int, padding: Pads, dilation: int = 1
) -> jax.Array:
  """Depthwise convolution of (N, H, W, C) with (k, k, 1, C), without a convolution."""
  padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
  rows, columns = _output_size(padded, kernel, stride, dilation)
  taps = _taps(kernel, (x.shape[0], rows, columns, x.shape[3]))
  total = None
  for i in range(kernel.shape[0]):
    for j in range(kernel.shape[1]):
      part = _window(padded, i * dilation, j * dilation, rows, columns, stride)
      total = _add_product(total, part, taps[i][j])
  return total.astype(x.dtype)


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
          part = _window(padded, top + borders[0][0], left + borders[1][0], *sizes, 1)
          total = _add_product(total, part, kernel_taps[i][j])
      # No tap at all where a stride skips the pixels.
      row.append(jnp.zeros(whole, g.dtype) if total is None else total.astype(g.dtype))
    phases.append(row)
  if stride == 1:
    return phases[0][0]
  interleaved = jnp.stack([jnp.stack(row, axis=3) for row in phases], axis=2)
  dense = lax.collapse(lax.collapse(interleaved, 3, 5), 1, 3)
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

  # Like g: on a mesh it has the same axes, as the sums will have.
  zero = lax.full_like(lax.index_in_dim(g, 0, axis=1, keepdims=False), 0, jnp.float32)
  sums = lax.fori_loop(0, rows, add_row, (zero,) * len(taps))
  return jnp.stack([jnp.sum(s, axis=(0, 1)) for s in sums]).reshape(shape)


def _output_size(padded, kernel, stride: int, dilation: int) -> tuple[int, int]:
  """(rows, columns) that a kernel makes of a padded map."""
  rows, columns = (
    (padded.shape[1 + axis] - (kernel.shape[axis] - 1) * dilation - 1) // stride + 1
    for axis in (0, 1)
  )
  return rows, columns


def _window(x, top, left, rows, columns, stride):
  """Every `stride`-th pixel of x from (top, left) on: (N, rows, columns, C)."""
  last_row, last_column = top + (rows - 1) * stride, left + (columns - 1) * stride
  return lax.slice(
    x,
    (0, top, left, 0),
    (x.shape[0], last_row + 1, last_column + 1, x.shape[3]),
    (1, stride, stride, 1),
  )
