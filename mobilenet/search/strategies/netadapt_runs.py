"""The runs after a NetAdapt search: the long fine-tune, and what it is held against.

    tuned    the network that was found, from its weights
    uniform  the start's own family at the same cost, cut from the same weights
    scratch  the network that was found, from drawn weights, as V3 trained it

Each is an ordinary run in a folder of its name, with the photos of the start.
"""

import json
import pathlib
from typing import NamedTuple

from jax.sharding import Mesh
from ml_collections import ConfigDict

from mobilenet import experiment
from mobilenet.models.rows import Network
from mobilenet.runs import training
from mobilenet.search import channels, json_file, wiring
from mobilenet.search.strategies import proposals
from mobilenet.search.strategies.gauge import Gauge
from mobilenet.search.strategies.ladders import most_within
from mobilenet.search.strategies.start import Start
from mobilenet.training import averages, files, logs, workdir
from mobilenet.training.errors import require
from mobilenet.training.evaluation import evaluate
from mobilenet.training.plan import make_plan
from mobilenet.training.step import make_eval_step
from mobilenet.weights import loading, own_file

START, TUNED, UNIFORM, SCRATCH = 'start', 'tuned', 'uniform', 'scratch'
RUNS = (TUNED, UNIFORM, SCRATCH)
TITLES = {
  START: 'as it was',
  TUNED: 'what was found, from its weights',
  UNIFORM: 'the same family, narrowed everywhere alike',
  SCRATCH: 'what was found, from drawn weights',
}
# Run -> the file in the folder of a search that says which network it is.
WEIGHTS = {
  TUNED: 'netadapt.safetensors',
  UNIFORM: 'uniform.safetensors',
  SCRATCH: 'netadapt.safetensors',
}
FOLDER = 'results'
_NEAR = 0.02  # of a measured cost, which is no surer than that
_TRIES = 3


class Measured(NamedTuple):
  """What a run came to, on the evaluation split.

  steps, seconds: of its training; 0 of none.
  """

  metrics: dict[str, float]
  photos: int
  steps: int = 0
  seconds: float = 0.0


_SHAPE = {
  'metrics': {str: json_file.NUMBER | str},
  'photos': int,
  'steps': int,
  'seconds': json_file.NUMBER,
}


def config_of(
  folder: pathlib.Path, start: Start, name: str, epochs: float | None, steps: int
) -> ConfigDict:
  """The config of a run, but for the contract of its weights.

  Args:
    folder: of the search.
    start: of it.
    name: of `RUNS`.
    epochs: of the long fine-tune; None for as many as the start.
    steps: that the network that was found learned while it was searched for. The
      uniform one learns as many more: so both have learned as long.
  """
  path = folder / WEIGHTS[name]
  given, network = loading.load(path).model['name'], network_of(folder, start, name)
  if name == SCRATCH:
    return start.config_of(given, network, None, None)
  config = start.config_of(given, network, path, epochs)
  if name == UNIFORM:
    plan = make_plan(config, num_examples=start.data.train.num_examples)
    config.steps = plan.total_steps + steps
  return config


def network_of(folder: pathlib.Path, start: Start, name: str) -> Network:
  """The network of a run."""
  return start.like(loading.load(folder / WEIGHTS[name]).model['table'])


def cut_uniform(folder: pathlib.Path, start: Start, gauge: Gauge, cost: float) -> None:
  """Writes the weights of the start's family at the cost of the network that was found.

  There may be none: what a width multiplier leaves as it is costs too much.
  """
  path = folder / WEIGHTS[UNIFORM]
  if path.exists():
    return
  ladder = proposals.uniform(start.named, start.model.network)
  network = _of_cost(ladder, gauge, cost)
  if network is not None:
    wires, sizes = wiring.of(start.model.network), wiring.of(network).sizes
    variables = channels.first(wires, start.variables, sizes)
    name = f'{start.name}_{UNIFORM}'
    own_file.save(path, start.weights_of(name, network, variables))


def _of_cost(ladder: list[Network], gauge: Gauge, cost: float) -> Network | None:
  nearest = None
  for _ in range(_TRIES):
    found = most_within(
      {UNIFORM: len(ladder)},
      lambda _, rung: ladder[rung],
      cost,
      gauge.start_cost,
      gauge.predict,
    )
    if not found:
      break
    rung, predicted = found[UNIFORM]
    # Rather one more than one less: the control is to lose nothing by its cost.
    network = ladder[min(rung + (predicted < cost), len(ladder) - 1)]
    away = abs(gauge.measure(network) / cost - 1)
    if nearest is None or away < nearest[0]:
      nearest = away, network
    if not gauge.here or away <= _NEAR:
      break  # else predictions are better now
  return nearest and nearest[1]


def evaluated(start: Start, mesh: Mesh) -> Measured:
  """The start itself, on the evaluation split."""
  config, source = start.config, start.data.evaluation
  task = experiment.make_task(config).knowing(start.weights.class_names)
  found = evaluate(
    make_eval_step(start.model, task, mesh),
    task,
    {START: start.variables},
    experiment.eval_batches(config, source, mesh),
    mesh,
    num_examples=source.num_examples,
  )
  return Measured(found[START].metrics, found[START].count)


def train(
  config: ConfigDict, folder: pathlib.Path, start: Start, compiled: pathlib.Path | None
) -> Measured | None:
  """Trains or resumes a run; None where it was stopped."""
  data = start.data._replace(notes=[])  # they were told when the search began
  outcome = training.train(config, folder, compiled, data=data)
  if outcome.stopped:
    return None
  metric = experiment.make_task(config).metric.name
  kind = averages.choose(outcome.evaluations, metric)
  best = outcome.evaluations[kind]
  return Measured(best.metrics, best.count, outcome.step, outcome.seconds)


def read(folder: pathlib.Path) -> dict[str, Measured]:
  """What the runs came to, as far as they have ended.

  Raises:
    TrainingError: it cannot be read.
  """
  found = {}
  for name in (START, *RUNS):
    path = folder / FOLDER / f'{name}.json'
    if path.exists():
      said = json_file.read(path, _SHAPE, 'remove it, and the same command goes on')
      with files.reading(path, 'remove it, and the same command goes on'):
        # What is not finite is written as text.
        metrics = {each: float(value) for each, value in said['metrics'].items()}
      found[name] = Measured(metrics, said['photos'], said['steps'], said['seconds'])
  return found


def check_ended(folder: pathlib.Path, name: str, config: ConfigDict) -> None:
  """Checks that a run that has ended is as long as what is asked for.

  Args:
    folder: of the search. One from which the run's own folder was taken is as it is.
    name: of the run.
    config: that it would be trained with now.

  Raises:
    TrainingError: it is not.
  """
  stored = workdir.read_config(folder / name) or {}
  for field in ('epochs', 'steps'):
    there, here = stored.get(field, config[field]), config[field]
    require(
      there == here,
      f'{folder / name} was trained with {field}={there}, and {here} is asked for: '
      f'give --tune_epochs as it was, or remove {folder / name} and '
      f'{folder / FOLDER / name}.json to train it anew',
    )


def write(folder: pathlib.Path, name: str, measured: Measured) -> None:
  """Writes what `read` reads of a run, in its own file: others may end meanwhile."""
  text = json.dumps(logs.to_json(measured._asdict()), indent=2) + '\n'
  files.replace_file(folder / FOLDER / f'{name}.json', text.encode())
