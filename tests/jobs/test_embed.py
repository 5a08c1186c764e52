"""--job=embed on photos of two folders, with a network of three rows."""

import csv
import re

import numpy as np
import pytest
from PIL import Image

from mobilenet.tasks.embeddings import cosines
from mobilenet.weights import own_file
from mobilenet.weights.contract import Contract
from tests import tiny
from tests.weights.made_weights import lively, made


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
  path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
  contract = Contract(resolution=32, resize='squash', crop_fraction=1.0)
  with tiny.patched():
    of = made('tiny', num_classes=3, contract=contract)
    own_file.save(path, lively(of))
  return path


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  """Two folders of three photos each; b/2 is b/0 once more, c is no photo."""
  folder, rng = tmp_path_factory.mktemp('photos'), np.random.default_rng(0)
  for place in 'ab':
    (folder / place).mkdir()
    for n in range(3):
      coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3)).astype(np.uint8))
      coarse.resize((50, 40), Image.Resampling.BICUBIC).save(
        folder / place / f'{n}.png'
      )
  (folder / 'b' / '2.png').write_bytes((folder / 'b' / '0.png').read_bytes())
  (folder / 'c.png').write_bytes(b'no photo')
  heading = 'photo_a,photo_b,same\n'
  (folder / 'same.csv').write_text(f'{heading}a/0.png,a/1.png,1\na/0.png,a/2.png,1')
  (folder / 'gone.csv').write_text(f'{heading}a/0.png,a/9.png,1\na/0.png,b/2.png,0')
  return folder


def embed(*arguments):
  done = tiny.run('--job=embed', *arguments)
  assert 'Traceback' not in done.stderr
  return done


@pytest.fixture(scope='module')
def done(weights, photos, tmp_path_factory):
  out = tmp_path_factory.mktemp('out') / 'embedded'
  found = embed(
    f'--init={weights}', f'--out={out}', '--pairs=folders', '--alike=0.9999', photos
  )
  assert found.returncode == 0, found.stderr
  return out, found.stdout


NAMES = ['a/0.png', 'a/1.png', 'a/2.png', 'b/0.png', 'b/1.png', 'b/2.png']


def read(path):
  with open(path, encoding='utf-8', newline='') as file:
    return list(csv.reader(file))


def test_what_is_written(done):
  out, printed = done
  assert re.search(r'left out: .*c\.png', printed)
  with np.load(out / 'embeddings.npz') as stored:
    assert stored['names'].tolist() == NAMES
    values = stored['embeddings']
    assert values.shape == (6, 8)
    assert values.dtype == np.float32
    assert bool(stored['normalised'])
    assert f'6 photos, embeddings of 8, by {stored["network"]}\n' in printed
  np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, rtol=1e-5)
  heading, *rows = read(out / 'embeddings.csv')
  assert heading == ['photo', *(f'e{n}' for n in range(8))]
  assert [row[0] for row in rows] == NAMES
  np.testing.assert_allclose(np.array(rows)[:, 1:].astype(float), values, atol=1e-5)
  _, *rows = read(out / 'neighbours.csv')
  assert len(rows) == 30
  nearest, similarities = cosines.nearest(values, 5)
  assert [row[2] for row in rows] == [NAMES[n] for n in nearest.ravel()]
  np.testing.assert_allclose(
    np.array([row[3] for row in rows], float), similarities.ravel(), atol=1e-5
  )


def test_copies_are_found(done):
  out, printed = done
  assert '2 photos in 1 group have a cosine of 1.000 or more (as given)' in printed
  assert 'b/0.png, b/2.png' in (out / 'look_alikes.html').read_text()


def test_embeddings_are_written_though_too_many_are_alike(
  weights, photos, tmp_path, monkeypatch
):
  monkeypatch.setattr(cosines, '_MOST_PAIRS', 5)
  found = embed(f'--init={weights}', f'--out={tmp_path / "out"}', '--alike=-1', photos)
  assert found.returncode == 1
  assert 'give a higher --alike' in found.stderr
  assert list(np.load(tmp_path / 'out' / 'embeddings.npz')['names']) == NAMES


def test_folders_are_what_the_photos_show(done):
  out, printed = done
  assert '6 same, 6 different' in printed
  assert 'recall at 1' in printed
  assert len(read(out / 'pairs.csv')) == 13
  assert 'The worst pairs' in (out / 'look_alikes.html').read_text()


@pytest.mark.heavy
def test_a_file_of_pairs_and_an_imported_run(weights, photos, tmp_path):
  run, pairs = tmp_path / 'run', tmp_path / 'pairs.csv'
  imported = tiny.run('--job=import', f'--init={weights}', f'--workdir={run}')
  assert imported.returncode == 0, imported.stderr
  rows = (
    'b/0.png,b/2.png,1',
    'a/0.png,b/0.png,0',
    'a/1.png,b/0.png,0',
    'c.png,a/0.png,0',
  )
  pairs.write_text('\n'.join(['photo_a,photo_b,same', *rows]))
  flags = [f'--workdir={run}', f'--pairs={pairs}', '--raw', '--flip']
  found = embed(*flags, f'--out={tmp_path / "out"}', photos)
  assert found.returncode == 0, found.stderr
  assert '1 of 4 pairs are left out' in found.stdout
  assert '1 same, 2 different' in found.stdout
  with np.load(tmp_path / 'out' / 'embeddings.npz') as stored:
    assert not bool(stored['normalised'])
    assert not np.allclose(np.linalg.norm(stored['embeddings'], axis=1), 1, rtol=1e-2)
    assert stored['names'].tolist() == NAMES


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (['--pairs={out}.csv', '{photos}'], 'cannot be read: No such file'),
    (['--pairs={photos}/same.csv', '{photos}'], 'pairs is of different ones'),
    (['--pairs={photos}/gone.csv', '{photos}'], "line 2: no photo 'a/9.png' in"),
    (['--pairs=folders', '{photos}/a', '{photos}/b'], 'name that folder alone'),
    (['--pairs=folders', '{photos}/a'], 'pairs need two classes'),
    (['--alike=1.5', '{photos}'], '--alike=1.5 is a cosine'),
    (['--neighbours=0', '{photos}'], '--neighbours=0 must be 1 or more'),
    (['--resolution=3', '{photos}'], '--resolution=3 must be from 8'),
    ([], 'name photos or folders'),
    (['--workdir=runs/x', '{photos}'], 'not both'),
    (['{photos}/c.png'], 'none of the 1 photos can be read'),
    (['{photos}/d.png'], 'no file or folder'),
  ],
)
def test_a_mistake_is_one_line(flags, message, weights, photos, tmp_path):
  out = tmp_path / 'out'
  flags = [flag.format(photos=photos, out=out) for flag in flags]
  found = embed(f'--init={weights}', f'--out={out}', *flags)
  assert found.returncode == 1
  assert message in found.stderr
  assert len(found.stderr.strip().splitlines()) == 1
  assert not out.exists()
