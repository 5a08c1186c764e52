"""The arrays of a file as the variables of one network, or what keeps them from it."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mobilenet.models import counting, named, rows, zoo
from mobilenet.weights import additions, dialects, keras_computation, tops
from mobilenet.weights.outputs import as_softmax
from mobilenet.weights.sources import Source
from mobilenet.weights.weight_file import WeightFile, WeightsError

# Of two multipliers that give the same channels the commoner is taken.
WIDTHS = (
  *(1.0, 0.75, 0.5, 0.25, 0.35, 1.4, 1.3, 1.25, 1.5, 2.0),
  *(n / 20 for n in range(1, 61)),
  *(n / 100 for n in range(5, 301)),
)
SCALED = ('mobilenet', 'mnasnet')  # by a multiplier, whatever it is
RESOLUTION = 224  # at which shapes are traced: all networks take it
# The first dense kernel on a flattened map; only PyTorch's networks have one.
FLATTENED = 'head/hidden_0/kernel'
MOST_LINES = 12  # of a diff


@dataclasses.dataclass(frozen=True)
class Fitted:
  """A file's arrays as the variables of a network.

  model: arguments of `named.create`.
  variables: {'params', 'batch_stats'} of NumPy arrays, float32; without what is missing
    of the head.
  has_head: whether there is a classifier.
  label_offset: classes that were dropped in front of the first.
  notes: what was changed on the way, for people.
  assumed: fields of a config that the file does not say: 'model.hidden_act'.
  """

  source: Source
  model: dict[str, Any]
  variables: dict[str, Any]
  has_head: bool
  label_offset: int
  notes: tuple[str, ...] = ()
  assumed: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Misfit:
  """A network that a file does not fit, and one line for each difference.

  absent: blocks of the network of which the file has nothing.
  """

  what: str
  differences: list[str]
  absent: list[str]


def fit(source: Source, file: WeightFile) -> Fitted | Misfit:
  """Tries a file as this network, at the widths that its shapes allow.

  Raises:
    WeightsError: its head is one that no network here can have.
  """
  body, _ = source.body_and_head()
  tensors, top = dict(file.tensors), tops.find(source, file)
  if top.layers and (unknown := file.metadata.get('unknown_head')):
    raise WeightsError(
      f'{file.path} has layers on top that cannot be taken over: {", ".join(unknown)}; '
      'save the network without its head'
    )
  names, notes = body + top.layers, [*top.notes, *_left_out(source, tensors)]
  if file.dialect in dialects.GRAPHS:
    _unfold(tensors, names, source.norm_epsilon)
  classes, offset = 1, 0
  if top.has_classifier:
    head = zoo.create(source.network).network.head
    own = 'relu' if isinstance(head, rows.ConvHead) else ''  # SqueezeNet's
    outputs = as_softmax(file, tensors, names[-1], own)
    tensors, classes, offset = outputs.tensors, outputs.count, outputs.left_out
    notes += outputs.notes
  epsilon = file.metadata.get('norm_epsilon', source.norm_epsilon)
  style = {'padding': source.padding, 'norm_epsilon': epsilon}
  model = {'name': source.network, **top.model, 'num_classes': classes, **style}
  ours = _weighted(counting.layers(zoo.create(**model), RESOLUTION))
  pairs = list(zip((layer.name for layer in ours), names, strict=False))
  absent = _absent_blocks(pairs, set(dialects.layer_names(file.dialect, tensors)))
  notes += additions.complete(source.dialect, tensors, pairs)
  misfits = []
  for trial, exactly in _trials(source, model, names, tensors):
    variables, differences = pair(source, trial, names, tensors)
    if not differences:
      style = keras_computation.options(file, zoo.create(**trial), ours)
      unsaid = keras_computation.UNSAID if style is None else ()
      trial |= style or {}
      found = trial, variables, top.has_classifier, offset
      return Fitted(source, *found, tuple(notes), (*top.assumed, *unsaid))
    width = f'x{trial["width"]:g}'
    where = width if exactly else f'at any width ({width} is the nearest)'
    misfits.append(Misfit(f'{source.label} {where}', differences, absent))
  return min(misfits, key=lambda misfit: len(misfit.differences))


def _absent_blocks(pairs: list[tuple[str, str]], present: set[str]) -> list[str]:
  """'block_11', ...: rows of the body of which a file has no layer."""
  blocks = {}
  for ours, theirs in pairs:
    room, block, *_ = ours.split('/')
    if room == 'backbone':
      blocks.setdefault(block, []).append(theirs)
  return [block for block, layers in blocks.items() if not present & set(layers)]


def _left_out(source: Source, tensors: Mapping[str, np.ndarray]) -> list[str]:
  """A note on what a file has beside the network: 'aux1.fc1.weight'."""
  beside = sorted({n.partition('.')[0] for n in tensors if re.match(source.ignored, n)})
  if not beside:
    return []
  return [f'left out: {", ".join(beside)}, classifiers that only its training uses']


def is_put_on(layer: str) -> bool:
  """Whether a dense layer is of a head that transfer learning put on (Keras)."""
  return layer.startswith('head:')


def misfit_message(subject: str, misfit: Misfit) -> str:
  """One line where whole blocks are missing, else one line for each difference."""
  if not misfit.absent:
    return diff(subject, misfit.what, misfit.differences)
  known = ', '.join(misfit.absent[:MOST_LINES])
  return (
    f'{subject} does not fit {misfit.what}: it has nothing of {known}; it is a '
    'network of another depth, which cannot be taken over, or a part of one'
  )


def diff(subject: str, what: str, differences: list[str]) -> str:
  """The message of weights that do not fit, one line for each difference."""
  lines = [f'  {line}' for line in differences[:MOST_LINES]]
  if len(differences) > MOST_LINES:
    lines.append(f'  ... and {len(differences) - MOST_LINES} more')
  count = f'{len(differences)} difference{"s" if len(differences) > 1 else ""}'
  legend = '- missing, + unknown, ~ of another shape'
  return '\n'.join([f'{subject} does not fit {what}; {count} ({legend}):', *lines])


def _unfold(tensors: dict, names: list[str], epsilon: float) -> None:
  """Makes a norm, which adds its bias alone, of each bias that one was folded into."""
  for name in names:
    if not name.endswith('/norm'):
      continue
    bias = tensors.pop(f'{name.removesuffix("/norm")}/bias', None)
    if bias is None:
      continue
    ones = np.ones_like(bias)
    arrays = {'scale': ones, 'bias': bias, 'mean': 0 * ones, 'var': ones - epsilon}
    tensors |= {f'{name}/{array}': value for array, value in arrays.items()}


def _trials(
  source: Source, model: dict, names: list[str], tensors: Mapping[str, np.ndarray]
) -> Iterator[tuple[dict[str, Any], bool]]:
  """Arguments of the model at the widths that the file may have; never none.

  With each, whether all channels in the file are those of that width; where no width
  has all, it is the one that has most.
  """
  network = zoo.NETWORKS[source.network]
  if isinstance(network, dict):
    yield from (({**model, 'width': width}, True) for width in network)
    return
  if not any(family in source.network for family in SCALED):
    yield {**model, 'width': 1.0}, True
    return
  blocks = _block_outputs(source, model, names, tensors)
  stem = blocks.pop('stem')
  wrong = {width: _wrong_outputs(network, width, blocks) for width in WIDTHS}
  width = min(wrong, key=wrong.get)
  exactly = not wrong[width]
  model = {**model, 'width': width}
  scaled = dataclasses.replace(network, width=width)
  if stem not in (None, scaled.scale(network.rows[0].out)):
    model['stem_width'] = stem
  hidden = names[len(source.body_and_head()[0]) :][:-1]
  if hidden and 'hidden_width' not in model:
    units = dialects.outputs(source.dialect, tensors, hidden[0])
    if units not in (None, scaled.scale(network.head.hidden, shrink=False)):
      model['hidden_width'] = units
  yield model, exactly
  if width != 1.0 and 'mobilenet_v3' in source.network:
    yield {**model, 'expansion': 'printed'}, exactly  # torchvision's


def _block_outputs(source, model, names, tensors) -> dict[str, int | None]:
  """'stem', 'block_00', ... -> the channels that leave it in the file."""
  layers = counting.layers(zoo.create(**model), RESOLUTION)
  blocks = {}
  for layer, name in zip(_weighted(layers), names, strict=False):
    room, block, *_ = layer.name.split('/')
    if room == 'backbone' and dialects.kind_of(layer.kind) == 'conv':
      blocks[block] = dialects.outputs(source.dialect, tensors, name)
  return blocks


def _wrong_outputs(network, width: float, blocks: Mapping[str, int | None]) -> int:
  """How many blocks have other channels in the file than at this width."""
  scaled = dataclasses.replace(network, width=width)
  return sum(
    blocks.get(f'block_{n:02d}') not in (None, _outputs(scaled, row))
    for n, row in enumerate(network.rows[1:])
    if hasattr(row, 'out')
  )


def _outputs(network, row) -> int:
  exact = getattr(row, 'exact', None)
  return exact or network.scale(row.out, getattr(row, 'shrink', True))


def _weighted(layers: list[counting.Layer]) -> list[counting.Layer]:
  return [layer for layer in layers if layer.kind != 'attention']


def pair(
  source: Source,
  model: dict[str, Any],
  names: list[str],
  tensors: Mapping[str, np.ndarray],
) -> tuple[dict[str, Any], list[str]]:
  """(variables, differences) of the file's arrays and a model's.

  Args:
    source: whose arrays these are.
    model: arguments of `named.create`.
    names: of the file's layers, in the order of ours; of a part of them at least.
    tensors: the file's.
  """
  made = named.create(**model)
  layers, shapes = counting.layers_and_variables(made, RESOLUTION)
  variables, differences, used = {}, [], set()
  # Without a head there are fewer names than layers.
  for layer, name in zip(_weighted(layers), names, strict=False):
    kind, path = dialects.kind_of(layer.kind), layer.name.split('/')
    for collection, array, shape in _arrays(shapes, path):
      theirs = dialects.theirs(source.dialect, kind, array, name)
      value = tensors.get(theirs)
      used.add(theirs)
      if value is None:
        differences.append(f'- {theirs}, which is our {layer.name}/{array} {shape}')
        continue
      ours = dialects.to_ours(source.dialect, kind, array, value, shape)
      if ours is None:
        differences.append(f'~ {theirs} is {value.shape}, ours is {shape}')
        continue
      if f'{layer.name}/{array}' == FLATTENED:
        ours = dialects.channels_last(ours, made.network.head.size)
      if re.match(source.boxes, name):
        ours = dialects.y_first(ours)
      node = variables.setdefault(collection, {})
      for part in path:
        node = node.setdefault(part, {})
      node[array] = ours.astype(np.float32)
  differences += [
    f'+ {name} {value.shape}'
    for name, value in tensors.items()
    if name not in used and not re.match(source.ignored, name)
  ]
  return variables, differences


def _arrays(shapes, path: list[str]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
  """(collection, array, shape) of everything a layer has."""
  for collection, node in shapes.items():
    for part in path:
      node = node.get(part, {})
    for array, leaf in node.items():
      if hasattr(leaf, 'shape'):
        yield collection, array, leaf.shape
