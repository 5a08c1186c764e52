"""Detectors and segmenters of torchvision: whole networks, trunk and head.

Their trunks are those of classifiers, so a file is one of these only if it also has
most layers of the head.
"""

import dataclasses

import numpy as np

from mobilenet.models import named
from mobilenet.weights import dialects, fitting, torch_dense_names
from mobilenet.weights.contract import Contract
from mobilenet.weights.sources import TORCHVISION, Source
from mobilenet.weights.weight_file import WeightFile, WeightsError


@dataclasses.dataclass(frozen=True)
class DenseSource(Source):
  """A whole network of torchvision: its `names` have no head of their own.

  network: of `named.create`.
  constructor: what makes it there, below torchvision.models; arguments: others than
    the number of classes.
  counted: the layer by whose outputs classes are counted; per_class: those of a class.
  background: outputs in front of the first class, which are not counted here.
  """

  constructor: str = ''
  arguments: tuple[str, ...] = ()
  counted: str = ''
  per_class: int = 1
  background: int = 0

  @property
  def label(self) -> str:
    return f"torchvision's {self.constructor.rpartition('.')[2]}"

  def body_and_head(self) -> tuple[list[str], list[str]]:
    return list(self.names(self.made(1).network)), []

  def made(self, num_classes: int):
    return named.create(self.network, num_classes=num_classes)

  def call(self, num_classes: int) -> str:
    """The line of Python that makes it there, with that many of our classes."""
    arguments = ['weights=None', 'weights_backbone=None', *self.arguments]
    arguments.append(f'num_classes={num_classes + self.background}')
    return f'torchvision.models.{self.constructor}({", ".join(arguments)})'


# torchvision's own transforms: a fixed square for SSDLite, enlarged or shrunk without
# antialiasing (GeneralizedRCNNTransform); a short side of 520 px for the segmenters,
# which see the whole picture there and its central square here.
SSDLITE = Contract(resize='squash', crop_fraction=1.0, resolution=320)
SEGMENTATION = dataclasses.replace(TORCHVISION, crop_fraction=1.0, resolution=520)


def _source(network, names, contract, **more) -> DenseSource:
  return DenseSource(
    *('torchvision', 'torch', network, names, contract),
    padding='torch',
    norm_epsilon=1e-3,
    **more,
  )


_LRASPP, _DEEPLAB = (
  f'{name}_mobilenet_v3_large_torchvision' for name in ('lraspp', 'deeplab')
)
SOURCES: tuple[DenseSource, ...] = (
  _source(
    'ssdlite_mobilenet_v3_large_torchvision',
    torch_dense_names.ssdlite,
    SSDLITE,
    constructor='detection.ssdlite320_mobilenet_v3_large',
    counted='head.classification_head.module_list.0.1',
    per_class=6,
    background=1,
    boxes=r'head\.regression_head\.module_list\.\d\.1$',
  ),
  _source(
    _LRASPP,
    torch_dense_names.lraspp,
    SEGMENTATION,
    constructor='segmentation.lraspp_mobilenet_v3_large',
    counted='classifier.high_classifier',
  ),
  _source(
    _DEEPLAB,
    torch_dense_names.deeplab_with_auxiliary,
    SEGMENTATION,
    constructor='segmentation.deeplabv3_mobilenet_v3_large',
    arguments=('aux_loss=True',),
    counted='classifier.4',
  ),
  _source(
    f'{_DEEPLAB}_without_auxiliary',
    torch_dense_names.deeplab,
    SEGMENTATION,
    constructor='segmentation.deeplabv3_mobilenet_v3_large',
    counted='classifier.4',
  ),
)


def recognise(file: WeightFile) -> fitting.Fitted | None:
  """The network that a file is of, under any prefix; None where it is none of these.

  Raises:
    WeightsError: it is of one, but something is missing, unknown or of another shape,
      as a diff; or the number of its classes is none.
  """
  if file.dialect != 'torch':
    return None
  layers, found = dialects.layer_names(file.dialect, file.tensors), []
  for source in SOURCES:
    known = set(source.body_and_head()[0])
    head = {name for name in known if name.startswith(_HEADS)}
    for prefix in dict.fromkeys(_prefixes(layers, head)):
      inside = {name.removeprefix(prefix) for name in layers}
      if len(head & inside) * 2 > len(head):
        found.append((len(inside & known) / len(inside | known), source, prefix))
  if not found:
    return None
  _, source, prefix = max(found, key=lambda reading: reading[0])
  tensors = {name.removeprefix(prefix): v for name, v in file.tensors.items()}
  return _fit(source, dataclasses.replace(file, tensors=tensors))


_HEADS = ('head.', 'classifier.')


def _prefixes(layers: list[str], head: set[str]) -> list[str]:
  """What stands before the names of a head's layers: 'model.', or nothing."""
  found = []
  for layer in layers:
    found += [layer.removesuffix(name) for name in head if layer.endswith(name)]
  return [prefix for prefix in found if not prefix or prefix.endswith('.')]


def _fit(source: DenseSource, file: WeightFile) -> fitting.Fitted:
  model = {
    'name': source.network,
    'width': 1.0,
    'num_classes': _classes(source, file.tensors),
    'padding': source.padding,
    'norm_epsilon': source.norm_epsilon,
  }
  names, _ = source.body_and_head()
  variables, differences = fitting.pair(source, model, names, file.tensors)
  if differences:
    misfit = fitting.Misfit(source.label, differences, [])
    raise WeightsError(fitting.misfit_message(str(file.path), misfit))
  return fitting.Fitted(source, model, variables, True, 0)


def _classes(source: DenseSource, tensors: dict[str, np.ndarray]) -> int:
  """How many classes there are; 1 where the layer that tells it is missing."""
  outputs = dialects.outputs(source.dialect, tensors, source.counted)
  if outputs is None:
    return 1  # the difference that is told is that layer
  classes, rest = divmod(outputs, source.per_class)
  if rest or classes <= source.background:
    raise WeightsError(
      f'{source.label} cannot have the {outputs} outputs of {source.counted}: '
      f'{source.per_class} an output class, and {source.background} of them in front'
    )
  return classes - source.background
