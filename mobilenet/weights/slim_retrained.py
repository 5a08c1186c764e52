"""A classifier that was trained on top of a frozen graph, as TensorFlow's retrain does.

It is a product with a constant outside of the network's scope, whose input is the
network's logits (or its pooled features), and it is what the graph gives; the
classifier of ImageNet still lies below it.
"""

import dataclasses
from collections.abc import Iterable, Mapping

# What passes an array on as it is, in its shape or another.
PASSING = ('Identity', 'PlaceholderWithDefault', 'Reshape', 'Squeeze', 'StopGradient')
ADDING = ('Add', 'AddV2', 'BiasAdd')
OUTPUTS = {'Softmax': 'softmax', 'Sigmoid': 'sigmoid'}
POOLING = ('AvgPool', 'Mean')


@dataclasses.dataclass(frozen=True)
class Product:
  """kernel, bias: names of constants; bias is None without one.

  on: what it is a product with: 'logits', 'features', or the name of an op.
  output: 'softmax', 'sigmoid' or 'linear'.
  """

  kernel: str
  bias: str | None
  on: str
  output: str


def products(nodes: Iterable) -> list[Product]:
  """The dense layers of a GraphDef's nodes, in its order; slim itself has none."""
  nodes = {node.name: node for node in nodes}
  users = {}
  for node in nodes.values():
    for name in map(_plain, node.input):
      users.setdefault(name, []).append(node)
  found = []
  for node in nodes.values():
    kernel = _constant(nodes, node.input[1]) if node.op == 'MatMul' else None
    if kernel is None:
      continue
    bias, last = None, node
    for user in users.get(node.name, ()):
      others = [name for name in user.input if _plain(name) != node.name]
      if user.op in ADDING and others:
        bias, last = _constant(nodes, others[0]), user
    found.append(Product(kernel, bias, _seen(nodes, node), _output(users, last)))
  return found


def _plain(name: str) -> str:
  """'^pool:0' -> 'pool'."""
  return name.lstrip('^').partition(':')[0]


def _source(nodes: Mapping, name: str):
  """The node that an array comes from, through what passes it on; None if unknown."""
  node = nodes.get(_plain(name))
  while node is not None and node.op in PASSING and node.input:
    node = nodes.get(_plain(node.input[0]))
  return node


def _constant(nodes: Mapping, name: str) -> str | None:
  node = _source(nodes, name)
  return node.name if node is not None and node.op == 'Const' else None


def _seen(nodes: Mapping, product) -> str:
  """'logits' or 'features' of the network, or the op that it is put on."""
  node = _source(nodes, product.input[0])
  if node is None:
    return 'nothing'
  if node.op in POOLING:
    return 'features'
  return 'logits' if '/Logits/' in node.name else node.name


def _output(users: Mapping, node) -> str:
  """What follows the last op of a layer."""
  for user in users.get(node.name, ()):
    if user.op in OUTPUTS:
      return OUTPUTS[user.op]
    if user.op in PASSING:
      return _output(users, user)
  return 'linear'
