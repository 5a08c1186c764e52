"""Shared weights and evolution: one training that holds a network at every size.

    shared weights are trained by sandwich steps       supernet/
    evolution over (loss, cost), and random control    generations/, scores/
    the front, spread over costs, trained alone        networks/, alone/
    what came of it                                    search.md

Each part is skipped where its files are there, so that the same command goes on. The
first three need the device; training alone is done in processes of its own.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from mobilenet import experiment
from mobilenet.models import table
from mobilenet.search import costs, evolution, search_folder
from mobilenet.search import space as spaces
from mobilenet.search.costs.cost import Cost
from mobilenet.search.space import Arch, Space
from mobilenet.search.strategies import finalists, scoring, shared, space_report
from mobilenet.search.strategies.finalists import FAMILY, FOUND, RANDOM, Finalist
from mobilenet.search.strategies.shared import Setup
from mobilenet.training import workdir
from mobilenet.training.errors import require
from mobilenet.training.preemption import STOPPED, StopRequest
from mobilenet.weights import searched
from mobilenet.weights.searched import Searched

STRATEGY = 'supernet'
TRAINING = 'supernet'  # the folder
FINALISTS_FILE = 'finalists.json'
CONTROL = 'random'  # the generation that is drawn at random
FITTED = 12  # networks measured whole, to fit predictions to
REPORT_LOCK = '.report.lock'
FIT, DRAWN = 4, 5  # of what a seed is folded with


@dataclasses.dataclass(frozen=True)
class Request:
  """What a person asks for; the flags of `jobs.search`, which say what they mean.

  config, argument, overrides: as the command line has them.
  """

  config: ConfigDict
  argument: str
  overrides: dict[str, Any]
  command: Sequence[str]
  cost: str = 'milliseconds'
  table: pathlib.Path | None = None
  budget: str | None = None
  finalists: int = 8
  index: int | None = None


def run(folder: pathlib.Path, request: Request) -> int:
  """Searches, or goes on with a search, and trains what was found.

  Args:
    folder: of the search; made if missing.
    request: what is asked.

  Returns:
    The exit code: 0, `STOPPED`, or 1 where a training alone failed.

  Raises:
    TrainingError, ModelError, DataError: a mistake in what is asked, or the folder
      holds another search, or files cannot be used.
  """
  require(
    request.finalists >= 1, f'--finalists={request.finalists}: at least one is trained'
  )
  claim(folder, request)
  if not (folder / FINALISTS_FILE).exists():
    with StopRequest() as stop:
      if not _search(folder, request, stop):
        print('stopped: saved; the same command goes on from there')
        return STOPPED
  return _train_alone(folder, request)


def claim(folder: pathlib.Path, request: Request) -> None:
  """Keeps what is asked, or checks that it is what was asked before.

  Raises:
    TrainingError: it is not; the line names what differs.
  """
  config = request.config
  require('search' in config, 'the config has no section search: see shared.prepare')
  base = experiment.make_model(config, ('',)).network
  space = spaces.make(base, **config.search.space)
  asked = {
    'strategy': STRATEGY,
    'base': config.model.name,
    'width': config.model.width,
    'seed': config.seed,
    'cost': request.cost,
    'table': request.table and str(request.table),
    'budget': request.budget,
    'finalists': request.finalists,
    'generations': config.search.generations,
    'population': config.search.population,
    **{f'space.{name}': _listed(each) for name, each in config.search.space.items()},
  }
  begun = workdir.newest_step(folder / TRAINING) is not None
  search_folder.claim(folder, asked, begun=begun, elsewhere=('table',))
  print(f'{spaces.size(space):,} networks, {len(space.choices)} choices')


def _listed(value):
  return value if isinstance(value, str) else list(value)


def _search(folder: pathlib.Path, request: Request, stop: StopRequest) -> bool:
  """Everything that needs the device; False where it was stopped."""
  from mobilenet.sweeps.items import locked

  setup = shared.prepare(request.config)
  _check_split(setup, request)
  cost = cost_of(folder, request, setup)
  budget = request.budget and costs.parse_budget(request.budget, cost.unit)
  masked = shared.masked_of(setup)
  with locked(folder / TRAINING / '.lock', wait=True):
    guide = shared.Sandwich(setup)
    variables = shared.train(setup, masked, folder / TRAINING, guide, stop)
  if variables is None:
    return False
  score = scorer(setup, masked, variables)
  scores = scoring.Scores(folder, score, first=request.index or 0)
  found = evolve(folder, setup, cost, scores, stop)
  if found is None:
    return False
  by_evolution, by_chance = found
  limit = np.inf
  if budget:
    limit = budget.of(cost.predict([setup.base.network])[0])
    require(
      any(price <= limit for price in by_evolution.values()),
      f'--budget={request.budget} cannot be reached: the smallest network of the '
      f'space costs {min(by_evolution.values()):.4g} {cost.unit}',
    )
  scoring.once(
    folder / FINALISTS_FILE,
    lambda: _choose(
      folder, request, setup, cost, scores, by_evolution, by_chance, limit
    ),
  )
  return True


def _check_split(setup: Setup, request: Request) -> None:
  """Another seed must not evaluate on photos that the search has seen."""
  source = setup.photos.learned
  require(
    not getattr(source, 'by_seed', False) or setup.config.search.seeds == 1,
    f'{setup.config.data.dir} is divided by the seed, and networks are trained alone '
    f'from {setup.config.search.seeds} seeds, each with other photos to be evaluated '
    'on: put the photos into train/ and val/, or set --config.search.seeds=1',
  )


def cost_of(folder: pathlib.Path, request: Request, setup: Setup) -> Cost:
  """The cost of the search, fitted to whole networks where that is to be done."""
  style = setup.space.network.style
  cost = costs.make(
    request.cost,
    setup.config.resolution,
    len(setup.photos.outputs),
    folder=folder,
    table=request.table,
    dtype=style.dtype,
  )
  if cost.known is None and cost.correction is None and request.cost != 'csv':
    drawn = spaces.sample(setup.space, (setup.config.seed, FIT), FITTED)
    print(f'measuring {FITTED} whole networks and their rows')
    fitted = cost.fit([spaces.network_of(setup.space, arch) for arch in drawn])
    print(f'cost: {fitted.said(cost.unit)}')
  return cost


def scorer(setup: Setup, masked, variables):
  """A network -> its metrics on the photos that choose."""
  batches = setup.photos.train_batches(0)
  count = -(-setup.config.search.recalibration_images // setup.config.batch_size)
  recalibration = [next(batches) for _ in range(max(1, count))]
  held_out = setup.photos.held_out_batches()

  def score(arch: Arch) -> dict[str, float]:
    metrics = masked.score(variables, setup.choice(arch), recalibration, held_out)
    return {name: float(value) for name, value in metrics.items()}

  return score


def draws_of(space: Space) -> evolution.Draws:
  """How networks of a space come about and are told apart."""
  sizes = [len(choice.values) for choice in space.choices]

  def features(arch: Arch) -> np.ndarray:
    tells = spaces.tells_apart(space, arch)
    parts = [
      (np.arange(size) == place) * told
      for size, place, told in zip(sizes, arch, tells, strict=True)
    ]
    return np.concatenate(parts).astype(np.float64)

  return evolution.Draws(
    draw=lambda rng: spaces.draw(space, rng),
    mutate=lambda arch, rng: spaces.mutate(space, arch, rng),
    crossover=lambda one, other, rng: spaces.crossover(space, one, other, rng),
    features=features,
  )


def evolve(
  folder: pathlib.Path,
  setup: Setup,
  cost: Cost,
  scores: scoring.Scores,
  stop: StopRequest,
) -> tuple[dict[Arch, float], dict[Arch, float]] | None:
  """Evolution, then as many networks drawn at random; the cost of each.

  Returns:
    None where it was stopped.
  """
  space, asked, seed = setup.space, setup.config.search, setup.config.seed
  draws = draws_of(space)

  def is_stopped() -> bool:
    return stop.received is not None

  def costs_of(archs):
    return cost.predict([spaces.network_of(space, arch) for arch in archs])

  found: dict[Arch, float] = {}
  archive = Archive(folder, setup, cost, scores)
  for number in range(asked.generations):
    known = {arch: (price, scores.of(arch)['loss']) for arch, price in found.items()}

    def propose(number=number, known=known):
      return evolution.next_generation(
        draws,
        seed=seed,
        number=number,
        scored=known,
        population=asked.population,
        first=spaces.spread(space, seed, asked.population),
      )

    name = f'evolution_{number:02d}'
    newest = scoring.proposed(folder, name, space, propose, costs_of)
    if not scores.fill(list(newest), is_stopped):
      return None
    found |= newest
    archive.add(name, newest)
    best = min(scores.of(arch)['loss'] for arch in found)
    print(f'generation {number + 1} of {asked.generations}: least loss {best:.4f}')

  def by_chance():
    return spaces.sample(space, (seed, DRAWN), min(len(found), spaces.size(space)))

  drawn = scoring.proposed(folder, CONTROL, space, by_chance, costs_of)
  if not scores.fill(list(drawn), is_stopped):
    return None
  archive.add(CONTROL, drawn)
  return found, drawn


class Archive:
  """archive.jsonl: every network that was scored, in the order of the generations."""

  def __init__(
    self, folder: pathlib.Path, setup: Setup, cost: Cost, scores: scoring.Scores
  ):
    self._folder, self._setup, self._scores = folder, setup, scores
    self._field = 'predicted_' + cost.unit.replace('-', '_')
    self._lines: list[dict[str, Any]] = []

  def add(self, generation: str, found: dict[Arch, float]) -> None:
    for arch, price in found.items():
      network = spaces.network_of(self._setup.space, arch)
      self._lines.append(
        {
          'generation': generation,
          'arch': spaces.encode(arch),
          'seed': self._setup.config.seed,
          'step': self._setup.plan.total_steps,
          self._field: price,
          **self._scores.of(arch),
          'rows': table.to_text(network),
        }
      )
    search_folder.write_archive(self._folder, self._lines)


def _choose(
  folder, request, setup, cost, scores, by_evolution, by_chance, limit
) -> dict[str, Any]:
  """The networks that are trained alone, measured whole, and their files."""
  points = {
    arch: (price, scores.of(arch)['loss'])
    for arch, price in by_evolution.items()
    if price <= limit
  }
  chosen = finalists.spread(finalists.front(points), by_evolution, request.finalists)
  wanted = [by_evolution[arch] for arch in chosen]
  others = {arch: price for arch, price in by_chance.items() if arch not in chosen}
  drawn = finalists.alike(list(others), others, wanted)
  own = finalists.family(setup, cost.predict, min(wanted), max(wanted))
  named = [
    *((f'{FOUND}_{n:02d}', FOUND, arch) for n, arch in enumerate(chosen)),
    *((f'{RANDOM}_{n:02d}', RANDOM, arch) for n, arch in enumerate(drawn)),
  ]
  networks = [spaces.network_of(setup.space, arch) for _, _, arch in named]
  networks += own.values()
  measured = cost.measure(networks)
  predicted = cost.predict(networks)
  counts = [
    costs.make(kind, setup.config.resolution, len(setup.photos.outputs)).measure(
      networks
    )
    for kind in ('multiply_adds', 'parameters')
  ]
  numbers = [
    {
      'predicted': float(p),
      'measured': float(m),
      'multiply_adds': int(a),
      'parameters': int(n),
    }
    for p, m, a, n in zip(predicted, measured, *counts, strict=True)
  ]
  found = [
    Finalist(
      name,
      group,
      table.to_text(network),
      **number,
      arch=spaces.encode(arch),
      shared=scores.of(arch),
    )
    for (name, group, arch), network, number in zip(
      named, networks, numbers, strict=False
    )
  ]
  found += [
    Finalist(f'{FAMILY}_{width:g}', FAMILY, '', **number, width=width)
    for width, number in zip(own, numbers[len(named) :], strict=True)
  ]
  about = {'strategy': STRATEGY, 'unit': cost.unit, 'seed': setup.config.seed}
  finalists.write_networks(folder, found, about)
  best = found[len(chosen) - 1]  # the front's most expensive one has the least loss
  searched.write(
    folder / searched.FILE,
    Searched(
      f'{setup.config.model.name}_{STRATEGY}',
      table.from_text(best.rows),
      about
      | {'finalist': best.name, 'predicted': best.predicted, 'measured': best.measured},
    ),
  )
  return {'unit': cost.unit, 'networks': [dataclasses.asdict(each) for each in found]}


def _train_alone(folder: pathlib.Path, request: Request) -> int:
  """Trains what was chosen, and reports what has ended."""
  from mobilenet.sweeps import items as sweep_items
  from mobilenet.sweeps import runner

  said = scoring.read_json(folder / FINALISTS_FILE)
  chosen = [Finalist(**each) for each in said['networks']]
  config = request.config
  seeds = [config.seed + n for n in range(config.search.seeds)]
  items = finalists.items_of(
    folder, chosen, seeds, config, request.argument, request.overrides
  )
  ignore = (*experiment.HARMLESS, 'search')
  code = runner.run(
    items,
    folder / finalists.RUNS,
    title='trained alone',
    command=request.command,
    index=request.index,
    ignore=ignore,
  )
  ended = {item.name: sweep_items.standing(item, ignore).result for item in items}
  results = {
    each.name: [
      result
      for seed in seeds
      if (result := ended[finalists.item_name(each, seed)]) is not None
    ]
    for each in chosen
  }
  with sweep_items.locked(folder / finalists.RUNS / REPORT_LOCK, wait=True):
    lines = space_report.write(
      folder,
      chosen,
      results,
      seeds=len(seeds),
      unit=said['unit'],
      command=request.command,
    )
  for line in lines:
    print(line)
  print(f'report: {folder / space_report.MARKDOWN_FILE}')
  return code
