"""What a network that somebody wrote in Keras computes besides its arrays.

Arrays of the right shapes in the right order don't make a MobileNet: a stride, a
padding, an activation or an epsilon may be another. The configuration says them.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mobilenet.models.activations import ACTIVATIONS
from mobilenet.models.classifier import Classifier
from mobilenet.models.counting import Layer
from mobilenet.models.rows import Inverted
from mobilenet.weights import keras_graph
from mobilenet.weights.weight_file import WeightFile, WeightsError

CONVOLUTIONS = ('Conv2D', 'DepthwiseConv2D')
# What a file without names and configuration leaves open, as fields of a config.
UNSAID = ('model.padding', 'model.norm_epsilon', 'model.act')
# How an image is padded before a 3x3 convolution of stride 2 -> our rule.
STRIDED = {'same': 'tf', ((0, 1), (0, 1)): 'keras_v1', ((1, 1), (1, 1)): 'torch'}
SAME = ('same', ((1, 1), (1, 1)))  # at stride 1


@dataclasses.dataclass(frozen=True)
class Convolution:
  """One convolution of a configuration, with what comes right before and after it.

  padding: 'same', 'valid' or the ((top, bottom), (left, right)) of a layer before it.
  epsilon: of the batch norm after it; None without one.
  """

  name: str
  stride: Any
  padding: Any
  activation: str
  epsilon: float | None


def describe(config: dict) -> list[Convolution]:
  """The convolutions of a model, in the order of a forward pass."""
  nodes = keras_graph.flatten(config)
  places = [n for n, node in enumerate(nodes) if node.kind in CONVOLUTIONS]
  found = []
  for place, end in zip(places, [*places[1:], len(nodes)], strict=True):
    node, after = nodes[place], nodes[place + 1 : end]
    norms = [n.config.get('epsilon') for n in after if n.kind == 'BatchNormalization']
    acts = [node, *(n for n in after if n.kind in keras_graph.ACTIVATIONS)]
    found.append(
      Convolution(
        node.name,
        _square(node.config.get('strides', 1)),
        _padding(node, nodes[place - 1] if place else None),
        keras_graph.joined(map(keras_graph.activation, acts)),
        norms[0] if norms else None,
      )
    )
  return found


def _square(value: Any) -> Any:
  """2 of [2, 2]; anything else as it is."""
  sides = set(value) if isinstance(value, list | tuple) else {value}
  return sides.pop() if len(sides) == 1 else value


def _padding(node: keras_graph.Node, before: keras_graph.Node | None) -> Any:
  said = node.config.get('padding', 'valid')
  if said == 'valid' and before is not None and before.kind == 'ZeroPadding2D':
    return tuple(map(tuple, before.config.get('padding', ())))
  return said


def options(
  file: WeightFile, classifier: Classifier, layers: Sequence[Layer]
) -> dict[str, Any] | None:
  """Arguments of `zoo.create` with which a network computes what the file's does.

  Args:
    file: of any framework; metadata says whether it is one without names ('unnamed')
      and what `describe` returns ('convolutions').
    classifier: the network that its arrays fit.
    layers: of it, from `counting.layers`.

  Returns:
    None where only its arrays are known: then the fields of `UNSAID` are assumed.

  Raises:
    WeightsError: no arguments do.
  """
  if not file.metadata.get('unnamed'):
    return {}
  network = classifier.network
  own = {row.act for row in network.rows}
  followed = len(own) == 1 and not any(getattr(row, 'se', 0) for row in network.rows)
  if not followed or 'convolutions' not in file.metadata:
    return None  # in V3 Keras makes several layers of an activation
  kernels = ('conv', 'depthwise', 'pointwise')
  ours = [x for x in layers if x.name[:8] == 'backbone' and x.kind.startswith(kernels)]
  found = {'padding': set(), 'norm_epsilon': set(), 'act': set()}
  for layer, conv in zip(ours, file.metadata['convolutions'], strict=False):
    act, stride = _activation(network, layer), 2 if layer.kind.endswith('/2') else 1
    if conv.stride != stride:
      raise _differs(file, conv, f'has stride {conv.stride}, not {stride}')
    if (conv.activation == 'linear') != (act == 'linear'):
      raise _differs(file, conv, f'is followed by {conv.activation}, not by {act}')
    if act != 'linear':
      found['act'].add(conv.activation)
    if stride == 2:
      found['padding'].add(STRIDED.get(conv.padding, conv.padding))
    elif layer.kind != 'pointwise' and conv.padding not in SAME:
      raise _differs(file, conv, f"has padding {conv.padding!r}, not 'same'")
    found['norm_epsilon'].add(conv.epsilon)
  for option, values in found.items():
    if len(values) > 1:
      known = ' and '.join(sorted(map(str, values)))
      raise _refused(file, f'its layers differ in {option}: {known}')
  one = {option: values.pop() for option, values in found.items() if values}
  if one['padding'] not in STRIDED.values():
    raise _refused(file, f'its strided layers have padding {one["padding"]}')
  if one['norm_epsilon'] is None:
    raise _refused(file, 'its convolutions have no batch norm')
  if one['act'] not in ACTIVATIONS:
    raise _refused(file, f'its activation is {one["act"]}')
  return {k: v for k, v in one.items() if k != 'act' or v not in own}


def _activation(network, layer: Layer) -> str:
  """What follows one of our convolutions."""
  _, block, *parts = layer.name.split('/')
  row = network.rows[0 if block == 'stem' else 1 + int(block.rpartition('_')[2])]
  return 'linear' if isinstance(row, Inverted) and parts[0] == 'project' else row.act


def _differs(file: WeightFile, conv: Convolution, how: str) -> WeightsError:
  return _refused(file, f'its layer {conv.name} {how}')


def _refused(file: WeightFile, why: str) -> WeightsError:
  return WeightsError(
    f'{file.path} has the arrays of a MobileNet, but computes something else with '
    f'them: {why}'
  )
