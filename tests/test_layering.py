"""The rules on who may import whom, kept by reading the source."""

import ast
import functools
import pathlib
import re
import subprocess
import sys

import pytest

from mobilenet import jobs, tasks

ROOT = pathlib.Path(__file__).parents[1]
ROOMS = ('configs', 'input_pipeline', 'mobilenet')
FILES = sorted(
  [ROOT / 'main.py', *(f for room in ROOMS for f in (ROOT / room).rglob('*.py'))]
)
MAIN, EXPERIMENT = ROOT / 'main.py', ROOT / 'mobilenet' / 'experiment.py'
TRAINED = ROOT / 'mobilenet' / 'trained.py'
EXPORT = ROOT / 'mobilenet' / 'export'
COMMAND_LINE = ROOT / 'mobilenet' / 'command_line.py'
STANDARD = set(sys.stdlib_module_names)
JOBS = sorted((ROOT / 'mobilenet' / 'jobs').glob('[!_]*.py'))


@functools.cache  # asked for each file again, and comparing paths is slow
def under(*parts):
  return tuple(f for f in FILES if f.is_relative_to(ROOT.joinpath(*parts)))


@functools.cache
def tree_of(path):
  return ast.parse(path.read_text())


@functools.cache
def imports(path, *, top_level_only=False):
  """Dotted names of what a file imports."""
  tree = tree_of(path)
  nodes = tree.body if top_level_only else ast.walk(tree)
  names = set()
  for node in nodes:
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f'{path} has a relative import'
      names |= {node.module} | {f'{node.module}.{alias.name}' for alias in node.names}
  return names


def of_each(paths):
  """Makes a test of one file a test of all: thousands cost more than what they do."""

  def make(test):
    def test_all():
      assert paths
      for path in paths:
        try:
          test(path)
        except AssertionError as error:
          error.add_note(f'in {path}')
          raise

    test_all.__name__, test_all.__doc__ = test.__name__, test.__doc__
    return test_all

  return make


def test_the_file_that_breaks_a_rule_is_named():
  @of_each([MAIN, EXPERIMENT])
  def check(path):
    assert path == MAIN

  with pytest.raises(AssertionError) as found:
    check()
  assert found.value.__notes__ == [f'in {EXPERIMENT}']


def packages(path, **kwargs):
  return {name.split('.')[0] for name in imports(path, **kwargs)}


def is_own(name):
  return name.split('.')[0] in ROOMS


def test_there_is_something_to_check():
  assert {MAIN, EXPERIMENT, *JOBS, TRAINED} <= set(FILES)
  assert len(under('mobilenet', 'models')) > 5
  assert len(under('mobilenet', 'training')) > 5
  assert len(under('input_pipeline')) > 5
  assert len(under('configs')) > 5


@of_each(under('mobilenet', 'models'))
def test_models_import_jax_linen_and_themselves(path):
  allowed = STANDARD | {'jax', 'flax', 'numpy', 'mobilenet'}
  assert packages(path) <= allowed
  for name in imports(path):
    if name.startswith('mobilenet.'):
      assert name.startswith('mobilenet.models')
    if name.startswith('flax.'):
      assert name.split('.')[1] in ('linen', 'struct')


@of_each(under('mobilenet', 'training'))
def test_training_gets_iterators(path):
  assert not packages(path) & {
    'tensorflow',
    'tensorflow_datasets',
    'input_pipeline',
    'configs',
    'main',
  }
  assert not [n for n in imports(path) if n.startswith('mobilenet.reports')]


@of_each(under('input_pipeline'))
def test_data_knows_nothing_of_models(path):
  forbidden = {'jax', 'flax', 'optax', 'mobilenet', 'configs', 'main'}
  assert not packages(path) & forbidden


@of_each(under('configs'))
def test_reading_a_config_starts_no_device(path):
  assert packages(path) <= STANDARD | {'ml_collections', 'configs'}


@of_each(under('mobilenet', 'weights') + under('mobilenet', 'export'))
def test_foreign_frameworks_are_imported_where_they_are_needed(path):
  heavy = {'tensorflow', 'keras', 'torch', 'onnx', 'onnxruntime', 'openvino'}
  heavy |= {'litert_converter', 'ai_edge_litert'}
  assert not packages(path, top_level_only=True) & heavy


@of_each(under('mobilenet'))
def test_configs_models_and_data_meet_in_few_places_only(path):
  """In the experiment, what is trained of it, the jobs, and what shows photos."""
  rooms = [
    f
    for room in ('bench', 'data_check', 'reports', 'runs', 'search', 'tasks')
    for f in under('mobilenet', room)
  ]
  # A server's file holds the preparation of photos as well.
  served = [export / 'saved_model.py' for export in (EXPORT, EXPORT / 'runtimes')]
  if path in (EXPERIMENT, TRAINED, *JOBS, *rooms, *served):
    return
  if path == EXPORT / 'tflite.py':  # its converter holds a part of TensorFlow
    used = re.findall(r'input_pipeline\.(\w+)', path.read_text())
    assert set(used) == {'quiet'}
    return
  assert not packages(path) & {'configs', 'input_pipeline'}


def test_the_experiment_takes_any_config_and_the_package_of_the_data():
  assert 'configs' not in packages(EXPERIMENT)  # a config is an argument
  # Taking a name out of the package at import would import TensorFlow.
  data = {name for name in imports(EXPERIMENT) if name.startswith('input_pipeline')}
  assert data == {'input_pipeline'}


@of_each(FILES)
def test_only_runs_and_jobs_import_the_experiment_and_nobody_imports_a_job(path):
  """The command line imports the package, which finds the one that is asked for."""
  names = imports(path)
  runs = (*under('mobilenet', 'runs'), *under('mobilenet', 'search'))
  if path not in (TRAINED, *runs, *JOBS):
    assert 'mobilenet.experiment' not in names
  if path not in (*runs, *JOBS):
    assert 'mobilenet.trained' not in names
  assert not {name for name in names if name.startswith('mobilenet.jobs.')}
  if path != COMMAND_LINE:
    assert 'mobilenet.jobs' not in names


def test_what_is_imported_before_the_job_is_known_is_light():
  program = (
    'import sys; from mobilenet import jobs; import main; '
    'job_files = {f"mobilenet.jobs.{name}" for name in jobs.names()}; '
    'slow = {"tensorflow", "orbax", "optax", "flax.linen", "matplotlib", "PIL"}; '
    'print(sorted(set(sys.modules) & (job_files | slow)))'
  )
  done = subprocess.run(
    [sys.executable, '-c', program],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=120,
    check=True,
  )
  assert done.stdout.strip() == '[]'


def test_main_is_short():
  assert len(MAIN.read_text().splitlines()) < 100


# Room -> the rooms below it, which it may import. So no circle can be.
BELOW = {
  'models': (),
  'training': ('models',),
  'weights': ('models', 'training'),
  'export': ('models', 'training', 'weights'),
  'reports': ('models', 'training', 'weights'),
  'tasks': ('models', 'training', 'weights', 'reports'),
  'tables': ('models', 'training', 'reports'),
  'sweeps': ('training', 'reports', 'config_files'),
  'data_check': ('models', 'training', 'reports'),
  'bench': ('models', 'training', 'weights', 'export', 'reports', 'tasks'),
  'config_files': ('training',),
  'limits': ('training',),
  'scaling': ('training',),
  'watching': ('training',),
  'experiment': ('models', 'training', 'weights', 'export', 'tasks'),
  'trained': ('models', 'training', 'weights', 'export', 'experiment'),
  'runs': (
    'models',
    'training',
    'weights',
    'export',
    'reports',
    'tasks',
    'limits',
    'scaling',
    'watching',
    'experiment',
    'trained',
  ),
  'search': (
    'models',
    'training',
    'weights',
    'export',
    'bench',
    'reports',
    'tasks',
    'tables',
    'sweeps',
    'limits',
    'experiment',
    'trained',
    'runs',
  ),
  'comparison': ('training', 'reports', 'tasks', 'tables', 'runs'),
  'yardsticks': ('training', 'reports'),
  'command_line': ('training', 'config_files', 'jobs'),
}


@of_each(under('mobilenet'))
def test_rooms_import_those_below_them_alone(path):
  parts = path.relative_to(ROOT / 'mobilenet').with_suffix('').parts
  if parts[0] in ('__init__', 'jobs'):
    return  # jobs may import all but each other
  own = [n.split('.') for n in imports(path) if n.startswith('mobilenet.')]
  assert {name[1] for name in own} <= {parts[0], *BELOW[parts[0]]}


@of_each(under('mobilenet', 'tasks'))
def test_a_task_imports_no_other_task(path):
  own = path.relative_to(ROOT / 'mobilenet' / 'tasks').parts[0]
  # Places are classes, with a distance between them.
  below = {'places': {'classification'}}.get(own, set())
  others = {folder for folder in tasks.TASKS if folder != own} - below
  names = imports(path)
  assert not {
    n for n in names for task in others if n.startswith(f'mobilenet.tasks.{task}')
  }


# What works for any task; it may not know what one of them learns.
GENERAL = [
  EXPERIMENT,
  *(ROOT / 'mobilenet' / 'jobs' / f'{job}.py' for job in ('train', 'predict')),
  ROOT / 'mobilenet' / 'reports' / 'run_report.py',
  *(
    ROOT / 'mobilenet' / 'training' / f'{name}.py'
    for name in ('evaluation', 'loop', 'state', 'step', 'step_log')
  ),
]


@of_each(GENERAL)
def test_what_works_for_any_task_names_no_class_and_no_label(path):
  words = set()
  for node in ast.walk(tree_of(path)):
    for name in ('id', 'attr', 'arg', 'name', 'value'):
      if isinstance(word := getattr(node, name, None), str) and ' ' not in word:
        words.add(word)
  named = {'label', 'labels', 'class_names', 'num_classes', 'top1', 'top5', 'logits'}
  assert not words & named


@of_each(JOBS)
def test_a_job_has_what_main_looks_for(path):
  name, job = path.stem, jobs.load(path.stem)
  assert jobs.describe(name).flags == tuple(flag.name for flag in job.FLAGS)
  assert len(jobs.describe(name).summary) < 88
  assert callable(job.run)


@of_each(FILES)
def test_all_but_sweeps_runs_on_windows(path):
  posix_only = {'fcntl', 'grp', 'pty', 'pwd', 'resource', 'syslog', 'termios', 'tty'}
  if path in under('mobilenet', 'sweeps'):
    return
  if path in under('mobilenet', 'training', 'workdir.py'):
    posix_only.remove('fcntl')  # which it does without: see test_workdir.py
  assert not packages(path) & posix_only
  at_once = imports(path, top_level_only=True)
  assert not {name for name in at_once if name.startswith('mobilenet.sweeps')}


# What a worker imports where nothing but PyTorch is installed.
ALONE = {f'mobilenet.bench{part}' for part in ('', '.pytorch', '.recipe')}
ALONE |= {'mobilenet.bench.worker', 'mobilenet.bench.worker.Prepared'}


@of_each(FILES)
def test_a_peer_of_the_benchmark_is_imported_by_its_worker_alone(path):
  bench = ROOT / 'mobilenet' / 'bench'
  peers = {f'{peer.stem}' for peer in bench.glob('*_peer.py')}
  assert len(peers) == 3
  assert not {name.rpartition('.')[2] for name in imports(path)} & peers
  # A worker's Python may have nothing but its own framework.
  of_torch = {'timm_peer.py': 'timm', 'torchvision_peer.py': 'torchvision'}
  if path in (bench / 'pytorch.py', *(bench / name for name in of_torch)):
    own = {'torch', 'mobilenet', of_torch.get(path.name, 'torch')}
    assert packages(path) <= STANDARD | own
    assert {name for name in imports(path) if name.startswith('mobilenet')} <= ALONE
  if path in (bench / 'worker.py', bench / 'recipe.py'):
    assert packages(path) <= STANDARD | {'numpy'}


@of_each(FILES)
def test_nobody_imports_main(path):
  assert 'main' not in packages(path)


@of_each(FILES)
def test_no_wildcards_and_no_rooms_for_everything(path):
  assert not [name for name in imports(path) if name.endswith('.*')]
  assert path.stem not in ('utils', 'util', 'helpers', 'misc', 'base')


@of_each(FILES)
def test_only_linen_and_struct_of_flax(path):
  for name in imports(path):
    assert not name.startswith(('flax.training', 'flax.jax_utils', 'flax.metrics'))


@of_each(FILES)
def test_train_is_keyword_only_and_false_by_default(path):
  """The flag of models; the data room's `train` is a folder."""
  if path.is_relative_to(ROOT / 'input_pipeline'):
    return
  for node in ast.walk(tree_of(path)):
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
      continue
    positional = [a.arg for a in node.args.posonlyargs + node.args.args]
    assert 'train' not in positional, f'{node.name} takes train by position'
    for argument, default in zip(
      node.args.kwonlyargs, node.args.kw_defaults, strict=True
    ):
      if argument.arg == 'train' and default is not None:
        assert isinstance(default, ast.Constant)
        assert default.value is False


@of_each(FILES)
def test_importing_does_nothing(path):
  """Modules define; they don't call at import."""
  for node in tree_of(path).body:
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call):
      name = ast.unparse(call.func)
      # Binding a gradient to its function is part of the definition.
      assert name.endswith('.defvjp'), f'{path} calls {name} at import'


@of_each([MAIN, *under('mobilenet')])
def test_only_the_data_imports_tensorflow(path):
  """Summaries and tables run on a machine with JAX and Flax only."""
  foreign = [*under('mobilenet', 'weights'), *under('mobilenet', 'export')]
  # Nobody imports these: each is what a worker process of its own runs.
  foreign += (ROOT / 'mobilenet' / 'bench').glob('*_peer.py')
  if path not in foreign:
    assert not packages(path) & {'tensorflow', 'tensorflow_datasets'}


@of_each(FILES)
def test_one_file_writes_csv(path):
  """It keeps names from being formulas; a second way to write one would not."""
  if path.name != 'csv_file.py' and 'csv' in packages(path):
    uses = {
      node.attr for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)
    }
    assert not uses & {'writer', 'DictWriter'}
