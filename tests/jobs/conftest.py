"""Folders of photos that nobody decodes: what counts is which are opened."""

import numpy as np
import pytest

from configs import folder
from mobilenet.runs import run_data


@pytest.fixture
def write():
  """(root, names...): files of different content, the same for the same name."""

  def make(root, *names, content=None):
    for name in names:
      path = root / name
      path.parent.mkdir(parents=True, exist_ok=True)
      rng = np.random.default_rng(sum(map(ord, name)))
      path.write_bytes(content or name.encode() + rng.bytes(500))

  return make


@pytest.fixture
def photos(tmp_path, write):
  """Class folders a and b of ten photos each."""
  root = tmp_path / 'photos'
  write(root, *(f'{label}/{n}.jpg' for label in 'ab' for n in range(10)))
  return root


@pytest.fixture
def config(photos):
  config = folder.get_config()
  config.data.dir = str(photos)
  return config


@pytest.fixture
def begin(tmp_path):
  """(data): a folder of a run that began with it, and has a checkpoint."""

  def make(data):
    run_data.write(tmp_path / 'run', data)
    (tmp_path / 'run' / 'checkpoints' / '7').mkdir(parents=True)
    return tmp_path / 'run'

  return make
