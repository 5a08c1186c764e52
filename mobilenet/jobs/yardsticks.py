"""Evaluates on ImageNet-V2, -A, -R, -Sketch and ReaL.

    python main.py --job=yardsticks --workdir=runs/v3_large
    python main.py --job=yardsticks runs/v2 runs/v3_large --sets=imagenet_a,imagenet_r

Each set that is prepared is evaluated as --job=eval does, every photo once; a line says
how to prepare the others. Sets are TFDS' or, in --data_dir, class folders that are
named by WordNet id, in folders such as imagenet-a. Workdirs may be trained or imported.
yardsticks.csv has the columns of timm's results files. docs/yardsticks.md says what is
measured.
"""

import functools
import os
import pathlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

import input_pipeline
from input_pipeline.errors import DataError, NotPrepared
from mobilenet import experiment, trained
from mobilenet.command_line import Flag, Given
from mobilenet.models import counting
from mobilenet.reports import result
from mobilenet.runs import matching, overlap, run_data
from mobilenet.training import processes, sharding, workdir
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.evaluation import evaluate
from mobilenet.training.step import make_eval_step
from mobilenet.weights import class_names
from mobilenet.yardsticks import catalogue, scores
from mobilenet.yardsticks.catalogue import YARDSTICKS
from mobilenet.yardsticks.scores import Score

ARGUMENTS = 'RUN RUN ...'
FLAGS = (
  Flag('sets', str, None, 'Names of sets, with commas between; all by default.'),
  Flag('data_dir', str, None, "Folder with imagenet-a/ and so on, or TFDS' sets."),
  Flag('out', str, None, "Folder for the tables; the run's by default."),
)
SEVERAL = 'runs/yardsticks'  # the tables of several runs


class Opened(NamedTuple):
  """A set that is there. again: name of another split -> its source."""

  source: Any
  again: Callable[[str], Any]


def run(given: Given) -> int:
  flags = given.flags
  require(
    not (given.arguments and flags.workdir),
    'give one run as --workdir=RUN, or several as RUN RUN ...',
  )
  folders = [workdir.local_path(folder) for folder in given.arguments]
  folders = folders or [given.run_folder()]
  require(len(set(folders)) == len(folders), 'a run is named twice: name each once')
  default = folders[0] if len(folders) == 1 else SEVERAL
  out = workdir.local_path(flags.out or default)
  command = ['python', 'main.py', '--job=yardsticks', *map(str, folders)]
  command += [
    f'--{name}={value}'
    for name in ('sets', 'data_dir')
    if (value := getattr(flags, name))
  ]
  measure(
    folders, out, shlex.join(command), flags.sets, flags.data_dir, given.overrides
  )
  return 0


def measure(
  folders: Sequence[pathlib.Path],
  out: pathlib.Path,
  command: str = '',
  sets: str | None = None,
  data_dir: str | None = None,
  overrides: Mapping[str, Any] | None = None,
) -> list[Score]:
  """Evaluates runs on yardsticks, prints the table and writes it.

  The files are written after each set: what was measured stays if the next one fails.

  Args:
    folders: of the runs.
    out: where the tables go.
    command: what a person types to make them.
    sets: names with commas between; None for all.
    data_dir: where class folders or TFDS' sets are; None for TFDS' own place.
    overrides: fields of the configs; only those that change no number are taken.

  Raises:
    TrainingError, DataError: no set is there, a run cannot be used or has other classes
      than a set, or data that cannot be read.
  """
  names = catalogue.chosen(sets)
  mesh = sharding.make_mesh()
  runs = [trained.load_run(folder, mesh) for folder in folders]
  for each in runs:
    kind = experiment.task_of(each.config)
    require(
      kind == 'classification',
      f'{each.folder} is a run of {kind}: yardsticks are for classifiers',
    )
    with each.config.unlocked():
      each.config.update_from_flattened_dict(experiment.harmless(overrides or {}))
  opened, lines = _open_all(names, data_dir)
  matched = [_matched(each, opened) for each in runs]  # raises before anything runs
  made, first = [], jax.process_index() == 0
  for line in lines if first else ():
    print(f'note: {line}')
  for each, own in zip(runs, matched, strict=True):
    steps: dict[Any, Any] = {}
    for name, source in own.items():
      if first:
        print(f'{each.folder.name}: {name}, {source.num_examples:,} photos')
      made.append(_score(each, name, source, opened[name], mesh, steps))
      if first:
        said = {'command': command, 'environment': result.environment()}
        scores.write(out, made, said)
  if first:
    scores.show(made)
    print(f'tables: {out / scores.CSV_FILE}, {scores.JSON_FILE}')
  return made


def _open_all(
  names: Sequence[str], data_dir: str | None
) -> tuple[dict[str, Opened], list[str]]:
  """The sets that are there, and lines on those that are not, or not whole."""
  root = '' if data_dir is None else data_dir
  if '://' not in root:
    root = str(pathlib.Path(root).expanduser()) if root else ''
    require(
      not root or os.path.isdir(root),
      f'--data_dir={root} is no folder: give the one that holds imagenet-a/ and so on',
    )
  found, missing = {}, []
  for name in names:
    again = functools.partial(_open, name, root)
    try:
      found[name] = Opened(again(YARDSTICKS[name].split), again)
    except NotPrepared:
      missing.append(name)
  lines = [catalogue.how_to_prepare(missing, root)] if missing else []
  require(bool(found), f'nothing to evaluate on: {" ".join(lines)}')
  for name, (source, _) in found.items():
    published = YARDSTICKS[name].examples
    if source.num_examples != published:
      lines.append(
        f'{name} has {published:,} photos, {source.origin} has '
        f'{source.num_examples:,}: what is measured there is not what others publish'
      )
  return found, lines


def _open(name: str, root: str, split: str) -> 'input_pipeline.Source':
  """All of a set's class folders, if the root has them; else a split of TFDS' set."""
  row = YARDSTICKS[name]
  folders = [os.path.join(root, folder) for folder in row.folders] if root else []
  for folder in filter(os.path.isdir, folders):
    return input_pipeline.open_source(
      'folder', 'all', data_dir=folder, whole=True, dir_flag='--data_dir'
    )
  return input_pipeline.open_source(
    row.tfds, split, data_dir=root, dir_flag='--data_dir', wants=row.labels
  )


def _matched(run: trained.Run, opened: dict[str, Opened]) -> dict[str, Any]:
  """The sets in the order of a run's classes.

  Raises:
    TrainingError: a set has a class that the run does not know.
  """
  matched = {}
  for name, (source, _) in opened.items():
    try:
      found, lines = matching.in_order_of_run(run.folder, source, _wordnet_id)
    except TrainingError as error:
      others = ','.join(other for other in opened if other != name)
      leave = f', or leave the set out: --sets={others}' if others else ''
      raise TrainingError(f'{name}: {error}{leave}') from None
    matched[name] = found
    for line in lines:
      if jax.process_index() == 0:
        print(f'note: {run.folder.name}: {line}')
  return matched


def _wordnet_id(name: str) -> str:
  """The class folders of ImageNet-V2's own archives are its numbers, 0 to 999."""
  ids = class_names.imagenet()
  if name.isascii() and name.isdigit() and int(name) < len(ids):
    return ids[int(name)][0]
  return class_names.wordnet_id(name)


def _score(
  run: trained.Run, name: str, source, opened: Opened, mesh: Mesh, steps: dict
) -> Score:
  """Evaluates one run on one set. `steps`: task -> jitted evaluation step."""
  config = run.config
  task, answers = experiment.make_task(config), len(run.outputs)
  if YARDSTICKS[name].restricted:
    task, answers = matching.restricted(task, source)
  if task not in steps:
    steps[task] = make_eval_step(run.model, task, mesh)
  batches = experiment.eval_batches(config, source, mesh)
  found = evaluate(
    processes.together(f'the evaluation on {name}', steps[task]),
    task,
    {'best': run.variables},
    batches,
    mesh,
    num_examples=source.num_examples,
  )['best']
  if jax.process_index() == 0:
    for example in batches.corrupt:
      print(f'left out, since it cannot be read: {example}')
  measured = found.metrics if found.count else {}
  return Score(
    set=name,
    data=source.origin,
    run=str(run.folder),
    model=f'{config.model.name} x{config.model.width:g}',
    img_size=config.resolution,
    top1=measured.get('top1'),
    top5=measured.get('top5'),
    num_examples=found.count,
    unreadable=found.unreadable,
    unlabelled=found.untold,
    answers=answers,
    examples_trained_on=_trained_on(run, opened),
    param_count=counting.count(run.model, config.resolution)[0],
    **_preparation(config),
  )


def _preparation(config) -> dict[str, Any]:
  ops = experiment.ops(config, 'eval_ops')
  try:
    contract = trained.contract_of_run(config)
  except TrainingError:  # other ops than a contract can say: they are written whole
    return {'crop_pct': None, 'interpolation': None, 'ops': ops}
  return {
    'crop_pct': contract.crop_fraction,
    'interpolation': contract.interpolation,
    'ops': ops,
  }


def _trained_on(run: trained.Run, opened: Opened) -> int | None:
  """How many of a set's photos the run was trained on; a warning if any.

  None where nobody knows, or where what it was trained on is not there any more.
  """
  before = run_data.recorded(run.folder)
  if before is None:
    return None
  try:
    found = overlap.find(before, opened.source, opened.again)
  except DataError:
    return None
  if found.count and jax.process_index() == 0:
    print(f'warning: {overlap.described(found, opened.source)}')
  return found.count
