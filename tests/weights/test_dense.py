"""torchvision's detectors and segmenters: their state dicts here, and back."""

import dataclasses

import numpy as np
import pytest
from safetensors.numpy import load_file

from mobilenet.models import named
from mobilenet.weights import dense, dialects, exporting, loading, recognition
from mobilenet.weights.weight_file import WeightsError
from tests.weights.made_weights import made, same_variables, source, their_file
from tests.weights.torch_writer import whole, zip_bytes

SSDLITE, LRASPP, DEEPLAB, WITHOUT = dense.SOURCES


def weights_of(of, classes=3):
  style = {'padding': 'torch', 'norm_epsilon': 1e-3}
  return made(of.network, num_classes=classes, contract=of.contract, **style)


@pytest.fixture(scope='module')
def detector():
  """A detector's weights, and a file of torchvision's with them."""
  weights = weights_of(SSDLITE)
  return weights, their_file(weights, SSDLITE, 'ssd.pth')


@pytest.fixture(scope='module')
def segmenter():
  return their_file(weights_of(LRASPP), LRASPP, 'lraspp.pth')


def changed(file, **tensors):
  """The file with other tensors; None takes one out."""
  kept = {n: v for n, v in {**file.tensors, **tensors}.items() if v is not None}
  return dataclasses.replace(file, tensors=kept)


@pytest.mark.parametrize(
  ('of', 'call'),
  [
    (SSDLITE, 'detection.ssdlite320_mobilenet_v3_large(*, num_classes=4)'),
    (LRASPP, 'segmentation.lraspp_mobilenet_v3_large(*, num_classes=3)'),
    (DEEPLAB, 'segmentation.deeplabv3_mobilenet_v3_large(*, aux_loss=True, *=3)'),
    (WITHOUT, 'segmentation.deeplabv3_mobilenet_v3_large(*, num_classes=3)'),
  ],
  ids=lambda value: value.network if isinstance(value, dense.DenseSource) else '',
)
def test_there_and_back(of, call, tmp_path):
  weights, path = weights_of(of), tmp_path / 'theirs.safetensors'
  _, line, load, _ = exporting.export(weights, 'torchvision', path)
  call = call.replace('*=', 'num_classes=')
  call = call.replace('*', 'weights=None, weights_backbone=None')
  assert line == f'model = torchvision.models.{call}'
  assert load == (
    "model.load_state_dict(safetensors.torch.load_file('theirs.safetensors'))"
  )
  back = loading.load(path)
  assert same_variables(back.variables, weights.variables)
  assert named.create(**back.model) == named.create(**weights.model)
  assert (back.contract, back.class_names) == (weights.contract, weights.class_names)


def test_a_file_of_torch_save(segmenter, tmp_path):
  tensors = segmenter.tensors.items()
  saved = {name: whole(str(n), value) for n, (name, value) in enumerate(tensors)}
  path = tmp_path / 'lraspp.pth'
  path.write_bytes(zip_bytes({'model': saved, 'epoch': 29}))
  back = loading.load(path)
  assert back.origin == "torchvision's lraspp_mobilenet_v3_large x1 in lraspp.pth"
  assert same_variables(back.variables, weights_of(LRASPP).variables)
  assert back.contract.eval_ops().startswith('resize_small(520, antialias=True)|')


def test_names_and_shapes_of_torchvision(detector, tmp_path):
  """As its own state dict has them, at the places where it is cut in two."""
  weights, _ = detector
  path = tmp_path / 'theirs.safetensors'
  exporting.export(weights, 'torchvision', path)
  tensors = load_file(path)
  for name, shape in {
    'backbone.features.0.0.0.weight': (16, 3, 3, 3),
    'backbone.features.0.1.block.0.0.weight': (16, 1, 3, 3),
    'backbone.features.0.13.0.weight': (672, 112, 1, 1),
    'backbone.features.0.13.1.running_var': (672,),
    'backbone.features.0.13.1.num_batches_tracked': (),
    'backbone.features.1.0.1.0.weight': (672, 1, 5, 5),
    'backbone.features.1.0.2.fc1.bias': (168,),
    'backbone.features.1.0.3.1.weight': (80,),
    'backbone.features.1.1.block.0.0.weight': (480, 80, 1, 1),
    'backbone.features.1.3.0.weight': (480, 80, 1, 1),
    'backbone.extra.3.2.0.weight': (128, 64, 1, 1),
    'head.classification_head.module_list.0.1.bias': (24,),
    'head.regression_head.module_list.5.0.0.weight': (128, 1, 3, 3),
  }.items():
    assert tensors[name].shape == shape, name
  learned = (n for n in tensors if 'running' not in n and 'tracked' not in n)
  assert sum(tensors[name].size for name in learned) == 2_234_240  # of 4 outputs


def test_boxes_have_y_first_here(detector):
  weights, file = detector
  theirs = file.tensors['head.regression_head.module_list.0.1.bias']
  ours = weights.variables['params']['boxes_0']['predict']['bias']
  np.testing.assert_array_equal(
    ours.reshape(6, 4), theirs.reshape(6, 4)[:, [1, 0, 3, 2]]
  )
  np.testing.assert_array_equal(dialects.y_first(dialects.y_first(ours)), ours)


BIAS = 'head.classification_head.module_list.2.1.bias'
COUNTED = 'head.classification_head.module_list.0.1.weight'


@pytest.mark.parametrize(
  ('tensors', 'message'),
  [
    (
      {BIAS: None},
      rf'1 difference .*\n  - {BIAS}, which is our classes_2/predict/bias',
    ),
    ({BIAS: np.zeros(6)}, rf'1 difference .*\n  ~ {BIAS} is \(6,\), ours is \(24,\)'),
    ({'head.more.weight': np.zeros(3)}, r'1 difference .*\n  \+ head.more.weight'),
    ({COUNTED: np.zeros((25, 672, 1, 1))}, 'cannot have the 25 outputs of head'),
    ({COUNTED: np.zeros((6, 672, 1, 1))}, 'cannot have the 6 outputs of head'),
  ],
)
def test_what_does_not_fit_is_told(detector, tensors, message):
  with pytest.raises(WeightsError, match=message):
    recognition.recognise(changed(detector[1], **tensors))


def test_prefixes_and_parts(segmenter):
  wrapped = {f'net.model.{name}': value for name, value in segmenter.tensors.items()}
  fitted = recognition.recognise(dataclasses.replace(segmenter, tensors=wrapped))
  assert fitted.model['name'] == LRASPP.network
  # Its trunk alone is V3's, as it is of any larger module.
  trunk = {n: v for n, v in segmenter.tensors.items() if n.startswith('backbone.')}
  fitted = recognition.recognise(dataclasses.replace(segmenter, tensors=trunk))
  assert (fitted.model['name'], fitted.has_head) == ('mobilenet_v3_large', False)
  of = source('torchvision', 'mobilenet_v3_small')
  options = {'padding': 'torch', 'norm_epsilon': 1e-3, 'hidden_width': 1024}
  plain = their_file(made('mobilenet_v3_small', **options), of)
  assert dense.recognise(plain) is None


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'padding': 'tf'}, "padding 'torch' and BatchNorm epsilon 0.001, this one has"),
    ({'width': 0.5}, 'torchvision has no lraspp.* with width 0.5'),
    ({'filters': 64}, 'torchvision has no lraspp.* with filters 64'),
  ],
)
def test_what_torchvision_has_not(options, message, tmp_path):
  weights = weights_of(LRASPP)
  other = dataclasses.replace(weights, model={**weights.model, **options})
  with pytest.raises(WeightsError, match=message):
    exporting.export(other, 'torchvision', tmp_path / 'x.safetensors')
  with pytest.raises(WeightsError, match='timm has no lraspp'):
    exporting.export(weights, 'timm', tmp_path / 'x.safetensors')
