"""The input benchmark: photos, protocol, statistics, and a small run of our own."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from input_pipeline import open_source
from input_pipeline.made_photos import write_photos
from mobilenet.bench import input_bench, input_worker
from mobilenet.training import allocator
from mobilenet.training.errors import TrainingError


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  folder = tmp_path_factory.mktemp('photos')
  write_photos(folder, 16)
  return folder


def size(path):
  with Image.open(path) as image:
    return image.size


def test_made_photos_cost_what_photos_cost(photos):
  pytest.importorskip('tensorflow', reason='photos are cropped with TensorFlow')
  paths = sorted(photos.glob('train/*/*.jpg'))
  assert len(paths) == 16
  assert {size(path) for path in paths} == {(500, 375), (500, 333), (375, 500)}
  kilobytes = [path.stat().st_size / 1000 for path in paths]
  assert 40 < np.mean(kilobytes) < 110
  # Four classes, each with every shape.
  assert open_source('folder', 'train', data_dir=str(photos)).num_examples == 16
  assert len({size(path) for path in (photos / 'train/class0').iterdir()}) == 3


def test_the_same_seed_makes_the_same_photos(photos, tmp_path):
  write_photos(tmp_path, 2)
  for path in tmp_path.glob('train/*/*.jpg'):
    assert path.read_bytes() == (photos / path.relative_to(tmp_path)).read_bytes()


def test_a_worker_times_only_what_is_asked_for():
  taken = []

  def batches():
    while True:
      taken.append(1)
      yield None

  out = io.StringIO()
  input_worker.answer(batches(), io.StringIO('3\n2\n'), out)
  assert len(taken) == 1 + (3 + 2) + 2 * input_worker.READ_AHEAD
  first, *rounds = map(json.loads, out.getvalue().splitlines())
  assert 'versions' in first
  assert [round_['seconds'] >= 0 for round_ in rounds] == [True, True]


class Fixed:
  """A worker that always takes so many seconds a batch."""

  def __init__(self, name, seconds, log):
    self.name, self._seconds, self._log = name, seconds, log

  def seconds(self, batches):
    self._log.append(self.name)
    return self._seconds * batches


def test_rounds_are_interleaved_and_ratios_are_ours_over_theirs():
  log = []
  workers = [Fixed('ours', 0.1, log), Fixed('timm', 0.4, log)]
  rates = input_bench.measure(workers, rounds=6, batches=5, batch_size=8)
  assert rates['ours'] == pytest.approx([80] * 6)
  pairs = {tuple(log[i : i + 2]) for i in range(0, 12, 2)}
  assert pairs == {('ours', 'timm'), ('timm', 'ours')}  # each in turn, both orders
  mine, theirs = input_bench.summarise('crop', rates)
  assert mine['ours_is_times'] == pytest.approx(1)
  assert theirs['images_per_second'] == pytest.approx(20)
  assert theirs['ours_is_times'] == pytest.approx(4)
  text = input_bench.markdown([mine, theirs], ['a note'])
  assert '| crop | timm: create_loader | 20 | 20 to 20 | 4.00 times as fast |' in text
  assert text.endswith('a note\n')


def test_the_median_is_that_of_the_rounds_ratios():
  # The machine is half as fast in the second round, for all.
  rates = {'ours': [80, 40, 90], 'plain': [40, 20, 30]}
  row = input_bench.summarise('v3', rates)[1]
  assert row['ours_is_times'] == pytest.approx(2)
  assert (row['lowest'], row['highest']) == (20, 40)


def test_a_peer_that_fails_says_why_in_one_line(photos):
  worker = input_bench.Worker(
    'plain', sys.executable, {'folder': str(photos), 'nonsense': 1}
  )
  try:
    with pytest.raises(TrainingError, match=r'plain: .*nonsense') as error:
      worker.ready()
  finally:
    worker.close()
  assert '\n' not in str(error.value)


def test_an_interpreter_that_is_not_there():
  with pytest.raises(TrainingError, match='cannot run no-such-python'):
    input_bench.Worker('timm', 'no-such-python', {})


@pytest.mark.parametrize('augmentation', ['crop', 'v3'])
def test_plain_batches_are_what_ours_are(photos, augmentation, monkeypatch):
  pytest.importorskip('tensorflow', reason='both readers are of TensorFlow')
  # This process goes on with other tests: its allocator stays as it is.
  monkeypatch.setattr(allocator, 'keep_freed_memory', lambda: True)
  arguments = {'augmentation': augmentation, 'size': 32, 'batch_size': 8, 'threads': 1}
  theirs, label = next(input_worker.plain(str(photos), **arguments))
  ours = next(input_worker.ours(str(photos), **arguments))
  assert theirs.shape == ours['image'].shape == (8, 32, 32, 3)
  assert theirs.dtype == ours['image'].dtype == np.float32
  assert label.shape == ours['label'].shape
  for image in (theirs, np.asarray(ours['image'])):
    assert -1 <= image.min() < 0 < image.max() <= 1


@pytest.mark.heavy
def test_a_run_writes_its_table(photos, tmp_path, capsys):
  code = input_bench.main(
    [
      f'--photos={photos}', f'--out={tmp_path}', '--contenders', 'plain',
      '--augmentations', 'crop', '--batch=8', '--batches=2', '--rounds=2',
    ]
  )  # fmt: skip
  assert code == 0
  lines = (tmp_path / 'input_bench.csv').read_text().splitlines()
  assert lines[0] == ','.join(input_bench.FIELDS)
  assert [line.split(',')[1] for line in lines[1:]] == ['ours', 'plain']
  text = (tmp_path / 'input_bench.md').read_text()
  assert '16 JPEGs of' in text
  assert 'tensorflow 2' in text
  assert 'plain tf.data' in capsys.readouterr().out
