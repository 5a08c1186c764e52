"""What the model configuration in a Keras file says beside its weights.

It is read as JSON; no layer is made of it and no function in it is called.
"""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from mobilenet.weights.keras_names import simplified

MODELS = ('Functional', 'Sequential', 'Model')
# Layers before the stem that leave an image's values as they are in inference.
HARMLESS = ('InputLayer', 'ZeroPadding2D', 'Resizing', 'CenterCrop', 'GaussianNoise')
STRIDE = 32  # of a MobileNet's last map
POOL = ('GlobalAveragePooling2D',)
ACTIVATIONS = (
  'Activation',
  'ReLU',
  'Softmax',
  'Sigmoid',
)  # layers that are nothing else
KERNELS = ('Dense', 'Conv2D')
PASSING = ('Dropout', 'Flatten', 'InputLayer', 'Reshape')  # no activation
HEAD = (*POOL, *ACTIVATIONS, 'Dense', 'Dropout', 'InputLayer')
# Arithmetic with a constant, as Keras 3, TFOpLambda and TensorFlowOpLayer call it.
ARITHMETIC = {
  'TrueDivide': 'divide',
  'Divide': 'divide',
  'truediv': 'divide',
  'divide': 'divide',
  'RealDiv': 'divide',
  'Multiply': 'multiply',
  'multiply': 'multiply',
  'mul': 'multiply',
  'Mul': 'multiply',
  'Add': 'add',
  'add': 'add',
  'AddV2': 'add',
  'Subtract': 'subtract',
  'subtract': 'subtract',
  'sub': 'subtract',
  'Sub': 'subtract',
}


@dataclasses.dataclass(frozen=True)
class Node:
  """One layer of a configuration."""

  name: str
  kind: str  # Keras's class
  config: dict[str, Any]
  inbound: Any  # how it is called, as the file has it
  model: str  # name of the innermost model that it belongs to


def children(config: dict) -> list[dict]:
  """The layers of a model, in its order; Keras before 2.3 has a bare list of them."""
  inner = config['config']
  return inner if isinstance(inner, list) else inner['layers']


def name_of(config: dict) -> str:
  inner = config.get('config')
  named = inner.get('name') if isinstance(inner, dict) else None
  return str(named or config.get('name') or '')


def flatten(config: dict) -> list[Node]:
  """All layers, those of nested models in the place of the model."""
  nodes = []
  for layer in children(config):
    if layer['class_name'] in MODELS:
      nodes += flatten(layer)
    else:
      nodes.append(
        Node(
          name_of(layer),
          layer['class_name'],
          layer['config'],
          layer.get('inbound_nodes') or [],
          name_of(config),
        )
      )
  return nodes


def describe(config: dict, head: int) -> dict[str, Any]:
  """The metadata of a model; `head` counts the dense layers put on a MobileNet.

  input_size: pixels of a square input. rescaling: (scale, offset) of the pixel values
  before the stem. unknown_preprocessing: layers before the stem that are neither that
  nor harmless. head_activations: one for each of them. unknown_head: what the layers
  from the pool on have that the head of a MobileNet has not. Keys without a value are
  left out.
  """
  nodes = flatten(config)
  stem = next((n for n, node in enumerate(nodes) if node.kind == 'Conv2D'), len(nodes))
  before = nodes[:stem]
  rescaling, unknown = _preprocessing(before)
  size = _input_size(config, before)
  tail = [_pooled(node, size) for node in _tail(nodes)]
  described = {
    'input_size': size,
    'rescaling': rescaling,
    'unknown_preprocessing': unknown,
    'head_activations': _activations(tail) if head else [],
    'unknown_head': _unknown_head(tail, head),
    'output': _output(tail),
    'loss': _loss(config.get('compile_config')),
  }
  return {key: value for key, value in described.items() if value}


def _preprocessing(nodes: list[Node]) -> tuple[tuple[float, float] | None, list[str]]:
  scale, offset, found, unknown = 1.0, 0.0, False, []
  for node in nodes:
    step = _affine(node)
    if step:
      found = True
      scale, offset = scale * step[0], offset * step[0] + step[1]
    elif node.kind not in HARMLESS and not node.kind.startswith('Random'):
      unknown.append(node.name)
  return ((scale, offset) if found and not unknown else None), unknown


def _affine(node: Node) -> tuple[float, float] | None:
  """(scale, offset) of a layer that is one multiplication and addition of numbers."""
  if node.kind == 'Rescaling':
    step = node.config.get('scale', 1.0), node.config.get('offset', 0.0)
    return tuple(map(float, step)) if all(map(_is_number, step)) else None
  operation, constant = _operation(node)
  if operation not in ARITHMETIC or not _is_number(constant):
    return None
  if ARITHMETIC[operation] == 'divide' and constant == 0:
    return None
  return {
    'divide': lambda c: (1 / c, 0.0),
    'multiply': lambda c: (c, 0.0),
    'add': lambda c: (1.0, c),
    'subtract': lambda c: (1.0, -c),
  }[ARITHMETIC[operation]](float(constant))


def _operation(node: Node) -> tuple[str, Any]:
  """Name and second operand of an arithmetic operation with a constant."""
  try:
    if node.kind == 'TFOpLambda':
      call = node.inbound[0]
      call = call[0] if isinstance(call[0], list) else call
      return node.config['function'].rsplit('.', 1)[-1], call[3].get('y')
    if node.kind == 'TensorFlowOpLayer':
      definition = node.config['node_def']
      if isinstance(definition, str):
        definition = json.loads(definition)
      return definition['op'], node.config['constants'].get('1')
    return node.kind, node.inbound[0]['args'][1]
  except (AttributeError, IndexError, KeyError, TypeError, ValueError):
    return node.kind, None


def _is_number(value: Any) -> bool:
  return isinstance(value, int | float) and not isinstance(value, bool)


def _input_size(config: dict, before: list[Node]) -> int | None:
  """The last size that is said before the stem: a `Resizing` counts."""
  inner = config['config']
  said = [inner.get('build_input_shape')] if isinstance(inner, dict) else []
  for node in before:
    said.append(node.config.get('batch_shape') or node.config.get('batch_input_shape'))
    if node.kind in ('Resizing', 'CenterCrop'):
      said.append([None, node.config.get('height'), node.config.get('width'), 3])
  sizes = [tuple(shape[1:3]) for shape in said if shape and len(shape) == 4]
  sizes = [size for size in sizes if all(isinstance(n, int) for n in size)]
  return sizes[-1][0] if sizes and sizes[-1][0] == sizes[-1][1] else None


def _tail(nodes: list[Node]) -> list[Node]:
  """What follows the last batch norm: its activation, pool and head."""
  norms = [n for n, node in enumerate(nodes) if node.kind == 'BatchNormalization']
  return nodes[norms[-1] + 1 :] if norms else []


def _pooled(node: Node, size: int | None) -> Node:
  """An average over all of the last map is a global one: 7x7 of an image of 224 px."""
  sides = node.config.get('pool_size')
  whole = node.kind == 'AveragePooling2D' and size and size % STRIDE == 0
  if whole and sides in (size // STRIDE, [size // STRIDE] * 2):
    return dataclasses.replace(node, kind=POOL[0])
  return node


def _activations(tail: list[Node]) -> list[str]:
  """Of every dense layer: its own, or that of a layer right after it."""
  found = []
  for node in tail:
    if node.kind == 'Dense':
      found.append(_function(node.config.get('activation')))
    elif found and node.kind in ACTIVATIONS:
      found[-1] = joined([found[-1], activation(node)])
  return found


def _output(tail: list[Node]) -> str:
  """What the last layer with a kernel goes through, at its end and after it."""
  last = max((n for n, node in enumerate(tail) if node.kind in KERNELS), default=None)
  if last is None:
    return ''
  after = [node for node in tail[last + 1 :] if node.kind not in PASSING]
  return joined(map(activation, [tail[last], *after]))


def activation(node: Node) -> str:
  """The activation of a layer, or that it is: 'linear', 'relu6', 'softmax'."""
  if node.kind == 'ReLU':
    limit, *others = (
      node.config.get(name) for name in ('max_value', 'negative_slope', 'threshold')
    )
    if any(others) or limit not in (None, 6):
      return 'an unusual ReLU'
    return 'relu' if limit is None else 'relu6'
  if node.kind in ('Activation', *KERNELS, 'DepthwiseConv2D'):
    return _function(node.config.get('activation'))
  return node.kind.lower()


def joined(activations: Iterable[str]) -> str:
  """What activations after one another are: of two or more, no known one."""
  return ' and '.join(act for act in activations if act != 'linear') or 'linear'


def _loss(compiled: Any) -> str:
  """The name of a loss: 'binary_crossentropy' or 'BinaryCrossentropy'."""
  loss = compiled.get('loss') if isinstance(compiled, dict) else None
  if isinstance(loss, dict):
    loss = (
      loss.get('class_name')
      if loss.get('class_name') != 'function'
      else (loss.get('config'))
    )
  return loss if isinstance(loss, str) else ''


def _function(activation: Any) -> str:
  if isinstance(activation, dict):  # a registered function
    activation = activation.get('config')
    if isinstance(activation, dict):
      activation = activation.get('name', 'unknown')
  return str(activation or 'linear')


def _unknown_head(tail: list[Node], head: int) -> list[str]:
  kinds = [node.kind for node in tail]
  pool = kinds.index(POOL[0]) if POOL[0] in kinds else None
  # V3 of older tf.keras: its hidden layer sees every pixel, and the pool comes after.
  unknown = [
    f'{node.name} before the pool'
    for node in tail[:pool]
    if node.kind == 'Conv2D' and simplified(node.name) == 'conv_2' and pool is not None
  ]
  if not head:
    return unknown
  dense = kinds.index('Dense') if 'Dense' in kinds else len(tail)
  if pool is None or pool > dense:
    unknown += [node.name for node in tail[:dense] if _flattens(node.kind)]
    return unknown or ['no global average pool']
  # Of pooled features a flattening changes nothing.
  return unknown + [
    node.name
    for n, node in enumerate(tail)
    if n > pool and node.kind not in HEAD and not (n < dense and node.kind == 'Flatten')
  ]


def _flattens(kind: str) -> bool:
  return 'Pooling' in kind or kind in ('Flatten', 'Reshape', 'Lambda')
