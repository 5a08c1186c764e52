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
from mobilenet.search.strategies.start import Start
from mobilenet.training import files
from mobilenet.weights import loading, own_file

FILE = 'state.json'


@dataclasses.dataclass(frozen=True)
class State:
  """After some iterations.

  iteration: how many. network, variables: accepted last, its channels sorted. cost: of
  it, in the unit of the search. whole: the network that is compiled, inside of which
  all others are; whole_cost: of it. start_cost, wholes: of the gauge. within: whether
  the budget is reached.
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
  path = folder / FILE
  with files.reading(path, 'choose another --workdir to search anew'):
    said = json.loads(path.read_text(encoding='utf-8'))
    said['wholes'] = tuple((text, cost) for text, cost in said['wholes'])
    said['whole'] = start.like(said['whole'])
    weights_file = folder / _weights_file(said['iteration'])
  weights = loading.load(weights_file)
  network = start.like(weights.model['table'])
  return State(network=network, variables=weights.variables, **said)


def _weights_file(iteration: int | str) -> str:
  number = iteration if isinstance(iteration, str) else f'{iteration:03d}'
  return f'accepted_{number}.safetensors'
