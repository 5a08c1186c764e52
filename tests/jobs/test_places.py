"""Places from the command line: trained, resumed, judged, shown, exported."""

import csv
import json
import shutil

import numpy as np
import pytest

from input_pipeline import made_places
from mobilenet import trained
from mobilenet.jobs import evaluate
from mobilenet.models import user_cache
from mobilenet.runs import run_data
from mobilenet.tasks.places.distances import haversine
from mobilenet.training import workdir
from tests import tiny

SMALL = (
  '--config=configs/places.py:most=30,fewest=4',
  '--config.model.name=tiny',
  '--config.resolution=32',
  '--config.batch_size=8',
  '--config.eval_batch_size=8',
  '--config.epochs=1',
)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  folder = tmp_path_factory.mktemp('photos')
  made_places.write_photos(folder, 60, size=32)
  return folder


@pytest.fixture(scope='module')
def run(photos, tmp_path_factory):
  folder = tmp_path_factory.mktemp('runs') / 'places'
  done = tiny.run(*SMALL, f'--config.data.dir={photos}', f'--workdir={folder}')
  assert done.returncode == 0, done.stderr
  return folder


def rows(path):
  with path.open(encoding='utf-8') as file:
    return list(csv.DictReader(file))


def result(folder):
  return json.loads((folder / 'result.json').read_text())


def test_the_report_says_how_near_and_what_chance_is(run):
  said, report = result(run), run / 'report'
  assert said['metric'] == 'within_200_km'
  photos, shares = rows(report / 'predictions.csv'), rows(report / 'distances.csv')
  distances = np.array([float(row['distance_km']) for row in photos])
  assert len(photos) == said['num_examples'] == 12
  assert said['median_km'] == pytest.approx(np.median(distances), rel=1e-3)
  truth = [[float(row['latitude']), float(row['longitude'])] for row in photos]
  assert np.min(truth) < 0  # a minus is no formula
  answers = [
    [float(row['answer_latitude']), float(row['answer_longitude'])] for row in photos
  ]
  np.testing.assert_allclose(haversine(truth, answers), distances, atol=0.01)
  for row in shares:
    share = 100 * np.mean(distances <= float(row['km']))
    assert float(row['share']) == pytest.approx(share) == said[f'within_{row["km"]}_km']
    assert float(row['low']) <= share <= float(row['high'])
    assert float(row['nearest_cell']) >= max(share, float(row['most_frequent_cell']))
  listed = rows(report / 'cells.csv')
  assert [row['cell'] for row in listed] == list(workdir.read_classes(run))
  assert min(int(row['photos_for_training']) for row in listed) >= 4
  page = (report / 'report.html').read_text()
  for part in ('How near', 'The cells', 'The errors', 'The worst mistakes'):
    assert part in page
  assert (report / 'cells.png').stat().st_size > 5000
  assert (report / 'errors.png').stat().st_size > 5000


def test_other_photos_are_put_into_the_cells_of_the_run(run, tmp_path):
  again = tiny.run('--job=eval', f'--workdir={run}')
  assert again.returncode == 0, again.stderr
  there = result(run / 'report-val')
  assert there['within_2500_km'] == pytest.approx(result(run)['within_2500_km'])
  assert there['loss'] == pytest.approx(result(run)['loss'], rel=1e-5)
  made_places.write_photos(tmp_path / 'other', 5, seed=3, size=32)
  with tiny.patched():
    loaded = trained.load_run(run)
  source, _ = evaluate.open_data(
    loaded.config, None, None, str(tmp_path / 'other'), loaded.outputs
  )
  assert (source.num_examples, source.split) == (5, 'all')
  assert source.class_names == loaded.outputs


def test_a_run_goes_on_with_its_cells_when_photos_come_and_go(run, photos, tmp_path):
  folder, more = tmp_path / 'run', tmp_path / 'photos'
  shutil.copytree(run, folder)
  shutil.copytree(photos, more)
  (more / 'images' / '00001.jpg').unlink()
  shutil.copy(more / 'images' / '00000.jpg', more / 'images' / 'new.jpg')
  with (more / 'places.csv').open('a') as file:
    file.write('images/new.jpg,10.0,10.0\n')
  done = tiny.run(
    *SMALL, f'--config.data.dir={more}', f'--workdir={folder}', report=False
  )
  assert done.returncode == 0, done.stderr
  assert 'gone' in done.stdout
  assert workdir.read_classes(folder) == workdir.read_classes(run)


def test_a_photo_that_changed_is_of_its_cell_where_the_network_is_frozen(
  run, photos, tmp_path, monkeypatch
):
  """It alone would make no cell: the run's are those of all photos."""
  monkeypatch.setattr(user_cache, 'folder', lambda name: tmp_path / 'cache' / name)
  own = tmp_path / 'photos'
  shutil.copytree(photos, own)
  frozen = (
    '--config.model.trained=classifier',
    '--config.data.train_ops={contract}',
    f'--config.init={run}',
    '--config.new_head=True',
    f'--config.data.dir={own}',
  )
  for name, said in (('first', 'computed for 32 in'), ('second', 'computed for 1 in')):
    done = tiny.run(*SMALL, *frozen, f'--workdir={tmp_path / name}', report=False)
    assert done.returncode == 0, done.stderr
    assert f'of train: {said}' in done.stdout
    trained_on = run_data.recorded(tmp_path / name).train.names
    (own / trained_on[0]).touch()


def test_predictions_are_places(run, photos, tmp_path):
  out = tmp_path / 'out'
  done = tiny.run(
    '--job=predict', f'--workdir={run}', f'--out={out}', '--top=2', photos / 'images'
  )
  assert done.returncode == 0, done.stderr
  assert 'latitude' in done.stdout
  said = rows(out / 'predictions.csv')
  assert len(said) == 120
  points = json.loads((out / 'predictions.geojson').read_text())['features']
  first = [row for row in said if row['rank'] == '1']
  for point, row in zip(points, first, strict=True):
    longitude, latitude = point['geometry']['coordinates']
    assert (latitude, longitude) == (float(row['latitude']), float(row['longitude']))
    assert point['properties']['cell'] == row['cell']
  assert 'Map' in (out / 'predictions.html').read_text()


def test_answers_of_places_are_not_stored(run, photos, tmp_path):
  done = tiny.run(
    '--job=logits',
    f'--init={run}',
    f'--data_dir={photos}',
    f'--out={tmp_path / "l.npz"}',
  )
  assert done.returncode == 1
  assert done.stderr.startswith(f'error: {run} is a run of places, and answers are')


@pytest.mark.heavy  # a program more, and its clock
def test_an_exported_file_says_places_as_the_run_does(run, photos, tmp_path):
  done = tiny.run('--job=export', f'--workdir={run}', '--format=stablehlo')
  assert done.returncode == 0, done.stderr
  assert 'top-1 on val' in done.stdout
  file = next((run / 'export').iterdir())
  one = photos / 'images' / '00000.jpg'
  for name, of in (('run', f'--workdir={run}'), ('file', f'--exported={file}')):
    done = tiny.run('--job=predict', of, f'--out={tmp_path / name}', one)
    assert done.returncode == 0, done.stderr
  ours, theirs = (rows(tmp_path / n / 'predictions.csv') for n in ('run', 'file'))
  assert [row['cell'] for row in ours] == [row['cell'] for row in theirs]
  done = tiny.run('--job=eval', f'--exported={file}')
  assert done.returncode == 0, done.stderr
  report = next(run.glob('report-val-*'))
  assert result(report)['median_km'] == pytest.approx(
    result(run)['median_km'], rel=1e-4
  )


@pytest.mark.parametrize(
  ('more', 'line'),
  [
    (
      ['--config.data.name=made', '--config.data.eval_split=test'],
      'made does not say where its photos were taken',
    ),
    (['--config.data.cells.fewest=40'], 'fewest=40 must be from 1 to'),
    (
      ['--config.data.cells.most=500', '--config.data.cells.lowest_level=0',
       '--config.data.cells.fewest=30'],
      'the photos for training make 0 cells',
    ),
    (['--config.places.metric_km=100'], '--config.places.metric_km=100: it is one of'),
  ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(photos, tmp_path, more, line):
  folder = f'--workdir={tmp_path / "run"}'
  done = tiny.run(*SMALL, f'--config.data.dir={photos}', folder, *more)
  assert done.returncode == 1
  assert line in done.stderr
  assert done.stderr.count('\n') == 1
  assert not (tmp_path / 'run').exists()
