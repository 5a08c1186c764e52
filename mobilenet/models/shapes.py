"""A network gone through with shapes alone: what it declares and what it calls."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models import initializers
from mobilenet.models.classifier import Classifier


@dataclasses.dataclass(frozen=True)
class Call:
  """A module at work: its path, itself without its parent, shapes in and out."""

  path: tuple[str, ...]
  module: nn.Module
  input_shapes: tuple[tuple[int, ...], ...]
  output_shape: tuple[int, ...] | None  # None where it is no single array


def with_native_operators(model: Classifier) -> Classifier:
  """The same shapes by XLA's own operators, which are traced several times faster."""
  style = dataclasses.replace(model.network.style, lowering='native')
  return model.clone(network=dataclasses.replace(model.network, style=style))


# A run counts its network, draws its variables and looks for its checkpoints, all by
# the same shapes.
@functools.lru_cache(maxsize=8)
def trace(
  model: Classifier, image_shape: tuple[int, int, int]
) -> tuple[dict, tuple[Call, ...]]:
  """Variables as shapes, {'params', 'batch_stats'}, and the calls in their order."""
  model = with_native_operators(model)
  calls = []

  def record(next_call, args, kwargs, context):
    outputs = next_call(*args, **kwargs)
    if context.method_name == '__call__':
      module = context.module
      inputs = tuple(array.shape for array in args if hasattr(array, 'shape'))
      calls.append(
        Call(module.path, module.clone(parent=None), inputs, _shape(outputs))
      )
    return outputs

  images = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)
  with initializers.only_shapes(), nn.intercept_methods(record):
    variables = jax.eval_shape(
      lambda x: model.init(jax.random.key(0), x, train=False), images
    )
  return variables, tuple(calls)


def _shape(outputs):
  return outputs.shape if isinstance(outputs, jax.Array) else None
