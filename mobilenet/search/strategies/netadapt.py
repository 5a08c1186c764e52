"""NetAdapt: a trained network is narrowed step by step, until it is within a budget.

Yang et al., 1804.03230, with the proposals and the choice of MobileNetV3 (1905.02244,
section 4.2). In every iteration each group of channels is proposed to be narrower, by
as much as saves `delta` of the start's cost. Proposals are trained for some steps, all
on the same batches, and the one that loses least for what it saves is accepted.

Channels are sorted by their norms, so that a narrower network is a mask of the larger
one (`search.masks`), and one compiled program trains and scores all proposals.
"""

import contextlib
import copy
import dataclasses
import pathlib
import re
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from mobilenet.search import costs, search_folder
from mobilenet.search import data as search_data
from mobilenet.search.strategies import (
  choosing,
  netadapt_report,
  netadapt_runs,
  netadapt_state,
)
from mobilenet.search.strategies import start as starts
from mobilenet.search.strategies.clock import Clock
from mobilenet.search.strategies.gauge import HERE, Gauge
from mobilenet.search.strategies.netadapt_iteration import (
  Asked,
  Exhausted,
  NetAdapt,
  Stopped,
)
from mobilenet.search.strategies.netadapt_runs import SCRATCH, START, TUNED, UNIFORM
from mobilenet.search.strategies.netadapt_state import State
from mobilenet.search.strategies.start import Start
from mobilenet.training import schedules, sharding, workdir
from mobilenet.training.errors import require, unknown_name
from mobilenet.training.preemption import STOPPED, StopRequest
from mobilenet.weights import own_file, searched

STRATEGY = 'netadapt'
RATE_SHARE = 0.1  # of the run's own learning rate, for short fine-tunes
# AdamW moves a weight by about its rate in a step, however far it has been trained: a
# tenth of a fine-tuning's own rate repairs nothing in so few steps.
ADAMW_RATE = 3e-4
# Fields of `search.json` that say where something is.
_ELSEWHERE = ('start', 'table', 'data_dir')


class Request(NamedTuple):
  """What a person asks for; see the flags of `jobs.search`.

  asked: of the search; no learning rate is a tenth of the run's. What comes after it
  says where its files are, and what runs follow.
  """

  start: pathlib.Path
  budget: str
  cost: str
  asked: Asked
  table: pathlib.Path | None = None
  data_dir: str | None = None
  tune_epochs: float | None = None
  control: bool = True
  scratch: bool = True
  index: int | None = None

  def runs(self) -> list[str]:
    """The runs after the search, in their order."""
    wanted = {TUNED: True, UNIFORM: self.control, SCRATCH: self.scratch}
    return [name for name in netadapt_runs.RUNS if wanted[name]]


def run(
  folder: pathlib.Path,
  request: Request,
  *,
  compiled: pathlib.Path | None = None,
  command: Sequence[str] = (),
) -> int:
  """Searches, or goes on with a search; trains what was found, and reports.

  Args:
    folder: of the search; made if missing.
    request: what is asked.
    compiled: folder of programs that equal runs compiled; None keeps none.
    command: what a person types for it.

  Returns:
    The exit code: 0, or `STOPPED`.

  Raises:
    TrainingError, ModelError, DataError: a mistake in what is asked, the folder holds
      another search, the budget cannot be reached, or files cannot be used.
  """
  _check(request)
  mesh = sharding.make_mesh()
  start = starts.load(request.start, request.data_dir, mesh)
  asked = request.asked
  if asked.learning_rate is None:
    asked = asked._replace(learning_rate=_rate(start.config))
  searches = request.index in (None, 0)
  taken = (
    f'another process is searching in {folder}: wait for it or stop it, or choose '
    'another --workdir'
  )
  with workdir.locked(folder, taken) if searches else contextlib.nullcontext():
    gauge = _gauge(folder, request, start)
    budget = costs.parse_budget(request.budget, gauge.cost.unit)
    config = _search_config(start.config, asked.seed)
    photos = search_data.open_data(config, mesh, whole=start.data.train)
    _check_score(asked.score, photos.task)
    for note in start.data.notes:
      print(f'note: {note}')
    search = NetAdapt(start, photos, gauge, budget, asked, mesh, Clock(folder))
    state = _resumed(folder, search, request)
    if searches:
      state = _search(folder, search, request, state)
      if state is None:
        return STOPPED
      _write_found(folder, search, state, request.control)
  return _runs(folder, search, state, request, compiled, command)


def _check(request: Request) -> None:
  asked, rate = request.asked, request.asked.learning_rate
  rate = 1.0 if rate is None else rate
  for name, good, what in (
    ('delta', 0 < asked.delta < 1, 'a share of the cost, above 0 and below 1'),
    ('steps', asked.steps >= 1, 'at least 1'),
    ('screen', asked.screen >= 0, '0 for all, or more'),
    ('learning_rate', 0 < rate < 1e3, 'above 0 and below 1,000'),
    ('seed', 0 <= asked.seed < 2**31, f'0 to {2**31 - 1}'),
  ):
    require(good, f'--{name}={getattr(asked, name)} must be {what}')
  if asked.choose not in choosing.CHOOSE:
    raise unknown_name('--choose', asked.choose, choosing.CHOOSE)
  epochs, runs = request.tune_epochs, request.runs()
  require(
    epochs is None or 0 < epochs < 1e6,
    f'--tune_epochs={epochs} must be above 0 and below 1,000,000',
  )
  require(
    request.index is None or 0 <= request.index < len(runs),
    f'--index={request.index} does not exist; the runs after the search are '
    + ', '.join(f'{n}: {name}' for n, name in enumerate(runs)),
  )


def _check_score(score: str, task) -> None:
  # Some metrics are known of all examples together alone.
  metrics = () if task.needs_examples else (task.metric.name,)
  known = (choosing.LOSS, *metrics)
  if score not in known:
    raise unknown_name('--score', score, known)


def _rate(config: ConfigDict) -> float:
  scale = schedules.batch_scale(config.schedule, config.batch_size)
  own = scale * config.schedule.learning_rate
  least = ADAMW_RATE if config.optimizer.name == 'adamw' else 0.0
  return min(own, max(RATE_SHARE * own, least))


def _search_config(config: ConfigDict, seed: int) -> ConfigDict:
  """The config of short fine-tunes: without a teacher, a part of a batch at once."""
  config = copy.deepcopy(config)
  config.seed = seed
  config.batch_size //= config.accumulate
  config.accumulate = 1
  config.teacher.hard, config.teacher.features = 1.0, 0.0
  return config


def _gauge(folder: pathlib.Path, request: Request, start: Start) -> Gauge:
  network = start.model.network
  cost = costs.make(
    request.cost,
    start.config.resolution,
    start.model.num_classes,
    folder=folder,
    table=request.table,
    networks=[f'--start={request.start}'],
    lowering=network.style.lowering,
    say=lambda line: None,  # each iteration times a few rows
  )
  return Gauge(cost, request.cost in HERE, network, start.like)


def _name(search: NetAdapt) -> str:
  """Of the network that is found: 'mobilenet_v2_netadapt_0.7x'.

  '150 M multiply-adds' is '150M-multiply-adds' in it.
  """
  budget = re.sub(r'(?<=[\d.])\s+', '', search.budget.text.strip())
  return re.sub(r'[^\w.+-]+', '-', f'{search.start.name}_{STRATEGY}_{budget}')


def _asked(search: NetAdapt, request: Request) -> dict[str, Any]:
  """What `search.json` says."""
  return {
    'strategy': STRATEGY,
    'start': str(request.start),
    'start_crc32': search.start.crc32,
    'photos': search.start.data.record.train.as_dict(),
    'budget': request.budget,
    'cost': request.cost,
    **search.asked._asdict(),
    'table': request.table and str(request.table),
    'data_dir': request.data_dir,
  }


def _resumed(folder: pathlib.Path, search: NetAdapt, request: Request) -> State | None:
  """The state of a search that has begun."""
  state = None
  if netadapt_state.exists(folder):
    began = f'the search in {folder} began with'
    back = 'give that back, or choose another --workdir'
    changed = {
      'start_crc32': f'{request.start} is not the run that {began}, or has changed '
      f'since: {back}',
      'photos': f'the photos for training are not those that {began}: {back}',
    }
    search_folder.claim(
      folder,
      _asked(search, request),
      begun=True,
      elsewhere=_ELSEWHERE,
      changed=changed,
    )
    state = netadapt_state.load(folder, search.start)
    search.gauge.resume(state.start_cost, state.wholes)
  require(
    request.index in (None, 0) or (state is not None and state.ended),
    f'--index={request.index} is a run after the search, which has not ended in '
    f'{folder}: --index=0 searches',
  )
  return state


def _search(
  folder: pathlib.Path, search: NetAdapt, request: Request, state: State | None
) -> State | None:
  """The state within the budget, or as near as it gets; None where it was stopped."""
  start, name = search.start, _name(search)
  with StopRequest() as stop:
    search.stop = lambda: stop.received is not None
    if state is None:
      if search.gauge.here:
        print(f'timing {start.name}, its rows and narrower ones on this machine')
      state = search.first()
      search_folder.claim(folder, _asked(search, request), begun=False)
      search_folder.write_archive(folder, [])
      netadapt_state.save(folder, state, start, name)
    predicted = search.gauge.field('predicted')
    archive = netadapt_state.archive(folder, state.iteration, predicted)
    for line in netadapt_report.beginning(search):
      print(line, flush=True)
    if state.iteration:
      cost = search.gauge.said(state.cost)
      print(f'going on after iteration {state.iteration}, at {cost}')
    while not state.ended:
      begin = time.monotonic()
      try:
        after, lines = search.next(state)
      except Stopped:
        print(f'{stop.received}: stopped; the same command goes on from there')
        return None
      except Exhausted:
        require(state.iteration > 0, netadapt_report.short_of(search, state.cost))
        state = dataclasses.replace(state, exhausted=True)
        netadapt_state.save(folder, state, start, name)
        print(f'note: {netadapt_report.short_of(search, state.cost)}')
        break
      finally:
        search.clock.save()
      archive += lines
      search_folder.write_archive(folder, archive)
      netadapt_state.save(folder, after, start, name)
      seconds = time.monotonic() - begin
      print(netadapt_report.iteration(search, after, lines, seconds), flush=True)
      state = after
  return state


def _write_found(
  folder: pathlib.Path, search: NetAdapt, state: State, control: bool
) -> None:
  """The network as a table and its weights; those of the control beside it."""
  start, gauge, name = search.start, search.gauge, _name(search)
  weights = start.weights_of(name, state.network, state.variables)
  own_file.save(folder / netadapt_runs.WEIGHTS[TUNED], weights)
  found = {
    'strategy': STRATEGY,
    'from': f'{start.name} of {start.folder}',
    'budget': search.budget.text,
    'resolution': start.config.resolution,
    'num_classes': start.model.num_classes,
    gauge.field('start'): gauge.start_cost,
    gauge.field('measured' if gauge.here else 'predicted'): state.cost,
    **search.asked._asdict(),
  }
  searched.write(folder / searched.FILE, searched.Searched(name, state.network, found))
  if control:
    with search.clock.part('costs'):
      netadapt_runs.cut_uniform(folder, start, gauge, state.cost)
    search.clock.save()


def _runs(
  folder: pathlib.Path,
  search: NetAdapt,
  state: State,
  request: Request,
  compiled: pathlib.Path | None,
  command: Sequence[str],
) -> int:
  """Trains what has not ended yet; reports when all has. Returns the exit code."""
  start, names = search.start, request.runs()
  steps = state.iteration * search.asked.steps
  if UNIFORM in names and not (folder / netadapt_runs.WEIGHTS[UNIFORM]).exists():
    print(f'note: no width of {start.name} is as small as that: there is no control')
    names.remove(UNIFORM)
  ended = netadapt_runs.read(folder)
  if START not in ended:
    ended[START] = netadapt_runs.evaluated(start, search.mesh)
    netadapt_runs.write(folder, START, ended[START])
  for name in names if request.index is None else [names[request.index]]:
    config = netadapt_runs.config_of(folder, start, name, request.tune_epochs, steps)
    if name in ended:
      netadapt_runs.check_ended(folder, name, config)
      continue
    print(f'{name}: {netadapt_runs.TITLES[name]}', flush=True)
    found = netadapt_runs.train(config, folder / name, start, compiled)
    if found is None:
      return STOPPED
    ended[name] = found
    netadapt_runs.write(folder, name, found)
  ended = netadapt_runs.read(folder)  # others may have ended meanwhile
  if missing := [name for name in names if name not in ended]:
    print(f'no report yet: it comes when these have ended, too: {", ".join(missing)}')
    return 0
  shown = {name: ended[name] for name in (START, *names)}
  netadapt_report.write(folder, search, shown, command)
  return 0
