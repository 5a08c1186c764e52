"""The contract that goes with weights: op strings, ranges, mistakes."""

import dataclasses
import json

import numpy as np
import pytest

import input_pipeline
from mobilenet.weights.contract import INTERPOLATIONS, Contract, make_contract
from mobilenet.weights.sources import SLIM, SOURCES, TIMM, TORCHVISION
from mobilenet.weights.weight_file import WeightsError

IMAGENET = 'normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))'


@pytest.mark.parametrize(
  ('contract', 'resolution', 'ops'),
  [
    (
      TORCHVISION,
      None,
      f'resize_small(256, antialias=True)|central_crop(224)|{IMAGENET}',
    ),
    (
      TIMM,
      160,
      f"resize_small(182, 'bicubic', antialias=True)|central_crop(160)|{IMAGENET}",
    ),
    (
      dataclasses.replace(TORCHVISION, crop_fraction=224 / 232),
      224,
      f'resize_small(232, antialias=True)|central_crop(224)|{IMAGENET}',
    ),
    (
      dataclasses.replace(TIMM, crop_fraction=0.95, resolution=256),
      None,
      f"resize_small(269, 'bicubic', antialias=True)|central_crop(256)|{IMAGENET}",
    ),
    (SLIM, None, 'central_fraction(0.875)|resize(224)|value_range(-1, 1)'),
    (
      dataclasses.replace(SLIM, crop_fraction=1.0, interpolation='nearest'),
      96,
      "resize(96, 'nearest')|value_range(-1, 1)",
    ),
    (
      Contract(mean=(0, 0, 0), std=(1, 1, 1), channel_order='bgr'),
      32,
      'central_fraction(0.875)|resize(32)|bgr|value_range(0, 1)',
    ),
    (
      # 0..255, as files that rescale themselves want it.
      Contract(mean=(0, 0, 0), std=(1 / 255,) * 3, crop_fraction=1.0),
      None,
      'resize(224)|value_range(0, 255)',
    ),
    (
      Contract(mean=(0.4, 0.5, 0.6), std=(0.5, 0.5, 0.5), channel_order='bgr'),
      None,
      'central_fraction(0.875)|resize(224)|bgr|'
      'normalize((0.4, 0.5, 0.6), (0.5, 0.5, 0.5))',
    ),
  ],
  ids=lambda value: value if isinstance(value, str) else '',
)
def test_evaluation_as_an_op_string(contract, resolution, ops):
  assert contract.eval_ops(resolution) == ops
  assert ops.endswith(contract.normalize_op())
  input_pipeline.check_ops(ops, 'eval')
  input_pipeline.check_ops(contract.normalize_op(), 'train')


def test_the_contract_of_every_source_can_be_followed():
  for source in SOURCES:
    input_pipeline.check_ops(source.contract.eval_ops(), 'eval')
    assert make_contract(source.contract.as_dict()) == source.contract
  for interpolation in INTERPOLATIONS:
    contract = Contract(interpolation=interpolation)
    input_pipeline.check_ops(contract.eval_ops(), 'eval')


def test_what_is_known_of_the_frameworks():
  """Facts of their documentation, which everything else is built on."""
  assert TORCHVISION.mean == (0.485, 0.456, 0.406)
  assert TORCHVISION.std == (0.229, 0.224, 0.225)
  by_label = {source.label: source.contract for source in SOURCES}
  assert by_label["torchvision's mobilenet_v2"].interpolation == 'bilinear'
  assert by_label["timm's mobilenet_v2"].interpolation == 'bicubic'
  assert by_label["torchvision's googlenet"].mean == (0.5, 0.5, 0.5)
  assert by_label["keras.applications's mobilenet_v2"] == SLIM
  assert by_label["timm's mobilenet_v4_conv_large"].resolution == 384


@pytest.mark.parametrize('contract', [TORCHVISION, TIMM, SLIM])
def test_the_value_range_is_that_of_black_and_white(contract):
  op = input_pipeline.parse_ops(contract.normalize_op(), 'eval')[0]
  low, high = contract.value_range()
  if op.name == 'value_range':
    assert (low, high) == ([op.args['low']] * 3, [op.args['high']] * 3)
  else:
    mean, std = np.array(op.args['mean']), np.array(op.args['std'])
    np.testing.assert_allclose(low, -mean / std, atol=1e-6)
    np.testing.assert_allclose(high, (1 - mean) / std, atol=1e-6)


def test_images_outside_the_range_are_complained_of():
  images = np.zeros((2, 4, 4, 3), np.float32)
  images[0, 0, 0] = 255
  complaint = SLIM.complaint(images)
  assert '0 to 255' in complaint
  assert '-1 to 1' in complaint
  assert complaint.endswith('value_range(-1, 1)')
  assert '\n' not in complaint
  assert TORCHVISION.complaint(images).endswith(IMAGENET)
  # Black in -1..1 is darker than anything that 0..1 can be.
  unit = Contract(mean=(0, 0, 0), std=(1, 1, 1))
  assert unit.complaint(-np.ones((1, 2, 2, 3))) is not None


def test_images_inside_the_range_are_not_complained_of():
  for contract in (SLIM, TORCHVISION):
    low, high = contract.value_range()
    for values in (low, high):
      assert contract.complaint(np.broadcast_to(values, (1, 2, 2, 3))) is None
  # Bicubic resizing overshoots.
  assert SLIM.complaint(np.full((1, 2, 2, 3), 1.3)) is None
  assert SLIM.complaint(np.full((1, 2, 2, 3), 1.6)) is not None


def test_what_is_not_said_is_as_at_the_start():
  contract = make_contract({'mean': [0.1, 0.2, 0.3], 'label_offset': 1}, TIMM)
  expected = dataclasses.replace(TIMM, mean=(0.1, 0.2, 0.3), label_offset=1)
  assert contract == expected
  assert hash(contract)
  assert make_contract({}) == Contract()


def test_json_holds_it():
  fields = json.loads(json.dumps(TIMM.as_dict()))
  assert fields['mean'] == [0.485, 0.456, 0.406]
  assert make_contract(fields) == TIMM


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'crop_fracton': 1.0}, "'crop_fracton' does not exist; did you mean crop_fractio"),
    ({'zzz': 1}, "'zzz' does not exist; there are mean, std, resize"),
    ({'resize': 'crop'}, "resize is 'crop': it must be one of short_side, squash"),
    ({'interpolation': 'lanczos'}, "interpolation is 'lanczos'.*bicubic"),
    ({'channel_order': 'RGB'}, "channel_order is 'RGB'.*rgb, bgr"),
    ({'mean': 0.5}, 'mean is 0.5: three numbers, one per channel'),
    ({'mean': [0.5, 0.5]}, r'mean is \(0.5, 0.5\)'),
    ({'mean': ['a', 0.5, 0.5]}, 'mean is'),
    ({'std': [0.5, 0, 0.5]}, r'std is \(0.5, 0, 0.5\): three positive numbers'),
    ({'std': [True, 1, 1]}, 'std is'),
    ({'crop_fraction': 0}, r'crop_fraction is 0: it must be in \(0, 1\]'),
    ({'crop_fraction': 87.5}, 'crop_fraction is 87.5'),
    ({'crop_fraction': None}, 'crop_fraction is None'),
    ({'resolution': 224.0}, 'resolution is 224.0: a whole number, at least 1'),
    ({'resolution': 0}, 'resolution is 0'),
    ({'label_offset': -1}, 'label_offset is -1: a whole number, at least 0'),
    ({'label_offset': True}, 'label_offset is True'),
  ],
)
def test_mistakes(fields, message):
  with pytest.raises(WeightsError, match=message) as error:
    make_contract(fields)
  assert '\n' not in str(error.value)
