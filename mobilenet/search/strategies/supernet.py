"""Shared weights and evolution: one training that holds a network at every size.

    shared weights are trained by sandwich steps       supernet/
    evolution over (loss, cost), and random control    generations/, scores/
    the front, spread over costs, trained alone        networks/, alone/
    what came of it                                    search.md

Each part is skipped where its files are there, so that the same command goes on. The
first three need the device; training alone is done in processes of its own.
"""

import contextlib
import dataclasses
import itertools
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from mobilenet import experiment
from mobilenet.search import json_file, search_folder
from mobilenet.search import space as spaces
from mobilenet.search.space import Arch
from mobilenet.search.strategies import (
  finalists,
  generations,
  scoring,
  shared,
  space_cost,
  space_report,
  space_verdict,
)
from mobilenet.search.strategies.shared import Setup
from mobilenet.search.strategies.tunas_guide import Tunas
from mobilenet.training import sharding, workdir
from mobilenet.training.errors import require
from mobilenet.training.preemption import STOPPED, StopRequest

STRATEGY, TUNAS = 'supernet', 'tunas'
TRAINING = 'supernet'  # the folder
FINALISTS_FILE = 'finalists.json'
REPORT_LOCK = '.report.lock'
_LOOKS_AGAIN = 0.5  # seconds


@dataclasses.dataclass(frozen=True)
class Request:
  """What a person asks for; the flags of `jobs.search`, which say what they mean.

  config, argument, overrides: as the command line has them.
  """

  config: ConfigDict
  argument: str
  overrides: dict[str, Any]
  command: Sequence[str]
  strategy: str = STRATEGY
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
  require(
    request.strategy != TUNAS or bool(request.budget),
    '--strategy=tunas looks for a network of one cost: --budget=0.7x of the base '
    "network's, or --budget='4 M multiply-adds' with --cost=multiply_adds",
  )
  claim(folder, request)
  _check_index(request)
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
  shared.check_section(config)
  base = experiment.make_model(config, ('',)).network
  space = spaces.make(base, **config.search.space)
  asked = {
    'strategy': request.strategy,
    'base': config.model.name,
    'width': config.model.width,
    'seed': config.seed,
    'cost': request.cost,
    'table': request.table and str(request.table),
    'budget': request.budget,
    'finalists': request.finalists,
    'generations': config.search.generations,
    'recalibration_images': config.search.recalibration_images,
    'population': config.search.population,
    'family': list(config.search.family),
    **{f'space.{name}': _listed(each) for name, each in config.search.space.items()},
  }
  begun = workdir.newest_step(folder / TRAINING) is not None
  search_folder.claim(folder, asked, begun=begun, elsewhere=('table',))
  print(f'{spaces.size(space):,} networks, {len(space.choices)} choices')


def _check_index(request: Request) -> None:
  """Refuses what can be no index, before anything is trained."""
  asked = request.config.search
  found = 1 if request.strategy == TUNAS else request.finalists
  count = (2 * found + len(set(asked.family))) * asked.seeds
  require(
    request.index is None or 0 <= request.index < count,
    f'--index={request.index} does not exist: {count} networks are trained alone at '
    f'most, 0 to {count - 1}',
  )


def _listed(value):
  return value if isinstance(value, str) else list(value)


def _search(folder: pathlib.Path, request: Request, stop: StopRequest) -> bool:
  """Everything that needs the device; False where it was stopped."""
  setup = shared.prepare(request.config)
  _check_split(setup, request)
  cost = space_cost.make(folder, setup, request.cost, request.table)
  is_tunas = request.strategy == TUNAS
  target = space_cost.target(cost, setup, request.budget, is_exact=is_tunas)
  masked = shared.masked_of(setup)
  guide = Tunas(setup, cost, target) if is_tunas else shared.Sandwich(setup)
  with _waited_for(folder / TRAINING / '.lock', stop) as is_held:
    if not is_held:
      return False
    variables = shared.train(setup, masked, folder / TRAINING, guide, stop)
  if variables is None:
    return False
  score = scorer(setup, masked, variables)
  scores = scoring.Scores(folder, score, first=request.index or 0)
  scored = generations.Scored(folder, setup, cost, scores, stop)
  if is_tunas:
    found = scored.add(TUNAS, lambda: [guide.likeliest()])
  else:
    found = generations.evolve(scored)
  by_chance = found and scored.add(
    finalists.RANDOM, lambda: generations.drawn_at_random(setup, len(found))
  )
  if not by_chance:
    return False
  limit = np.inf
  if target is not None and not is_tunas:  # whose network costs what it does
    limit = target
    require(
      any(price <= limit for price in found.values()),
      f'--budget={request.budget} cannot be reached: the cheapest network that was '
      f'found costs {min(found.values()):.4g} {cost.unit}',
    )
  scoring.once(
    folder / FINALISTS_FILE,
    finalists.SHAPE,
    lambda: finalists.choose(
      folder,
      setup,
      cost,
      scores,
      {arch: price for arch, price in found.items() if price <= limit},
      by_chance,
      count=request.finalists,
      strategy=request.strategy,
      target=target,
    ),
  )
  return True


@contextlib.contextmanager
def _waited_for(path: pathlib.Path, stop: StopRequest) -> Iterator[bool]:
  """Holds a lock that others may have for hours; False where it is stopped before."""
  from mobilenet.sweeps.items import locked

  is_told = False
  while not stop.received:
    with locked(path) as descriptor:
      if descriptor is not None:
        yield True
        return
    if not is_told:
      print('another process trains the shared weights: waiting for it', flush=True)
      is_told = True
    time.sleep(_LOOKS_AGAIN)
  yield False


def _check_split(setup: Setup, request: Request) -> None:
  """Another seed must not evaluate on photos that the search has seen."""
  source = setup.photos.learned
  require(
    not getattr(source, 'by_seed', False) or setup.config.search.seeds == 1,
    f'{setup.config.data.dir} is divided by the seed, and networks are trained alone '
    f'from {setup.config.search.seeds} seeds, each with other photos to be evaluated '
    'on: put the photos into train/ and val/, or set --config.search.seeds=1',
  )


def scorer(setup: Setup, masked, variables):
  """A network -> its metrics on the photos that choose."""
  mesh, batches = setup.photos.mesh, setup.photos.train_batches(0)
  count = -(-setup.config.search.recalibration_images // setup.config.batch_size)
  recalibration = sharding.put_all(mesh, itertools.islice(batches, max(1, count)))
  held_out = setup.photos.held_out_batches()

  def score(arch: Arch) -> dict[str, float]:
    metrics = masked.score(variables, setup.choice(arch), recalibration, held_out)
    return {name: float(value) for name, value in metrics.items()}

  return score


def _train_alone(folder: pathlib.Path, request: Request) -> int:
  """Trains what was chosen, and reports what has ended."""
  from mobilenet.sweeps import items as sweep_items
  from mobilenet.sweeps import runner

  said = json_file.read(folder / FINALISTS_FILE, finalists.SHAPE, scoring.AGAIN)
  chosen = [finalists.finalist_of(each) for each in said['networks']]
  config = request.config
  about = {'strategy': request.strategy, 'unit': said['unit'], 'seed': config.seed}
  finalists.write_networks(folder, chosen, about)
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
  budget = None
  if said['target'] is not None:
    budget = request.budget, said['target']
  with sweep_items.locked(folder / finalists.RUNS / REPORT_LOCK, wait=True):
    lines = space_report.write(
      folder,
      chosen,
      results,
      strategy=request.strategy,
      seeds=len(seeds),
      unit=said['unit'],
      budget=budget,
      command=request.command,
    )
  for line in lines:
    print(line)
  print(f'report: {folder / space_report.MARKDOWN_FILE}')
  done = [name for name, result in ended.items() if result is not None]
  commands = space_verdict.next_commands(folder, chosen, seeds, done, request.command)
  for line in ['next:', *(f'  {command}' for command in commands)] if commands else ():
    print(line)
  return code
