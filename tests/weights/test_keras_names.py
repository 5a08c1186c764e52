"""Layer names of keras.applications against the layers of our own models."""

import pytest

from mobilenet.models import counting, zoo
from mobilenet.weights import keras_names
from mobilenet.weights.weight_file import WeightsError

NETWORKS = list(keras_names.FAMILIES)


@pytest.mark.parametrize('name', NETWORKS)
def test_one_name_for_every_layer_and_of_its_kind(name):
  model = zoo.create(name)
  names = keras_names.names(name, model.network)
  assert len(set(names)) == len(names)
  ours = [_kind(layer) for layer in counting.layers(model, 64)]
  theirs = [kind.split(':')[0] for kind in keras_names.unnamed(names)]
  # Keras has most dense layers as 1x1 convolutions.
  assert [kind if kind != 'dense' else 'conv2d' for kind in theirs] == ours


def _kind(layer):
  if layer.kind == 'norm':
    return 'batch_normalization'
  return 'depthwise_conv2d' if layer.kind.startswith('depthwise') else 'conv2d'


# As `model.layers` of keras.applications (Keras 3.15) lists those with weights.
@pytest.mark.parametrize(
  ('name', 'some'),
  [
    ('mobilenet_v1', {0: 'conv1', 1: 'conv1_bn', 2: 'conv_dw_1', 5: 'conv_pw_1_bn'}),
    ('mobilenet_v1', {53: 'conv_pw_13_bn', 54: 'conv_preds'}),
    ('mobilenet_v2', {1: 'bn_Conv1', 2: 'expanded_conv_depthwise'}),
    ('mobilenet_v2', {5: 'expanded_conv_project_BN', 6: 'block_1_expand'}),
    ('mobilenet_v2', {-4: 'block_16_project_BN', -2: 'Conv_1_bn', -1: 'predictions'}),
    ('mobilenet_v3_small', {3: 'expanded_conv_depthwise_bn'}),
    ('mobilenet_v3_small', {4: 'expanded_conv_squeeze_excite_conv'}),
    ('mobilenet_v3_small', {5: 'expanded_conv_squeeze_excite_conv_1'}),
    ('mobilenet_v3_small', {-4: 'conv_1', -3: 'conv_1_bn', -2: 'conv_2', -1: 'logits'}),
    ('mobilenet_v3_small_minimalistic', {4: 'expanded_conv_project'}),
    ('mobilenet_v3_large', {6: 'expanded_conv_1_expand'}),
  ],
)  # fmt: skip
def test_names(name, some):
  names = keras_names.names(name, zoo.create(name).network)
  assert {n: names[n] for n in some} == some


def test_the_number_of_layers_is_that_of_keras():
  counts = {
    name: len(keras_names.names(name, zoo.create(name).network)) for name in NETWORKS
  }
  # Keras has no FD-MobileNet; who writes one has V1's layers, two blocks less.
  assert counts.pop('fd_mobilenet') == 55 - 2 * 4
  assert counts == {
    'mobilenet_v1': 55,
    'mobilenet_v2': 105,
    'mobilenet_v3_large': 110,
    'mobilenet_v3_small': 88,
    'mobilenet_v3_large_minimalistic': 94,
    'mobilenet_v3_small_minimalistic': 70,
  }


def test_a_network_that_keras_lacks():
  with pytest.raises(
    WeightsError, match=r'^keras.applications has no mobilenet_v4.*mobilenet_v3_'
  ):
    keras_names.names('mobilenet_v4_conv_small', zoo.create('mobilenet_v2').network)


@pytest.mark.parametrize(
  'pairs',
  [
    {'Conv': 'conv', 'Conv/BatchNorm': 'conv_bn', 'Conv_1': 'conv_1'},
    {'Conv/BatchNorm': 'conv_bn', 'Conv_2': 'conv_2', 'Logits': 'logits'},
    {
      'Conv/BatchNorm': 'conv_bn',
      'expanded_conv/depthwise/BatchNorm': 'expanded_conv_depthwise_bn',
      'expanded_conv_3/squeeze_excite/Conv': 'expanded_conv_3_squeeze_excite_conv',
    },
    {'bn_Conv1': 'bn_Conv1', 'Conv_1': 'Conv_1', 'Logits': 'predictions'},
    {'conv1_bn': 'conv1_bn', 'conv_preds': 'conv_preds'},
  ],
)
def test_one_spelling_for_all_versions(pairs):
  assert keras_names.spelling(pairs) == pairs


def test_names_of_another_architecture_are_not_spelled():
  assert keras_names.spelling(['conv1_conv', 'conv1_bn', 'predictions']) == {}


def test_unnamed_counts_by_class():
  assert keras_names.unnamed(['Conv1', 'bn_Conv1', 'Conv_1', 'predictions']) == [
    'conv2d:0',
    'batch_normalization:0',
    'conv2d:1',
    'dense:0',
  ]
