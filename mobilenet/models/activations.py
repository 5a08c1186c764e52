"""The activations of all tables, by the name that rows have for them."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp


def relu6(x: jax.Array) -> jax.Array:
  return jnp.clip(x, 0.0, 6.0)


def hard_sigmoid(x: jax.Array) -> jax.Array:
  """relu6(x + 3) / 6: V3's piecewise linear sigmoid (1905.02244, section 5.2)."""
  return relu6(x + 3.0) * (1.0 / 6.0)


def hard_swish(x: jax.Array) -> jax.Array:
  """x * relu6(x + 3) / 6 (1905.02244, section 5.2)."""
  return x * hard_sigmoid(x)


ACTIVATIONS = {
  'linear': lambda x: x,
  'relu': nn.relu,
  'relu6': relu6,
  'hard_swish': hard_swish,
  'gelu': functools.partial(nn.gelu, approximate=False),
}
