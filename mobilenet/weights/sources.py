"""Whose weights can be read: for each network of a framework, what a file doesn't say.

That is its layers' names, its padding and BatchNorm epsilon (which become arguments of
the model), and how its images were prepared.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable

from mobilenet.models import zoo
from mobilenet.models.rows import ConvHead, FlatHead, Head, Network
from mobilenet.weights import keras_names, scaling, slim_names, torch_names
from mobilenet.weights.contract import Contract

IMAGENET = {'mean': scaling.IMAGENET.mean, 'std': scaling.IMAGENET.std}
# PIL's resize, whose filter widens, and the central square of the short side.
TORCHVISION = Contract(**IMAGENET, resize='short_side', antialias=True)
TIMM = dataclasses.replace(TORCHVISION, interpolation='bicubic')
TIMM_TF = 'timm (tf_)'  # the framework of timm's tf_ models
SLIM = Contract()  # -1..1, the central 87.5 %, TF1's bilinear


@dataclasses.dataclass(frozen=True)
class Source:
  """One network as one framework has it.

  names: network -> the name of each of our layers there, in `counting.layers`' order.
  padding, norm_epsilon: arguments of `zoo.create`.
  linear: pattern of the layers that are dense there; our other dense ones are 1x1
    convolutions.
  ignored: pattern of layers that a file may have besides.
  boxes: pattern of the layers whose outputs are boxes, x before y; ours have y first.
  """

  framework: str
  dialect: str  # of `dialects.DIALECTS`
  network: str  # of `zoo.NETWORKS`
  names: Callable[[Network], Iterable[str]]
  contract: Contract
  padding: str | None = None  # the network's own
  norm_epsilon: float | None = None
  linear: str = '(?!)'  # nothing
  ignored: str = '(?!)'
  boxes: str = '(?!)'

  @property
  def label(self) -> str:
    return f"{self.framework}'s {self.network}"

  def body_and_head(self) -> tuple[list[str], list[str]]:
    """`names` up to the last feature map, and after it; the same at any width."""
    network = zoo.NETWORKS[self.network]
    if isinstance(network, dict):
      network = next(iter(network.values()))
    names = list(self.names(network))
    size = _head_size(network.head)
    return names[:-size], names[-size:]


def _head_size(head: Head | ConvHead | FlatHead) -> int:
  """How many layers a head has: the classifier, hidden layers and their norms."""
  if isinstance(head, ConvHead):
    return 1
  if isinstance(head, FlatHead):
    return 1 + len(head.hidden)
  return 1 + bool(head.hidden) + head.norm


def _torchvision(network, names, contract=TORCHVISION, norm_epsilon=1e-5, **more):
  return Source(
    'torchvision',
    'torch',
    network,
    names,
    contract,
    padding='torch',
    norm_epsilon=norm_epsilon,
    linear=r'classifier\.\d+$|fc$',
    **more,
  )


def _timm(network, contract=TIMM, framework='timm', padding='torch', norm_epsilon=1e-5):
  return Source(
    framework,
    'torch',
    network,
    torch_names.timm_mobilenet,
    contract,
    padding=padding,
    norm_epsilon=norm_epsilon,
    linear='classifier$',
  )


def _timm_tf(network):
  """timm's tf_ models: TensorFlow's weights, padding and epsilon, and its images."""
  contract = dataclasses.replace(SLIM, resize='short_side', antialias=True)
  return _timm(network, contract, TIMM_TF, 'tf', 1e-3)


def _keras(network, padding='tf', *, unnamed=False, framework='keras.applications'):
  def names(rows):
    layers = keras_names.names(network, rows)
    return keras_names.unnamed(layers) if unnamed else layers

  return Source(
    framework,
    'keras',
    network,
    names,
    SLIM,
    padding=padding,
    norm_epsilon=1e-3,
    linear='predictions$|dense:|head:',
  )


def _slim(network):
  names = functools.partial(slim_names.names, network)
  return Source(
    'TF-slim', 'slim', network, names, SLIM, padding='tf', norm_epsilon=1e-3
  )


def _tflite(network):
  return Source(
    'TFLite', 'tflite', network, _numbered, SLIM, padding='tf', norm_epsilon=1e-3
  )


def _numbered(
  network: Network,
  names: Callable[[Network], Iterable[str]] = torch_names.timm_mobilenet,
  norms: str = r'(^|\.)(bn\d?|norm|norm_head)$',
  order: Callable | None = None,
) -> list[str]:
  """'0', '0/norm', '1', ...: layers as a graph has them, norms folded into them.

  Args:
    network: of rows.
    names: the layers in our order, by any names.
    norms: pattern of those that are norms.
    order: key by which the layers' names are sorted as they run there; None where that
      is our order.
  """
  ours, numbered, number = list(names(network)), [], ''
  layers = [name for name in ours if not re.search(norms, name)]
  running = sorted(layers, key=order) if order else layers
  numbers = {name: f'{n}' for n, name in enumerate(running)}
  for name in ours:
    number = numbers.get(name, number)  # a norm has that of the layer before it
    numbered.append(number if name in numbers else f'{number}/norm')
  return numbered


def _onnx(source: Source) -> Source:
  """A network as a framework exports it: numbered, and prepared for as there."""
  names = _NUMBERED.get(source.network, _numbered)
  return dataclasses.replace(source, dialect='onnx', names=names)


_MOBILENETS = (
  'mobilenet_v1',
  'mobilenet_v2',
  'mobilenet_v3_large',
  'mobilenet_v3_small',
  'mobilenet_v3_large_minimalistic',
  'mobilenet_v3_small_minimalistic',
)
_V4_CONV = tuple(f'mobilenet_v4_conv_{size}' for size in ('small', 'medium', 'large'))
_V4 = {
  'mobilenet_v4_conv_small': TIMM,
  'mobilenet_v4_conv_medium': dataclasses.replace(
    TIMM, crop_fraction=0.95, resolution=256
  ),
  'mobilenet_v4_conv_large': dataclasses.replace(
    TIMM, crop_fraction=0.95, resolution=384
  ),
  'mobilenet_v4_hybrid_medium': dataclasses.replace(
    TIMM, crop_fraction=0.95, resolution=256
  ),
  'mobilenet_v4_hybrid_large': dataclasses.replace(
    TIMM, crop_fraction=0.95, resolution=384
  ),
}
# How the layers of networks other than MobileNets are numbered in a graph.
_NUMBERED = {
  **{
    network: functools.partial(_numbered, names=names, norms='$^')
    for network, names in (
      ('squeezenet_1_0', torch_names.torchvision_squeezenet),
      ('squeezenet_1_1', torch_names.torchvision_squeezenet),
      ('alexnet', torch_names.torchvision_alexnet),
      ('vgg16', torch_names.torchvision_vgg),
      ('vgg19', torch_names.torchvision_vgg),
    )
  },
  'shufflenet_v2': functools.partial(
    _numbered,
    names=torch_names.torchvision_shufflenet_v2,
    norms=r'(conv[15]\.1|branch1\.[13]|branch2\.[146])$',
  ),
  'resnet50': functools.partial(
    _numbered, names=torch_names.torchvision_resnet, norms=r'(bn\d|downsample\.1)$'
  ),
  'googlenet': functools.partial(
    _numbered,
    names=torch_names.torchvision_googlenet,
    norms=r'\.bn$',
    order=lambda name: (name == 'fc', name),  # branch by branch
  ),
}
_MNASNETS = ('mnasnet_a1', 'mnasnet_b1', 'mnasnet_small')
_HALVES = {'mean': (0.5, 0.5, 0.5), 'std': (0.5, 0.5, 0.5)}

# Of two that have the same names the first is taken, unless the file says otherwise.
_NAMED: tuple[Source, ...] = (
  _torchvision('mobilenet_v2', torch_names.torchvision_mobilenet),
  _torchvision(
    'mobilenet_v3_large', torch_names.torchvision_mobilenet, norm_epsilon=1e-3
  ),
  _torchvision(
    'mobilenet_v3_small', torch_names.torchvision_mobilenet, norm_epsilon=1e-3
  ),
  _torchvision('squeezenet_1_0', torch_names.torchvision_squeezenet),
  _torchvision('squeezenet_1_1', torch_names.torchvision_squeezenet),
  _torchvision('shufflenet_v2', torch_names.torchvision_shufflenet_v2),
  _torchvision('mnasnet_b1', torch_names.torchvision_mnasnet),
  _torchvision('alexnet', torch_names.torchvision_alexnet),
  _torchvision('vgg16', torch_names.torchvision_vgg),
  _torchvision('vgg19', torch_names.torchvision_vgg),
  _torchvision('resnet50', torch_names.torchvision_resnet),
  # Its published weights came from TensorFlow: `transform_input` turns ImageNet's
  # normalisation into -1..1.
  _torchvision(
    'googlenet',
    torch_names.torchvision_googlenet,
    contract=dataclasses.replace(TORCHVISION, **_HALVES),
    norm_epsilon=1e-3,
    ignored=r'aux[12]\.',
  ),
  _timm('mobilenet_v1', dataclasses.replace(TIMM, **_HALVES)),
  _timm('mobilenet_v2'),
  _timm('mobilenet_v3_large'),
  _timm('mobilenet_v3_small'),
  *(_timm(network, contract) for network, contract in _V4.items()),
  *(_timm(network) for network in _MNASNETS),
  *(_timm_tf(network) for network in _MOBILENETS[2:]),
  _keras('mobilenet_v1', 'keras_v1'),
  *(_keras(network) for network in _MOBILENETS[1:]),
  _keras('mobilenet_v1', 'keras_v1', unnamed=True),
  *(_keras(network, unnamed=True) for network in _MOBILENETS[1:]),
  # Keras has none: somebody wrote it, with layers that have Keras's own names.
  _keras('fd_mobilenet', unnamed=True, framework='Keras'),
  *(_slim(network) for network in _MOBILENETS),
)
_GRAPHS = (*_MOBILENETS, *_V4_CONV, 'mobilenet_edgetpu')  # what is read from any graph
SOURCES: tuple[Source, ...] = (
  *_NAMED,
  *(_tflite(network) for network in _GRAPHS),
  *dict.fromkeys(
    _onnx(source)
    for source in _NAMED
    if source.dialect in ('torch', 'keras') and source.network in {*_GRAPHS, *_NUMBERED}
  ),
)
