"""The compiled kernels as JAX functions, and what they can do.

They are for float32 arrays, channels last, in multiples of eight channels, on one CPU
device: over a mesh of several, XLA would gather a sharded batch before a custom call.
No transformation of JAX goes into them: `lowering` and `norm` have the rules.
"""

import ctypes
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.models import sliced
from mobilenet.models.accelerator import build
from mobilenet.models.window import Window

KERNELS = (
  'conv',
  'conv_input_gradient',
  'conv_kernel_gradient',
  'conv_norm',
  'conv_norm_again',
  'conv_norm_again_gradients',
  'depthwise',
  'depthwise_gradients',
  'depthwise_norm',
  'depthwise_norm_gradients',
  'pointwise',
  'pointwise_kernel_gradient',
  'pointwise_norm',
  'pointwise_norm_again',
  'pointwise_norm_again_gradients',
  'pointwise_norm_gradients',
  'norm',
  'norm_gradients',
  'rmsprop',
)
COMPILED_ACTIVATIONS = ('linear', 'relu', 'relu6', 'hard_swish')
# Rows from which x^T g is faster here; on shorter matrices XLA's product is.
LONG = 16_384
# A product is faster here from so many rows on, up to so many weights a row.
FEW, WEIGHTS_A_ROW = 128, 256
# Weights up to which a full convolution and its gradients are faster here than XLA's.
SMALL = 1 << 20
# A convolution with a norm whose output is made again for the gradients: a first layer
# of sums of so few terms, and a pointwise one of two terms for each float of a vector
# and of an output of so many floats, twice as many as it reads.
SHORT, LARGE = 32, 6_000_000


def is_built() -> bool:
  """Whether the accelerator is there for this machine."""
  return build.library_path().exists()


def has_depthwise(window: Window, images: int, dtype) -> bool:
  """Whether a depthwise convolution is compiled: k 3, 5, 7 and stride 1, 2."""
  return (
    (window.is_depthwise and window.kernel in ((3, 3), (5, 5), (7, 7)))
    and (window.stride in (1, 2) and window.dilation == 1 and _is_inside(window))
    and (_is_known(images, *window.image) and _is_plain(dtype, window.channels))
  )


def has_conv(window: Window, images: int, dtype) -> bool:
  """Whether a full convolution is compiled: square, of no more weights than a cache."""
  weights = math.prod(window.shape('kernel', images))
  return (
    (window.groups == 1 and window.kernel[0] == window.kernel[1])
    and (window.dilation == 1 and _is_inside(window) and weights <= SMALL)
    and (_is_known(images, *window.image) and _is_plain(dtype, window.features))
  )


def has_pointwise(window: Window, images: int, dtype) -> bool:
  """Whether the product of all pixels with a (C, O) kernel is compiled: of many."""
  if not (window.groups == 1 and _is_known(images, *window.image)):
    return False
  rows, weights = images * math.prod(window.image), window.channels * window.features
  worth = rows >= FEW and weights <= WEIGHTS_A_ROW * rows
  return worth and _is_plain(dtype, window.channels, window.features)


def has_norm(x: jax.Array, act: str) -> bool:
  """Whether the norm of (..., C), with an activation after it, is compiled."""
  is_known = _is_known(*x.shape)
  return is_known and act in COMPILED_ACTIVATIONS and _is_plain(x.dtype, x.shape[-1])


def is_made_again(window: Window, images: int) -> bool:
  """Whether the output of a convolution with a norm is not kept for the gradients.

  Those are first layers, and what widens large maps: there a sum takes less than to
  write, read and write once more what it makes. A pointwise one's gradients then need
  three products instead of two, so shorter vectors allow of fewer terms: 32 channels
  gain nothing with AVX2 and some with AVX-512.
  """
  if window.groups > 1 or not (is_built() and _is_known(images, *window.image)):
    return False
  terms = math.prod(window.kernel) * window.channels
  if not window.is_pointwise:
    return terms <= SHORT
  floats = images * math.prod(window.image) * window.features
  is_large = floats >= LARGE and window.features >= 2 * window.channels
  return terms <= 2 * _vector() and is_large and window.stride == 1


def _is_inside(window):
  """Whether every window meets the image: no padding as wide as the kernel."""
  return all(0 <= pad < window.kernel[0] for axis in window.padding for pad in axis)


def _is_known(*sizes):
  """Whether there is something, and how much: an exported size may be a symbol."""
  return all(isinstance(size, int) and size > 0 for size in sizes)


def _is_plain(dtype, *channels):
  return dtype == jnp.float32 and all(n % 8 == 0 for n in channels)


def output(
  x: jax.Array, kernel: jax.Array, bias: jax.Array, window: Window, act: str
) -> jax.Array | None:
  """act(convolution of (N, H, W, C) + bias) in one pass; None if it is not compiled.

  A bias of no elements is none; no activation without a bias.
  """
  name = _name(window, x.shape[0], x.dtype)
  if name is None:
    return None
  if name == 'pointwise':
    flat, shape = sliced.pixels(x, window.stride)
    y = pointwise(flat, kernel.reshape(kernel.shape[2:]), bias, act)
    return y.reshape(*shape, window.features)
  out = _like(window.shape('output', x.shape[0]))
  return _call(name, out, x, kernel, bias, **_geometry(window), act=act)


def _name(window: Window, images: int, dtype) -> str | None:
  """Of the kernel that computes a convolution; None if there is none."""
  if window.is_depthwise:
    return 'depthwise' if has_depthwise(window, images, dtype) else None
  if window.is_pointwise:
    return 'pointwise' if has_pointwise(window, images, dtype) else None
  return 'conv' if has_conv(window, images, dtype) else None


def convolve(
  wanted: str, a: jax.Array, b: jax.Array, window: Window
) -> jax.Array | None:
  """As `sliced.convolve`; None if it is not compiled.

  A depthwise convolution's gradients are so together only: `depthwise_gradients`.
  """
  if wanted == 'output':
    return output(a, b, jnp.zeros(0), window, 'linear')
  images = b.shape[0]
  if window.is_depthwise:
    return None
  if window.is_pointwise:
    if not has_pointwise(window, images, b.dtype):
      return None
    gradient = _pointwise_input if wanted == 'images' else _pointwise_kernel
    return gradient(a, b, window)
  if not has_conv(window, images, b.dtype):
    return None
  out = _like(window.shape(wanted, images))
  if wanted == 'kernel':
    return _call('conv_kernel_gradient', out, a, b, **_geometry(window))
  if (
    a.size // window.features % 8
  ):  # the first layer's, which a training does not ask for
    return None
  return _call('conv_input_gradient', out, a, b, **_geometry(window))


def depthwise_gradients(
  x: jax.Array, kernel: jax.Array, g: jax.Array, window: Window
) -> dict[str, jax.Array] | None:
  """Gradients of 'images' and 'kernel' in one pass; None if they are not compiled."""
  if not has_depthwise(window, x.shape[0], x.dtype):
    return None
  out = (_like(x.shape), _like(kernel.shape))
  found = _call('depthwise_gradients', out, x, kernel, g, **_geometry(window))
  return dict(zip(('images', 'kernel'), found, strict=True))


def pointwise(x: jax.Array, kernel: jax.Array, bias: jax.Array, act: str) -> jax.Array:
  """act((N, C) times (C, O), + bias) in one pass; bias and act as in `output`."""
  out = _like((x.shape[0], kernel.shape[1]))
  return _call('pointwise', out, x, kernel, bias, act=act)


def _pointwise_input(kernel, g, window):
  taps = kernel.reshape(kernel.shape[2:])
  flat, _ = sliced.pixels(g, 1)
  taken = pointwise(flat, taps.T, jnp.zeros(0), 'linear')
  take = lambda x: sliced.pixels(x, window.stride)[0]  # noqa: E731
  return jax.linear_transpose(take, window.type('images', g))(taken)[0]


def _pointwise_kernel(x, g, window):
  (flat, _), (flat_g, _) = sliced.pixels(x, window.stride), sliced.pixels(g, 1)
  if flat.shape[0] < LONG:
    taps = flat.T @ flat_g
  else:
    out = _like((window.channels, window.features))
    taps = _call('pointwise_kernel_gradient', out, flat, flat_g)
  return taps.reshape(1, 1, *taps.shape)


def batch_norm(
  x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float, act: str
) -> list[jax.Array]:
  """`norm.batch_norm`: [act(y), mean, variance] of (..., C)."""
  out = (_like(x.shape), _like(scale.shape), _like(scale.shape))
  return _call('norm', out, x, scale, bias, act=act, epsilon=np.float32(epsilon))


def norm_gradients(x, scale, bias, mean, variance, g, epsilon: float, act: str):
  """Gradients [of x, of scale, of bias] from that of act(y)."""
  out = (_like(x.shape), _like(scale.shape), _like(scale.shape))
  arrays = (x, scale, bias, mean, variance, g)
  return _call('norm_gradients', out, *arrays, act=act, epsilon=np.float32(epsilon))


def normalized(
  x: jax.Array,
  kernel: jax.Array,
  scale: jax.Array,
  bias: jax.Array,
  window: Window,
  kept: bool,
  epsilon: float,
  act: str,
) -> list[jax.Array] | None:
  """`batch_norm` of a convolution: [act(y), mean, variance], and its output if kept.

  None if it is not compiled.
  """
  unit = _unit(x, kernel, window, epsilon, act)
  if unit is None:
    return None
  name, images, how = unit
  out = _like(window.shape('output', x.shape[0]))
  outs = (out, _like(scale.shape), _like(scale.shape), *([out] if kept else []))
  again = '' if kept else '_again'
  return _call(f'{name}_norm{again}', outs, *images, scale, bias, **how)


def normalized_gradients(
  wanted, x, kernel, scale, bias, mean, variance, *rest, window, epsilon, act
) -> dict[str, jax.Array] | None:
  """Gradients by name, of 'images', 'kernel', 'scale' and 'bias', from that of act(y).

  `rest` is the convolution's output, if it was kept, and that gradient. None if they
  are not compiled, or others are wanted than all, or all but the images' of a full
  convolution.
  """
  unit = _unit(x, kernel, window, epsilon, act)
  if unit is None:
    return None
  name, images, how = unit
  kept = len(rest) == 2
  arrays = {'images': x, 'kernel': kernel, 'scale': scale, 'bias': bias}
  if name == 'conv':
    del arrays['images']
  if (name == 'conv' and kept) or set(wanted) != set(arrays):
    return None
  outs = tuple(_like(array.shape) for array in arrays.values())
  again = '' if kept else '_again'
  given = (*images, scale, bias, mean, variance, *rest)
  found = _call(f'{name}_norm{again}_gradients', outs, *given, **how)
  return dict(zip(arrays, found, strict=True))


def rmsprop(
  good: jax.Array,
  rate: jax.Array,
  average_decay: jax.Array | float,
  state: tuple[jax.Array, jax.Array],
  gradients: list[jax.Array],
  weights: list[jax.Array],
  averages: list[jax.Array],
  *,
  decay: float,
  momentum: float,
  epsilon: float,
) -> tuple[jax.Array, jax.Array, list[jax.Array], list[jax.Array]]:
  """A step of TensorFlow's RMSprop, as `optimizer` has it: (*state, weights, averages).

  Args:
    good: a bool; if it is false, all stays as it was.
    rate, average_decay: scalars; an average a of w becomes w + average_decay * (a - w).
    state: means of squares, and momentum; a vector each, of all weights in their order.
    gradients, weights, averages: float32, of the same shapes; averages may be [].
  """
  scalars = [jnp.asarray(x, jnp.float32) for x in (good, rate, average_decay)]
  changed = [*weights, *averages]
  outs = [_like(array.shape) for array in (*state, *changed)]
  # Written where they are read: the last arguments, and the state.
  first = len(scalars) + len(state) + len(gradients)
  aliases = {3: 0, 4: 1} | {first + n: 2 + n for n in range(len(changed))}
  arrays = (*scalars, *state, *gradients, *changed)
  how = {'decay': decay, 'momentum': momentum, 'epsilon': epsilon}
  how = {name: np.float32(value) for name, value in how.items()}
  squares, steps, *found = _call('rmsprop', outs, *arrays, aliases=aliases, **how)
  return squares, steps, found[: len(weights)], found[len(weights) :]


def _unit(x, kernel, window, epsilon, act) -> tuple[str, tuple, dict] | None:
  """(name, (x, kernel), attributes) of the kernels for a convolution and its norm.

  None if they are not compiled.
  """
  four = {x.ndim, kernel.ndim} == {4}
  name = _name(window, x.shape[0], x.dtype) if four else None
  is_sliced = name == 'pointwise' and window.stride > 1
  has = act in COMPILED_ACTIVATIONS and _is_plain(x.dtype, window.features)
  if name is None or is_sliced or not has:
    return None
  how = {'act': act, 'epsilon': np.float32(epsilon)}
  if name == 'pointwise':
    flat, _ = sliced.pixels(x, 1)
    return name, (flat, kernel.reshape(kernel.shape[2:])), how
  return name, (x, kernel), how | _geometry(window)


def _like(shape):
  return jax.ShapeDtypeStruct(shape, jnp.float32)


def _geometry(window):
  (top, _), (left, _) = window.padding
  return {
    'stride': np.int64(window.stride),
    'top': np.int64(top),
    'left': np.int64(left),
  }


def _call(name, out, *arrays, aliases=None, **attributes):
  """aliases: argument -> the result that is written over it."""
  register()
  call = jax.ffi.ffi_call(f'mobilenet_{name}', out, input_output_aliases=aliases)
  return call(*arrays, **attributes)


def _vector() -> int:
  """Floats in the accelerator's vectors."""
  return ctypes.c_int.in_dll(_library(), 'mobilenet_vector').value


@functools.cache
def register() -> None:
  """Makes the kernels known to XLA, once a process."""
  library = _library()
  for name in KERNELS:
    handler = jax.ffi.pycapsule(getattr(library, f'mobilenet_{name}'))
    jax.ffi.register_ffi_target(f'mobilenet_{name}', handler, platform='cpu')


@functools.cache
def _library() -> ctypes.CDLL:
  path = build.library_path()
  if not path.exists():
    raise build.AcceleratorError(
      f"lowering='compiled' needs the accelerator, which is not built: {build.COMMAND}"
    )
  return ctypes.CDLL(str(path))
