"""How XLA is asked for a convolution: one function, a lowering per backend and shape.

`native` is XLA's own convolution operator: what GPUs and TPUs have kernels for and what
an exporter recognises. `sliced` is for CPUs, where XLA's grouped convolution runs tens
of times slower than memory allows: a depthwise convolution becomes a sum of shifted,
strided slices, its gradients become sums of the same kind, and a pointwise convolution
becomes a matrix product, a grouped one a product per group; a full convolution stays
XLA's own, except on maps smaller than its kernel. `compiled` is `sliced` with the
convolutions and norms of the optional accelerator, where it has them.
Parameters, names and numbers do not depend on the choice.

Kernels are HWIO throughout: (k, k, C, O) full, (1, 1, C, O) pointwise, (k, k, C / g, O)
in g groups, (k, k, 1, C) depthwise.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from mobilenet.models import sliced
from mobilenet.models.accelerator import kernels
from mobilenet.models.activations import ACTIVATIONS
from mobilenet.models.sliced import Pads

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
      return sliced.depthwise(x, kernel, stride, padding, dilation)
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
    x = sliced.window(x, 0, 0, rows, columns, stride)
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
  rows, columns = sliced.output_size(padded, kernel, stride, dilation)
  taps = [
    sliced.window(padded, i * dilation, j * dilation, rows, columns, stride)
    for i in range(kernel.shape[0])
    for j in range(kernel.shape[1])
  ]
  flat = kernel.reshape(-1, kernel.shape[3])
  return _products(jnp.concatenate(taps, axis=3), flat, groups=1)
