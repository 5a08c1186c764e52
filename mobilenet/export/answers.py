"""What a file answers: for each kind of network, the ways to say what it found.

    ANSWERS['detection']['boxes'].names  # ('boxes', 'scores')

The first of a kind is the default.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mobilenet.export.errors import ExportError
from mobilenet.models import boxes, detectors, segmenters
from mobilenet.models.detectors import Boxes

# A scope whose values are never rounded to bytes: a byte is 1/255 of a range, and a box
# with such corners is up to 2 px of 320 beside the object.
EXACT = 'exact'
BOX_ORDER = ('top', 'left', 'bottom', 'right')
Values = tuple[jax.Array, ...]


class Answer(NamedTuple):
  """A way to answer.

  names: of the outputs. of: (the network's outputs, how, the images' size) to arrays
  that a graph gives. finish: (these arrays, how) to the outputs, where no graph can
  hold it; None where the arrays are the outputs. said: what they are, for people.
  """

  names: tuple[str, ...]
  of: Callable[[Any, Mapping[str, Any], tuple[int, int]], Values]
  said: str
  finish: Callable[[Values, Mapping[str, Any]], Values] | None = None


def _as_they_are(logits, how, size) -> Values:
  return (logits,)


def _probabilities(logits, how, size) -> Values:
  return (jax.nn.softmax(logits * (1 / how['temperature'])),)


def _decoded(outputs: Boxes, how, size) -> Values:
  with jax.named_scope(EXACT):
    scores = detectors.scores(outputs.logits, how['scores'])
    return boxes.decode(outputs.codes, outputs.anchors), scores


def _objects(decoded: Values, how) -> Values:
  names = ('candidates', 'most', 'threshold', 'least_score')
  found = boxes.detect(*decoded, **{name: how[name] for name in names})
  return found.boxes, found.scores, found.classes


def _labels(logits, how, size) -> Values:
  enlarged = segmenters.resize(logits, size)
  with jax.named_scope(EXACT):
    return (jnp.argmax(enlarged, axis=-1).astype(jnp.int32),)


def _of_each(logits, how, size) -> Values:
  return (jax.nn.sigmoid(logits),)


_BOX = f'({", ".join(BOX_ORDER)}) as shares of the image, 0 to 1'
ANSWERS: dict[str, dict[str, Answer]] = {
  'classification': {
    'logits': Answer(('logits',), _as_they_are, 'logits (N, K)'),
    'probabilities': Answer(('probabilities',), _probabilities, 'probabilities (N, K)'),
  },
  'detection': {
    'boxes': Answer(
      ('boxes', 'scores'),
      _decoded,
      f'boxes (N, A, 4), {_BOX}, which may reach beyond it, and scores (N, A, K), 0 to '
      '1, of every anchor: what overlaps is still to be thinned out',
    ),
    'objects': Answer(
      ('boxes', 'scores', 'classes'),
      _decoded,
      f'objects, the best first: boxes (N, D, 4), {_BOX}, scores (N, D), 0 where there '
      'is none, and classes (N, D), int32 from 0',
      _objects,
    ),
  },
  'segmentation': {
    'logits': Answer(
      ('logits',),
      _as_they_are,
      "logits (N, h, w, K) of the network's own size, the smallest that holds all it "
      'knows: enlarge them (bilinear, half-pixel centres) to any size, then take the '
      'greatest of each pixel',
    ),
    'labels': Answer(
      ('labels',),
      _labels,
      "the class of each pixel of the image (N, H, W), int32, at the input's size, "
      'where nothing is left to do',
    ),
  },
  'tags': {
    'logits': Answer(('logits',), _as_they_are, 'logits (N, K), a sigmoid each'),
    'probabilities': Answer(
      ('probabilities',),
      _of_each,
      'the probability of each tag (N, K), 0 to 1; any number of them may hold',
    ),
  },
  'embeddings': {
    'embedding': Answer(
      ('embedding',),
      _as_they_are,
      'embeddings (N, E), of length 1: the dot product of two is their cosine, and the '
      'more alike what they are of, the greater',
    ),
  },
}


def named(task: str, name: str | None) -> tuple[str, Answer]:
  """An answer and its name; the default of a kind of network for None.

  Raises:
    ExportError: such networks have no such answer.
  """
  known = ANSWERS[task]
  name = name or next(iter(known))
  if name not in known:
    raise ExportError(f'--answer={name}: of {task} it is {" or ".join(known)}')
  return name, known[name]
