"""Which network of which framework a file's arrays belong to: by names, then shapes."""

import dataclasses
import re
from collections.abc import Iterator

from mobilenet.weights import dense, dialects, fitting, wrapped
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
  if file.dialect in dialects.GRAPHS:
    # By number alone: a dense layer there may be a 1x1 convolution here.
    tensors = {re.sub(r':\w+/', '/', name): v for name, v in file.tensors.items()}
    file = dataclasses.replace(file, tensors=tensors)
  if file.dialect == 'torch':
    file = dataclasses.replace(file, tensors=wrapped.without_loss(file.tensors))
  if whole := dense.recognise(file):
    return whole
  readings = list(_readings(file))
  best = max(reading.overlap for reading in readings)
  if best < 0.5:
    known = sorted({f'{r.source.framework} {r.source.network}' for r in readings})
    raise WeightsError(
      f'{file.path} holds no network known here: {len(file.tensors)} arrays such as '
      f'{next(iter(file.tensors), "none")}; known are {", ".join(known)}'
    )
  alike = [reading for reading in readings if reading.overlap == best]
  prefixes = dict.fromkeys(reading.prefix or 'no prefix' for reading in alike)
  if len(prefixes) > 1:
    raise WeightsError(
      f'{file.path} holds {len(prefixes)} networks, whose names begin with '
      f'{", ".join(prefixes)}; save the state dict of one'
    )
  outcomes = []
  for reading in sorted(alike, key=lambda r: r.source.framework != framework):
    outcomes.append(fitting.fit(reading.source, reading.of(file)))
    if isinstance(outcomes[-1], fitting.Fitted):
      return outcomes[-1]
  closest = min(outcomes, key=lambda outcome: len(outcome.differences))
  raise WeightsError(fitting.misfit_message(str(file.path), closest))


@dataclasses.dataclass(frozen=True)
class _Reading:
  """A file's layers taken for those of a source.

  prefix: of the names that are the source's.
  names: layer of the file -> its name in the source.
  overlap: the share of body layers that both have.
  """

  source: Source
  prefix: str
  names: dict[str, str]
  overlap: float

  def of(self, file: WeightFile) -> WeightFile:
    if all(name == known for name, known in self.names.items()):
      return file
    return dataclasses.replace(file, tensors=wrapped.renamed(file.tensors, self.names))


def _readings(file: WeightFile) -> Iterator[_Reading]:
  layers = dialects.layer_names(file.dialect, file.tensors)
  for source in (source for source in SOURCES if source.dialect == file.dialect):
    if file.dialect != 'torch':
      names = {name: name for name in layers}
      yield _Reading(source, '', names, _overlap(source, set(layers)))
      continue
    for prefix, names in wrapped.readings(source, layers):
      inside = {names[name] for name in layers if name.startswith(prefix)}
      yield _Reading(source, prefix, names, _overlap(source, inside))


def _overlap(source: Source, present: set[str]) -> float:
  """The share of body layers that the file and a network have in common."""
  body, head = source.body_and_head()
  # A graph's norms are folded away.
  expected = {name for name in body if not name.endswith('/norm')}
  there = {
    name
    for name in present - set(head)
    if not fitting.is_put_on(name) and not re.match(source.ignored, name)
  }
  return len(there & expected) / len(there | expected)
