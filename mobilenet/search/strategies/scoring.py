"""Scores of networks with shared weights, by any number of processes at once.

    scores/<network>.json      loss and metric of one, written once
    generations/<name>.json    what is to be scored, with its cost, written once

Who comes first takes a network, by a lock; who finds it done reads it. What is proposed
next depends on the files alone. So stopping at any point loses one score at most, and
several processes give what one gives.
"""

import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mobilenet.search import json_file
from mobilenet.search import space as spaces
from mobilenet.search.space import Arch, Space
from mobilenet.training import files

SCORES, GENERATIONS = 'scores', 'generations'
AGAIN = 'remove it, and the same command goes on'
Metrics = dict[str, float]


class Scores:
  """The scores in a search's folder.

  Args:
    folder: of the search.
    score: a network -> its metrics.
    first: at which network of a list to begin, that processes meet less often.
  """

  def __init__(
    self, folder: pathlib.Path, score: Callable[[Arch], Metrics], first: int = 0
  ):
    self._folder, self._score, self._first = folder / SCORES, score, first

  def fill(self, archs: Sequence[Arch], is_stopped: Callable[[], bool]) -> bool:
    """Scores what is not scored, and waits for what others are scoring.

    Returns:
      Whether all are; False where it was stopped.
    """
    from mobilenet.sweeps.items import locked

    start = self._first % max(1, len(archs))
    ordered = [*archs[start:], *archs[:start]]
    for wait in (False, True):  # first what nobody else has begun
      for arch in ordered:
        if is_stopped():
          return False
        path = self._path(arch)
        if path.exists():
          continue
        with locked(path.with_suffix('.lock'), wait=wait) as held:
          if held is not None and not path.exists():
            write_json(path, self._score(arch))
    for arch in archs:
      files.remove(self._path(arch).with_suffix('.lock'))
    return True

  def of(self, arch: Arch) -> Metrics:
    """What `fill` found.

    Raises:
      TrainingError: it is not there, or damaged.
    """
    return json_file.read(self._path(arch), {'loss': json_file.NUMBER}, AGAIN)

  def _path(self, arch: Arch) -> pathlib.Path:
    return self._folder / f'{spaces.encode(arch)}.json'


def proposed(
  folder: pathlib.Path,
  name: str,
  space: Space,
  propose: Callable[[], Sequence[Arch]],
  costs_of: Callable[[Sequence[Arch]], Sequence[float]],
) -> dict[Arch, float]:
  """The networks of a generation with their costs, the same for all processes.

  Args:
    folder: of the search.
    name: of the generation.
    space: of the search.
    propose: called by the first process that comes.
    costs_of: likewise.
  """
  path = folder / GENERATIONS / f'{name}.json'
  said = once(path, {str: json_file.NUMBER}, lambda: _with_costs(propose(), costs_of))
  with files.reading(path, AGAIN):
    return {spaces.decode(space, text): cost for text, cost in said.items()}


def _with_costs(archs, costs_of) -> dict[str, float]:
  costs = costs_of(archs) if archs else ()
  return {
    spaces.encode(arch): float(cost) for arch, cost in zip(archs, costs, strict=True)
  }


def once(path: pathlib.Path, shape: json_file.Shape, make: Callable[[], Any]) -> Any:
  """What a file of a shape holds; who comes first makes it, and others wait."""
  from mobilenet.sweeps.items import locked

  if not path.exists():
    with locked(path.with_suffix('.lock'), wait=True):
      if not path.exists():
        write_json(path, make())
  return json_file.read(path, shape, AGAIN)


def write_json(path: pathlib.Path, value: Mapping | Sequence) -> None:
  files.replace_file(path, (json.dumps(value) + '\n').encode())
