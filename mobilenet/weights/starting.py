"""Starting a network from loaded weights, with its classifier or with a new one."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import jax

from mobilenet.models import folding, named
from mobilenet.weights import class_names
from mobilenet.weights.fitting import diff
from mobilenet.weights.own_file import Weights, flatten, unflatten
from mobilenet.weights.weight_file import WeightsError

_FEW = 3  # names in a message
CLASSIFIER = 'params/head/classifier/'
# What a new head draws anew: all whose outputs are classes.
_OF_CLASSES = re.compile(
  r'(params/head/classifier|\w+/classes(_\d+)?|'
  r'params/segmentation/(high|low|classifier)|'
  r'params/fcn/classifier)/'
)


def folded(weights: Weights) -> Weights:
  """The same network with its norms folded into its convolutions, and without them."""
  model = named.create(**weights.model)
  if not model.network.style.norm:
    return weights
  _, variables = folding.fold(model, weights.variables)
  return dataclasses.replace(
    weights, model=weights.model | {'norm': False}, variables=variables
  )


def trunk_from(weights: Weights, initial: dict[str, Any]) -> dict[str, Any]:
  """The initial variables of a detector or segmenter on a trunk that is loaded.

  Args:
    weights: of the trunk's network.
    initial: {'params', 'batch_stats'} as drawn. Rows that its table changes (half of
      the channels of V3's last ones) stay so, and so does all that is not the trunk.

  Raises:
    WeightsError: nothing before those rows may be missing or of another shape.
  """
  loaded, drawn = flatten(weights.variables), flatten(initial)
  fits = _fits(loaded, drawn)
  differences = [name for name, fit in fits.items() if not fit]
  last_kept = max(map(_row, fits)) - _CHANGED_ROWS
  if any(_row(name) <= last_kept for name in differences):
    lines = [f'- {name} {drawn[name].shape}' for name in differences]
    raise WeightsError(diff(weights.origin, 'the trunk of the config', lines))
  return unflatten(
    {name: loaded[name] if fits.get(name) else value for name, value in drawn.items()}
  )


def drawn_rows(weights: Weights, shapes: dict[str, Any]) -> tuple[str, ...]:
  """The rows of a trunk that `trunk_from` draws anew, at least in part.

  Args:
    weights: of the trunk's network.
    shapes: {'params', 'batch_stats'} of the detector or segmenter, as shapes.
  """
  leaves = jax.tree_util.tree_leaves_with_path(shapes)
  drawn = {'/'.join(key.key for key in path): leaf for path, leaf in leaves}
  fits = _fits(flatten(weights.variables), drawn)
  rows = {name.split('/')[2] for name, fit in fits.items() if not fit}
  return tuple(sorted(rows))


def _fits(loaded: dict[str, Any], drawn: dict[str, Any]) -> dict[str, bool]:
  """Of each array of the trunk whether the loaded one has its shape."""
  return {
    name: name in loaded and loaded[name].shape == value.shape
    for name, value in drawn.items()
    if _OF_TRUNK.match(name)
  }


_OF_TRUNK = re.compile(r'\w+/backbone/')
_CHANGED_ROWS = 4  # at most: V3's last three blocks and its last convolution


def _row(name: str) -> int:
  """'params/backbone/block_03/...' -> 4; the stem is 0."""
  part = name.split('/')[2]
  return 0 if part == 'stem' else 1 + int(part.removeprefix('block_'))


def check_classes(weights: Weights, outputs: Sequence[str]) -> None:
  """Checks that a classifier which is kept answers for the classes of the data.

  With as many others, or the same in another order, every array would fit, and each
  answer would begin as another's. ImageNet's ids and names are the same class.

  Args:
    weights: from `loading.load` or of a run; without names of classes all is well.
    outputs: what the outputs of the new run stand for.

  Raises:
    WeightsError: they are others; the line names some.
  """
  theirs = weights.class_names
  if theirs is None or theirs == unnamed(len(theirs)):
    return
  theirs, ours = (
    tuple(map(class_names.display_name, names)) for names in (theirs, outputs)
  )
  if theirs == ours:
    return
  differences = [
    f'only {who} {verb} {", ".join(own[:_FEW])}{", ..." if len(own) > _FEW else ""}'
    for who, verb, one, other in (
      ('the weights', 'have', theirs, ours),
      ('the data', 'has', ours, theirs),
    )
    if (own := sorted(set(one) - set(other)))
  ]
  raise WeightsError(
    f'the weights ({weights.origin}) have other classes than the data: '
    f'{"; ".join(differences) or "the same in another order"}; give folders the same '
    'names, or --config.new_head=true trains a new classifier on them'
  )


def unnamed(count: int) -> tuple[str, ...]:
  """What classes are called of which nobody has told the names."""
  return tuple(f'class {n}' for n in range(count))


def start_from(
  weights: Weights, initial: dict[str, Any], *, new_head: bool
) -> dict[str, Any]:
  """The loaded variables, and the initial ones of what is new.

  Args:
    weights: from `loading.load`.
    initial: the model's {'params', 'batch_stats'} as drawn.
    new_head: keep the drawn classifier, and what else of a head the file has not. A
      hidden layer before the classifier, as V3's, is loaded where it is there.

  Raises:
    WeightsError: something is missing, unknown or of another shape; it reads like a
      diff. All of the network has to fit but a new classifier.
  """
  loaded, drawn = flatten(weights.variables), flatten(initial)
  if new_head:
    loaded = {n: v for n, v in loaded.items() if not _OF_CLASSES.match(n)}
  # Of V4's head a norm's statistics are a part too.
  is_new = _OF_CLASSES if weights.has_head else re.compile(r'\w+/head/')
  started, differences, of_classifier = {}, [], 0
  for name, value in drawn.items():
    if name not in loaded and new_head and is_new.match(name):
      started[name] = value
    elif name not in loaded:
      differences.append(f'- {name} {value.shape}')
    elif loaded[name].shape != value.shape:
      differences.append(f'~ {name} is {loaded[name].shape}, ours is {value.shape}')
      of_classifier += bool(_OF_CLASSES.match(name))
    else:
      started[name] = loaded[name]
  differences += [
    f'+ {name} {loaded[name].shape}' for name in sorted(loaded.keys() - drawn)
  ]
  if differences and of_classifier == len(differences):
    there = weights.model['num_classes']
    bias = drawn.get(f'{CLASSIFIER}bias')
    here = 'another number' if bias is None else len(bias)
    raise WeightsError(
      f'the weights ({weights.origin}) have {there} classes, the data {here}; '
      '--config.new_head=true trains a new classifier on them'
    )
  if differences:
    raise WeightsError(diff(weights.origin, 'the network of the config', differences))
  return unflatten(started)
