"""The arrays of a file as the variables of one network, or what keeps them from it."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mobilenet.models import counting, zoo
from mobilenet.weights import dialects
from mobilenet.weights.sources import Source
from mobilenet.weights.weight_file import WeightFile, WeightsError

# Of two multipliers that give the same channels the commoner is taken.
WIDTHS = (
  *(1.0, 0.75, 0.5, 0.25, 0.35, 1.4, 1.3, 1.25, 1.5, 2.0),
  *(n / 20 for n in range(1, 61)),
  *(n / 100 for n in range(5, 301)),
)
WITH_BACKGROUND = 1001  # classes: ImageNet's, after one that is none of them
RESOLUTION = 224  # at which shapes are traced: all networks take it
# The first dense kernel on a flattened map; only PyTorch's networks have one.
FLATTENED = 'head/hidden_0/kernel'
MOST_LINES = 12  # of a diff


@dataclasses.dataclass(frozen=True)
class Fitted:
  """A file's arrays as the variables of a network.

  model: arguments of `zoo.create`.
  variables: {'params', 'batch_stats'} of NumPy arrays, float32; without 'head' where
    the file ends at the last feature map.
  label_offset: classes that were dropped in front of the first.
  """

  source: Source
  model: dict[str, Any]
  variables: dict[str, Any]
  has_head: bool
  label_offset: int


@dataclasses.dataclass(frozen=True)
class Misfit:
  """A network that a file does not fit, and one line for each difference."""

  what: str
  differences: list[str]


def fit(source: Source, file: WeightFile) -> Fitted | Misfit:
  """Tries a file as this network, at the widths that its shapes allow."""
  body, head = source.body_and_head()
  tensors, model = dict(file.tensors), {'name': source.network}
  present = dialects.layer_names(file.dialect, tensors)
  if put_on := [layer for layer in present if is_put_on(layer)]:
    head = put_on
    model |= _put_on(source, file, put_on)
  has_head = bool(set(head) & set(present))
  if has_head and (unknown := file.metadata.get('unknown_head')):
    raise WeightsError(
      f'{file.path} has layers on top that cannot be taken over: {", ".join(unknown)}; '
      'save the network without its head'
    )
  names = body + head if has_head else body
  if file.dialect == 'tflite':
    _unfold(tensors, names, source.norm_epsilon)
  classes, offset = 1, 0
  if has_head:
    classes = dialects.outputs(file.dialect, tensors, names[-1]) or 1
    if classes == WITH_BACKGROUND:
      classes, offset = classes - 1, 1
      _drop_first_class(file.dialect, tensors, names[-1])
  model |= {'num_classes': classes}
  model |= {'padding': source.padding, 'norm_epsilon': source.norm_epsilon}
  misfits = []
  for trial in _trials(source, model, names, tensors):
    variables, differences = _pair(source, trial, names, tensors)
    if not differences:
      return Fitted(source, trial, variables, has_head, offset)
    misfits.append(Misfit(f'{source.label} x{trial["width"]:g}', differences))
  return min(misfits, key=lambda misfit: len(misfit.differences))


def is_put_on(layer: str) -> bool:
  """Whether a dense layer is of a head that transfer learning put on (Keras)."""
  return layer.startswith('head:')


def diff(subject: str, what: str, differences: list[str]) -> str:
  """The message of weights that do not fit, one line for each difference."""
  lines = [f'  {line}' for line in differences[:MOST_LINES]]
  if len(differences) > MOST_LINES:
    lines.append(f'  ... and {len(differences) - MOST_LINES} more')
  count = f'{len(differences)} difference{"s" if len(differences) > 1 else ""}'
  legend = '- missing, + unknown, ~ of another shape'
  return '\n'.join([f'{subject} does not fit {what}; {count} ({legend}):', *lines])


def _put_on(source: Source, file: WeightFile, layers: list[str]) -> dict[str, Any]:
  """Arguments of the model for one or two dense layers on the pooled features."""
  if len(layers) == 1:
    return {'hidden_width': 0} if zoo.NETWORKS[source.network].head.hidden else {}
  if len(layers) > 2:
    raise WeightsError(
      f'{file.path} has {len(layers)} dense layers on top, and one hidden layer and a '
      'classifier can be taken over; save the network without its head'
    )
  activations = file.metadata.get('head_activations') or ['relu']
  return {
    'hidden_width': dialects.outputs(file.dialect, file.tensors, layers[0]),
    'hidden_act': activations[0],
  }


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


def _drop_first_class(dialect: str, tensors: dict, layer: str) -> None:
  for name, value in tensors.items():
    if dialects.split(dialect, name)[0] == layer:
      tensors[name] = value[1:] if dialect == 'torch' else value[..., 1:]


def _trials(
  source: Source, model: dict, names: list[str], tensors: Mapping[str, np.ndarray]
) -> Iterator[dict[str, Any]]:
  """Arguments of the model at the widths that the file may have; never none."""
  network = zoo.NETWORKS[source.network]
  if isinstance(network, dict):
    yield from ({**model, 'width': width} for width in network)
    return
  if not source.network.startswith('mobilenet'):
    yield {**model, 'width': 1.0}
    return
  blocks = _block_outputs(source, model, names, tensors)
  stem = blocks.pop('stem')
  width = next((w for w in WIDTHS if _has_outputs(network, w, blocks)), 1.0)
  model = {**model, 'width': width}
  scaled = dataclasses.replace(network, width=width)
  if stem not in (None, scaled.scale(network.rows[0].out)):
    model['stem_width'] = stem
  hidden = names[len(source.body_and_head()[0]) :][:-1]
  if hidden and 'hidden_width' not in model:
    units = dialects.outputs(source.dialect, tensors, hidden[0])
    if units not in (None, scaled.scale(network.head.hidden, shrink=False)):
      model['hidden_width'] = units
  yield model
  if width != 1.0 and 'mobilenet_v3' in source.network:
    yield {**model, 'expansion': 'printed'}  # torchvision's


def _block_outputs(source, model, names, tensors) -> dict[str, int | None]:
  """'stem', 'block_00', ... -> the channels that leave it in the file."""
  layers = counting.layers(zoo.create(**model), RESOLUTION)
  blocks = {}
  for layer, name in zip(_weighted(layers), names, strict=False):
    room, block, *_ = layer.name.split('/')
    if room == 'backbone' and dialects.kind_of(layer.kind) == 'conv':
      blocks[block] = dialects.outputs(source.dialect, tensors, name)
  return blocks


def _has_outputs(network, width: float, blocks: Mapping[str, int | None]) -> bool:
  scaled = dataclasses.replace(network, width=width)
  return all(
    blocks.get(f'block_{n:02d}')
    in (None, scaled.scale(row.out, getattr(row, 'shrink', True)))
    for n, row in enumerate(network.rows[1:])
    if hasattr(row, 'out')
  )


def _weighted(layers: list[counting.Layer]) -> list[counting.Layer]:
  return [layer for layer in layers if layer.kind != 'attention']


def _pair(
  source: Source,
  model: dict[str, Any],
  names: list[str],
  tensors: Mapping[str, np.ndarray],
) -> tuple[dict[str, Any], list[str]]:
  """(variables, differences) of the file's arrays and a model's."""
  classifier = zoo.create(**model)
  layers, shapes = counting.layers_and_variables(classifier, RESOLUTION)
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
        ours = dialects.channels_last(ours, classifier.network.head.size)
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
