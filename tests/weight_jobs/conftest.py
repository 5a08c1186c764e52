"""What jobs work on: a narrow network of timm's in a file, photos of its classes."""

import numpy as np
import pytest
from PIL import Image

from mobilenet.weights import exporting
from tests.weights.made_weights import CLASSES, lively, of_source, source
from tests.weights.torch_writer import whole, zip_bytes


@pytest.fixture(scope='session')
def weights():
  """A narrow V1 of timm."""
  of = source('timm', 'mobilenet_v1')
  return lively(of_source(of, width=0.25, num_classes=len(CLASSES)))


@pytest.fixture(scope='session')
def weight_file(weights, tmp_path_factory):
  tensors = exporting._tensors(weights, source('timm', 'mobilenet_v1'))
  saved = {name: whole(str(n), v) for n, (name, v) in enumerate(tensors.items())}
  path = tmp_path_factory.mktemp('weights') / 'v1.pth'
  path.write_bytes(zip_bytes(saved))
  return path


@pytest.fixture(scope='session')
def photos(tmp_path_factory):
  """train/ and val/ with a photo of each class, of another colour and shape each."""
  folder, rng = tmp_path_factory.mktemp('photos'), np.random.default_rng(0)
  for label, name in enumerate(CLASSES):
    height, width = 90 + 7 * label, 120 - 5 * label
    coarse = rng.integers(0, 256, (5, 6, 3)).astype(np.uint8)
    photo = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    for split in ('train', 'val'):
      path = folder / split / name / f'{name}.png'
      path.parent.mkdir(parents=True)
      photo.save(path)
  return folder
