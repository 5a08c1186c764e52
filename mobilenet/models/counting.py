"""Parameters and multiply-adds of every layer, from shapes alone: nothing is run."""

import dataclasses
import math

import flax.linen as nn
import jax

from mobilenet.models import shapes
from mobilenet.models.blocks import MultiQuery
from mobilenet.models.layers import Conv, LayerScale, PRelu
from mobilenet.models.norm import BatchNorm


@dataclasses.dataclass(frozen=True)
class Layer:
  """One layer: shapes are for one image, without the batch axis."""

  name: str  # path of the parameters: 'backbone/block_03/depthwise/conv'
  kind: str  # 'conv 3x3 /2', 'depthwise 5x5', 'pointwise', 'dense', 'norm', ...
  input_shape: tuple[int, ...]
  output_shape: tuple[int, ...]
  parameters: int  # learned values; running statistics are not parameters
  multiply_adds: int  # of convolutions, dense layers and attention's products


def layers(model: nn.Module, resolution: int | tuple[int, ...]) -> list[Layer]:
  """Counts a model layer by layer at a resolution.

  Pixels, or (height, width), or (height, width, channels) of the map that a part of a
  network is given. Layers come in the order of the forward pass.

  Multiply-adds are those of convolutions, dense layers and the two products of
  attention for one image, biases and element-wise work left out: the convention of
  the MobileNet and ShuffleNet papers (one multiply-add is two FLOPs).
  """
  return layers_and_variables(model, resolution)[0]


def layers_and_variables(
  model: nn.Module, resolution: int | tuple[int, ...]
) -> tuple[list[Layer], dict]:
  """`layers`, and the model's variables as shapes: {'params', 'batch_stats'}."""
  size = (resolution, resolution) if isinstance(resolution, int) else resolution
  height, width, *channels = size
  variables, calls = shapes.trace(model, (height, width, *(channels or (3,))))
  return [
    _layer(variables['params'], call)
    for call in calls
    if isinstance(call.module, _COUNTED)
  ], variables


_ELEMENTWISE = {BatchNorm: 'norm', LayerScale: 'layer scale', PRelu: 'prelu'}
_COUNTED = (Conv, nn.Dense, MultiQuery, *_ELEMENTWISE)


def _layer(params, call: shapes.Call) -> Layer:
  module, output_shape = call.module, call.output_shape
  own, input_shape = params, call.input_shapes[0]
  for part in call.path:
    own = own.get(part, {})  # attention has no parameters of its own
  if isinstance(module, Conv):
    per_output = math.prod(own['kernel'].shape[:3])
    multiply_adds = math.prod(output_shape[1:]) * per_output
    k = f'{module.kernel}x{module.kernel}'
    if module.groups == input_shape[-1] > 1:
      kind = f'depthwise {k}'
    elif module.groups > 1:
      kind = f'grouped {k}, {module.groups}'
    else:
      kind = 'pointwise' if module.kernel == 1 else f'conv {k}'
    kind += f' /{module.stride}' if module.stride > 1 else ''
  elif isinstance(module, nn.Dense):
    kind, multiply_adds = 'dense', math.prod(own['kernel'].shape)
  elif isinstance(module, MultiQuery):
    kind, multiply_adds = 'attention', module.multiply_adds(*call.input_shapes[:2])
  else:
    kind, multiply_adds = _ELEMENTWISE[type(module)], 0
  return Layer(
    name='/'.join(call.path),
    kind=kind,
    input_shape=input_shape[1:],
    output_shape=output_shape[1:],
    parameters=sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(own)),
    multiply_adds=multiply_adds,
  )


def kept_for_backward(counted: list[Layer]) -> list[tuple[int, ...]]:
  """Shapes that a training step must keep of each layer with weights, for one image."""
  return [layer.output_shape for layer in counted if layer.multiply_adds]


def totals(counted: list[Layer]) -> tuple[int, int]:
  """(parameters, multiply-adds) of a model."""
  return (
    sum(layer.parameters for layer in counted),
    sum(layer.multiply_adds for layer in counted),
  )


def count(model: nn.Module, resolution: int = 224) -> tuple[int, int]:
  """(parameters, multiply-adds) of a model at a resolution, for one image."""
  return totals(layers(model, resolution))
