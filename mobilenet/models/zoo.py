"""All networks by name."""

import dataclasses
import difflib

from mobilenet.models import (
  alexnet,
  googlenet,
  mobilenet_edgetpu,
  mobilenet_v1,
  mobilenet_v2,
  mobilenet_v3,
  mobilenet_v4,
  resnet,
  shufflenet,
  squeezenet,
  vgg,
  xception,
)
from mobilenet.models.classifier import Classifier
from mobilenet.models.initializers import SCHEMES
from mobilenet.models.lowering import LOWERINGS
from mobilenet.models.rows import ModelError, Network, Style

# A dict of networks by width stands where a paper lists the channels of each scale.
NETWORKS: dict[str, Network | dict[float, Network]] = {
  **mobilenet_v1.NETWORKS,
  **mobilenet_v2.NETWORKS,
  **mobilenet_v3.NETWORKS,
  **mobilenet_v4.NETWORKS,
  **mobilenet_edgetpu.NETWORKS,
  **squeezenet.NETWORKS,
  **shufflenet.NETWORKS,
  **alexnet.NETWORKS,
  **googlenet.NETWORKS,
  **vgg.NETWORKS,
  **resnet.NETWORKS,
  **xception.NETWORKS,
}

# Options of the style that have a fixed set of values.
CHOICES = {
  'padding': ('tf', 'torch'),
  'init': tuple(scheme for scheme in SCHEMES if scheme != 'zeros'),
  'dtype': ('float32', 'bfloat16', 'float16'),
  'lowering': LOWERINGS,
}


def create(
  name: str,
  *,
  width: float = 1.0,
  num_classes: int = 1000,
  dropout: float = 0.0,
  stochastic_depth: float = 0.0,
  **style,
) -> Classifier:
  """Makes a named network: `create('mobilenet_v3_large', width=0.75)`.

  Args:
    name: a key of `NETWORKS`.
    width: the width multiplier, alpha in the papers, above 0.
    num_classes: outputs of the classifier.
    dropout: drop rate before the classifier, in [0, 1).
    stochastic_depth: drop rate of the last residual, in [0, 1).
    **style: fields of `rows.Style` that differ from the family's own; None keeps it.

  Raises:
    ModelError: an unknown name (with the nearest ones), option or value.
  """
  if name not in NETWORKS:
    raise ModelError(f'model {name!r} does not exist; {nearest(name, NETWORKS)}')
  if not width > 0:
    raise ModelError(f'model width is {width}: it must be above 0')
  if num_classes < 1:
    raise ModelError(f'model num_classes is {num_classes}: it must be at least 1')
  for option, rate in {
    'dropout': dropout,
    'stochastic_depth': stochastic_depth,
  }.items():
    if not 0 <= rate < 1:
      raise ModelError(f'model {option} is {rate}: a rate is in [0, 1)')
  fields = {field.name for field in dataclasses.fields(Style)}
  for option, value in style.items():
    if option not in fields:
      raise ModelError(
        f'model option {option!r} does not exist; {nearest(option, fields)}'
      )
    if value is not None and value not in CHOICES.get(option, (value,)):
      raise ModelError(
        f'model {option} is {value!r}: it must be one of {", ".join(CHOICES[option])}'
      )
  network = NETWORKS[name]
  if isinstance(network, dict):
    if width not in network:
      widths = ', '.join(f'{known:g}' for known in sorted(network))
      raise ModelError(f'model {name} at width {width:g} does not exist: {widths} do')
    network, width = network[width], 1.0
  given = {option: value for option, value in style.items() if value is not None}
  network = dataclasses.replace(
    network, width=width, style=dataclasses.replace(network.style, **given)
  )
  return Classifier(network, num_classes, dropout, stochastic_depth)


def nearest(name: str, known) -> str:
  """'did you mean ...?' where something is near, else all there is."""
  close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
  if close:
    return f'did you mean {" or ".join(close)}?'
  return f'there are {", ".join(sorted(known))}'
