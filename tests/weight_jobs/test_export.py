"""--job=export of files that run, and --job=predict with them."""

import csv
import pathlib
import re

import numpy as np
import pytest

from input_pipeline.errors import DataError
from mobilenet import trained
from mobilenet.export import check, errors
from mobilenet.models import zoo
from mobilenet.runs import exporting, quantising
from tests import tiny

pytest.importorskip('litert_converter', reason='requirements-export.txt')
pytest.importorskip('ai_edge_litert', reason='requirements-export.txt')


@pytest.fixture(scope='module')
def run(photos, tmp_path_factory):
  """A run on photos, of a network of three rows."""
  folder = tmp_path_factory.mktemp('runs') / 'mine'
  done = tiny.run(
    '--config=configs/folder.py',
    '--config.model.name=tiny',
    '--config.resolution=32',
    '--config.epochs=1',
    '--config.batch_size=4',
    '--config.eval_batch_size=4',
    f'--config.data.dir={photos}',
    f'--workdir={folder}',
    report=False,
  )
  assert done.returncode == 0, done.stderr
  return folder


@pytest.fixture
def loaded(run, monkeypatch):
  monkeypatch.setitem(zoo.NETWORKS, 'tiny', tiny.NETWORK)
  return trained.load_run(run)


def read(path: pathlib.Path) -> dict[tuple[str, str], float]:
  with path.open(encoding='utf-8') as file:
    rows = list(csv.DictReader(file))
  return {(row['photo'], row['class']): float(row['probability']) for row in rows}


def test_a_file_is_checked_and_predicts_as_the_run(run, photos, tmp_path):
  done = tiny.run('--job=export', f'--workdir={run}', '--format=tflite')
  assert done.returncode == 0, done.stderr
  path = run / 'export' / 'mine-float32.tflite'
  assert f'written: {path}' in done.stdout
  assert re.search(r'same class +100\.0 %', done.stdout)
  assert [file.name for file in path.parent.iterdir()] == [path.name]
  for name, source in (('run', f'--workdir={run}'), ('file', f'--exported={path}')):
    done = tiny.run('--job=predict', source, f'--out={tmp_path / name}', photos / 'val')
    assert done.returncode == 0, done.stderr
  ours, theirs = (read(tmp_path / n / 'predictions.csv') for n in ('run', 'file'))
  assert ours.keys() == theirs.keys()
  np.testing.assert_allclose(list(ours.values()), list(theirs.values()), atol=2e-6)


def test_what_is_refused_leaves_no_file(run, monkeypatch, tmp_path):
  monkeypatch.setattr(check, 'refusal', lambda *_: 'it is bad')
  out = tmp_path / 'new' / 'x.tflite'
  done = tiny.run('--job=export', f'--workdir={run}', '--format=tflite', f'--out={out}')
  assert done.returncode == 1
  assert f'{out} is not written: it is bad' in done.stderr
  assert not list(out.parent.iterdir())


def test_a_folder_takes_the_place_of_an_old_one(run, tmp_path):
  out = tmp_path / 'x.savedmodel'
  out.mkdir()
  (out / 'mine').write_text('')
  arguments = f'--workdir={run}', '--format=savedmodel', f'--out={out}'
  done = tiny.run('--job=export', *arguments)
  assert done.returncode == 1
  assert 'is a folder with other things in it' in done.stderr
  (out / 'mine').rename(out / 'saved_model.pb')
  (out / 'old').write_text('')
  done = tiny.run('--job=export', *arguments, '--answer=probabilities')
  assert done.returncode == 0, done.stderr
  assert (out / 'saved_model.pb').is_file()
  assert not (out / 'old').exists()
  assert [path.name for path in tmp_path.iterdir()] == ['x.savedmodel']


def test_an_old_file_stays_where_the_new_is_refused(run, monkeypatch, tmp_path):
  out = tmp_path / 'x.tflite'
  out.write_text('before')
  monkeypatch.setattr(check, 'refusal', lambda *_: 'it is bad')
  done = tiny.run('--job=export', f'--workdir={run}', '--format=tflite', f'--out={out}')
  assert done.returncode == 1
  assert out.read_text() == 'before'


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (['--format=tflite', '--out=x.onnx'], 'x.onnx must end in .tflite'),
    (['--format=tflite', '--precision=int3'], '--precision=int3: --format=tflite has'),
    (
      ['--format=tflite', '--answer=yes'],
      '--answer=yes: of classification it is logits or',
    ),
    (['--format=tflite', '--most_lost=few'], '--most_lost=few must be a number'),
    (['--format=tflite', '--most_lost=nan'], '--most_lost=nan must be 0 to 100'),
    (['--precision=int8', '--out=x'], '--format=own has weights as they are'),
    (['--format=onnx', '--precision=int8', '--keep_float=99'], 'keep fewer, or export'),
    (['--format=tflit'], "--format 'tflit' is unknown; did you mean tflite?"),
    (['--format=savedmodel', '--precision=int8'], 'savedmodel has float32, float16'),
    (['--format=tflite', '--data_dir=nowhere'], 'nowhere'),
  ],
)
def test_mistakes_are_one_line(run, flags, message):
  done = tiny.run('--job=export', f'--workdir={run}', *flags)
  assert done.returncode == 1
  assert message in done.stderr
  assert len(done.stderr.strip().splitlines()) == 1


def test_a_run_without_photos_is_checked_on_noise(loaded, capsys):
  loaded.config.data.dir = ''
  batches, of = exporting.images_of(
    loaded, exporting.Wanted('tflite', 'float32'), marks=False
  )
  images, labels = next(batches)
  assert (images.shape, labels, of) == ((32, 32, 32, 3), None, 'noise')
  assert '--data_dir=photos checks it on yours' in capsys.readouterr().out


def test_integers_are_calibrated_and_told_by_layer(run):
  done = tiny.run(
    '--job=export',
    f'--workdir={run}',
    '--format=tflite',
    '--precision=int8',
    '--keep_float=1',
    '--most_lost=100',
  )
  assert done.returncode == 0, done.stderr
  assert re.search(r'ranges of \d+ values, observed on 6 images', done.stdout)
  assert 'kept as floats, being the most sensitive: ' in done.stdout
  assert 'integer hard-swish is slower' in done.stdout
  with (run / 'export' / 'mine-int8-layers.csv').open() as file:
    rows = list(csv.DictReader(file))
  assert len(rows) > 5
  assert all(float(row['signal_to_noise_db']) > 0 for row in rows)


def test_integers_need_images_of_several_classes(loaded, photos, tmp_path):
  made = exporting.program_of(loaded)
  loaded.config.data.dir = ''
  with pytest.raises(errors.ExportError, match='this run has none: give --data_dir'):
    quantising.quantise(loaded, made, quantising.Calibration())
  one = tmp_path / 'one'
  for name in ('daisy', 'tulips'):
    (one / name).mkdir(parents=True)
  photo = next((photos / 'train').rglob('*.png'))
  (one / 'daisy' / 'a.png').write_bytes(photo.read_bytes())
  how = quantising.Calibration(data_dir=str(one))
  with pytest.raises((errors.ExportError, DataError), match='class'):
    quantising.quantise(loaded, made, how)
