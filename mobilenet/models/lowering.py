"""Which way XLA is asked for a convolution or a norm: a lowering a platform.

`native` is XLA's own convolution operator: what GPUs and TPUs have kernels for and what
an exporter recognises. `sliced` is for CPUs, where XLA's grouped convolution runs tens
of times slower than memory allows: a depthwise convolution becomes a sum of shifted,
strided slices, its gradients become sums of the same kind, and a pointwise convolution
becomes a matrix product, a grouped one a product per group; a full convolution stays
XLA's own, except on maps smaller than its kernel. `compiled` is `sliced` with the
convolutions and norms of the optional accelerator, where it has them. `auto` is decided
when a program is compiled, for the platform that it is compiled for.
Parameters, names and numbers do not depend on the choice.
"""

from collections.abc import Sequence

import jax
from jax.core import max_dim

from mobilenet.models.accelerator import build, kernels
from mobilenet.models.operations import Target
from mobilenet.models.window import Pads

# What each platform measures best; one that is not named gets 'native'. On a GPU that
# is faster by a third (docs/gpu.md). On a TPU it moves a third to a half fewer bytes,
# by XLA's count (docs/scaling.md).
PER_BACKEND = {'cpu': 'sliced'}
LOWERINGS = ('auto', 'native', 'sliced', 'compiled')
RULES = ('tf', 'torch', 'valid', 'keras_v1', 'ceil')  # of padding, see `pads`


def check(lowering: str) -> str:
  """A lowering's name, if there is such a lowering and what it needs.

  Raises:
    ValueError: there is no such lowering.
    AcceleratorError: 'compiled' where the accelerator is not built.
  """
  if lowering not in LOWERINGS:
    raise ValueError(f'lowering {lowering!r} is none of {", ".join(LOWERINGS)}')
  if lowering == 'compiled':
    kernels.register()
  return lowering


def choose(lowering: str, target: Target | None = None) -> str:
  """The lowering that `auto` stands for on a target, or the one named.

  `auto` is 'compiled' where the accelerator is built and the CPU is a single device:
  custom calls are not split over a mesh. A program that is exported, for machines that
  have no such library, gets the best of XLA's own.

  Args:
    target: what is compiled for; None for the default backend.

  Raises:
    AcceleratorError: 'compiled' for another platform than a CPU.
  """
  target = target or Target(jax.default_backend())
  if lowering == 'compiled' and target.platform != 'cpu':
    raise build.AcceleratorError(
      "lowering='compiled' is for CPUs, and this program is for another platform: "
      "lowering='auto' suits each"
    )
  if lowering != 'auto':
    return lowering
  on_one_cpu = target.platform == 'cpu' and jax.device_count('cpu') == 1
  if on_one_cpu and not target.portable and kernels.is_built():
    return 'compiled'
  return without_accelerator(target)


def without_accelerator(target: Target | None = None) -> str:
  """What measures best of XLA's own on a target; None for the default backend."""
  target = target or Target(jax.default_backend())
  return PER_BACKEND.get(target.platform, 'native')


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
    total = [max_dim((-(-n // stride) - 1) * stride + reach + 1 - n, 0) for n in size]
    return tuple((t // 2, t - t // 2) for t in total)
  if rule == 'torch':
    return ((reach // 2, reach // 2),) * 2
  if rule == 'valid':
    return ((0, 0), (0, 0))
  if rule == 'keras_v1':
    return pads(size, kernel, stride, 'tf') if stride == 1 else ((0, 1), (0, 1))
  if rule == 'ceil':
    return tuple((0, -(n - reach - 1) % stride) for n in size)
  raise ValueError(f'padding rule {rule!r} is none of {", ".join(RULES)}')
