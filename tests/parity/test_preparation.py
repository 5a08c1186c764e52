"""Images as the frameworks prepare them, pixel for pixel, at odd sizes.

Pictures are noise: a window or a size that is off by one pixel differs by tens
of levels. PIL resizes bytes in fixed point and rounds after each pass, ours in floats:
what remains is that rounding, `ROUNDED` of 255 levels.
"""

import numpy as np
import pytest
from PIL import Image

from input_pipeline import parse_ops, photos
from mobilenet.weights.contract import Contract
from tests.parity import frameworks

pytestmark = [pytest.mark.parity]

SIZES = [(375, 500), (500, 375), (333, 500), (333, 499), (257, 256), (401, 1023)]
SIZES += [(224, 231), (641, 427), (97, 64)]  # height, width; the last grows
ROUNDED = {'bilinear': 1.01, 'bicubic': 1.1}  # largest seen: 1.00 and 1.07


def noise(height, width):
  # Half of the scale: bicubic overshoots, and PIL clips after each of its two passes.
  rng = np.random.default_rng([height, width])
  return rng.integers(64, 192, (height, width, 3), np.uint8)


def needs(framework, name=None):
  if reason := frameworks.missing(framework):
    pytest.skip(reason)
  return frameworks.load(name or framework)


def levels(contract, picture, size):
  """Ours on the scale 0..255."""
  ops = parse_ops(contract.eval_ops(size), 'eval')
  prepared = photos.prepare(picture, ops)
  return 255 * (prepared * np.array(contract.std) + np.array(contract.mean))


def pytorch(interpolation, fraction):
  return Contract(
    resize='short_side',
    interpolation=interpolation,
    antialias=True,
    crop_fraction=fraction,
  )


@pytest.mark.parametrize('shape', SIZES, ids=str)
@pytest.mark.parametrize(
  ('interpolation', 'short', 'size'),
  [('bilinear', 256, 224), ('bilinear', 232, 224), ('bicubic', 237, 181)],
)
def test_torchvision(interpolation, short, size, shape):
  needs('torchvision')
  from torchvision import transforms
  from torchvision.transforms import InterpolationMode

  picture = noise(*shape)
  theirs = transforms.Compose(
    [
      transforms.Resize(short, InterpolationMode(interpolation)),
      transforms.CenterCrop(size),
    ]
  )(Image.fromarray(picture))
  ours = levels(pytorch(interpolation, size / short), picture, size)
  difference = np.abs(ours.clip(0, 255) - np.asarray(theirs, np.float32))
  assert difference.max() <= ROUNDED[interpolation]


@pytest.mark.parametrize('shape', SIZES, ids=str)
@pytest.mark.parametrize(
  ('interpolation', 'fraction', 'size'),
  [('bicubic', 0.875, 224), ('bilinear', 0.95, 224), ('bicubic', 0.9, 161)],
)
def test_timm(interpolation, fraction, size, shape):
  needs('timm')
  from timm.data import create_transform

  picture = noise(*shape)
  theirs = create_transform(
    size,
    is_training=False,
    interpolation=interpolation,
    crop_pct=fraction,
    mean=(0, 0, 0),
    std=(1, 1, 1),
  )(Image.fromarray(picture))
  ours = levels(pytorch(interpolation, fraction), picture, size)
  difference = np.abs(ours.clip(0, 255) - 255 * theirs.numpy().transpose(1, 2, 0))
  assert difference.max() <= ROUNDED[interpolation]


@pytest.mark.parametrize('shape', SIZES, ids=str)
def test_keras_load_img(shape, tmp_path):
  keras = needs('keras')
  picture = noise(*shape)
  Image.fromarray(picture).save(tmp_path / 'a.png')
  theirs = keras.utils.load_img(
    tmp_path / 'a.png', target_size=(224, 224), interpolation='bilinear'
  )
  contract = Contract(crop_fraction=1.0, antialias=True)
  difference = levels(contract, picture, 224) - np.asarray(theirs, np.float32)
  assert np.abs(difference).max() <= ROUNDED['bilinear']


@pytest.mark.parametrize('shape', SIZES, ids=str)
def test_slim(shape):
  tf = needs('slim', 'tensorflow')
  picture = noise(*shape)
  cropped = tf.image.central_crop(
    tf.image.convert_image_dtype(picture, tf.float32), 0.875
  )
  theirs = tf.image.resize(cropped, [224, 224]) * 255
  difference = levels(Contract(), picture, 224) - theirs.numpy()
  assert np.abs(difference).max() <= 0.01
