"""Yardsticks of six photos each, by a tiny network whose answers are known."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from configs import finetune
from input_pipeline import open_source
from mobilenet import experiment, trained
from mobilenet.jobs import evaluate, import_weights, yardsticks
from mobilenet.training import sharding
from mobilenet.training.errors import TrainingError
from mobilenet.weights import class_names, own_file
from mobilenet.weights.contract import Contract
from tests import prepared_sets, tiny
from tests.weights.made_weights import lively, made

WNIDS, NAMES = zip(*class_names.imagenet(), strict=True)
# Of each photo the place of its class among the answers of the network.
PLACES = (0, 0, 4, 1, 996, 999)
HARD = 3  # from here on none is right; among the classes of these the first one is


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """An imported network of 1,000 outputs."""
  folder = tmp_path_factory.mktemp('yardsticks')
  config = finetune.get_config()
  config.init = str(folder / 'tiny.safetensors')
  contract = Contract(resolution=32, crop_fraction=1.0)
  with tiny.patched():
    weights = lively(made('tiny', num_classes=1000, contract=contract))
    own_file.save(config.init, weights)
    config.resolution = 32
    names = folder / 'names.txt'
    names.write_text('\n'.join(WNIDS))
    import_weights.import_weights(config, folder / 'run', str(names))
  return folder / 'run'


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  folder, rng = tmp_path_factory.mktemp('photos'), np.random.default_rng(0)
  paths = [folder / f'{place}.png' for place in range(len(PLACES))]
  for path in paths:
    coarse = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)
    Image.fromarray(coarse).resize((40, 40), Image.Resampling.BICUBIC).save(path)
  return paths


@pytest.fixture(scope='module')
def logits(run, photos, tmp_path_factory):
  """(6, 1000) of the photos."""
  folder = tmp_path_factory.mktemp('all')
  for name in ('a', 'b'):
    (folder / name).mkdir()
  for path in photos:
    shutil.copy(path, folder / ('a' if path.stem < '3' else 'b'))
  source = open_source('folder', 'all', data_dir=str(folder))
  with tiny.patched():
    loaded = trained.load_run(run)
    batch = next(experiment.eval_batches(loaded.config, source, sharding.make_mesh()))
    found = loaded.model.apply(loaded.variables, batch['image'][:6], train=False)
  return np.asarray(found)


@pytest.fixture(scope='module')
def labels(logits):
  order = np.argsort(-logits, axis=1, kind='stable')
  found = [int(row[place]) for row, place in zip(order, PLACES, strict=True)]
  assert len(set(found)) > 3  # the network tells photos apart
  return found


def hits(logits, labels, k, among=None):
  """Percent of photos whose label is among the k first."""
  if among is not None:
    logits = np.where(np.isin(np.arange(1000), among), logits, -np.inf)
  order = np.argsort(-logits, axis=1, kind='stable')[:, :k]
  return 100 * float(np.mean([y in row for y, row in zip(labels, order, strict=True)]))


@pytest.fixture
def robust(photos, labels, tmp_path):
  """Folders of the same photos: by numbers, by id and by name."""
  root = tmp_path / 'robust'
  for folder, names in (
    ('imagenet-v2', [str(n) for n in range(1000)]),
    ('imagenet-a', WNIDS),
    ('imagenet-sketch', NAMES),
  ):
    first = HARD if folder == 'imagenet-a' else 0
    for path, label in zip(photos[first:], labels[first:], strict=True):
      (root / folder / names[label]).mkdir(parents=True, exist_ok=True)
      shutil.copy(path, root / folder / names[label])
  return root


def prepare(root, photos, labels, answers):
  """The same photos as TFDS' imagenet_r, and with several answers as its ReaL."""
  import tensorflow_datasets as tfds

  image, label = tfds.features.Image(), tfds.features.ClassLabel(names=list(WNIDS))
  prepared_sets.write(
    root / 'imagenet_r' / '0.2.0',
    'imagenet_r',
    {'image': image, 'label': label, 'file_name': tfds.features.Text()},
    {'test': [
      {'image': str(path), 'label': y, 'file_name': path.name}
      for path, y in zip(photos[HARD:], labels[HARD:], strict=True)
    ]},
  )  # fmt: skip
  real = tfds.features.Sequence(label)
  prepared_sets.write(
    root / 'imagenet2012_real' / '1.0.0',
    'imagenet2012_real',
    {
      'image': image,
      'original_label': label,
      'real_label': real,
      'file_name': tfds.features.Text(),
    },
    {'validation': [
      {'image': str(path), 'original_label': y, 'real_label': right, 'file_name': ''}
      for path, y, right in zip(photos, labels, answers, strict=True)
    ]},
  )  # fmt: skip


def test_folders_and_tfds_sets_in_one_table(run, robust, photos, logits, labels):
  order = np.argsort(-logits, axis=1, kind='stable')
  # Right at once, among five, without an answer, and never.
  right = [[0, 9], [3, 800], [], [], [4], [600, 700]]
  answers = [order[n, places].tolist() for n, places in enumerate(right)]
  prepare(robust, photos, labels, answers)
  done = tiny.run('--job=yardsticks', f'--workdir={run}', f'--data_dir={robust}')
  assert done.returncode == 0, done.stderr
  said = json.loads((run / 'yardsticks.json').read_text())
  found = {score['set']: score for score in said['scores']}
  whole = hits(logits, labels, 1), hits(logits, labels, 5)
  assert whole == pytest.approx((200 / 6, 400 / 6))
  hard, there = (logits[HARD:], labels[HARD:]), set(labels[HARD:])
  among = hits(*hard, 1, sorted(there)), hits(*hard, 5, sorted(there))
  assert among[0] > hits(*hard, 1)
  expected = {
    'imagenet_v2': (*whole, 6, 1000),
    'imagenet_sketch': (*whole, 6, 1000),
    'imagenet_a': (*among, 3, len(there)),
    'imagenet_r': (*among, 3, len(there)),
    'imagenet_real': (25, 75, 4, 1000),
  }
  assert found.keys() == expected.keys()
  for name, (top1, top5, count, chosen) in expected.items():
    score = found[name]
    assert (score['top1'], score['top5']) == pytest.approx((top1, top5)), name
    assert (score['num_examples'], score['answers']) == (count, chosen)
  assert found['imagenet_real']['unlabelled'] == 2
  assert found['imagenet_r']['data'] == 'imagenet_r/0.2.0'
  assert found['imagenet_a']['img_size'] == 32
  missing = [line for line in done.stdout.splitlines() if 'not here' in line]
  assert len(missing) == 1
  assert missing[0].startswith(
    'note: not here: imagenet; `tfds build imagenet2012 --da'
  )
  assert 'imagenet_a has 7,500 photos, ' in done.stdout
  assert (run / 'yardsticks.csv').is_file()


def test_mistakes_are_one_line(run, robust, tmp_path):
  def error(*arguments):
    done = tiny.run('--job=yardsticks', *arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line

  here = f'--workdir={run}'
  sets = '--sets=imagenet_a,imagenet_sketch'
  some = next((robust / 'imagenet-a').iterdir())
  shutil.copytree(some, some.with_name('oak'))
  line = error(here, f'--data_dir={robust}', sets)
  assert 'imagenet_a: 1 class of ' in line
  assert 'does not answer with: oak; its 1,000 classes are' in line
  assert line.endswith('or leave the set out: --sets=imagenet_sketch')
  line = error(here, f'--data_dir={tmp_path / "none"}')
  assert line.endswith('is no folder: give the one that holds imagenet-a/ and so on')
  (tmp_path / 'empty').mkdir()
  line = error(here, f'--data_dir={tmp_path / "empty"}')
  assert (
    'nothing to evaluate on: not here: imagenet, imagenet_real, imagenet_v2' in line
  )
  line = error(f'--data_dir={robust}', str(run), str(run))
  assert 'a run is named twice' in line
  line = error(here, str(run))
  assert 'give one run as --workdir=RUN, or several as RUN RUN' in line


@pytest.fixture
def evaluated(run, monkeypatch):
  """(folder, flags...): what --job=eval finds: file -> (label, prediction)."""
  seen = []

  def see(task, evaluated, **_):
    seen.append(evaluated)
    return {}

  monkeypatch.setattr(evaluate.run_report, 'write_report', see)

  def make(folder, *flags):
    done = tiny.run('--job=eval', f'--workdir={run}', f'--data_dir={folder}', *flags)
    assert done.returncode == 0, done.stderr
    kept, examples = seen[-1].evaluation.predictions, seen[-1].examples
    names = [examples.describe(int(n)).rpartition('/')[2] for n in kept['index']]
    pairs = zip(kept['label'].tolist(), kept['prediction'].tolist(), strict=True)
    return dict(zip(names, pairs, strict=True)), done.stdout

  return make


def test_a_part_of_the_classes_has_the_hits_of_the_whole(
  run, robust, labels, evaluated, tmp_path
):
  part = labels[HARD:]
  for label in part:
    name = NAMES[label]
    shutil.copytree(robust / 'imagenet-sketch' / name, tmp_path / 'part' / name)
  whole, _ = evaluated(robust / 'imagenet-sketch')
  found, out = evaluated(tmp_path / 'part')
  assert len(whole) == len(labels) > len(found)
  assert found == {name: pair for name, pair in whole.items() if pair[0] in part}
  assert "3 of the network's 1,000 classes are in" in out
  among, out = evaluated(tmp_path / 'part', '--restrict')
  assert 'the network chooses among 3 of its classes' in out
  assert {name: pair[0] for name, pair in among.items()} == {
    name: pair[0] for name, pair in found.items()
  }
  assert {prediction for _, prediction in among.values()} <= set(part)
  assert among != found
  said = json.loads((run / 'report-part-all-restricted' / 'result.json').read_text())
  assert said['answers_among'] == 3


def test_a_run_that_is_not_there_is_told_before_sets_are_sought(tmp_path):
  with pytest.raises(TrainingError, match='nowhere'):
    yardsticks.measure([tmp_path / 'nowhere'], tmp_path, data_dir=str(tmp_path))
