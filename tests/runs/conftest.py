"""A teacher of three rows, photos of its classes, and students of the same rows."""

import numpy as np
import pytest
from PIL import Image

from tests import tiny

CLASSES = ('ash', 'birch', 'cedar')


def write_photos(root, classes=CLASSES, counts=(('train', 6), ('val', 3))):
  """Small photos whose colour tells the class."""
  rng = np.random.default_rng(0)
  for part, count in counts:
    for place, name in enumerate(classes):
      folder = root / part / name
      folder.mkdir(parents=True)
      for number in range(count):
        photo = rng.integers(0, 120, (40, 44, 3)).astype(np.uint8)
        photo[..., place % 3] += 100
        Image.fromarray(photo).save(folder / f'{number}.png')
  return root


@pytest.fixture(scope='session')
def photos(tmp_path_factory):
  return write_photos(tmp_path_factory.mktemp('taught'))


def fields(photos):
  return (
    f'--config.data.dir={photos}',
    '--config.batch_size=8',
    '--config.eval_batch_size=12',
    '--config.model.lowering=native',  # compiles faster
    '--config.log_steps=1',
    '--config.eval_every_epochs=100',
  )


@pytest.fixture(scope='session')
def teacher(photos, tmp_path_factory):
  """The workdir of a run of 24 px images with values of 0..1."""
  folder = tmp_path_factory.mktemp('runs') / 'teacher'
  done = tiny.run(
    '--config=configs/folder.py:model=tiny,resolution=24,epochs=1',
    *fields(photos),
    '--config.data.eval_ops=resize(24)|value_range(0, 1)',
    f'--workdir={folder}',
    report=False,
  )
  assert done.returncode == 0, done.stderr
  return folder


@pytest.fixture
def student(photos):
  """(workdir, flags...): trains a student of 32 px images for two epochs."""

  def train(folder, *flags, report=False):
    return tiny.run(
      '--config=configs/distill.py:model=tiny,width=1.0,resolution=32,epochs=2',
      *fields(photos),
      f'--workdir={folder}',
      *flags,
      report=report,
    )

  return train
