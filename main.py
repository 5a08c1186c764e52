"""Runs one experiment: `python main.py --config=configs/v3_large.py`.

Jobs (--job): `train` trains, evaluates and reports; the same command again resumes.
`eval` evaluates a finished or running workdir on any split. `predict` names what is on
photos. `import` makes a workdir of other people's weights, `export` writes a workdir's
for other frameworks. `summary` prints parameters and multiply-adds layer by layer.
`sweep` trains all that the config's `sweep` yields.
`table` writes the papers' tables with our counts and results beside them, `bench` times
networks against their peers on this machine; no config.
This file is flags and dispatch: what is done lives in `mobilenet.jobs`,
`mobilenet.trained_jobs` and `mobilenet.reports`; each job imports only its own.
"""

import gc
import os
import pathlib
import sys

import jax
from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from input_pipeline import DataError
from mobilenet import command_line
from mobilenet.models.rows import ModelError
from mobilenet.training import workdir
from mobilenet.training.allocator import keep_freed_memory
from mobilenet.training.compile_cache import use_compile_cache
from mobilenet.training.errors import TrainingError

# The jobs, and the flags that not every job knows.
JOB_FLAGS = {
  'train': (),
  'eval': ('split', 'data_dir'),
  'predict': ('top', 'out', 'cam'),
  'import': ('init', 'class_names'),
  'export': ('format', 'out'),
  'summary': ('depth', 'num_classes'),
  'sweep': ('sweep', 'index', 'list'),
  'table': ('table', 'measure', 'runs'),
  'bench': (
    'models',
    'modes',
    'peers',
    'batch',
    'resolution',
    'dtype',
    'rounds',
    'threads',
    'peer_python',
  ),
}

FINETUNE = 'configs/finetune.py'  # its fields are those of an imported workdir

CONFIG = config_flags.DEFINE_config_file('config', None, 'The experiment.')
WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run; default: runs/NAME.')
JOB = flags.DEFINE_enum('job', 'train', list(JOB_FLAGS), 'What to do.')
SPLIT = flags.DEFINE_string('split', None, "eval: the split; default: the config's.")
DATA_DIR = flags.DEFINE_string('data_dir', None, "eval: other data than the run's.")
TOP = flags.DEFINE_integer('top', 5, 'predict: classes a photo.')
CAM = flags.DEFINE_bool('cam', False, 'predict: draw where the first class is seen.')
OUT = flags.DEFINE_string(
  'out', None, 'predict: a folder for CSV, JSON; export: a file.'
)
INIT = flags.DEFINE_string('init', None, 'import: the weight file.')
NAMES = flags.DEFINE_string('class_names', None, 'import: a file, one name a line.')
FORMAT = flags.DEFINE_string('format', 'own', 'export: own, torchvision, timm, keras.')
DEPTH = flags.DEFINE_integer('depth', 1, 'summary: 1 blocks, 2 their parts, -1 layers.')
CLASSES = flags.DEFINE_integer('num_classes', 1000, 'summary: outputs of the network.')
SWEEP = flags.DEFINE_string('sweep', None, "sweep: its name; default: the config's.")
INDEX = flags.DEFINE_integer('index', None, 'sweep: run this item alone, from 0.')
LIST = flags.DEFINE_bool('list', False, 'sweep: print the items, run nothing.')
TABLE = flags.DEFINE_string('table', None, 'table: v1/6,v2/4 and so on; default: all.')
MEASURE = flags.DEFINE_bool('measure', False, 'table: time batches of one image here.')
RUNS = flags.DEFINE_string('runs', None, 'table: searched for our runs; default: runs.')
MODELS = flags.DEFINE_string('models', None, 'bench: NAME or NAME:WIDTH, by commas.')
MODES = flags.DEFINE_string(
  'modes',
  'train,infer,latency',
  'bench: these, compile, memory, grow (with batch, resolution and width) or lowerings '
  '(of each convolution).',
)
PEERS = flags.DEFINE_string(
  'peers',
  'auto',
  'bench: auto (all), none, or of stock, timm, timm_compile, keras_tensorflow, '
  'keras_jax, tflite.',
)
BATCH = flags.DEFINE_integer('batch', 16, 'bench: images a batch.')
RESOLUTION = flags.DEFINE_integer('resolution', 224, 'bench: px.')
DTYPE = flags.DEFINE_string('dtype', 'float32', 'bench: or bfloat16.')
ROUNDS = flags.DEFINE_integer('rounds', 15, 'bench: how often each has its turn.')
THREADS = flags.DEFINE_integer('threads', None, 'bench: cores for each; default: all.')
PEER_PYTHON = flags.DEFINE_string(
  'peer_python',
  None,
  'bench: PEER=/path/to/python of peers with a Python of their own.',
)
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


def folder(name: str) -> pathlib.Path:
  """--workdir, or a folder of this name in runs/."""
  return workdir.local_path(WORKDIR.value or pathlib.Path('runs') / name)


def run_folder() -> pathlib.Path:
  """The folder of one run; the config names it where --workdir does not."""
  if WORKDIR.value is not None:
    return workdir.local_path(WORKDIR.value)
  return folder(command_line.config_name(command_line.config_argument(sys.argv)))


def summarize(config: ConfigDict) -> None:
  """Prints a table of shapes, parameters and multiply-adds."""
  from mobilenet import experiment
  from mobilenet.models import counting
  from mobilenet.reports import summary

  if config.init:
    from mobilenet import jobs

    config, _ = jobs.complete(config)
  model = experiment.make_model(config, CLASSES.value)
  summary.print_summary(
    counting.layers(model, config.resolution),
    f'{config.model.name}, width {config.model.width}, {config.resolution} px',
    depth=None if DEPTH.value < 0 else DEPTH.value,
  )


def run_sweep(config: ConfigDict) -> int:
  """Trains each item of a config's sweep in a process of its own; the exit code."""
  if MULTIHOST.value:
    raise TrainingError(
      '--multihost is of one run; spread a sweep over machines with --index'
    )
  if os.name != 'posix':
    raise TrainingError(
      '--job=sweep locks files as Linux and macOS do; here, train its items one by one'
    )
  from mobilenet import jobs
  from mobilenet.experiment import HARMLESS
  from mobilenet.reports import sweep, sweep_items

  argument = command_line.config_argument(sys.argv)
  name, pairs = command_line.load_sweep(argument, SWEEP.value)
  title = f'{command_line.config_name(argument)}-{name}'
  given = config_flags.get_override_values(flags.FLAGS['config'])
  items = sweep_items.make_items(
    argument,
    pairs,
    config,
    given,
    folder(title),
    complete=lambda config: jobs.complete(config)[0],
  )
  if LIST.value:
    sweep.show_items(items, title, ignore=HARMLESS)
    return 0
  return sweep.run(
    items,
    folder(title),
    title=title,
    command=sweep.command(argument, name, given, folder(title)),
    given=given,
    index=INDEX.value,
    ignore=HARMLESS,
  )


def write_tables() -> None:
  """Writes tables of the papers; no config is needed."""
  from mobilenet.reports import paper_tables

  out, runs = folder('tables'), workdir.local_path(RUNS.value or 'runs')
  paper_tables.write_tables(
    paper_tables.chosen(TABLE.value or 'all'),
    out,
    runs_folder=runs if RUNS.value or runs.is_dir() else None,
    measure=MEASURE.value,
  )
  print(f'tables: {out}')


def run_bench() -> int:
  """Times networks against their peers; the exit code. No config is needed."""
  from mobilenet.reports.bench import contenders, measure
  from mobilenet.reports.bench import run as bench

  out = folder('bench')
  settings = measure.Settings(
    batch=BATCH.value,
    resolution=RESOLUTION.value,
    dtype=DTYPE.value,
    threads=bench.cores() if THREADS.value is None else THREADS.value,
    rounds=ROUNDS.value,
    logs=out / 'workers',
    pythons=contenders.interpreters(PEER_PYTHON.value),
  )
  return bench.run(
    contenders.chosen_models(MODELS.value or bench.MODELS),
    contenders.chosen_modes(MODES.value),
    contenders.chosen_peers(PEERS.value),
    settings,
    out,
  )


def use_trained(job: str, photos: list[str]) -> None:
  """Jobs on a workdir that has something trained in it."""
  from mobilenet import trained_jobs

  if job == 'eval':
    trained_jobs.evaluate_run(run_folder(), SPLIT.value, DATA_DIR.value)
  elif job == 'predict':
    out = workdir.local_path(OUT.value) if OUT.value else None
    trained_jobs.predict(
      run_folder(), photos, top=TOP.value, out=out, activation=CAM.value
    )
  else:
    if OUT.value is None:
      raise TrainingError('name the file to write: --out=weights.safetensors')
    out = workdir.local_path(OUT.value)
    trained_jobs.export_weights(run_folder(), FORMAT.value, out)


def import_weights(config: ConfigDict | None) -> None:
  """Makes a workdir of a weight file; the config is that of fine-tuning by default."""
  from mobilenet import trained_jobs

  config = config or command_line.load_config(FINETUNE)
  if INIT.value is not None:
    config.init = INIT.value
  if WORKDIR.value is None:
    raise TrainingError('name the folder to make: --workdir=runs/...')
  trained_jobs.import_weights(config, run_folder(), NAMES.value)


def run(
  job: str,
  config: ConfigDict | None,
  photos: list[str],
  compiled: pathlib.Path | None,
) -> int:
  """Does one job, with what was compiled in a folder; the exit code."""
  if job == 'table':
    write_tables()
    return 0
  if job == 'bench':
    return run_bench()
  if job == 'import':
    import_weights(config)
    return 0
  uses_trained = job in ('eval', 'predict', 'export')
  if config is None and (not uses_trained or WORKDIR.value is None):
    raise TrainingError(
      'give a config (--config=configs/quickstart.py), '
      'or a run (--job=eval --workdir=...)'
    )
  if uses_trained:
    use_trained(job, photos)
    return 0
  if job == 'sweep':
    return run_sweep(config)
  if job == 'summary':
    summarize(config)
    return 0
  from mobilenet import jobs

  jobs.train(config, run_folder(), compiled and compiled / 'programs')
  return 0


def main(argv: list[str]) -> int:
  if len(argv) > 1 and JOB.value != 'predict':
    print(f'error: what is {argv[1]!r}? flags begin with --', file=sys.stderr)
    return 2
  logging.set_verbosity(logging.WARNING)  # of libraries; the run prints its own lines
  keep_freed_memory()
  compiled = use_compile_cache()
  # Starting makes very many objects that stay; looking through them all for cycles,
  # again and again, takes half a second of TensorFlow's import alone.
  gc.set_threshold(100_000, 20, 20)
  try:
    command_line.check_flags(JOB.value, JOB_FLAGS)
    if MULTIHOST.value and JOB.value != 'sweep':
      jax.distributed.initialize(COORDINATOR.value, PROCESSES.value, PROCESS.value)
    return run(JOB.value, CONFIG.value, argv[1:], compiled)
  except (TrainingError, ModelError, DataError) as error:
    print(f'error: {error}', file=sys.stderr)
    return 1


if __name__ == '__main__':
  app.run(main, flags_parser=command_line.parse)
