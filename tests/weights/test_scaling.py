"""The value range of images: from a quantised input, from metadata, from the graph."""

import pytest

from mobilenet.weights import scaling

HALVES = {'mean': [0.5] * 3, 'std': [0.5] * 3}
UNIT = {'mean': [0.0] * 3, 'std': [1.0] * 3}
PIXELS = {'mean': [0.0] * 3, 'std': [1 / 255] * 3}
IMAGENET = {'mean': [0.485, 0.456, 0.406], 'std': [0.229, 0.224, 0.225]}
THREES = {'mean': (127.5,), 'std': (127.5,)}


@pytest.mark.parametrize(
  ('metadata', 'said'),
  [
    # The published uint8 files: scale 1 / 128, zero 128.
    ({'input_range': (-1.0, 127 / 128)}, HALVES),
    # A converter's, of images from -1 to 1: 255 steps, one of them zero.
    ({'input_range': (-0.99607, 1.00392)}, HALVES),
    ({'input_range': (0.0, 1.0)}, UNIT),
    ({'input_range': (0.0, 254.9)}, PIXELS),
    ({'input_range': (-2.118, 2.639)}, IMAGENET),
    # Metadata is exact: it comes first.
    ({'input_range': (-1.0, 0.7), 'normalisation': THREES}, HALVES),
    ({'normalisation': {'mean': (0.0,), 'std': (255.0,)}}, UNIT),
    # What the graph does itself comes after it, of whatever that made.
    ({'input_range': (0, 255), 'input_scale': 2 / 255, 'input_offset': -1.0}, HALVES),
    ({'input_range': (0, 1), 'input_scale': 2.0, 'input_offset': -1.0}, HALVES),
    (
      {
        'normalisation': {'mean': (0.0,), 'std': (255.0,)},
        'input_scale': 2.0,
        'input_offset': -1.0,
      },
      HALVES,
    ),
    # Where nothing is said of the input, the factors tell 0..1 from 0..255.
    ({'input_scale': 2.0, 'input_offset': -1.0}, HALVES),
    ({'input_scale': 1 / 127.5, 'input_offset': -1.0}, HALVES),
    ({'input_scale': 1 / 255, 'input_offset': 0.0}, UNIT),
    ({'rescaling': (1 / 127.5, -1.0)}, HALVES),
    (
      {
        'input_scale': tuple(1 / s for s in IMAGENET['std']),
        'input_offset': tuple(
          -m / s for m, s in zip(IMAGENET['mean'], IMAGENET['std'], strict=True)
        ),
      },
      IMAGENET,
    ),
  ],
)
def test_what_is_said(metadata, said):
  found = scaling.mean_and_std(metadata)
  assert found.keys() == {'mean', 'std'}
  for name, values in said.items():
    assert found[name] == pytest.approx(values)


@pytest.mark.parametrize('metadata', [{}, {'input_range': (-0.4, 0.3)}])
def test_nothing_is_said(metadata):
  assert scaling.mean_and_std(metadata) == {}


def test_an_unusual_range_is_told():
  told = scaling.unusual_range({'input_range': (-0.4, 0.3)})
  assert told.startswith('the file is quantised for images from -0.4 to 0.3')
  assert scaling.unusual_range({'input_range': (-1.0, 0.99)}) is None
  assert scaling.unusual_range({}) is None
