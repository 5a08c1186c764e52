"""photo.js and preprocess.js in Chromium: pixel for pixel what evaluation sees."""

import numpy as np
import pytest

import input_pipeline
from input_pipeline import photos as photo_files
from tests.docs.browser.cases import CONTRACTS, SHAPES, SIDE, drawn


@pytest.mark.parametrize('number', range(len(SHAPES)))
@pytest.mark.parametrize('name', CONTRACTS)
def test_photos_are_prepared_as_for_evaluation(answers, name, number):
  ops = input_pipeline.parse_ops(CONTRACTS[name].eval_ops(SIDE), 'eval')
  wanted = photo_files.prepare(drawn(*SHAPES[number]), ops)
  found = np.frombuffer(answers[f'{name}-{number}'], np.float32)
  found = found.reshape(3, SIDE, SIDE).transpose(1, 2, 0)
  # Rounding of float32 on the scale 0..255, divided as the values are.
  scale = 1 / (255 * min(CONTRACTS[name].std))
  np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-4 * scale)


def test_photos_are_decoded_as_for_evaluation(answers, photos):
  for path in sorted(photos.iterdir()):
    wanted = photo_files.read_photo(path)
    found = np.frombuffer(answers[f'pixels-{path.name}'], np.uint8)
    found = found.reshape(*wanted.shape[:2], 4)[..., :3]
    apart = np.abs(found.astype(int) - wanted)
    # PNG says what a pixel is. JPEGs were equal too when this was written (Chromium
    # with libjpeg-turbo, as Pillow), but a decoder is free to round.
    assert apart.max() <= (2 if path.suffix == '.jpg' else 0), path.name
    assert apart.mean() < 0.05, path.name
