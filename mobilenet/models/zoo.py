"""All networks by name."""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from mobilenet.models import (
  alexnet,
  freezing,
  googlenet,
  mnasnet,
  mobile_face_net,
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
from mobilenet.models.activations import ACTIVATIONS
from mobilenet.models.choices import OF_STYLE
from mobilenet.models.classifier import Classifier
from mobilenet.models.rows import Head, Inverted, ModelError, Network, Style
from mobilenet.models.table import from_text

# A dict of networks by width stands where a paper lists the channels of each scale.
NETWORKS: dict[str, Network | dict[float, Network]] = {
  **mobilenet_v1.NETWORKS,
  **mobilenet_v2.NETWORKS,
  **mobilenet_v3.NETWORKS,
  **mobilenet_v4.NETWORKS,
  **mobilenet_edgetpu.NETWORKS,
  **mnasnet.NETWORKS,
  **squeezenet.NETWORKS,
  **shufflenet.NETWORKS,
  **alexnet.NETWORKS,
  **googlenet.NETWORKS,
  **vgg.NETWORKS,
  **resnet.NETWORKS,
  **xception.NETWORKS,
  **mobile_face_net.NETWORKS,
}

# Four times what anybody has published; parameters grow with the square.
MAX_WIDTH = 64


def create(
  name: str,
  *,
  width: float = 1.0,
  num_classes: int = 1000,
  dropout: float = 0.0,
  stochastic_depth: float = 0.0,
  stem_width: int | None = None,
  hidden_width: int | None = None,
  hidden_act: str | None = None,
  act: str | None = None,
  expansion: str | None = None,
  table: str | None = None,
  trained: str = freezing.ALL,
  **style,
) -> Classifier:
  """Makes a named network: `create('mobilenet_v3_large', width=0.75)`.

  Args:
    name: a key of `NETWORKS`.
    width: the width multiplier, alpha in the papers, above 0, at most `MAX_WIDTH`.
    num_classes: outputs of the classifier.
    dropout: drop rate before the classifier, in [0, 1).
    stochastic_depth: drop rate of the last residual, in [0, 1).
    stem_width: channels of the first layer, where a code doesn't scale them.
    hidden_width: units of the hidden layer before the classifier, where a code has
      others than ours, or has one where we have none; 0 for no such layer.
    hidden_act: activation of that layer.
    act: activation of all layers of the body that have one, where a code has another
      than the table: ReLU for ReLU6.
    expansion: 'printed' multiplies the widths that a table prints for expansions, as
      torchvision's V3 does; None the width that comes in (see `rows.Inverted`).
    table: the rows of a network that no table here has, see `models.table`; its name
      is then any other.
    trained: what learns, see `freezing.frozen_parts`.
    **style: fields of `rows.Style` that differ from the family's own; None keeps it.

  Raises:
    ModelError: an unknown name (with the nearest ones), option or value.
  """
  if table is None and name not in NETWORKS:
    raise ModelError(f'model {name!r} does not exist; {nearest(name, NETWORKS)}')
  if table is not None and name in NETWORKS:
    raise ModelError(
      f'model {name} has rows of its own: a network of other rows needs another name'
    )
  if not 0 < width <= MAX_WIDTH:
    raise ModelError(
      f'model width is {width}: it must be above 0 and at most {MAX_WIDTH}'
    )
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
    if value is not None and value not in OF_STYLE.get(option, (value,)):
      raise ModelError(
        f'model {option} is {value!r}: it must be one of {", ".join(OF_STYLE[option])}'
      )
  network = NETWORKS[name] if table is None else from_text(table)
  if isinstance(network, dict):
    if width not in network:
      raise ModelError(
        f'model {name} at width {width:g} does not exist: {widths(name)} do'
      )
    network, width = network[width], 1.0
  given = {option: value for option, value in style.items() if value is not None}
  network = dataclasses.replace(
    network, width=width, style=dataclasses.replace(network.style, **given)
  )
  network = _with_exact_widths(name, network, stem_width, hidden_width, hidden_act)
  network = network if act is None else _with_activation(network, act)
  if expansion == 'printed':
    network = _with_printed_expansions(network)
  elif expansion is not None:
    raise ModelError(f"model expansion is {expansion!r}: it must be 'printed' or None")
  frozen = freezing.frozen_parts(network, trained)
  return Classifier(network, num_classes, dropout, stochastic_depth, frozen)


def over(own: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
  """A caller's options over those that a table has; None keeps the table's."""
  kept = {name for name in own if options.get(name) is None}
  return {**own, **{name: options[name] for name in options if name not in kept}}


def widths(name: str) -> str:
  """The widths that a network has, for people: 'any', or '0.25, 0.5, 1, 1.5'."""
  network = NETWORKS.get(name)
  if not isinstance(network, dict):
    return 'any'
  return ', '.join(f'{width:g}' for width in sorted(network))


def _with_exact_widths(name, network, stem, hidden, act):
  for option, value in {'stem_width': stem, 'hidden_width': hidden}.items():
    if value is not None and value < (option == 'stem_width'):
      raise ModelError(f'model {option} is {value}: there are no such widths')
  if stem is not None:
    first = dataclasses.replace(network.rows[0], exact=stem)
    network = dataclasses.replace(network, rows=(first, *network.rows[1:]))
  if hidden is None and act is None:
    return network
  if not isinstance(network.head, Head):
    raise ModelError(f'the head of {name} takes no hidden_width or hidden_act')
  if act is not None and act not in ACTIVATIONS:
    raise ModelError(
      f'model hidden_act is {act!r}: it must be one of {", ".join(ACTIVATIONS)}'
    )
  head = dataclasses.replace(
    network.head,
    hidden=network.head.hidden if hidden is None else hidden,
    exact=hidden,
    act=act or network.head.act,
  )
  return dataclasses.replace(network, head=head)


def _with_activation(network: Network, act: str) -> Network:
  if act not in ACTIVATIONS:
    known = ', '.join(ACTIVATIONS)
    raise ModelError(f'model act is {act!r}: it must be one of {known}')
  rows = [
    row
    if getattr(row, 'act', 'linear') == 'linear'
    else dataclasses.replace(row, act=act)
    for row in network.rows
  ]
  return dataclasses.replace(network, rows=tuple(rows))


def _with_printed_expansions(network: Network) -> Network:
  """Expansions as ratios that give the printed widths times the multiplier."""
  stem, *rest = network.rows
  printed, scaled = stem.out, stem.exact or network.scale(stem.out, stem.shrink)
  rows = [stem]
  for row in rest:
    if isinstance(row, Inverted):
      inner = network.scale(round(printed * row.expand))
      row = dataclasses.replace(row, expand=inner / scaled)
      printed, scaled = row.out, network.scale(row.out)
    rows.append(row)
  return dataclasses.replace(network, rows=tuple(rows))


def nearest(name: str, known) -> str:
  """'did you mean ...?' where something is near, else all there is."""
  close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
  if close:
    return f'did you mean {" or ".join(close)}?'
  return f'there are {", ".join(sorted(known))}'
