"""Initial weights: the distributions of the reference codes.

`model.init` draws them with JAX, as any Flax module does. Compiling that makes a
generator per parameter and takes as long as compiling a training step;
`initial.init_variables` draws the same distributions with NumPy in a second.
"""

import contextlib
import contextvars
import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

_shapes_suffice = contextvars.ContextVar('shapes suffice', default=False)


@contextlib.contextmanager
def only_shapes():
  """Within it, `model.init` draws nothing: every kernel is zeros.

  Tracing random generators is a third of what going through a network takes.
  """
  token = _shapes_suffice.set(True)
  try:
    yield
  finally:
    _shapes_suffice.reset(token)


class _Initializer:
  """A distribution, drawn by Flax with JAX (`sample`) or with NumPy (`draw`)."""

  def __call__(self, key, shape, dtype=jnp.float32):
    if _shapes_suffice.get():
      return jnp.zeros(shape, dtype)
    return self.sample(key, shape, dtype)


@dataclasses.dataclass(frozen=True)
class TruncatedNormal(_Initializer):
  """A normal cut at two standard deviations: TF-slim's, whatever the shape."""

  stddev: float

  def sample(self, key, shape, dtype):
    return jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype) * self.stddev

  def draw(self, generator: np.random.Generator, shape) -> np.ndarray:
    values = generator.standard_normal(shape, np.float32)
    while (outside := np.abs(values) > 2.0).any():
      values[outside] = generator.standard_normal(int(outside.sum()), np.float32)
    return values * np.float32(self.stddev)


@dataclasses.dataclass(frozen=True)
class Normal(_Initializer):
  """A normal of any shape, with tails: torchvision's for SSDLite."""

  stddev: float

  def sample(self, key, shape, dtype):
    return jax.random.normal(key, shape, dtype) * self.stddev

  def draw(self, generator: np.random.Generator, shape) -> np.ndarray:
    return generator.standard_normal(shape, np.float32) * np.float32(self.stddev)


@dataclasses.dataclass(frozen=True)
class FanOutNormal(_Initializer):
  """He et al. by fan-out, MnasNet's for convolutions: N(0, 2 groups / (k * k * O))."""

  groups: int = 1

  def _stddev(self, shape):
    return math.sqrt(2.0 * self.groups / (math.prod(shape[:-2]) * shape[-1]))

  def sample(self, key, shape, dtype):
    return jax.random.normal(key, shape, dtype) * self._stddev(shape)

  def draw(self, generator: np.random.Generator, shape) -> np.ndarray:
    return generator.standard_normal(shape, np.float32) * np.float32(
      self._stddev(shape)
    )


@dataclasses.dataclass(frozen=True)
class FanInNormal(_Initializer):
  """He et al. (1502.01852): N(0, 2 / inputs of one output), of any kernel."""

  def _stddev(self, shape):
    return math.sqrt(2.0 / math.prod(shape[:-1]))

  def sample(self, key, shape, dtype):
    return jax.random.normal(key, shape, dtype) * self._stddev(shape)

  def draw(self, generator: np.random.Generator, shape) -> np.ndarray:
    return generator.standard_normal(shape, np.float32) * np.float32(
      self._stddev(shape)
    )


@dataclasses.dataclass(frozen=True)
class FanOutUniform(_Initializer):
  """MnasNet's for dense layers: uniform within 1 / sqrt(outputs)."""

  def sample(self, key, shape, dtype):
    limit = 1.0 / math.sqrt(shape[-1])
    return jax.random.uniform(key, shape, dtype, -limit, limit)

  def draw(self, generator: np.random.Generator, shape) -> np.ndarray:
    limit = 1.0 / math.sqrt(shape[-1])
    return generator.uniform(-limit, limit, shape).astype(np.float32)


# Name of a scheme -> initializer of a convolution with groups, of a dense layer.
SCHEMES = {
  'slim': (lambda groups: TruncatedNormal(0.09), TruncatedNormal(0.09)),
  'fan_out': (FanOutNormal, FanOutUniform()),
  'fan_in': (lambda groups: FanInNormal(), FanInNormal()),
  'ssdlite': (lambda groups: Normal(0.03), Normal(0.03)),
}

# What is not a kernel starts as a constant.
CONSTANTS = {
  'scale': 1.0,
  'bias': 0.0,
  'mean': 0.0,
  'var': 1.0,
  'layer_scale': 1e-5,
  'slope': 0.25,  # of a PReLU (1502.01852, section 2.1)
  'ranges': 0.0,  # of rounded values: unknown until they are observed
}
