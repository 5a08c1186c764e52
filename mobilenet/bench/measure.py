"""Rounds: every contender in turn, in an order that is drawn anew for each round."""

import contextlib
import dataclasses
import pathlib
import random
import statistics
import time
from collections.abc import Callable, Mapping

from mobilenet.bench.contenders import (
  CLASSIFICATION,
  COLD,
  CONTENDERS,
  ENVIRONMENT,
  ONE_IMAGE,
  OURS,
  Model,
  their_name,
)
from mobilenet.bench.processes import Worker, WorkerError
from mobilenet.bench.recipe import RECIPES

TORCH = ('mobilenet.bench.timm_peer', 'mobilenet.bench.torchvision_peer')
# After a worker has answered, its threads may look for work for a while before they
# sleep: 200 ms in Intel's OpenMP, 40 ms in onnxruntime, none that was seen in others.
# The next worker waits longer than that.
PAUSE_SECONDS = {
  name: 0.25 if contender.module in TORCH else 0.1
  for name, contender in CONTENDERS.items()
}
# Short calls are repeated in a round for about this long, and their median is taken.
# One call before that is not counted, since others have used the caches.
ROUND_MS, MOST_REPEATS, SHORT_MS = 300.0, 20, 500.0
# Compile time and memory need a new process each time, and change little.
FRESH_ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Settings:
  """What all contenders of a run share.

  batch, resolution (px): None for those of the recipe of a model's kind.
  """

  batch: int | None
  resolution: int | None
  dtype: str
  threads: int
  rounds: int
  logs: pathlib.Path
  pythons: Mapping[str, str] = dataclasses.field(default_factory=dict)
  say: Callable[[str], None] = print

  def at(self, model: Model) -> 'Settings':
    """With the batch and the resolution at which a model is timed."""
    recipe = RECIPES[model.kind]
    return dataclasses.replace(
      self,
      batch=recipe.batch if self.batch is None else self.batch,
      resolution=recipe.resolution if self.resolution is None else self.resolution,
    )


@dataclasses.dataclass(frozen=True)
class Measurement:
  """One contender at one model in one mode: a number for each round, or an error.

  unit: of the values: 'ms', 's' or 'MiB'. prepared: what the worker says of itself.
  missing: it failed because a package is not installed. kind: of the model.
  """

  mode: str
  model: str
  contender: str
  unit: str
  images: int
  values: tuple[float, ...] = ()
  prepared: dict = dataclasses.field(default_factory=dict)
  memory: dict = dataclasses.field(default_factory=dict)
  error: str | None = None
  missing: bool = False
  kind: str = CLASSIFICATION


def make_spec(
  contender: str, model: Model, mode: str, settings: Settings, *, cold: bool = False
) -> dict:
  """What a worker has to do; modes of ONE_IMAGE are inference of one."""
  settings = settings.at(model)
  return {
    'contender': contender,
    'module': CONTENDERS[contender].module,
    'mode': 'train' if mode == 'train' else 'infer',
    'name': model.name,
    'their_name': their_name(contender, model),
    'width': model.width,
    'table': model.table,
    'kind': model.kind,
    'num_classes': RECIPES[model.kind].num_classes,
    'batch': 1 if mode in ONE_IMAGE else settings.batch,
    'resolution': settings.resolution,
    'dtype': settings.dtype,
    'threads': settings.threads,
    'cold': cold,
  }


def start(spec: dict, settings: Settings) -> Worker:
  """A worker for a spec, with its environment and its log."""
  contender = spec['contender']
  label = Model(spec['name'], spec['width']).label.replace(':', '_')
  size = f'{spec["batch"]}x{spec["resolution"]}'
  how = 'cold' if spec['cold'] else spec['mode']
  log = settings.logs / f'{contender}-{label}-{how}-{size}.log'
  environment = ENVIRONMENT | CONTENDERS[contender].environment
  environment |= {'OMP_NUM_THREADS': str(settings.threads)}
  if spec['cold']:
    environment |= COLD
  options = {'environment': environment}
  if contender in settings.pythons:
    options['python'] = settings.pythons[contender]
  return Worker(spec, log, **options)


def interleaved(
  specs: Mapping[str, dict],
  mode: str,
  model: Model,
  settings: Settings,
  *,
  start=start,
) -> list[Measurement]:
  """Times contenders round by round: all are alive, and one at a time works.

  A TPU belongs to one process at a time: there each contender makes all its rounds
  before the next one starts.

  Args:
    specs: contender -> spec of its worker.
    mode, model: of the measurements.
    settings: the rounds and the rest.
    start: (spec, settings) -> Worker.
  """
  found, workers = {}, {}
  times: dict[str, list[float]] = {name: [] for name in specs}
  of_what = 'processor_ms' if mode == 'processor' else 'ms'

  def one_round(name: str) -> None:
    call_ms = found[name].prepared['call_ms']
    repeats = max(1, min(MOST_REPEATS, round(ROUND_MS / max(call_ms, 1e-3))))
    answer = workers[name].ask(
      'time', repeats=repeats, lead=1 if call_ms < SHORT_MS else 0
    )
    times[name].append(statistics.median(answer[of_what]))
    time.sleep(PAUSE_SECONDS[name])

  with contextlib.ExitStack() as stack:

    @contextlib.contextmanager
    def failure_of(name: str):
      try:
        yield
      except WorkerError as error:
        found[name] = failed(found[name], error)
        if name in workers:
          workers.pop(name).close()

    def finish(name: str) -> None:
      with failure_of(name):
        found[name] = dataclasses.replace(
          found[name], values=tuple(times[name]), memory=workers[name].ask('memory')
        )
        workers.pop(name).close()

    for name, spec in specs.items():
      found[name] = Measurement(
        mode, model.label, name, 'ms', spec['batch'], kind=model.kind
      )
      with failure_of(name):
        settings.say(f'{model.label}, {mode}: preparing {CONTENDERS[name].title}')
        workers[name] = stack.enter_context(start(spec, settings))
        prepared = workers[name].ask('prepare')
        found[name] = dataclasses.replace(found[name], prepared=prepared)
        time.sleep(PAUSE_SECONDS[name])
        if prepared['platform'] == 'tpu':
          for _ in range(settings.rounds):
            one_round(name)
          finish(name)
    for number in range(settings.rounds):
      order = sorted(workers)
      random.Random(f'{mode} {model.label} {number}').shuffle(order)
      for name in order:
        with failure_of(name):
          one_round(name)
    for name in list(workers):
      finish(name)
  return list(found.values())


def fresh(
  contenders: list[str],
  modes: list[str],
  model: Model,
  settings: Settings,
  *,
  start=start,
) -> list[Measurement]:
  """Compile time and memory of a training step, each round in a new process, alone.

  'compile' is seconds of the first step less those of the second, without a cache.
  'memory' is MiB: the peak on the device, or, if it has no memory of its own, the peak
  of the process while it makes steps.
  """
  found = {
    (mode, name): Measurement(
      mode,
      model.label,
      name,
      's' if mode == 'compile' else 'MiB',
      settings.at(model).batch,
      kind=model.kind,
    )
    for mode in modes
    for name in contenders
  }
  gone = set()
  for number in range(min(settings.rounds, FRESH_ROUNDS)):
    order = sorted(contenders)
    random.Random(f'fresh {model.label} {number}').shuffle(order)
    for name in order:
      if name in gone:
        continue
      spec = make_spec(name, model, 'train', settings, cold=True)
      settings.say(f'{model.label}, {" and ".join(modes)}: {CONTENDERS[name].title}')
      try:
        with start(spec, settings) as worker:
          prepared = worker.ask('prepare')
          worker.ask('time', repeats=2)
          memory = worker.ask('memory')
      except WorkerError as error:
        gone.add(name)
        for mode in modes:
          found[mode, name] = failed(found[mode, name], error)
        continue
      for mode in modes:
        value = prepared['first_call_seconds'] - prepared['call_ms'] / 1e3
        if mode == 'memory':
          value = memory['device_mib'] or memory['running_mib']
        old = found[mode, name]
        if value is None:
          found[mode, name] = dataclasses.replace(
            old, error='memory is measured on Linux and on accelerators only'
          )
          continue
        found[mode, name] = dataclasses.replace(
          old, values=(*old.values, value), prepared=prepared, memory=memory
        )
  return list(found.values())


def parts(
  mode: str,
  model: Model,
  settings: Settings,
  called: Callable[[int, int], str],
  *,
  start=start,
) -> tuple[list[dict], list[str], dict]:
  """What ours measures part by part, all in one process.

  Args:
    mode: the worker is the file of this name.
    model, settings: of the measurements.
    called: (number of a part, how many there are) -> what a person is told of it.
    start: (spec, settings) -> Worker.

  Returns:
    What was measured of each part, a line if the worker failed, and what it says of
    itself.
  """
  found, failures, prepared = [], [], {}
  spec = make_spec(OURS, model, 'train', settings)
  spec['module'] = f'mobilenet.bench.{mode}'
  try:
    with start(spec, settings) as worker:
      prepared = worker.ask('prepare')
      for number in range(prepared['parts']):
        settings.say(f'{model.label}, {mode}: {called(number, prepared["parts"])}')
        found.append(worker.ask('measure', number=number, rounds=settings.rounds))
  except WorkerError as error:
    failures.append(f'{model.label}, {mode}: {error}')
  return found, failures, prepared


def failed(measurement: Measurement, error: WorkerError) -> Measurement:
  """The measurement of a contender that failed: no values, and one line why."""
  text, missing = str(error), error.missing is not None
  if missing:
    install = CONTENDERS[measurement.contender].install
    text = f'{error.missing} is not installed: {install}'
  return dataclasses.replace(measurement, values=(), error=text, missing=missing)
