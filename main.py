"""Runs one experiment: `python main.py --config=configs/v3_large.py`.

Jobs (--job): `train` trains, evaluates and reports; the same command again resumes.
`eval` evaluates a finished or running workdir on any split. `summary` prints parameters
and multiply-adds layer by layer. `sweep` trains all that the config's `sweep` yields.
`table` writes the papers' tables with our counts and results beside them; no config.
This is the only place where configs, models and data meet.
"""

import functools
import pathlib
import sys

import jax
from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

import input_pipeline
from mobilenet import command_line
from mobilenet.models import counting, zoo
from mobilenet.models.initializers import init_variables
from mobilenet.reports import (
  figures,
  paper_tables,
  result,
  run_report,
  summary,
  sweep,
  sweep_items,
)
from mobilenet.training import checkpoints, loop, sharding, workdir
from mobilenet.training.allocator import keep_freed_memory
from mobilenet.training.errors import TrainingError
from mobilenet.training.evaluation import Evaluation, evaluate
from mobilenet.training.optimizer import make_optimizer
from mobilenet.training.plan import make_plan
from mobilenet.training.schedules import make_schedule
from mobilenet.training.state import create
from mobilenet.training.step import make_eval_step
from mobilenet.training.tasks import Classification

CONFIG = config_flags.DEFINE_config_file('config', None, 'The experiment.')
WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run; default: runs/NAME.')
JOB = flags.DEFINE_enum(
  'job', 'train', ['train', 'eval', 'summary', 'sweep', 'table'], 'What to do.'
)
SPLIT = flags.DEFINE_string('split', None, "eval: the split; default: the config's.")
DATA_DIR = flags.DEFINE_string('data_dir', None, "eval: other data than the run's.")
DEPTH = flags.DEFINE_integer('depth', 1, 'summary: 1 blocks, 2 their parts, -1 layers.')
CLASSES = flags.DEFINE_integer('num_classes', 1000, 'summary: outputs of the network.')
SWEEP = flags.DEFINE_string('sweep', None, "sweep: its name; default: the config's.")
INDEX = flags.DEFINE_integer('index', None, 'sweep: run this item alone, from 0.')
LIST = flags.DEFINE_bool('list', False, 'sweep: print the items, run nothing.')
TABLE = flags.DEFINE_string('table', None, 'table: v1/6,v2/4 and so on; default: all.')
MEASURE = flags.DEFINE_bool('measure', False, 'table: time batches of one image here.')
RUNS = flags.DEFINE_string('runs', None, 'table: searched for our runs; default: runs.')
MULTIHOST = flags.DEFINE_bool('multihost', False, 'Several processes, one run.')
COORDINATOR = flags.DEFINE_string(
  'coordinator',
  None,
  'multihost: host:port of process 0; needed where the cluster does not tell.',
)
PROCESSES = flags.DEFINE_integer(
  'num_processes', None, 'multihost: how many; likewise.'
)
PROCESS = flags.DEFINE_integer('process_id', None, 'multihost: which one; likewise.')

# May differ between a run and its resumption: they change no number of the training.
HARMLESS = (
  'checkpoint_every_epochs',
  'data.dir',
  'data.corrupt_limit',
  'eval_batch_size',
)


def make_model(config: ConfigDict, num_classes: int):
  return zoo.create(num_classes=num_classes, **config.model)


def open_source(config: ConfigDict, split: str, data_dir: str | None = None):
  return input_pipeline.open_source(
    config.data.name,
    split,
    data_dir=config.data.dir if data_dir is None else data_dir,
    seed=config.seed,
    holdout=config.data.holdout,
    made_examples=config.data.made_examples,
    made_size=max(config.resolution, 32),
    num_classes=config.data.made_classes,
  )


def ops(config: ConfigDict, name: str) -> str:
  """An op string of the config, with the resolution put in."""
  return config.data[name].replace('{resolution}', str(config.resolution))


def eval_batches(config: ConfigDict, source, mesh, *, all_here: bool = False):
  """This process's share of a split, or (for a report's pictures) all of it."""
  return input_pipeline.eval_batches(
    source,
    ops=ops(config, 'eval_ops'),
    batch_size=sharding.local_batch_size(
      mesh, config.eval_batch_size, 'eval_batch_size'
    ),
    process_index=0 if all_here else jax.process_index(),
    process_count=1 if all_here else jax.process_count(),
    corrupt_limit=config.data.corrupt_limit,
  )


def train(config: ConfigDict, folder: pathlib.Path) -> None:
  """Trains, or goes on training, evaluates and reports."""
  workdir.check_config(folder, config.to_dict(), ignore=HARMLESS)
  mesh = sharding.make_mesh()
  local_batch_size = sharding.local_batch_size(mesh, config.batch_size)
  sharding.local_batch_size(mesh, config.eval_batch_size, 'eval_batch_size')
  make_model(config, 1)  # a wrong name or option is told before data is opened
  for name, kind in (
    ('train_ops', 'train'),
    ('eval_ops', 'eval'),
    ('batch_ops', 'batch'),
  ):
    input_pipeline.check_ops(ops(config, name), kind)
  source = open_source(config, config.data.train_split)
  eval_source = open_source(config, config.data.eval_split)
  model = make_model(config, source.num_classes)
  plan = make_plan(config, num_examples=source.num_examples)
  schedule = make_schedule(
    config.schedule,
    total_steps=plan.total_steps,
    steps_per_epoch=plan.steps_per_epoch,
    batch_size=config.batch_size,
  )
  tx = make_optimizer(config.optimizer, schedule)
  workdir.check_classes(folder, source.class_names, config.data.train_split)
  workdir.write_config(folder, config.to_dict())
  workdir.write_classes(folder, source.class_names)
  parameters, multiply_adds = counting.count(model, config.resolution)
  announce(config, source, eval_source, parameters, multiply_adds, folder)
  warn_of_slow_statistics(model.network.style.norm_momentum, plan.total_steps)
  outcome = loop.train(
    model=model,
    task=make_task(config),
    tx=tx,
    learning_rate=schedule,
    variables=functools.partial(
      init_variables, model, (config.resolution, config.resolution, 3), config.seed
    ),
    data=loop.Data(
      train=lambda start_step: input_pipeline.train_batches(
        source,
        ops=ops(config, 'train_ops'),
        batch_ops=ops(config, 'batch_ops'),
        batch_size=local_batch_size,
        seed=config.seed,
        start_step=start_step,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        shuffle_buffer=config.data.shuffle_buffer,
        corrupt_limit=config.data.corrupt_limit,
      ),
      evaluate=lambda: eval_batches(config, eval_source, mesh),
      num_eval_examples=eval_source.num_examples,
    ),
    plan=plan,
    batch_size=config.batch_size,
    seed=config.seed,
    ema_decay=config.ema_decay,
    workdir=str(folder),
    mesh=mesh,
  )
  if outcome.stopped:
    step = int(outcome.state.step)
    print(
      f'{outcome.stopped}: saved at step {step}; the same command goes on from there'
    )
    return
  best = outcome.evaluations.get('ema', outcome.evaluations['raw'])
  if jax.process_index() == 0:
    overall = write_report(folder / 'report', best, eval_source, config, mesh)
    figures.curves(folder, title=folder.name)
    finished = {
      'config': folder.name,
      'model': config.model.name,
      **best.metrics,
      'raw_top1': outcome.evaluations['raw'].metrics['top1'],
      'balanced_accuracy': 100 * overall['balanced_accuracy'],
      'num_examples': best.count,
      'unreadable_examples': best.unreadable,
      'steps': plan.total_steps,
      'epochs': plan.total_steps / plan.steps_per_epoch,
      'train_seconds': outcome.seconds,
      'images_per_second': outcome.images_per_second,
      'parameters': parameters,
      'multiply_adds': multiply_adds,
    }
    result.write_result(folder, finished)
    result.print_result(result.read_result(folder))
    print(f'report: {folder / "report"}')


def evaluate_run(folder: pathlib.Path) -> None:
  """Evaluates the newest checkpoint of a workdir, on its own split or another."""
  config = workdir.read_config(folder)
  if config is None:
    raise TrainingError(f'{folder} holds no {workdir.CONFIG_FILE}: no run began there')
  config = ConfigDict(config)
  split = SPLIT.value or config.data.eval_split
  mesh = sharding.make_mesh()
  source = open_source(config, split, DATA_DIR.value)
  workdir.check_classes(folder, source.class_names, split)
  model, task = make_model(config, source.num_classes), make_task(config)

  def new_state():
    variables = init_variables(
      model, (config.resolution, config.resolution, 3), config.seed
    )
    tx = make_optimizer(config.optimizer, lambda step: 0.0)
    return create(variables, tx, task.zero_sums(), ema=config.ema_decay is not None)

  everywhere = sharding.replicated(mesh)
  with checkpoints.Checkpointer(folder, read_only=True) as checkpointer:
    state = checkpointer.restore(
      jax.tree.map(
        lambda leaf: leaf.update(sharding=everywhere), jax.eval_shape(new_state)
      )
    )
  batches = eval_batches(config, source, mesh)
  evaluation = evaluate(
    make_eval_step(model, task, mesh),
    task,
    {'best': state.variables if state.ema is None else state.ema},
    batches,
    mesh,
    num_examples=source.num_examples,
    keep_predictions=True,
  )['best']
  for name in batches.corrupt:
    print(f'left out, since it cannot be read: {name}')
  if jax.process_index() == 0:
    report = folder / f'report-{split}'
    write_report(report, evaluation, source, config, mesh)
    step = int(state.step)
    result.print_result(
      {
        'config': f'{folder.name}, step {step}, on {split}',
        **evaluation.metrics,
        'num_examples': evaluation.count,
        'unreadable_examples': evaluation.unreadable,
      }
    )
    print(f'report: {report}')


def summarize(config: ConfigDict) -> None:
  """Prints a table of shapes, parameters and multiply-adds."""
  model = make_model(config, CLASSES.value)
  layers = counting.layers(model, config.resolution)
  summary.print_summary(
    layers,
    f'{config.model.name}, width {config.model.width}, {config.resolution} px',
    depth=None if DEPTH.value < 0 else DEPTH.value,
  )


def run_sweep(config: ConfigDict) -> int:
  """Trains each item of a config's sweep in a process of its own; the exit code."""
  if MULTIHOST.value:
    raise TrainingError(
      '--multihost is of one run; spread a sweep over machines with --index'
    )
  argument = command_line.config_argument(sys.argv)
  name, pairs = command_line.load_sweep(argument, SWEEP.value)
  title = f'{command_line.config_name(argument)}-{name}'
  folder = workdir.local_path(WORKDIR.value or pathlib.Path('runs') / title)
  given = config_flags.get_override_values(flags.FLAGS['config'])
  items = sweep_items.make_items(argument, pairs, config, given, folder)
  if LIST.value:
    sweep.show_items(items, title, ignore=HARMLESS)
    return 0
  return sweep.run(
    items,
    folder,
    title=title,
    command=sweep.command(argument, name, given, folder),
    given=given,
    index=INDEX.value,
    ignore=HARMLESS,
  )


def write_tables() -> None:
  """Writes tables of the papers; no config is needed."""
  out = workdir.local_path(WORKDIR.value or pathlib.Path('runs') / 'tables')
  runs = workdir.local_path(RUNS.value or 'runs')
  paper_tables.write_tables(
    paper_tables.chosen(TABLE.value or 'all'),
    out,
    runs_folder=runs if RUNS.value or runs.is_dir() else None,
    measure=MEASURE.value,
  )
  print(f'tables: {out}')


def make_task(config: ConfigDict) -> Classification:
  return Classification(
    label_smoothing=config.loss.label_smoothing,
    l2=config.loss.l2,
    l2_depthwise=config.loss.l2_depthwise,
  )


def write_report(report, evaluation: Evaluation, source, config, mesh) -> dict:
  return run_report.write_evaluation(
    report,
    evaluation,
    class_names=source.class_names,
    describe=source.describe,
    batches=lambda: eval_batches(config, source, mesh, all_here=True),
  )


def announce(config, source, eval_source, parameters, multiply_adds, folder) -> None:
  if jax.process_index() == 0:
    device = jax.devices()[0]
    print(
      f'{config.model.name} x{config.model.width:g} at {config.resolution} px: '
      f'{parameters:,} parameters, {multiply_adds / 1e6:.1f} M multiply-adds\n'
      f'{source.name}: {source.num_examples:,} images for training, '
      f'{eval_source.num_examples:,} for evaluation, {source.num_classes} classes\n'
      f'{jax.device_count()} x {device.device_kind}; workdir {folder}'
    )


def warn_of_slow_statistics(momentum: float, steps: int) -> None:
  """The commonest reason why a network is good in training and bad in evaluation."""
  if (left := momentum**steps) > 0.05 and jax.process_index() == 0:
    print(
      f'warning: at BatchNorm momentum {momentum:g}, {left:.0%} of the running '
      f'statistics after {steps} steps are still what they began with, and evaluation '
      'suffers; lower --config.model.norm_momentum or train longer'
    )


def run() -> int:
  config = CONFIG.value
  if JOB.value != 'sweep' and (SWEEP.value or LIST.value or INDEX.value is not None):
    raise TrainingError('--sweep, --index and --list are of --job=sweep')
  if JOB.value == 'table':
    write_tables()
    return 0
  if TABLE.value or MEASURE.value or RUNS.value:
    raise TrainingError('--table, --measure and --runs are of --job=table')
  if config is None and (JOB.value != 'eval' or WORKDIR.value is None):
    raise TrainingError(
      'give a config (--config=configs/quickstart.py), '
      'or a run (--job=eval --workdir=...)'
    )
  if JOB.value == 'sweep':
    return run_sweep(config)
  if WORKDIR.value is not None:
    folder = workdir.local_path(WORKDIR.value)
  else:
    name = command_line.config_name(command_line.config_argument(sys.argv))
    folder = workdir.local_path(pathlib.Path('runs') / name)
  if JOB.value == 'summary':
    summarize(config)
  elif JOB.value == 'eval':
    evaluate_run(folder)
  else:
    train(config, folder)
  return 0


def main(argv: list[str]) -> int:
  if len(argv) > 1:
    print(f'error: what is {argv[1]!r}? flags begin with --', file=sys.stderr)
    return 2
  logging.set_verbosity(logging.WARNING)  # of libraries; the run prints its own lines
  keep_freed_memory()
  try:
    if MULTIHOST.value and JOB.value != 'sweep':
      jax.distributed.initialize(COORDINATOR.value, PROCESSES.value, PROCESS.value)
    return run()
  except (TrainingError, zoo.ModelError, input_pipeline.DataError) as error:
    print(f'error: {error}', file=sys.stderr)
    return 1


if __name__ == '__main__':
  app.run(main, flags_parser=command_line.parse)
