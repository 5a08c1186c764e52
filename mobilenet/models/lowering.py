"""How XLA is asked for a convolution: one function, a lowering per backend and shape.

`native` is XLA's own convolution operator: what GPUs and TPUs have kernels for and what
an exporter recognises. `sliced` is for CPUs, where XLA's grouped convolution runs tens
of times slower than memory allows: a depthwise convolution becomes a sum of shifted,
strided slices, its gradients become sums of the same kind, and a pointwise convolution
becomes a matrix product, a grouped one a product per group; a full convolution stays
XLA's own, except on maps smaller than its kernel. `compiled` is `sliced` with the
depthwise and pointwise convolutions, and the norms, of the optional accelerator.
Parameters, names and numbers do not depend on the choice.

Kernels are HWIO throughout: (k, k, C, O) full, (1, 1, C, O) pointwise, (k, k, C / g, O)
in g groups, (k, k, 1, C) depthwise.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from mobilenet.models.accelerator import kernels
from mobilenet.models.activations import ACTIVATIONS

Pads = tuple[tuple[int, int], tuple[int, int]]

# What each backend measures best; a backend that is not named gets 'native'.
PER_BACKEND = {'cpu': 'sliced'}
LOWERINGS = ('auto', 'native', 'sliced', 'compiled')


def choose(lowering: str) -> str:
  """The lowering that `auto` stands for on the default backend, or the one named.

  `auto` is 'compiled' where the accelerator is built and the CPU is a single device:
  custom calls are not split over a mesh.
  """
  if lowering not in LOWERINGS:
    raise ValueError(f'lowering {lowering!r} is none of {", ".join(LOWERINGS)}')
  if lowering != 'auto':
    return lowering
  on_one_cpu = jax.default_backend() == 'cpu' and jax.device_count() == 1
  if on_one_cpu and kernels.is_built():
    return 'compiled'
  return without_accelerator()


def without_accelerator() -> str:
  """What measures best of XLA's own on the default backend."""
  return PER_BACKEND.get(jax.default_backend(), 'native')


def pads(
  size: Sequence[int], kernel: int, stride: int, rule: str | int, dilation: int = 1
) -> Pads:
  """Padding ((top, bottom), (left, right)) of a (height, width) under a rule.

  `tf` is TensorFlow's SAME: at stride 2 an even input is padded on the bottom and right
  only. `torch` is PyTorch's symmetric (k - 1) / 2. Output sizes of these two agree;
  pixels do not, and imported weights lose accuracy with the wrong one. `valid` is none,
  `ceil` none but what completes a last window (Caffe's), a number that many pixels.
  `keras_v1` is what keras.applications.MobileNet has at its strided depthwise layers:
  one pixel below and on the right, which differs from SAME at odd sizes.
  """
  reach = (kernel - 1) * dilation
  if isinstance(rule, int):
    return ((rule, rule),) * 2
  if rule == 'tf':
    total = [max((-(-n // stride) - 1) * stride + reach + 1 - n, 0) for n in size]
    return tuple((t // 2, t - t // 2) for t in total)
  if rule == 'torch':
    return ((reach // 2, reach // 2),) * 2
  if rule == 'valid':
    return ((0, 0), (0, 0))
  if rule == 'keras_v1':
    return pads(size, kernel, stride, 'tf') if stride == 1 else ((0, 1), (0, 1))
  if rule == 'ceil':
    return tuple((0, -(n - reach - 1) % stride) for n in size)
  raise ValueError(f"padding rule {rule!r} is none of 'tf', 'torch', 'valid', 'ceil'")


def conv(
  x: jax.Array,
  kernel: jax.Array,
  *,
  stride: int = 1,
  padding: Pads = ((0, 0), (0, 0)),
  dilation: int = 1,
  groups: int = 1,
  bias: jax.Array | None = None,
  act: str = 'linear',
  lowering: str = 'auto',
) -> jax.Array:
  """Convolves images (N, H, W, C) with an HWIO kernel; returns (N, H', W', O).

  `bias` (O,) is added, then the activation `act` is applied; a compiled convolution
  does so before it writes a result down.
  """
  chosen = choose(lowering)
  window = (stride, padding, dilation)
  if chosen == 'compiled':
    finish = () if bias is None else bias.astype(jnp.float32)
    inside = act if len(finish) and act in kernels.COMPILED_ACTIVATIONS else 'linear'
    y = _compiled(x, kernel, *window, groups, jnp.asarray(finish, jnp.float32), inside)
    if y is not None:
      return y if inside == act else ACTIVATIONS[act](y)
  y = _linear(x, kernel, *window, groups, chosen)
  if bias is not None:
    y += bias.astype(y.dtype)
  return ACTIVATIONS[act](y)


def _is_depthwise(x, kernel, groups: int) -> bool:
  return kernel.shape[2] == 1 and groups == x.shape[3] == kernel.shape[3]


def _is_pointwise(kernel, padding) -> bool:
  return kernel.shape[:2] == (1, 1) and padding == ((0, 0), (0, 0))


def _compiled(x, kernel, stride, padding, dilation, groups, bias, act):
  """What the accelerator has a kernel for; None if it has not."""
  if _is_depthwise(x, kernel, groups):
    if kernels.has_depthwise(x, kernel, stride, padding, dilation):
      return kernels.depthwise(x, kernel, bias, stride, padding, act)
  elif groups == 1 and _is_pointwise(kernel, padding):
    taps = lax.reshape(kernel, kernel.shape[2:])
    if kernels.has_pointwise(x, taps):
      flat, shape = _pixels(x, stride)
      y = kernels.pointwise(flat, taps, bias, act)
      return lax.reshape(y, (*shape, y.shape[1]))
  elif groups == 1 and kernels.has_conv(x, kernel, stride, padding, dilation):
    return kernels.conv(x, kernel, bias, stride, padding, act)
  return None


def _linear(x, kernel, stride, padding, dilation, groups, chosen):
  if chosen != 'native':
    if _is_depthwise(x, kernel, groups):
      return sliced_depthwise(x, kernel, stride, padding, dilation)
    if _is_pointwise(kernel, padding):
      return _products(x, lax.reshape(kernel, kernel.shape[2:]), groups, stride)
    if groups == 1 and min(x.shape[1:3]) < max(kernel.shape[:2]):
      # On maps smaller than the kernel XLA's own is up to eighty times slower.
      return _patches(x, kernel, stride, padding, dilation)
  return lax.conv_general_dilated(
    x,
    kernel,
    window_strides=(stride, stride),
    padding=padding,
    rhs_dilation=(dilation, dilation),
    feature_group_count=groups,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _pixels(x: jax.Array, stride: int) -> tuple[jax.Array, tuple[int, ...]]:
  """Each `stride`-th pixel of (N, H, W, C): a matrix of C columns, and (N, H', W')."""
  if stride > 1:
    rows, columns = (-(-n // stride) for n in x.shape[1:3])
    x = _window(x, 0, 0, rows, columns, stride)
  return lax.reshape(x, (math.prod(x.shape[:3]), x.shape[3])), x.shape[:3]


def _products(
  x: jax.Array, kernel: jax.Array, groups: int, stride: int = 1
) -> jax.Array:
  """A pointwise convolution as one matrix product a group; kernel (C / groups, O).

  Flat on purpose: the same product over four dimensions is several times slower, and
  so is one batched product over the groups, whose operands XLA transposes first.
  """
  flat, shape = _pixels(x, stride)
  parts = zip(
    jnp.split(flat, groups, axis=1), jnp.split(kernel, groups, axis=1), strict=True
  )
  product = jnp.concatenate([part @ taps for part, taps in parts], axis=1)
  return lax.reshape(product, (*shape, kernel.shape[1]))


def _patches(x, kernel, stride: int, padding: Pads, dilation: int) -> jax.Array:
  """A full convolution as one product of all patches, written out, with the kernel."""
  padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
  rows, columns = _output_size(padded, kernel, stride, dilation)
  taps = [
    _window(padded, i * dilation, j * dilation, rows, columns, stride)
    for i in range(kernel.shape[0])
    for j in range(kernel.shape[1])
  ]
  flat = kernel.reshape(-1, kernel.shape[3])
  return _products(jnp.concatenate(taps, axis=3), flat, groups=1)


def _output_size(padded, kernel, stride: int, dilation: int) -> tuple[int, int]:
  """(rows, columns) that a kernel makes of a padded map."""
  rows, columns = (
    (padded.shape[1 + axis] - (kernel.shape[axis] - 1) * dilation - 1) // stride + 1
    for axis in (0, 1)
  )
  return rows, columns


# The depthwise convolution as shifted slices. Sums are kept in float32, whatever the
# type of the images. The padded input is written out once and read k * k times: fusing
# the padding into every tap costs a comparison per element and is 2 to 10 times slower.


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def sliced_depthwise(
  x: jax.Array, kernel: jax.Array, stride: int, padding: Pads, dilation: int = 1
) -> jax.Array:
  """Depthwise convolution of (N, H, W, C) with (k, k, 1, C), without a convolution."""
  padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
  rows, columns = _output_size(padded, kernel, stride, dilation)
  taps = _taps(kernel, (x.shape[0], rows, columns, x.shape[3]))
  total = None
  for i in range(kernel.shape[0]):
    for j in range(kernel.shape[1]):
      window = _window(padded, i * dilation, j * dilation, rows, columns, stride)
      total = _add_product(total, window, taps[i][j])
  return total.astype(x.dtype)


def _forward(x, kernel, stride, padding, dilation):
  return sliced_depthwise(x, kernel, stride, padding, dilation), (x, kernel)


def _backward(stride, padding, dilation, residuals, g):
  x, kernel = residuals
  return (
    _input_gradient(g, kernel, x.shape, stride, padding, dilation).astype(x.dtype),
    _kernel_gradient(x, g, kernel.shape, stride, padding, dilation).astype(
      kernel.dtype
    ),
  )


sliced_depthwise.defvjp(_forward, _backward)


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


def _window(x, top, left, rows, columns, stride):
  """Every `stride`-th pixel of x from (top, left) on: (N, rows, columns, C)."""
  last_row, last_column = top + (rows - 1) * stride, left + (columns - 1) * stride
  return lax.slice(
    x,
    (0, top, left, 0),
    (x.shape[0], last_row + 1, last_column + 1, x.shape[3]),
    (1, stride, stride, 1),
  )


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
          window = _window(padded, top + borders[0][0], left + borders[1][0], *sizes, 1)
          total = _add_product(total, window, kernel_taps[i][j])
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
