"""The compiled kernels as JAX functions with gradients, and what they can do.

They are for float32 arrays, channels last, in multiples of eight channels, on one CPU
device: over a mesh of several, XLA would gather a sharded batch before a custom call.
"""

import ctypes
import functools

import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.models.accelerator import build
from mobilenet.models.activations import ACTIVATIONS

KERNELS = (
  'conv',
  'conv_input_gradient',
  'conv_kernel_gradient',
  'depthwise',
  'depthwise_gradients',
  'pointwise',
  'pointwise_kernel_gradient',
  'norm',
  'norm_gradients',
)
COMPILED_ACTIVATIONS = ('linear', 'relu', 'relu6', 'hard_swish')
# Rows from which x^T g is faster here; on shorter matrices XLA's product is.
LONG = 16_384
# A product is faster here from so many rows on, up to so many weights a row.
FEW, WEIGHTS_A_ROW = 128, 256
# Weights up to which a full convolution and its gradients are faster here than XLA's.
SMALL = 1 << 20


def is_built() -> bool:
  """Whether the accelerator is there for this machine."""
  return build.library_path().exists()


def has_depthwise(x: jax.Array, kernel: jax.Array, stride: int, padding, dilation: int):
  """Whether a depthwise convolution is compiled: k 3, 5, 7 and stride 1, 2."""
  return (
    (_is_square(kernel) and len(kernel) in (3, 5, 7))
    and (stride in (1, 2) and dilation == 1 and _is_inside(kernel, padding))
    and (_is_plain(x) and _is_plain(kernel))
  )


def has_conv(x: jax.Array, kernel: jax.Array, stride: int, padding, dilation: int):
  """Whether a full convolution is compiled: square, of no more weights than a cache."""
  return (
    (_is_square(kernel) and dilation == 1 and kernel.size <= SMALL)
    and (_is_inside(kernel, padding) and x.dtype == jnp.float32)
    and _is_plain(kernel)
  )


def has_pointwise(x: jax.Array, kernel: jax.Array) -> bool:
  """Whether the product of (..., C) with (C, O) is compiled: of many rows."""
  rows = x.size // max(x.shape[-1], 1)
  worth = rows >= FEW and kernel.size <= WEIGHTS_A_ROW * rows
  return worth and _is_plain(x) and _is_plain(kernel)


def has_norm(x: jax.Array, act: str) -> bool:
  """Whether the norm of (..., C), with an activation after it, is compiled."""
  return act in COMPILED_ACTIVATIONS and _is_plain(x)


def _is_square(kernel):
  return kernel.shape[0] == kernel.shape[1]


def _is_inside(kernel, padding):
  """Whether every window meets the image: no padding as wide as the kernel."""
  return all(0 <= pad < len(kernel) for axis in padding for pad in axis)


def _is_plain(x):
  return x.dtype == jnp.float32 and x.shape[-1] % 8 == 0 and x.size > 0


def _forward(run):
  """The forward pass of a convolution: it keeps what its activation is given."""

  def forward(x, kernel, bias, *options):
    *window, act = options
    z = run(x, kernel, bias, *window, 'linear')
    return ACTIVATIONS[act](z), (x, kernel, bias, z if act != 'linear' else None)

  return forward


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def depthwise(
  x: jax.Array, kernel: jax.Array, bias: jax.Array, stride: int, padding, act: str
) -> jax.Array:
  """act(depthwise convolution of (N, H, W, C) with (k, k, 1, C), + bias) in one pass.

  A bias of no elements is none; no activation without a bias.
  """
  out = _like(_output_shape(x, kernel, stride, padding))
  return _call('depthwise', out, x, kernel, bias, **_window(stride, padding), act=act)


def _depthwise_backward(stride, padding, act, residuals, g):
  x, kernel, bias, z = residuals
  g, d_bias = _before_activation(act, z, bias, g)
  out = (_like(x.shape), _like(kernel.shape))
  window = _window(stride, padding)
  return *_call('depthwise_gradients', out, x, kernel, g, **window), d_bias


depthwise.defvjp(_forward(depthwise), _depthwise_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def conv(
  x: jax.Array, kernel: jax.Array, bias: jax.Array, stride: int, padding, act: str
) -> jax.Array:
  """act(full convolution of (N, H, W, C) with (k, k, C, O), + bias) in one pass.

  Bias and act as in `depthwise`.
  """
  out = _like(_output_shape(x, kernel, stride, padding))
  return _call('conv', out, x, kernel, bias, **_window(stride, padding), act=act)


def _conv_backward(stride, padding, act, residuals, g):
  x, kernel, bias, z = residuals
  g, d_bias = _before_activation(act, z, bias, g)
  window = _window(stride, padding)
  if kernel.size // kernel.shape[3] % 8 == 0:
    dx = _call('conv_input_gradient', _like(x.shape), kernel, g, **window)
  else:  # the first layer's, which a training does not ask for
    dx = jax.linear_transpose(
      lambda x: jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC')
      ),
      x,
    )(g)[0]
  return dx, _call('conv_kernel_gradient', _like(kernel.shape), x, g, **window), d_bias


conv.defvjp(_forward(conv), _conv_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def pointwise(x: jax.Array, kernel: jax.Array, bias: jax.Array, act: str) -> jax.Array:
  """act((N, C) times (C, O), + bias) in one pass; bias and act as in `depthwise`."""
  out = _like((x.shape[0], kernel.shape[1]))
  return _call('pointwise', out, x, kernel, bias, act=act)


def _pointwise_backward(act, residuals, g):
  x, kernel, bias, z = residuals
  g, d_bias = _before_activation(act, z, bias, g)
  dx = pointwise(g, kernel.T, jnp.zeros(0), 'linear')
  if x.shape[0] < LONG:
    return dx, x.T @ g, d_bias
  return dx, _call('pointwise_kernel_gradient', _like(kernel.shape), x, g), d_bias


pointwise.defvjp(_forward(pointwise), _pointwise_backward)


def _before_activation(act, z, bias, g):
  """Gradients of what the activation was given, and of the bias."""
  if z is not None:
    g = jax.vjp(ACTIVATIONS[act], z)[1](g)[0]
  return g, jnp.sum(g, tuple(range(g.ndim - 1))) if bias.size else bias


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def batch_norm(
  x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float, act: str
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """`norm.batch_norm`: (act(y), mean, variance) of (..., C)."""
  out = (_like(x.shape), _like(scale.shape), _like(scale.shape))
  return _call('norm', out, x, scale, bias, act=act, epsilon=np.float32(epsilon))


def _norm_forward(x, scale, bias, epsilon, act):
  y, mean, variance = batch_norm(x, scale, bias, epsilon, act)
  return (y, mean, variance), (x, scale, bias, mean, variance)


def _norm_backward(epsilon, act, residuals, cotangents):
  x, scale, *_ = residuals
  out = (_like(x.shape), _like(scale.shape), _like(scale.shape))
  attributes = {'act': act, 'epsilon': np.float32(epsilon)}
  return _call('norm_gradients', out, *residuals, cotangents[0], **attributes)


batch_norm.defvjp(_norm_forward, _norm_backward)


def _output_shape(x, kernel, stride, padding):
  size = (
    (x.shape[1 + axis] + sum(padding[axis]) - kernel.shape[axis]) // stride + 1
    for axis in (0, 1)
  )
  return (x.shape[0], *size, kernel.shape[3])


def _like(shape):
  return jax.ShapeDtypeStruct(shape, jnp.float32)


def _window(stride, padding):
  (top, _), (left, _) = padding
  return {'stride': np.int64(stride), 'top': np.int64(top), 'left': np.int64(left)}


def _call(name, out, *arrays, **attributes):
  register()
  return jax.ffi.ffi_call(f'mobilenet_{name}', out)(*arrays, **attributes)


@functools.cache
def register() -> None:
  """Loads the library and makes its kernels known to XLA, once a process."""
  path = build.library_path()
  if not path.exists():
    raise build.AcceleratorError(
      f"lowering='compiled' needs the accelerator, which is not built: {build.COMMAND}"
    )
  library = ctypes.CDLL(str(path))
  for name in KERNELS:
    handler = jax.ffi.pycapsule(getattr(library, f'mobilenet_{name}'))
    jax.ffi.register_ffi_target(f'mobilenet_{name}', handler, platform='cpu')
