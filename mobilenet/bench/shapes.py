"""The distinct convolutions of a network, from its trace, and the work in them."""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models import initializers
from mobilenet.models.shapes import with_native_operators
from mobilenet.models.sliced import Pads

# 'gradients' is both at once, as a training step needs them: what they share is done
# once, and the accelerator may have no kernel for one of them alone.
DIRECTIONS = ('forward', 'input gradient', 'kernel gradient', 'gradients')


@dataclasses.dataclass(frozen=True)
class Shape:
  """A convolution: images (batch, height, width, channels), k x k kernel to `out`.

  first: it reads the network's images, whose gradient no training needs.
  """

  batch: int
  height: int
  width: int
  channels: int
  out: int
  kernel: int
  stride: int
  padding: Pads
  groups: int
  dtype: str
  first: bool

  @property
  def kind(self) -> str:
    if self.groups > 1:
      return 'depthwise' if self.groups == self.channels == self.out else 'grouped'
    return 'pointwise' if self.kernel == 1 else 'full'

  @property
  def kernel_shape(self) -> tuple[int, ...]:
    return (self.kernel, self.kernel, self.channels // self.groups, self.out)


def shapes_of(model: nn.Module, resolution: int, batch: int) -> dict[Shape, int]:
  """The distinct convolutions of a model and how often each occurs, in its order.

  They are read from a trace of the forward pass with XLA's own operator; nothing runs.
  """
  model = with_native_operators(model)
  images = jax.ShapeDtypeStruct((batch, resolution, resolution, 3), jnp.float32)
  with initializers.only_shapes():
    traced = jax.make_jaxpr(lambda x: model.init(jax.random.key(0), x))(images)
  found: dict[Shape, int] = {}
  for equation in _convolutions(traced.jaxpr):
    x, kernel = (variable.aval for variable in equation.invars)
    shape = Shape(
      *x.shape,
      out=kernel.shape[3],
      kernel=kernel.shape[0],
      stride=equation.params['window_strides'][0],
      padding=tuple(map(tuple, equation.params['padding'])),
      groups=equation.params['feature_group_count'],
      dtype=x.dtype.name,
      first=x.shape == images.shape,
    )
    found[shape] = found.get(shape, 0) + 1
  return found


def _convolutions(jaxpr):
  """Equations of convolutions in a jaxpr and in the functions that it calls."""
  for equation in jaxpr.eqns:
    if equation.primitive.name == 'conv_general_dilated':
      yield equation
    for value in equation.params.values():
      inner = getattr(value, 'jaxpr', value)  # closed or not
      if hasattr(inner, 'eqns'):
        yield from _convolutions(inner)


def work(shape: Shape, direction: str) -> tuple[int, int]:
  """(floating-point operations, bytes that must at least be read or written)."""
  x, kernel, y = (math.prod(array) for array in array_shapes(shape))
  operations, values = 2 * y * math.prod(shape.kernel_shape[:3]), x + kernel + y
  if direction == 'gradients':
    operations, values = 2 * operations, values + x + kernel
  return operations, values * jnp.dtype(shape.dtype).itemsize


def array_shapes(shape: Shape) -> tuple[tuple[int, ...], ...]:
  """The shapes of the images, the kernel and the output."""
  size = [
    (n + sum(pad) - shape.kernel) // shape.stride + 1
    for n, pad in zip((shape.height, shape.width), shape.padding, strict=True)
  ]
  x = (shape.batch, shape.height, shape.width, shape.channels)
  return x, shape.kernel_shape, (shape.batch, *size, shape.out)
