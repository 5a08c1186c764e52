"""Where a NetAdapt search is: all that its next iteration depends on, in its folder.

`state.json`, and `accepted_012.safetensors` beside it: the network that was accepted
last, which `--config.init` takes as any weights.
"""

import dataclasses
import json
import pathlib
from typing import Any

import jax

from mobilenet.models import table
from mobilenet.models.rows import Network
from mobilenet.search import json_file, search_folder
from mobilenet.search.strategies.start import Start
from mobilenet.training import files
from mobilenet.training.errors import require
from mobilenet.weights import loading, own_file

FILE = 'state.json'


@dataclasses.dataclass(frozen=True)
class State:
  """After some iterations.

  iteration: how many. network, variables: accepted last, its channels sorted. cost: of
  it, in the unit of the search. whole: the network that is compiled, inside of which
  all others are; whole_cost: of it. start_cost, wholes: of the gauge. within: whether
  the budget is reached. exhausted: it is not, and nothing more can be saved.
  """

  iteration: int
  network: Network
  variables: dict[str, Any]
  cost: float
  whole: Network
  whole_cost: float
  start_cost: float
  wholes: tuple[tuple[str, float], ...]
  within: bool = False
  exhausted: bool = False

  @property
  def ended(self) -> bool:
    return self.within or self.exhausted


_SHAPE = {
  'iteration': int,
  'cost': json_file.NUMBER,
  'whole': str,
  'whole_cost': json_file.NUMBER,
  'start_cost': json_file.NUMBER,
  'wholes': [list],
  'within': bool,
  'exhausted': bool,
}

_LINE = {
  'iteration': int,
  'group': str,
  'before': int,
  'after': int,
  'rows': str,
  'loss': json_file.NUMBER,
  'accepted': bool,
}


def exists(folder: pathlib.Path) -> bool:
  """Whether a search has begun in a folder."""
  return (folder / FILE).exists()


def save(folder: pathlib.Path, state: State, start: Start, name: str) -> None:
  """Writes a state; what was there before is there until it is whole.

  Raises:
    TrainingError: it cannot be written.
  """
  if jax.process_index():
    return
  path = folder / _weights_file(state.iteration)
  own_file.save(path, start.weights_of(name, state.network, state.variables))
  said = {
    'iteration': state.iteration,
    'cost': state.cost,
    'whole': table.to_text(state.whole),
    'whole_cost': state.whole_cost,
    'start_cost': state.start_cost,
    'wholes': state.wholes,
    'within': state.within,
    'exhausted': state.exhausted,
  }
  text = json.dumps(said, indent=2) + '\n'
  files.replace_file(folder / FILE, text.encode())
  for other in folder.glob(_weights_file('*')):
    if other != path:
      files.remove(other)


def load(folder: pathlib.Path, start: Start) -> State:
  """What `save` wrote.

  Raises:
    TrainingError, WeightsError: it cannot be read.
  """
  path, anew = folder / FILE, 'choose another --workdir to search anew'
  read = json_file.read(path, _SHAPE, anew)
  said = {name: read[name] for name in _SHAPE}
  with files.reading(path, anew):
    said['wholes'] = tuple((str(text), float(cost)) for text, cost in said['wholes'])
    said['whole'] = start.like(said['whole'])
  weights_file = folder / _weights_file(said['iteration'])
  with files.reading(weights_file, anew):
    weights = loading.load(weights_file)
    network = start.like(weights.model['table'])
  return State(network=network, variables=weights.variables, **said)


def archive(folder: pathlib.Path, iteration: int, cost: str) -> list[dict[str, Any]]:
  """The lines of the networks that were scored in iterations up to one.

  Args:
    folder: of the search.
    iteration: the last that was saved; one that was interrupted may have left lines.
    cost: the field of a line that says what a network costs.

  Raises:
    TrainingError: the archive cannot be read, or lacks an iteration.
  """
  shape = _LINE | {cost: json_file.NUMBER}
  lines = [
    line
    for line in search_folder.read_archive(folder, shape)
    if line['iteration'] <= iteration
  ]
  accepted = [line['iteration'] for line in lines if line['accepted']]
  require(
    accepted == [*range(1, iteration + 1)],
    f'{folder / search_folder.ARCHIVE_FILE} has not one accepted network of each of '
    f'{iteration} iterations: give it back, or choose another --workdir',
  )
  return lines


def _weights_file(iteration: int | str) -> str:
  number = iteration if isinstance(iteration, str) else f'{iteration:03d}'
  return f'accepted_{number}.safetensors'
