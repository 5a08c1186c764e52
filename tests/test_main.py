"""The command line as a person uses it: jobs, errors, resuming."""

import contextlib
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mobilenet.models import user_cache
from mobilenet.training import workdir
from tests import tiny


def error(*arguments):
  """The one line of a command that must fail."""
  done = tiny.run(*arguments)
  assert done.returncode != 0, done.stdout
  assert 'Traceback' not in done.stderr
  lines = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
  assert len(lines) == 1, done.stderr
  return lines[0]


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('runs') / 'tiny'
  done = tiny.run(*tiny.CONFIG, f'--workdir={workdir}')
  assert done.returncode == 0, done.stderr
  return workdir, done.stdout


def test_a_run_leaves_what_the_readme_says(finished):
  workdir, out = finished
  assert 'tiny x0.25 at 32 px' in out
  assert 'img/s' in out
  result = json.loads((workdir / 'result.json').read_text())
  assert result['steps'] == 6
  assert result['num_examples'] == 12
  assert 0 <= result['top1'] <= result['top5'] <= 100
  assert result['environment']['jax']
  assert 0 <= result['waiting_share'] <= 1
  for name in ('config.json', 'metrics.jsonl', 'classes.json', 'tensorboard'):
    assert (workdir / name).exists(), name
  for name in ('curves', 'confusion', 'mistakes'):
    assert (workdir / 'report' / f'{name}.png').read_bytes()[:4] == b'\x89PNG'
  for name in ('report.html', 'classes.csv', 'classes.json', 'predictions.csv'):
    assert (workdir / 'report' / name).stat().st_size > 0
  assert len((workdir / 'report' / 'predictions.csv').read_text().splitlines()) == 13
  assert (workdir / 'checkpoints' / '6').is_dir()


def test_the_same_command_again_trains_nothing_and_says_the_same(finished):
  workdir, _ = finished
  before = json.loads((workdir / 'result.json').read_text())
  done = tiny.run(*tiny.CONFIG, f'--workdir={workdir}')
  assert done.returncode == 0, done.stderr
  assert 'nothing to train' in done.stdout
  after = json.loads((workdir / 'result.json').read_text())
  assert (after['top1'], after['loss']) == (before['top1'], before['loss'])


def test_eval_of_a_workdir_says_what_training_said(finished):
  workdir, _ = finished
  done = tiny.run('--job=eval', f'--workdir={workdir}')
  assert done.returncode == 0, done.stderr
  assert (workdir / 'report-validation' / 'confusion.png').is_file()
  trained = (workdir / 'report' / 'classes.json').read_text()
  assert (workdir / 'report-validation' / 'classes.json').read_text() == trained
  said = json.loads((workdir / 'report-validation' / 'result.json').read_text())
  result = json.loads((workdir / 'result.json').read_text())
  for name in ('loss', 'top1', 'num_examples', 'steps', 'data', 'split', 'parameters'):
    assert said[name] == result[name], name
  assert 'were trained on' not in done.stdout
  done = tiny.run('--job=eval', f'--workdir={workdir}', '--split=train')
  assert done.returncode == 0, done.stderr
  assert 'on train' in done.stdout
  assert '48' in done.stdout
  assert 'warning: all of these 48 examples were trained on: new' in done.stdout


def test_another_process_in_the_workdir_is_refused(tmp_path):
  with workdir.alone(tmp_path):
    line = error(*tiny.CONFIG, f'--workdir={tmp_path}')
  assert f'another process is training in {tmp_path}: wait for it or stop it' in line
  assert not list(tmp_path.iterdir())


def test_another_config_in_the_workdir_is_refused_with_a_diff(finished):
  workdir, _ = finished
  before = (workdir / 'config.json').read_bytes()
  done = tiny.run(*tiny.CONFIG, '--config.seed=7', f'--workdir={workdir}')
  assert done.returncode == 1
  assert 'Traceback' not in done.stderr
  assert 'seed: 0 -> 7' in done.stderr
  assert (workdir / 'config.json').read_bytes() == before


@pytest.mark.heavy
def test_a_run_of_one_epoch_that_is_lengthened(tmp_path):
  """The recipe's warm-up is an epoch: it gives way, and a note says so."""
  arguments = (*tiny.CONFIG, f'--workdir={tmp_path}')
  done = tiny.run(*arguments, '--config.epochs=1', '--log_to=prometheus')
  assert done.returncode == 0, done.stderr
  assert 'mobilenet_step{' in (tmp_path / 'metrics.prom').read_text()
  assert (
    'note: schedule.warmup_epochs = 1 is 3 steps, and the run has 3: the warm-up takes '
    'half of them, 1\n'
  ) in done.stdout
  done = tiny.run(*arguments)  # and need not log to the same places
  assert done.returncode == 0, done.stderr
  assert (
    'note: the run of 1 epoch becomes one of 2 epochs: it goes on at step 3 of 6, and '
    'the learning rate is from there on that of the longer run, '
  ) in done.stdout
  assert 'resuming at step 3\n' in done.stdout
  assert json.loads((tmp_path / 'result.json').read_text())['steps'] == 6
  assert json.loads((tmp_path / 'result-3.json').read_text())['steps'] == 3
  lengths = json.loads((tmp_path / 'config.json').read_text())['lengths']
  assert lengths == [{'epochs': 1.0, 'steps': None, 'until_step': 3}]
  line = error(*arguments, '--config.epochs=1.5')
  assert 'holds a run of 2 epochs: it can be lengthened, but not shortened' in line
  done = tiny.run('--job=eval', f'--workdir={tmp_path}')
  assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def started(*arguments, command=tiny.command):
  """The command as a process, which does not outlive the test."""
  running = subprocess.Popen(
    command(*arguments),
    cwd=tiny.ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  with running:
    try:
      yield running
    finally:
      running.kill()


def wait_for(path, running):
  deadline = time.monotonic() + 240
  while not path.is_dir():
    assert time.monotonic() < deadline, f'{path} did not come'
    assert running.poll() is None, 'it ended before'
    time.sleep(0.02)


@pytest.mark.heavy
def test_killed_by_sigkill_it_resumes_bit_by_bit(finished, tmp_path):
  """A real kill of the real command, as soon as a checkpoint is there."""
  reference, _ = finished
  arguments = (*tiny.CONFIG, f'--workdir={tmp_path}')
  with started(*arguments) as running:
    wait_for(tmp_path / 'checkpoints' / '3', running)
    running.send_signal(signal.SIGKILL)
    running.wait()
  subprocess.run(
    tiny.command(*arguments), check=True, cwd=tiny.ROOT, stdout=subprocess.DEVNULL
  )
  assert metrics(tmp_path) == metrics(reference)
  predictions = 'report/predictions.csv'
  assert (tmp_path / predictions).read_text() == (reference / predictions).read_text()


def metrics(workdir):
  clocked = ('images_per_second', 'waiting_share', 'seconds')
  text = (workdir / 'metrics.jsonl').read_text()
  lines = [json.loads(line) for line in text.splitlines()]
  return [{k: v for k, v in m.items() if k not in clocked} for m in lines]


def hurried(*arguments):
  """The command, with a mirror that looks for something to send all the time."""
  program = (
    'import sys, main; from mobilenet.training import mirror; from tests import tiny\n'
    'mirror.LOOK_SECONDS = 0.02\n'
    'with tiny.patched(): sys.exit(main.main(sys.argv))'
  )
  return [sys.executable, '-c', program, *map(str, arguments)]


@pytest.mark.heavy
def test_from_a_bucket_another_machine_goes_on_bit_by_bit(finished, tmp_path):
  """A kill as soon as the bucket has a checkpoint; then the machine is gone."""
  reference, _ = finished
  bucket = tmp_path / 'runs' / 'x'
  address = f'file://{bucket}'
  copy = (
    user_cache.folder('buckets') / hashlib.sha256(address.encode()).hexdigest()[:16]
  )
  arguments = (*tiny.CONFIG, f'--workdir={address}')

  def listed():
    try:
      return json.loads((bucket / 'mirror.json').read_text())['checkpoints']
    except (FileNotFoundError, json.JSONDecodeError):  # no bucket: it is seen in parts
      return {}

  try:
    with started(*arguments, command=hurried) as running:
      deadline = time.monotonic() + 240
      while not listed():
        assert time.monotonic() < deadline
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.02)
      running.send_signal(signal.SIGKILL)
      running.wait()
    assert (copy / 'x' / 'checkpoints').is_dir()
    shutil.rmtree(copy)
    done = tiny.run(*arguments)
    assert done.returncode == 0, done.stderr
    assert f'{address}: the local copy is {copy / "x"}\n' in done.stdout
    assert 'resuming at step ' in done.stdout
    assert metrics(bucket) == metrics(reference)
    predictions = 'report/predictions.csv'
    assert (bucket / predictions).read_text() == (reference / predictions).read_text()
    assert sorted(listed()) == ['checkpoints/3', 'checkpoints/6']
    shutil.rmtree(copy)
    done = tiny.run('--job=eval', '--split=train', f'--workdir={address}')
    assert done.returncode == 0, done.stderr
    assert json.loads((bucket / 'report-train' / 'result.json').read_text())
    done = tiny.run(*arguments, '--config.batch_size=8')
    assert done.returncode == 1
    assert 'holds a run of another config' in done.stderr
  finally:
    shutil.rmtree(copy, ignore_errors=True)


def test_stopped_it_ends_with_75_and_says_how_to_go_on(tmp_path):
  """A signal to the real command, as soon as a checkpoint is there."""
  arguments = (*tiny.CONFIG, '--config.epochs=400', f'--workdir={tmp_path}')
  with started(*arguments) as running:
    wait_for(tmp_path / 'checkpoints' / '3', running)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=60)
  assert running.returncode == 75, err
  assert 'Traceback' not in err
  step = workdir.newest_step(tmp_path)
  assert out.endswith(
    f'SIGTERM: saved at step {step}; the same command goes on from there\n'
  )


def test_a_damaged_newest_checkpoint_is_not_evaluated_nor_renamed(finished, tmp_path):
  run, checkpoints = tmp_path / 'run', tmp_path / 'run' / 'checkpoints'
  shutil.copytree(finished[0], run)
  (checkpoints / '6' / 'default' / 'manifest.ocdbt').write_bytes(b'')
  done = tiny.run('--job=eval', f'--workdir={run}')
  assert done.returncode == 0, done.stderr
  assert f'note: checkpoint {checkpoints}/6 cannot be read (' in done.stdout
  assert '); step 3 is used\n' in done.stdout
  said = json.loads((run / 'report-validation' / 'result.json').read_text())
  assert said['steps'] == 3
  assert sorted(path.name for path in checkpoints.iterdir()) == ['3', '6']


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(number, tmp_path):
  """During a step of minutes, as far as Python can see: it never gets the signals."""
  program = (
    'import hashlib, sys; from mobilenet.training import preemption; '
    'preemption.REPEAT_SECONDS = 0.2; '
    'stop = preemption.StopRequest().__enter__(); '
    'print("ready", flush=True); '
    'hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1); '
    'print("too late", flush=True)'
  )
  running = subprocess.Popen(
    [sys.executable, '-c', program],
    cwd=tiny.ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  try:
    assert running.stdout.readline() == 'ready\n'
    running.send_signal(number)
    time.sleep(0.5)
    assert running.poll() is None, 'the first signal must not end it'
    began = time.monotonic()
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert time.monotonic() - began < 5
  finally:
    running.kill()
  assert (running.returncode, out, err) == (128 + number, '', '')


def main_without(modules, *arguments):
  """main.py where these modules are not installed."""
  program = (
    'import runpy, sys; '
    f'sys.modules |= dict.fromkeys({list(modules)}); '
    'sys.path.insert(0, ""); '
    'runpy.run_path("main.py", run_name="__main__")'
  )
  return subprocess.run(
    [sys.executable, '-c', program, *map(str, arguments)],
    cwd=tiny.ROOT,
    capture_output=True,
    text=True,
    timeout=300,
    check=False,
  )


# TensorFlow for the data, orbax for checkpoints, fcntl (not on Windows) for sweeps.
OF_OTHER_JOBS = ('fcntl', 'orbax', 'tensorflow', 'tensorflow_datasets')


def test_summary_adds_up_and_needs_little():
  done = main_without(OF_OTHER_JOBS, '--job=summary', '--config=configs/v3_large.py')
  assert done.returncode == 0, done.stderr
  assert '5,483,032' in done.stdout
  assert '216,589,760' in done.stdout


def test_tables_need_little(tmp_path):
  done = main_without(
    OF_OTHER_JOBS, '--job=table', '--table=v1/9', f'--workdir={tmp_path}'
  )
  assert done.returncode == 0, done.stderr
  assert f'tables: {tmp_path}' in done.stdout
  assert (tmp_path / 'v1-9.png').read_bytes()[:4] == b'\x89PNG'


@pytest.mark.parametrize(
  ('arguments', 'flags'),
  [
    (['--job=train', '--split=test', '--data_dir=x'], ('split', 'data_dir')),
    (['--job=eval', '--depth=2', '--num_classes=5'], ('depth', 'num_classes')),
    (['--job=summary', '--sweep=grid', '--index=0'], ('sweep', 'index')),
    (['--job=sweep', '--table=v1/6', '--measure'], ('table', 'measure')),
    (['--job=table', '--list', '--split=test'], ('list', 'split')),
    (['--job=train', '--runs=x', '--nolist'], ('runs', 'list')),
  ],
  ids=lambda value: ' '.join(value) if isinstance(value, list) else '',
)
def test_a_flag_of_another_job_is_refused(arguments, flags, tmp_path):
  line = error(*arguments, '--config=configs/v1.py', f'--workdir={tmp_path}')
  for flag in flags:
    assert f'--{flag} belongs to --job=' in line
  assert f'; not to {arguments[0]}' in line
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  ('arguments', 'expected'),
  [
    (['--config=configs/v3_lagre.py'], 'did you mean configs/v3_large.py'),
    (
      ['--config=configs/v1.py', '--config.optimzer.eps=1.0'],
      'did you mean optimizer.eps',
    ),
    (
      ['--config=configs/v1.py', '--config.epochs=many'],
      "epochs = 'many' must be of type",
    ),
    (['--config=configs/v1.py', '--config.optimizer=sgd'], 'is a section'),
    (
      ['--config=configs/v1.py:widht=0.5'],
      "'widht' does not exist; did you mean width",
    ),
    (['--config=configs/v1.py:width=wide'], 'width is a number'),
    (['--config=configs/v1.py', '--conifg=x'], 'conifg'),
    (['--config.epochs=3'], 'give a config'),
    ([], 'give a config'),
    (['--job=eval', '--workdir=/nowhere/at/all'], 'no run began there'),
    ([*tiny.CONFIG, '--config.model.name=mobilenet_v9'], 'did you mean mobilenet_v'),
    ([*tiny.CONFIG, '--config.optimizer.name=rmsprop'], 'did you mean rmsprop_'),
    ([*tiny.CONFIG, '--config.schedule.name=cosin'], 'did you mean cosine'),
    (
      [*tiny.CONFIG, '--config.data.train_ops=flipp|value_range(-1, 1)'],
      'did you mean flip',
    ),
    ([*tiny.CONFIG, '--config.data.name=imagenet2013'], 'imagenet2012'),
    ([*tiny.CONFIG, '--config.batch_size=0'], 'batch_size=0 must be a number'),
    ([*tiny.CONFIG, '--config.epochs=-1'], 'epochs=-1.0 must be a number'),
  ],
  ids=lambda value: ' '.join(value[-1:]) if isinstance(value, list) else '',
)
def test_mistakes_are_one_clear_line(arguments, expected, tmp_path):
  if '--job=eval' not in arguments:
    arguments = [*arguments, f'--workdir={tmp_path}']
  assert expected in error(*arguments)
  assert not list(tmp_path.iterdir()), 'a mistake leaves nothing behind'


def test_imagenet_that_is_not_prepared(tmp_path):
  """Where it looked, how to prepare it, what to run instead; at once."""
  line = error(
    '--config=configs/v3_large.py',
    f'--config.data.dir={tmp_path}',
    f'--workdir={tmp_path / "run"}',
  )
  for part in (str(tmp_path), 'tfds build imagenet2012', 'quickstart.py', ':quick'):
    assert part in line


@pytest.fixture
def photos(tmp_path):
  """Two classes of six PNGs, red and green with noise."""
  tf = pytest.importorskip('tensorflow')
  rng = np.random.default_rng(0)
  for label, name in enumerate(('green', 'red')):
    folder = tmp_path / 'photos' / name
    folder.mkdir(parents=True)
    for n in range(6):
      image = rng.integers(0, 90, (20, 24, 3)).astype(np.uint8)
      image[..., 1 - label] += 120
      (folder / f'{n}.png').write_bytes(tf.io.encode_png(image).numpy())
  return tmp_path / 'photos'


FOLDER = (
  '--config=configs/folder.py:model=tiny,width=0.25,resolution=32,epochs=1',
  '--config.schedule.warmup_epochs=0',
  '--config.batch_size=4',
  '--config.eval_batch_size=4',
  '--config.log_steps=1',
)


@pytest.mark.heavy
def test_photos_that_come_and_go(photos, tmp_path):
  run = (*FOLDER, f'--config.data.dir={photos}', f'--workdir={tmp_path / "run"}')
  done = tiny.run(*run)
  assert done.returncode == 0, done.stderr
  assert 'since this run began' not in done.stdout
  record = json.loads((tmp_path / 'run' / 'data.json').read_text())
  assert record['train']['num_examples'] == 10
  before = (tmp_path / 'run' / 'report' / 'predictions.csv').read_text()
  for n in range(9):  # of 15 photos three would be put aside
    (photos / 'red' / f'new{n}.png').write_bytes((photos / 'red/0.png').read_bytes())
  done = tiny.run(*run)
  assert done.returncode == 0, done.stderr
  assert (
    'note: 9 new (red/new0.png, red/new1.png, red/new2.png, ...) since this run began: '
    'new ones are left out; to train on them, choose another --workdir\n'
  ) in done.stdout
  assert 'nothing to train' in done.stdout
  assert (tmp_path / 'run' / 'report' / 'predictions.csv').read_text() == before
  done = tiny.run('--job=eval', f'--workdir={tmp_path / "run"}', '--split=all')
  assert done.returncode == 0, done.stderr
  report = tmp_path / 'run' / 'report-all'
  said = json.loads((report / 'result.json').read_text())
  assert (said['num_examples'], said['split']) == (21, 'all')
  assert said['examples_trained_on'] in (10, 19), 'copies of a photo of either part'


@pytest.mark.heavy
def test_a_folder_with_a_corrupt_photo(photos, tmp_path):
  broken = photos / 'red' / 'broken.jpg'
  broken.write_bytes(b'\xff\xd8\xff\xe0 this is no photo')
  run = (*FOLDER, f'--config.data.dir={photos}', f'--workdir={tmp_path / "run"}')
  # A process of its own: TensorFlow's lines would not pass Python.
  done = subprocess.run(
    tiny.command(*run), cwd=tiny.ROOT, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  # The decoder's own words, which it writes past TensorFlow.
  assert set(done.stderr.splitlines()) <= {'Input file read error'}
  assert f'left out, since it cannot be read: {broken}\n' in done.stdout
  line = error(
    *run[:-1], '--config.data.corrupt_limit=0', f'--workdir={tmp_path / "b"}'
  )
  assert 'broken.jpg' in line


def test_an_empty_class_folder(photos, tmp_path):
  (photos / 'blue').mkdir()
  line = error(*FOLDER, f'--config.data.dir={photos}', f'--workdir={tmp_path / "run"}')
  assert 'blue' in line


def test_classes_that_changed_since_training(finished, tmp_path):
  workdir, _ = finished
  path = workdir / 'classes.json'
  names = json.loads(path.read_text())
  path.write_text(json.dumps([*names[:-1], 'zebra']))
  try:
    photo = tmp_path / 'cat.jpg'
    photo.write_bytes(b'not opened')
    for job in (['--job=eval'], ['--job=predict', photo]):
      line = error(*job, f'--workdir={workdir}')
      assert f'{path} was changed since the run was made' in line
  finally:
    path.write_text(json.dumps(names))


def test_a_workdir_that_is_a_file(tmp_path):
  path = tmp_path / 'file'
  path.write_text('mine')
  assert 'cannot' in error(*tiny.CONFIG, f'--workdir={path}')
  assert path.read_text() == 'mine'
