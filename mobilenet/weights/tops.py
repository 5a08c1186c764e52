"""Which layers of a file are on top of its last feature map: hidden ones, a classifier.

A framework's own network has them under names that its `Source` knows. People replace
them: a dense layer for a classifier, two for one, under any name; or none at all.
"""

import dataclasses
import itertools
import re
from typing import Any

from mobilenet.models import zoo
from mobilenet.models.activations import ACTIVATIONS
from mobilenet.models.rows import Head
from mobilenet.weights import dialects
from mobilenet.weights.sources import Source
from mobilenet.weights.weight_file import WeightFile, WeightsError

# Keras has other names for these; TFLite shouts.
SPELLED = {'hard_silu': 'hard_swish', 'none': 'linear'}
IMAGENET = (1000, 1001)  # outputs of a classifier that another layer was put on
ACT = 'model.hidden_act'  # in a config
MOST = 5  # layers that are tried in every order


@dataclasses.dataclass(frozen=True)
class Top:
  """The layers after the last feature map.

  layers: the file's names, in the order in which ours are.
  has_classifier: whether the last of them is one.
  model: arguments of `zoo.create` that they need.
  notes: how names were read, for people.
  assumed: fields of a config that the file does not say: 'model.hidden_act'.
  """

  layers: list[str]
  has_classifier: bool
  model: dict[str, Any] = dataclasses.field(default_factory=dict)
  notes: tuple[str, ...] = ()
  assumed: tuple[str, ...] = ()


def find(source: Source, file: WeightFile) -> Top:
  """The top of a file that is taken for this network.

  Raises:
    WeightsError: it has two classifiers, or more or other layers than a network here
      can have.
  """
  body, own = source.body_and_head()
  features = _features(file, body)
  present = dialects.layer_names(file.dialect, file.tensors)
  known = set(body)
  rest = [n for n in present if n not in known and not re.match(source.ignored, n)]
  rest.sort(key=_natural)
  if file.dialect in dialects.GRAPHS:  # where norms are folded into what is before them
    rest += [n for n in own if n.endswith('/norm') and n.removesuffix('/norm') in rest]
  if not rest:
    return Top([], has_classifier=False)
  hidden = own[:-1]
  strange = _is_strange(source, file, hidden, features)
  if replaced := _one_for_one(own, rest):
    act = {'hidden_act': _network(source).head.act} if strange else {}
    assumed = (ACT,) if strange else ()
    return Top(replaced, True, act, _told(file, own, replaced), assumed)
  others = [name for name in rest if name not in hidden]
  if set(hidden) <= set(rest):
    if not others and not strange:
      return Top(hidden, has_classifier=False)
    if len(others) == 1 and (not hidden or _follows(file, hidden[0], others[0])):
      taken = [*hidden, *others]
      return Top(taken, True, notes=_told(file, own, taken))
  if not isinstance(_network(source).head, Head):
    return Top(own, has_classifier=own[-1] in rest)
  chain = _chain(file, rest, features)
  if chain is None:
    # What it has besides is told by the differences.
    return Top(own if own[-1] in rest else hidden, has_classifier=own[-1] in rest)
  return _put_on(source, file, chain)


def _one_for_one(own: list[str], rest: list[str]) -> list[str] | None:
  """The file's layers where each stands in the place of one, or inside of it."""
  inside = [[n for n in rest if n == name or n.startswith(f'{name}.')] for name in own]
  if all(len(names) == 1 for names in inside) and len(rest) == len(own):
    return [names[0] for names in inside]
  return None


def _chain(file: WeightFile, rest: list[str], features: int | None):
  """All of them in an order in which they fit onto one another; None if none does."""
  if len(rest) > MOST:
    return None
  dense = [name for name in rest if dialects.inputs(file.dialect, file.tensors, name)]
  starting = [
    name
    for name in dense
    if dialects.inputs(file.dialect, file.tensors, name) == features
  ]
  for order in itertools.permutations(rest):
    if order[0] in starting and all(
      _follows(file, one, two) for one, two in itertools.pairwise(order)
    ):
      return list(order)
  if len(starting) > 1:
    raise WeightsError(
      f'{file.path} has {len(starting)} classifiers ({", ".join(starting)}), and a '
      'network here has one; save it without the others'
    )
  if starting and len(dense) < len(rest):
    strange = ', '.join(name or 'a bare array' for name in rest if name not in dense)
    raise WeightsError(
      f'{file.path} has layers on top that cannot be taken over: {strange}; a dense '
      'layer, or two, can'
    )
  return None


def _put_on(source: Source, file: WeightFile, chain: list[str]) -> Top:
  """A chain of dense layers on the pooled features, as a hidden layer and a classifier.

  Raises:
    WeightsError: it is longer, or its activation is none of ours.
  """
  own = source.body_and_head()[1]
  notes = _told(file, own, chain)
  if len(chain) == 1:
    has_hidden = bool(_network(source).head.hidden)
    return Top(chain, True, {'hidden_width': 0} if has_hidden else {}, notes)
  if len(chain) > 2:
    raise WeightsError(
      f'{file.path} has {len(chain)} dense layers on top, and one hidden layer and a '
      'classifier can be taken over; save the network without its head'
    )
  units = dialects.outputs(file.dialect, file.tensors, chain[0])
  act, assumed = _activation(file, chain[0]), ()
  if act is None:
    # A layer on ImageNet's classifier sees its logits; a hidden one has a ReLU.
    act = 'linear' if chain[0] == own[-1] and units in IMAGENET else 'relu'
    assumed = (ACT,)
  if act not in ACTIVATIONS:
    raise WeightsError(
      f'{file.path} has a hidden layer with the activation {act}, which cannot be '
      f'taken over; {", ".join(ACTIVATIONS)} can'
    )
  model = {'hidden_width': units, 'hidden_act': act}
  return Top(chain, True, model, notes, assumed)


def _activation(file: WeightFile, layer: str) -> str | None:
  """What follows the hidden layer, if the file says so."""
  said = file.metadata.get('head_activations')
  if said:
    return SPELLED.get(said[0], said[0])
  for entry in file.metadata.get('layers', ()):  # TFLite's
    if entry['name'].partition(':')[0] == layer:
      act = entry['activation'].lower()
      return SPELLED.get(act, act)
  return None


def _told(file: WeightFile, own: list[str], taken: list[str]) -> tuple[str, ...]:
  """A note, where it is not the network's own head under its own names."""
  if file.dialect not in ('torch', 'slim') or taken == own:
    return ()
  if len(taken) > 1 and taken[:-1] != own[:-1]:
    return (f'taken for a hidden layer and the classifier: {", ".join(taken)}',)
  return (f'taken for the classifier: {taken[-1]}',)


def _is_strange(source, file, hidden: list[str], features: int | None) -> bool:
  """Whether what stands in the place of the hidden layer is another dense layer.

  Of torchvision's and TFLite's layers only a number tells which it is. The network's
  own one has the table's units, or is scaled as the features are, which rounding
  changes little.
  """
  if len(hidden) != 1 or not re.search(r'(^|\.)\d+$', hidden[0]):
    return False
  network = _network(source)
  units = dialects.outputs(file.dialect, file.tensors, hidden[0])
  if not units or not features or units == network.head.hidden:
    return False
  return abs(units / features * network.rows[-1].out / network.head.hidden - 1) > 0.05


def _follows(file: WeightFile, one: str, two: str) -> bool:
  """Whether a dense layer takes what another gives."""
  given = dialects.outputs(file.dialect, file.tensors, one)
  return given is not None and given == dialects.inputs(file.dialect, file.tensors, two)


def _features(file: WeightFile, body: list[str]) -> int | None:
  """Channels of the last feature map in the file."""
  sizes = (
    dialects.outputs(file.dialect, file.tensors, name) for name in reversed(body)
  )
  return next((size for size in sizes if size is not None), None)


def _network(source: Source):
  network = zoo.NETWORKS[source.network]
  return next(iter(network.values())) if isinstance(network, dict) else network


def _natural(name: str) -> list[tuple[int, str]]:
  """'classifier.10' comes after 'classifier.4'."""
  return [
    (int(part), '') if part.isdigit() else (-1, part)
    for part in re.split(r'(\d+)', name)
  ]
