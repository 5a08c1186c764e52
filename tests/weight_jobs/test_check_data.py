"""A check of data with a network that looks for wrong labels, and with a config."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests import tiny


def plain(rng, colour, size=40):
  """A picture of one colour with a little noise."""
  noise = rng.integers(-15, 15, (size, size, 3))
  return Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Class folders of red and of blue pictures; two lie in the wrong one."""
  root, rng = tmp_path_factory.mktemp('colours') / 'photos', np.random.default_rng(0)
  for name, colour in (('red', (200, 60, 60)), ('blue', (60, 60, 200))):
    (root / name).mkdir(parents=True)
    for n in range(20):
      plain(rng, colour).save(root / name / f'{n}.png')
  for wrong, right in (('red', 'blue'), ('blue', 'red')):
    (root / wrong / '0.png').rename(root / right / 'swapped.png')
  return root


@pytest.fixture(scope='module')
def checked(folder, weight_file, tmp_path_factory):
  out = tmp_path_factory.mktemp('out')
  done = tiny.run(
    '--job=check_data',
    '--config=configs/folder.py:resolution=32',
    f'--config.data.dir={folder}',
    f'--init={weight_file}',
    '--resolution=32',
    f'--out={out}',
  )
  assert done.returncode in (0, 3), done.stderr
  said = json.loads((out / 'check.json').read_text(encoding='utf-8'))
  return said, out, done


def test_swapped_labels_are_named_first(checked):
  said, out, done = checked
  assert 'labels are judged by' in done.stdout
  (finding,) = [f for f in said['findings'] if f['check'] == 'mislabelled']
  assert set(finding['photos'][:2]) == {'red/swapped.png', 'blue/swapped.png'}
  assert finding['remarks']['red/swapped.png'].startswith('blue? its own label has ')
  rows = list(csv.DictReader(io.StringIO((out / 'check.csv').read_text('utf-8'))))
  first = {row['name'] for row in rows if int(row['label_rank']) <= 2}
  assert first == {'red/swapped.png', 'blue/swapped.png'}


def test_the_page_shows_what_training_sees(checked):
  _, out, _ = checked
  text = (out / 'check.html').read_text(encoding='utf-8')
  assert 'What training sees' in text
  assert text.count('epoch 6"') == 4
  assert 'inception_crop(32' in text


def test_too_few_photos_to_judge(weight_file, tmp_path):
  rng = np.random.default_rng(0)
  for name in ('red', 'blue'):
    (tmp_path / 'photos' / name).mkdir(parents=True)
    for n in range(3):
      plain(rng, (99, 99, 99)).save(tmp_path / 'photos' / name / f'{n}.png')
  done = tiny.run(
    '--job=check_data',
    f'--data_dir={tmp_path}/photos',
    f'--init={weight_file}',
    '--resolution=32',
    f'--out={tmp_path}/out',
  )
  assert 'note: Labels were not judged: fewer than two classes have 5' in done.stdout


def test_what_cannot_be_checked_is_one_line(tmp_path):
  for arguments, line in (
    ([], 'error: which folder of photos? --data_dir=FOLDER\n'),
    (
      ['--config=configs/v1.py'],
      'error: --job=check_data checks folders of photos, and the data is '
      "'imagenet2012', none of folder, boxes, masks, tags, places; give a folder: "
      '--data_dir=FOLDER without --config, or --config=configs/folder.py\n',
    ),
    ([f'--data_dir={tmp_path}/no'], f'error: no folder {tmp_path}/no; --data_dir= '),
  ):
    done = tiny.run('--job=check_data', *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(line)
