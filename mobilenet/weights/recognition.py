"""Which network of which framework a file's arrays belong to: by names, then shapes."""

import dataclasses
import re

from mobilenet.weights import dialects, fitting
from mobilenet.weights.sources import SOURCES, Source
from mobilenet.weights.weight_file import WeightFile, WeightsError


def recognise(file: WeightFile, framework: str | None = None) -> fitting.Fitted:
  """Finds the network, its widths, its classes, and turns its arrays into ours.

  Args:
    file: from a reader.
    framework: of the `Source` to take where several have the same names; None for the
      first of them.

  Raises:
    WeightsError: no network has such layers; or one nearly has, and then the message
      reads like a diff.
  """
  if file.dialect == 'tflite':
    # By number alone: a dense layer there may be a 1x1 convolution here.
    tensors = {re.sub(r':\w+/', '/', name): v for name, v in file.tensors.items()}
    file = dataclasses.replace(file, tensors=tensors)
  present = set(dialects.layer_names(file.dialect, file.tensors))
  overlaps = {
    source: _overlap(source, present)
    for source in SOURCES
    if source.dialect == file.dialect
  }
  best = max(overlaps.values())
  if best < 0.5:
    known = sorted({f'{source.framework} {source.network}' for source in overlaps})
    raise WeightsError(
      f'{file.path} holds no network known here: {len(file.tensors)} arrays such as '
      f'{next(iter(file.tensors), "none")}; known are {", ".join(known)}'
    )
  alike = [source for source, overlap in overlaps.items() if overlap == best]
  outcomes = []
  for source in sorted(alike, key=lambda source: source.framework != framework):
    outcomes.append(fitting.fit(source, file))
    if isinstance(outcomes[-1], fitting.Fitted):
      return outcomes[-1]
  closest = min(outcomes, key=lambda outcome: len(outcome.differences))
  raise WeightsError(fitting.diff(str(file.path), closest.what, closest.differences))


def _overlap(source: Source, present: set[str]) -> float:
  """The share of body layers that the file and a network have in common."""
  body, head = source.body_and_head()
  # TFLite's norms are folded away.
  expected = {name for name in body if not name.endswith('/norm')}
  there = {
    name
    for name in present - set(head)
    if not fitting.is_put_on(name) and not re.match(source.ignored, name)
  }
  return len(there & expected) / len(there | expected)
