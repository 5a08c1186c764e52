"""The rules on who may import whom, kept by reading the source."""

import ast
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
ROOMS = ('configs', 'input_pipeline', 'mobilenet')
FILES = sorted(
  [ROOT / 'main.py', *(f for room in ROOMS for f in (ROOT / room).rglob('*.py'))]
)
MAIN, EXPERIMENT = ROOT / 'main.py', ROOT / 'mobilenet' / 'experiment.py'
JOBS = (ROOT / 'mobilenet' / 'jobs.py', ROOT / 'mobilenet' / 'trained_jobs.py')
TRAINED = ROOT / 'mobilenet' / 'trained.py'
STANDARD = set(sys.stdlib_module_names)


def under(*parts):
  return [f for f in FILES if f.is_relative_to(ROOT.joinpath(*parts))]


def imports(path, *, top_level_only=False):
  """Dotted names of what a file imports."""
  tree = ast.parse(path.read_text())
  nodes = tree.body if top_level_only else ast.walk(tree)
  names = set()
  for node in nodes:
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f'{path} has a relative import'
      names |= {node.module} | {f'{node.module}.{alias.name}' for alias in node.names}
  return names


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


@pytest.mark.parametrize('path', under('mobilenet', 'models'), ids=str)
def test_models_import_jax_linen_and_themselves(path):
  allowed = STANDARD | {'jax', 'flax', 'numpy', 'mobilenet'}
  assert packages(path) <= allowed
  for name in imports(path):
    if name.startswith('mobilenet.'):
      assert name.startswith('mobilenet.models')
    if name.startswith('flax.'):
      assert name.split('.')[1] in ('linen', 'struct')


@pytest.mark.parametrize('path', under('mobilenet', 'training'), ids=str)
def test_training_gets_iterators(path):
  assert not packages(path) & {
    'tensorflow',
    'tensorflow_datasets',
    'input_pipeline',
    'configs',
    'main',
  }
  assert not [n for n in imports(path) if n.startswith('mobilenet.reports')]


@pytest.mark.parametrize('path', under('input_pipeline'), ids=str)
def test_data_knows_nothing_of_models(path):
  forbidden = {'jax', 'flax', 'optax', 'mobilenet', 'configs', 'main'}
  assert not packages(path) & forbidden


@pytest.mark.parametrize('path', under('configs'), ids=str)
def test_reading_a_config_starts_no_device(path):
  assert packages(path) <= STANDARD | {'ml_collections', 'configs'}


@pytest.mark.parametrize(
  'path', under('mobilenet', 'weights') + under('mobilenet', 'export'), ids=str
)
def test_foreign_frameworks_are_imported_where_they_are_needed(path):
  heavy = {'tensorflow', 'keras', 'torch', 'onnx', 'onnxruntime'}
  assert not packages(path, top_level_only=True) & heavy


@pytest.mark.parametrize('path', under('mobilenet'), ids=str)
def test_configs_models_and_data_meet_in_few_places_only(path):
  """In main.py, the experiment, what is trained of it, its jobs, and the reports."""
  meeting = (EXPERIMENT, TRAINED, *JOBS)
  if path in meeting or path.is_relative_to(ROOT / 'mobilenet' / 'reports'):
    return
  assert not packages(path) & {'configs', 'input_pipeline'}


def test_the_experiment_takes_any_config_and_the_package_of_the_data():
  assert 'configs' not in packages(EXPERIMENT)  # a config is an argument
  # Taking a name out of the package at import would import TensorFlow.
  data = {name for name in imports(EXPERIMENT) if name.startswith('input_pipeline')}
  assert data == {'input_pipeline'}


@pytest.mark.parametrize('path', FILES, ids=str)
def test_only_jobs_import_the_experiment_and_only_main_imports_jobs(path):
  names = imports(path)
  if path not in (MAIN, TRAINED, *JOBS):
    assert 'mobilenet.experiment' not in names
  if path not in JOBS:
    assert 'mobilenet.trained' not in names
  if path != MAIN:
    assert not names & {'mobilenet.jobs', 'mobilenet.trained_jobs'}


def test_a_job_imports_only_what_it_needs():
  """What main.py imports before it knows the job is no more than flags and errors."""
  assert {name for name in imports(MAIN, top_level_only=True) if is_own(name)} == {
    'input_pipeline',
    'input_pipeline.DataError',
    'mobilenet',
    'mobilenet.command_line',
    'mobilenet.models.rows',
    'mobilenet.models.rows.ModelError',
    'mobilenet.training',
    'mobilenet.training.allocator',
    'mobilenet.training.allocator.keep_freed_memory',
    'mobilenet.training.compile_cache',
    'mobilenet.training.compile_cache.use_compile_cache',
    'mobilenet.training.errors',
    'mobilenet.training.errors.TrainingError',
    'mobilenet.training.workdir',
  }


@pytest.mark.parametrize('path', FILES, ids=str)
def test_all_but_sweeps_runs_on_windows(path):
  posix_only = {'fcntl', 'grp', 'pty', 'pwd', 'resource', 'syslog', 'termios', 'tty'}
  sweeps = sorted((ROOT / 'mobilenet' / 'reports').glob('sweep*.py'))
  if path in sweeps:
    return
  assert not packages(path) & posix_only
  for sweep in sweeps:
    assert f'mobilenet.reports.{sweep.stem}' not in imports(path, top_level_only=True)


@pytest.mark.parametrize('path', FILES, ids=str)
def test_a_peer_of_the_benchmark_is_imported_by_its_worker_alone(path):
  bench = ROOT / 'mobilenet' / 'reports' / 'bench'
  peers = {f'{peer.stem}' for peer in bench.glob('*_peer.py')}
  assert len(peers) == 3
  assert not {name.rpartition('.')[2] for name in imports(path)} & peers
  # A worker's Python may have nothing but its own framework.
  if path.name == 'timm_peer.py':
    assert packages(path) <= STANDARD | {'torch', 'timm', 'mobilenet'}
  if path in (bench / 'worker.py', bench / 'recipe.py'):
    assert packages(path) <= STANDARD | {'numpy'}


@pytest.mark.parametrize('path', FILES, ids=str)
def test_nobody_imports_main(path):
  assert 'main' not in packages(path)


@pytest.mark.parametrize('path', FILES, ids=str)
def test_no_wildcards_and_no_rooms_for_everything(path):
  assert not [name for name in imports(path) if name.endswith('.*')]
  assert path.stem not in ('utils', 'util', 'helpers', 'misc', 'base')


@pytest.mark.parametrize('path', FILES, ids=str)
def test_only_linen_and_struct_of_flax(path):
  for name in imports(path):
    assert not name.startswith(('flax.training', 'flax.jax_utils', 'flax.metrics'))


@pytest.mark.parametrize('path', FILES, ids=str)
def test_train_is_keyword_only_and_false_by_default(path):
  """The flag of models; the data room's `train` is a folder."""
  if path.is_relative_to(ROOT / 'input_pipeline'):
    return
  for node in ast.walk(ast.parse(path.read_text())):
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


@pytest.mark.parametrize('path', FILES, ids=str)
def test_importing_does_nothing(path):
  """Modules define; they don't call at import, save for flags in main."""
  if path.name == 'main.py':
    return
  for node in ast.parse(path.read_text()).body:
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call):
      name = ast.unparse(call.func)
      # Binding a gradient to its function is part of the definition.
      assert name.endswith('.defvjp'), f'{path} calls {name} at import'


@pytest.mark.parametrize('path', [MAIN, *under('mobilenet')], ids=str)
def test_only_the_data_imports_tensorflow(path):
  """Summaries and tables run on a machine with JAX and Flax only."""
  foreign = under('mobilenet', 'weights') + under('mobilenet', 'export')
  # Nobody imports these: each is what a worker process of its own runs.
  foreign += (ROOT / 'mobilenet' / 'reports' / 'bench').glob('*_peer.py')
  if path not in foreign:
    assert not packages(path) & {'tensorflow', 'tensorflow_datasets'}
