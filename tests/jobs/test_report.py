"""The report and the decision of a whole run, and predictions that are read by it."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from tests import tiny

TWO = (
  *tiny.CONFIG,
  '--config.data.made_examples=160',
  '--config.data.made_classes=2',
  '--config.epochs=1',
)


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp('runs') / 'two'
  done = tiny.run(*TWO, '--config.report.positive=class_0', f'--workdir={folder}')
  assert done.returncode == 0, done.stderr
  return folder, done.stdout


def test_training_leaves_a_page_and_a_decision(run):
  folder, out = run
  page = folder / 'report' / 'report.html'
  assert out.endswith(f'report: {page}\n')
  text = page.read_text(encoding='utf-8')
  for part in ('somewhat too good', 'calling a photo class_0', '160 examples of train'):
    assert part in text
  assert 0 < page.stat().st_size < 5e6
  decided = json.loads((folder / 'decision.json').read_text())
  assert decided['positive'] == 'class_0'
  assert (decided['of'], decided['num_examples']) == ('validation', 40)
  said = json.loads((folder / 'report' / 'calibration.json').read_text())
  assert said['temperature'] == decided['temperature']
  averages = json.loads((folder / 'report' / 'classes.json').read_text())
  assert averages['positive'] == 'class_0'


def test_evaluation_uses_the_decision_and_makes_none(run):
  folder, _ = run
  before = (folder / 'decision.json').read_bytes()
  done = tiny.run('--job=eval', f'--workdir={folder}', '--split=test')
  assert done.returncode == 0, done.stderr
  assert (folder / 'decision.json').read_bytes() == before
  text = (folder / 'report-test' / 'report.html').read_text(encoding='utf-8')
  assert 'that of decision.json' in text
  assert 'somewhat too good' not in text
  done = tiny.run('--job=eval', f'--workdir={folder}', '--split=train')
  assert done.returncode == 0, done.stderr
  text = (folder / 'report-train' / 'report.html').read_text(encoding='utf-8')
  assert '160 of the 160 photos were also trained on' in text


def test_evaluation_of_the_same_split_says_the_same(run):
  folder, _ = run
  done = tiny.run('--job=eval', f'--workdir={folder}')
  assert done.returncode == 0, done.stderr
  for name in ('classes.csv', 'classes.json', 'predictions.csv', 'thresholds.csv'):
    there, here = (folder / each / name for each in ('report', 'report-validation'))
    assert here.read_text() == there.read_text(), name


@pytest.mark.parametrize(
  ('positive', 'classes', 'expected'),
  [
    ('class_7', 2, 'choose class_0 or class_1'),
    ('class_0', 3, 'is for two classes, the data has 3'),
  ],
)
def test_a_wrong_positive_class_is_refused_before_training(
  positive, classes, expected, tmp_path
):
  done = tiny.run(
    *tiny.CONFIG,
    f'--config.data.made_classes={classes}',
    f'--config.report.positive={positive}',
    f'--workdir={tmp_path / "run"}',
  )
  assert done.returncode == 1
  assert expected in done.stderr
  assert len(done.stderr.splitlines()) == 1
  assert not (tmp_path / 'run').exists()


def test_prediction_is_read_by_the_decision(run, tmp_path):
  folder, _ = run
  rng = np.random.default_rng(0)
  (tmp_path / 'photos').mkdir()
  for n in range(5):
    noise = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / 'photos' / f'{n}.png')
  asked = (
    '--job=predict',
    f'--workdir={folder}',
    f'--out={tmp_path / "out"}',
    '--cam',
    '--own_size',
    tmp_path / 'photos',
  )
  done = tiny.run(*asked)
  assert done.returncode == 0, done.stderr
  assert '"none of these" below' in done.stdout
  assert 'flagged as class_0 from' in done.stdout
  names = {path.name for path in (tmp_path / 'out').iterdir()}
  assert names == {
    *('predictions.csv', 'predictions.json', 'predictions.html'),
    *(f'{n}-{kind}' for n in range(5) for kind in ('cam.png', 'heat.jpg')),
  }
  with open(tmp_path / 'out' / 'predictions.csv', newline='') as file:
    with_it = list(csv.DictReader(file))
  decided = (folder / 'decision.json').read_bytes()
  (folder / 'decision.json').unlink()
  try:
    done = tiny.run(*asked[:3], asked[-1])
  finally:
    (folder / 'decision.json').write_bytes(decided)
  assert done.returncode == 0, done.stderr
  with open(tmp_path / 'out' / 'predictions.csv', newline='') as file:
    without = list(csv.DictReader(file))
  assert [row['class'] for row in with_it] == [row['class'] for row in without]
  assert [row['probability'] for row in with_it] != [
    row['probability'] for row in without
  ]


def test_class_names_that_are_missing(run):
  folder, _ = run
  path = folder / 'classes.json'
  kept = path.read_bytes()
  path.unlink()
  try:
    done = tiny.run('--job=eval', f'--workdir={folder}')
  finally:
    path.write_bytes(kept)
  assert done.returncode == 1
  assert f'{folder} holds no classes.json, which names what' in done.stderr
  assert 'give it back' in done.stderr


def test_own_size_needs_pictures(run):
  folder, _ = run
  done = tiny.run('--job=predict', f'--workdir={folder}', '--own_size', 'cat.jpg')
  assert done.returncode == 1
  assert '--own_size is for the pictures of --cam' in done.stderr
