"""MobileNets that somebody wrote in Keras, whose layers have Keras's own names."""

import numpy as np
import pytest

from mobilenet.models import zoo
from mobilenet.weights import loading
from mobilenet.weights.sources import SOURCES
from mobilenet.weights.weight_file import WeightsError
from tests.weights.keras_writer import layer_config, model_config, write_model
from tests.weights.made_weights import of_source, same_variables, their_file

UNNAMED = {
  source.network: source
  for source in SOURCES
  if source.dialect == 'keras' and 'conv2d:0' in source.body_and_head()[0]
}
V1 = UNNAMED['mobilenet_v1']
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
FIRST = 41  # Keras counts the layers of all models of a session


def named(kind, number):
  return f'{kind}_{FIRST + number}'


def arrays(classifier='dense', of=V1):
  """A network x0.25 with a dense classifier in Keras's default names, and as ours."""
  weights = of_source(of, width=0.25, num_classes=5)
  found = {}
  for name, value in their_file(weights, of).tensors.items():
    layer, _, array = name.rpartition('/')
    kind, number = layer.split(':')
    last = of.body_and_head()[1] == [layer]
    value = value[0, 0] if last and array == 'kernel' else value
    found[f'{classifier if last else named(kind, int(number))}/{array}'] = value
  return found, weights


def config(*, act='ReLU', limit=6.0, padding='same', epsilon=1e-3, strides=STRIDES):
  """What a tutorial writes."""
  layers = [layer_config('input', 'InputLayer', batch_shape=[None, 96, 96, 3])]
  count = {'Conv2D': 0, 'DepthwiseConv2D': 0, 'norm': 0}

  def convolution(kind, stride):
    group = 'conv2d' if kind == 'Conv2D' else 'depthwise_conv2d'
    pad = padding
    if stride == 2 and isinstance(padding, list):
      layers.append(
        layer_config(f'pad_{len(layers)}', 'ZeroPadding2D', padding=padding)
      )
      pad = 'valid'
    layers.append(
      layer_config(
        named(group, count[kind]),
        kind,
        strides=[stride, stride],
        padding=pad if pad in ('same', 'valid') else 'same',
      )
    )
    norm = named('batch_normalization', count['norm'])
    layers.append(layer_config(norm, 'BatchNormalization', epsilon=epsilon))
    settings = {'max_value': limit} if act == 'ReLU' else {'activation': 'relu'}
    layers.append(layer_config(f'act_{len(layers)}', act, **settings))
    count[kind] += 1
    count['norm'] += 1

  convolution('Conv2D', 2)
  for stride in strides:
    convolution('DepthwiseConv2D', stride)
    convolution('Conv2D', 1)
  layers += [
    layer_config('pool', 'GlobalAveragePooling2D'),
    layer_config('dense', 'Dense', activation='softmax'),
  ]
  return model_config('mine', layers, kind='Sequential')


def load(tmp_path, said, **options):
  tensors, weights = arrays(**options)
  write_model(tmp_path / 'mine.h5', tensors, said)
  return loading.load(tmp_path / 'mine.h5'), weights


@pytest.mark.parametrize('classifier', ['dense', 'dense_7', 'species'])
def test_a_network_with_kerass_default_names(classifier, tmp_path):
  loaded, weights = load(tmp_path, config(), classifier=classifier)
  assert loaded.origin == "keras.applications's mobilenet_v1 x0.25 in mine.h5"
  assert same_variables(loaded.variables, weights.variables)
  assert (loaded.model['num_classes'], loaded.contract.resolution) == (5, 96)
  assert not [field for field in loaded.assumed if field.startswith('model.')]


@pytest.mark.parametrize(
  ('said', 'model'),
  [
    ({}, {'padding': 'tf', 'norm_epsilon': 1e-3, 'act': 'relu6'}),
    ({'epsilon': 1e-5}, {'padding': 'tf', 'norm_epsilon': 1e-5, 'act': 'relu6'}),
    ({'limit': None}, {'padding': 'tf', 'norm_epsilon': 1e-3, 'act': 'relu'}),
    ({'act': 'Activation'}, {'padding': 'tf', 'norm_epsilon': 1e-3, 'act': 'relu'}),
    (
      {'padding': [[0, 1], [0, 1]]},
      {'padding': 'keras_v1', 'norm_epsilon': 1e-3, 'act': 'relu6'},
    ),
    (
      {'padding': [[1, 1], [1, 1]]},
      {'padding': 'torch', 'norm_epsilon': 1e-3, 'act': 'relu6'},
    ),
  ],
)
def test_it_computes_what_its_configuration_says(said, model, tmp_path):
  loaded, _ = load(tmp_path, config(**said))
  network = zoo.create(**loaded.model).network
  assert network.style.padding == model['padding']
  assert network.style.norm_epsilon == model['norm_epsilon']
  assert {row.act for row in network.rows} == {model['act']}


@pytest.mark.parametrize(
  ('said', 'message'),
  [
    (
      {'strides': (2, 1, *STRIDES[2:])},
      'depthwise_conv2d_41 has stride 2, not 1',
    ),
    ({'limit': 4.0}, 'its activation is an unusual ReLU'),
    ({'padding': 'valid'}, "depthwise_conv2d_41 has padding 'valid', not 'same'"),
    (
      {'padding': [[2, 2], [2, 2]]},
      r'strided layers have padding \(\(2, 2\)',
    ),
  ],
)
def test_a_network_that_computes_something_else_is_refused(said, message, tmp_path):
  with pytest.raises(WeightsError, match=message) as error:
    load(tmp_path, config(**said))
  assert 'computes something else with them: its ' in str(error.value)
  assert '\n' not in str(error.value)


def test_layers_that_differ_from_one_another_are_refused(tmp_path):
  said = config()
  norms = [
    x for x in said['config']['layers'] if x['class_name'] == 'BatchNormalization'
  ]
  norms[3]['config']['epsilon'] = 0.1
  with pytest.raises(WeightsError, match=r'differ in norm_epsilon: 0\.001 and 0\.1$'):
    load(tmp_path, said)


def test_fd_mobilenet_of_somebodys_own(tmp_path):
  strides = [row.stride for row in zoo.NETWORKS['fd_mobilenet'].rows[1:]]
  said = config(strides=strides)
  loaded, weights = load(tmp_path, said, of=UNNAMED['fd_mobilenet'])
  assert loaded.origin == "Keras's fd_mobilenet x0.25 in mine.h5"
  assert same_variables(loaded.variables, weights.variables)


def test_what_arrays_alone_do_not_say_is_assumed(tmp_path):
  loaded, weights = load(tmp_path, None)
  assert same_variables(loaded.variables, weights.variables)
  model = [field for field in loaded.assumed if field.startswith('model.')]
  assert model == ['model.padding', 'model.norm_epsilon', 'model.act']


def test_a_pool_of_the_largest_value_is_refused(tmp_path):
  said = config()
  said['config']['layers'][-2]['class_name'] = 'GlobalMaxPooling2D'
  with pytest.raises(WeightsError, match='cannot be taken over: pool; save the'):
    load(tmp_path, said)


def test_biases_before_its_norms(tmp_path):
  """Keras's convolutions have one unless told otherwise."""
  tensors, weights = arrays()
  names = [name for name in tensors if 'conv2d' in name and name.endswith('/kernel')]
  for name in names:
    # A depthwise kernel's channels are its third axis.
    width = tensors[name].shape[2 if name.startswith('depthwise') else 3]
    tensors[name.replace('/kernel', '/bias')] = np.zeros(width, np.float32)
  write_model(tmp_path / 'mine.h5', tensors, config())
  loaded = loading.load(tmp_path / 'mine.h5')
  assert same_variables(loaded.variables, weights.variables)
  assert loaded.notes[0].startswith('the biases of 27 convolutions went into the means')
