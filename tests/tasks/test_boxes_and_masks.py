"""Detectors and segmenters from the command line: trained, resumed, judged, shown."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from mobilenet import trained
from mobilenet.training import logs
from tests import tiny

SMALL = (
  '--config.resolution=64',
  '--config.model.lowering=native',  # compiles faster
  '--config.data.made_examples=24',
  '--config.batch_size=8',
  '--config.epochs=2',
  '--config.log_steps=2',
  '--config.eval_every_epochs=1',
  '--config.checkpoint_every_epochs=1',
)
DETECTOR = ('--config=configs/ssdlite_v2.py:quick', '--config.model.name=tiny_ssd')
SEGMENTER = ('--config=configs/lraspp_v3.py:quick', '--config.model.name=tiny_lraspp')


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
  folder = tmp_path_factory.mktemp('runs') / 'detector'
  done = tiny.run(*DETECTOR, *SMALL, f'--workdir={folder}')
  assert done.returncode == 0, done.stderr
  return folder, done.stdout


@pytest.fixture(scope='module')
def segmenter(tmp_path_factory):
  folder = tmp_path_factory.mktemp('runs') / 'segmenter'
  done = tiny.run(*SEGMENTER, *SMALL, f'--workdir={folder}')
  assert done.returncode == 0, done.stderr
  return folder, done.stdout


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  """Two photos of other sizes than the network's."""
  folder = tmp_path_factory.mktemp('photos')
  for n, shape in enumerate([(50, 90, 3), (120, 40, 3)]):
    pixels = np.random.default_rng(n).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(folder / f'{n}.png')
  return folder


def result(folder):
  return json.loads((folder / 'result.json').read_text())


def test_a_detector_leaves_cocos_numbers_and_a_page(detector):
  folder, out = detector
  said = result(folder)
  coco = json.loads((folder / 'report' / 'coco.json').read_text())
  assert said['metric'] == 'mAP'
  assert said['mAP'] == pytest.approx(coco['mAP'])
  assert {'AP50', 'AR_100'} <= coco.keys()
  with (folder / 'report' / 'classes.csv').open() as file:
    rows = list(csv.DictReader(file))
  assert [row['class'] for row in rows] == [
    'red rectangle',
    'green disc',
    'blue rectangle',
  ]
  assert sum(int(row['boxes']) for row in rows) > 5
  page = (folder / 'report' / 'report.html').read_text()
  for part in ('Each class', 'Where it fails', 'COCO'):
    assert part in page
  assert out.endswith(f'report: {folder / "report" / "report.html"}\n')


@pytest.mark.parametrize(
  'task', ['detector', pytest.param('segmenter', marks=pytest.mark.heavy)]
)
def test_evaluation_says_what_training_said(task, request):
  folder, _ = request.getfixturevalue(task)
  done = tiny.run('--job=eval', f'--workdir={folder}')
  assert done.returncode == 0, done.stderr
  again = json.loads((folder / 'report-validation' / 'result.json').read_text())
  before = result(folder)
  metric = before['metric']
  assert again[metric] == pytest.approx(before[metric], rel=1e-6)
  assert again['loss'] == pytest.approx(before['loss'], rel=1e-6)


@pytest.mark.parametrize('task', ['detector', 'segmenter'])
def test_from_its_first_checkpoint_it_ends_the_same_to_the_bit(task, request, tmp_path):
  folder, _ = request.getfixturevalue(task)
  config = DETECTOR if task == 'detector' else SEGMENTER
  copy = tmp_path / 'copy'
  shutil.copytree(folder, copy)
  steps = sorted(int(p.name) for p in (copy / 'checkpoints').iterdir() if p.is_dir())
  shutil.rmtree(copy / 'checkpoints' / str(steps[-1]))
  (copy / 'result.json').unlink()
  done = tiny.run(*config, *SMALL, f'--workdir={copy}', report=False)
  assert done.returncode == 0, done.stderr
  with tiny.patched():
    ours, theirs = (trained.load_run(place) for place in (copy, folder))
  assert ours.step == theirs.step == steps[-1]
  for one, other in zip(
    *(_leaves(run.variables) for run in (ours, theirs)), strict=True
  ):
    np.testing.assert_array_equal(one, other)


@pytest.mark.heavy  # programs for eight devices compile eight times as long
@pytest.mark.parametrize('task', ['detector', 'segmenter'])
def test_on_eight_devices_the_losses_are_those_of_one(task, request, tmp_path):
  """The number of matched anchors, and of pixels, is that of the whole batch."""
  folder, _ = request.getfixturevalue(task)
  config = DETECTOR if task == 'detector' else SEGMENTER
  done = tiny.run(*config, *SMALL, f'--workdir={tmp_path}', report=False, devices=8)
  assert done.returncode == 0, done.stderr
  ours, theirs = (
    [line['loss'] for line in logs.read_metrics(place) if line['kind'] == 'train']
    for place in (tmp_path, folder)
  )
  # Of the first two steps: what differs by rounding is trained apart later.
  assert len(ours) == len(theirs) == 3
  assert ours[0] == pytest.approx(theirs[0], rel=2e-5)


def _leaves(tree):
  import jax

  return jax.tree.leaves(jax.device_get(tree))


def test_objects_are_printed_drawn_and_written(detector, photos, tmp_path):
  folder, _ = detector
  out = tmp_path / 'out'
  done = tiny.run(
    '--job=predict', f'--workdir={folder}', f'--out={out}', '--score=0', photos
  )
  assert done.returncode == 0, done.stderr
  found = json.loads((out / 'predictions.json').read_text())
  assert {f['file_name'] for f in found} == {str(photos / f'{n}.png') for n in (0, 1)}
  for each in found:
    x, y, width, height = each['bbox']
    with Image.open(each['file_name']) as photo:
      assert min(x, y) >= 0
      assert x + width <= photo.width + 0.01
      assert y + height <= photo.height + 0.01
  with Image.open(out / '0-boxes.jpg') as drawn:
    assert drawn.size == (90, 50)
  assert (out / 'predictions.html').stat().st_size > 1000
  nothing = tiny.run('--job=predict', f'--workdir={folder}', '--score=1', photos)
  assert '2 photos: nothing' in nothing.stdout


def test_masks_have_the_sizes_of_the_photos(segmenter, photos, tmp_path):
  folder, _ = segmenter
  out = tmp_path / 'out'
  done = tiny.run('--job=predict', f'--workdir={folder}', f'--out={out}', photos)
  assert done.returncode == 0, done.stderr
  with Image.open(out / '1-mask.png') as mask:
    assert mask.size == (40, 120)
    assert set(np.unique(np.asarray(mask))) <= {0, 1, 2}
  with (out / 'predictions.csv').open() as file:
    rows = list(csv.reader(file))
  assert rows[0][0] == 'photo'
  assert [round(sum(map(float, row[1:])), 3) for row in rows[1:]] == [1, 1]


def test_a_segmenter_leaves_its_numbers_and_a_page(segmenter):
  folder, _ = segmenter
  said = result(folder)
  assert said['metric'] == 'mIoU'
  matrix = np.array(
    json.loads((folder / 'report' / 'confusion.json').read_text())['pixels']
  )
  assert matrix.sum() == said['num_examples'] * 64 * 64
  right = 100 * np.trace(matrix) / matrix.sum()
  assert said['pixel_accuracy'] == pytest.approx(right, rel=1e-5)
  page = (folder / 'report' / 'report.html').read_text()
  for part in ('What is taken for what', 'Where it fails', 'mean IoU'):
    assert part in page


@pytest.mark.parametrize(
  ('task', 'data', 'line'),
  [
    ('detector', 'made', 'has no boxes to learn from: set --config.data.name=boxes'),
    ('segmenter', 'made_boxes', 'has no masks to learn from'),
  ],
)
def test_other_data_is_one_line(task, data, line, tmp_path):
  config = DETECTOR if task == 'detector' else SEGMENTER
  done = tiny.run(
    *config, *SMALL, f'--config.data.name={data}', f'--workdir={tmp_path}'
  )
  assert done.returncode == 1
  assert line in done.stderr
  assert done.stderr.count('\n') == 1
