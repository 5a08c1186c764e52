"""What the teacher sees is what its own ops would have made of the same pixels."""

import jax
import numpy as np
import pytest

import input_pipeline
from input_pipeline import photos
from mobilenet.runs.teacher_images import conversion, pixels_of
from mobilenet.training.errors import TrainingError
from mobilenet.weights.contract import Contract

IMAGENET = {'mean': (0.485, 0.456, 0.406), 'std': (0.229, 0.224, 0.225)}
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3)).astype(np.uint8)


def prepared(ops):
  parsed = input_pipeline.parse_ops(ops, 'eval')
  return np.stack([photos.prepare(image, parsed) for image in PIXELS])


def converted(ops, contract, sizes=(12, 12)):
  convert = conversion(pixels_of(ops, 'eval'), contract, sizes)
  return np.asarray(convert(prepared(ops)))


@pytest.mark.parametrize(
  'student',
  [
    'resize(12)|value_range(-1, 1)',
    'resize(12)|bgr|value_range(0, 255)',
    'bgr|resize(12)|bgr|normalize((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))',
    'resize(12)|bgr|normalize((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))',
    'resize(12)',
  ],
)
@pytest.mark.parametrize(
  'contract',
  [
    Contract(),
    Contract(**IMAGENET),
    Contract(**IMAGENET, channel_order='bgr'),
  ],
)
def test_range_and_channels_become_those_of_the_teacher(student, contract):
  expected = prepared(f'resize(12)|{contract.normalize_op()}')
  np.testing.assert_allclose(converted(student, contract), expected, atol=1e-5)


@pytest.mark.parametrize(
  'contract', [Contract(), Contract(**IMAGENET, channel_order='bgr')]
)
def test_images_of_the_same_contract_are_not_touched(contract):
  ops = f'resize(12)|{contract.normalize_op()}'
  np.testing.assert_array_equal(converted(ops, contract), prepared(ops))


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic'])
@pytest.mark.parametrize('size', [8, 20])
def test_the_size_is_made_by_the_interpolation_of_the_teacher(interpolation, size):
  contract = Contract(**IMAGENET, interpolation=interpolation, antialias=True)
  ops = f"resize({size}, '{interpolation}', antialias=True)|{contract.normalize_op()}"
  found = converted('resize(12)|value_range(-1, 1)', contract, (12, size))
  assert found.shape == (2, size, size, 3)
  # Bicubic kernels differ (-0.5 there, -0.5 with other borders here).
  inner = np.s_[:, 2:-2, 2:-2]
  np.testing.assert_allclose(found[inner], prepared(ops)[inner], atol=2e-2)


def test_the_same_in_a_jitted_function():
  convert = conversion(pixels_of('resize(12)', 'eval'), Contract(), (12, 8))
  images = PIXELS.astype(np.float32)
  np.testing.assert_allclose(jax.jit(convert)(images), convert(images), atol=1e-4)


def test_a_resize_that_cannot_be_done_is_refused():
  contract = Contract(interpolation='area')
  student = pixels_of('resize(12)', 'eval')
  conversion(student, contract, (12, 12))
  with pytest.raises(TrainingError, match=r"by 'area'.*teacher\.resolution=12$"):
    conversion(student, contract, (12, 16))
