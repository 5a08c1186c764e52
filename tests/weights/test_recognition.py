"""Which network a file is, at which width and with which head."""

import dataclasses
import itertools
import pathlib

import numpy as np
import pytest

from mobilenet.models import zoo
from mobilenet.weights import dialects, fitting
from mobilenet.weights.fitting import FLATTENED
from mobilenet.weights.own_file import flatten
from mobilenet.weights.recognition import recognise
from mobilenet.weights.sources import SOURCES, TIMM_TF
from mobilenet.weights.weight_file import WeightFile
from tests.weights.made_weights import (
  folded,
  made,
  of_source,
  same_variables,
  source,
  their_file,
)


@pytest.mark.parametrize(
  ('framework', 'network', 'options'),
  [
    ('torchvision', 'mobilenet_v2', {'width': 0.35}),
    # torchvision scales what is printed as expansions, and the hidden layer down.
    (
      'torchvision',
      'mobilenet_v3_small',
      {'width': 0.5, 'hidden_width': 512, 'expansion': 'printed'},
    ),
    ('torchvision', 'squeezenet_1_1', {}),
    ('torchvision', 'shufflenet_v2', {'width': 0.5}),
    ('torchvision', 'mnasnet_b1', {'width': 1.3}),
    ('timm', 'mnasnet_a1', {'width': 0.5}),
    ('timm', 'mnasnet_b1', {'width': 1.4}),
    ('timm', 'mnasnet_small', {}),
    ('timm', 'mobilenet_v1', {'width': 1.25}),
    ('timm', 'mobilenet_v2', {'width': 0.5}),
    # timm keeps the stem of its narrow models.
    ('timm', 'mobilenet_v3_small', {'width': 0.5, 'stem_width': 16}),
    ('timm', 'mobilenet_v4_conv_small', {'width': 0.35, 'stem_width': 32}),
    ('timm', 'mobilenet_v4_hybrid_medium', {}),
    (TIMM_TF, 'mobilenet_v3_small_minimalistic', {}),
    ('keras.applications', 'mobilenet_v1', {'width': 0.25}),
    ('keras.applications', 'mobilenet_v2', {'width': 1.3}),
    ('keras.applications', 'mobilenet_v3_small', {'width': 0.5, 'stem_width': 16}),
    ('TF-slim', 'mobilenet_v1', {'width': 0.5}),
    ('TF-slim', 'mobilenet_v2', {'width': 0.75}),
    ('TF-slim', 'mobilenet_v3_large_minimalistic', {}),
  ],
  ids=lambda value: value if isinstance(value, str) else '',
)
def test_a_network_and_its_width(framework, network, options):
  of = source(framework, network)
  weights = of_source(of, **options)
  fitted = recognise(their_file(weights, of), framework)
  assert fitted.source == of
  assert zoo.create(**fitted.model) == zoo.create(**weights.model)
  assert same_variables(fitted.variables, weights.variables)
  assert (fitted.has_head, fitted.label_offset) == (True, 0)


def test_of_two_alike_the_first_unless_the_file_says_otherwise():
  of = source(TIMM_TF, 'mobilenet_v3_small')
  file = their_file(of_source(of), of)
  assert recognise(file).model['padding'] == 'torch'
  assert recognise(file, TIMM_TF).model['padding'] == 'tf'
  assert recognise(file, TIMM_TF).model['norm_epsilon'] == 1e-3


@pytest.mark.parametrize(
  ('framework', 'network'),
  [('TF-slim', 'mobilenet_v1'), ('timm', 'mobilenet_v1')],
)
def test_the_background_class_is_left_out(framework, network):
  of = source(framework, network)
  weights = of_source(of, width=0.25, num_classes=1001)
  fitted = recognise(their_file(weights, of))
  assert fitted.label_offset == 1
  assert fitted.model['num_classes'] == 1000
  there, here = flatten(weights.variables), flatten(fitted.variables)
  for array in ('kernel', 'bias'):
    name = f'params/head/classifier/{array}'
    np.testing.assert_array_equal(here[name], there[name][..., 1:])


@pytest.mark.parametrize(
  ('framework', 'network'),
  [
    ('torchvision', 'mobilenet_v2'),
    ('timm', 'mobilenet_v3_small'),
    ('keras.applications', 'mobilenet_v2'),
  ],
)
def test_a_file_without_a_head(framework, network):
  of = source(framework, network)
  weights = of_source(of)
  file = their_file(weights, of)
  _, head = of.body_and_head()
  body = {
    name: value
    for name, value in file.tensors.items()
    if dialects.split(of.dialect, name)[0] not in head
  }
  fitted = recognise(dataclasses.replace(file, tensors=body))
  assert not fitted.has_head
  assert 'head' not in fitted.variables['params']
  assert fitted.model['width'] == 1.0
  backbone = {'params': {'backbone': weights.variables['params']['backbone']}}
  assert same_variables({'params': fitted.variables['params']}, backbone)


def put_on(weights, of, units):
  """A Keras file of the body, with dense layers of these sizes on it."""
  file = their_file(weights, of)
  _, head = of.body_and_head()
  tensors = {
    name: value
    for name, value in file.tensors.items()
    if name.split('/')[0] not in head
  }
  rng = np.random.default_rng(0)
  for n, (inputs, outputs) in enumerate(itertools.pairwise(units)):
    tensors[f'head:{n}/kernel'] = rng.random((inputs, outputs), np.float32)
    tensors[f'head:{n}/bias'] = rng.random(outputs, np.float32)
  return tensors


def test_a_head_put_on_by_transfer_learning():
  of = source('keras.applications', 'mobilenet_v2')
  weights = of_source(of, width=0.35)
  tensors = put_on(weights, of, (1280, 19))
  fitted = recognise(WeightFile(pathlib.Path('mine.keras'), 'keras', tensors))
  assert fitted.model['num_classes'] == 19
  assert zoo.create(**fitted.model).network.head.hidden == 0
  kernel = fitted.variables['params']['head']['classifier']['kernel']
  np.testing.assert_array_equal(kernel, tensors['head:0/kernel'])


@pytest.mark.parametrize(
  ('network', 'features'), [('mobilenet_v2', 1280), ('mobilenet_v3_small', 576)]
)
def test_a_head_with_a_hidden_layer_put_on(network, features):
  of = source('keras.applications', network)
  tensors = put_on(of_source(of), of, (features, 48, 5))
  metadata = {'head_activations': ['relu', 'softmax']}
  path = pathlib.Path('mine.keras')
  fitted = recognise(WeightFile(path, 'keras', tensors, metadata))
  assert (fitted.model['hidden_width'], fitted.model['hidden_act']) == (48, 'relu')
  head = fitted.variables['params']['head']
  np.testing.assert_array_equal(head['hidden']['kernel'], tensors['head:0/kernel'])
  np.testing.assert_array_equal(head['classifier']['bias'], tensors['head:1/bias'])


def test_one_layer_put_on_v3_is_no_hidden_layer():
  of = source('keras.applications', 'mobilenet_v3_small')
  tensors = put_on(of_source(of), of, (576, 5))
  fitted = recognise(WeightFile(pathlib.Path('mine.keras'), 'keras', tensors))
  assert fitted.model['hidden_width'] == 0
  assert set(fitted.variables['params']['head']) == {'classifier'}


def test_a_flattened_map_is_read_in_pytorchs_order():
  """AlexNet's first dense layer: a weight for every channel, row and column."""
  of, place = source('torchvision', 'alexnet'), ('head', 'hidden_0', 'kernel')
  assert '/'.join(place) == FLATTENED
  weights = made('alexnet', width=0.125)
  file = their_file(weights, of)
  body, head = of.body_and_head()
  kernel = np.zeros((512, 32, 6, 6), np.float32)
  kernel[7, 20, 4, 1] = 1
  tensors = {**file.tensors, 'classifier.1.weight': kernel.reshape(512, -1)}
  variables, differences = fitting.pair(of, weights.model, body + head, tensors)
  assert differences == []
  ours = variables['params']['head']['hidden_0']['kernel']
  assert ours.reshape(6, 6, 32, 512)[4, 1, 20, 7] == 1
  assert ours.sum() == 1
  variables, _ = fitting.pair(of, weights.model, body + head, file.tensors)
  assert same_variables(variables, weights.variables)


@pytest.mark.parametrize(
  ('framework', 'network', 'options'),
  [
    ('TFLite', 'mobilenet_edgetpu', {'width': 0.75}),
    ('torchvision', 'mobilenet_v3_small', {'width': 0.5, 'expansion': 'printed'}),
    ('torchvision', 'squeezenet_1_1', {}),
    ('torchvision', 'shufflenet_v2', {'width': 0.5}),
    ('torchvision', 'googlenet', {}),
    ('timm', 'mobilenet_v4_conv_small', {'width': 0.5}),
    ('keras.applications', 'mobilenet_v1', {'width': 0.25}),
  ],
)
def test_networks_of_a_graph(framework, network, options):
  of = next(
    s
    for s in SOURCES
    if (s.framework, s.network) == (framework, network) and s.dialect in dialects.GRAPHS
  )
  weights = of_source(of, **options)
  tensors = folded(weights, of)
  numbers = [int(name.split(':')[0]) for name in tensors]
  assert sorted(set(numbers)) == list(range(max(numbers) + 1))
  fitted = recognise(WeightFile(pathlib.Path('file'), of.dialect, tensors), framework)
  assert fitted.source == of
  assert zoo.create(**fitted.model) == zoo.create(**weights.model)
  biases = {v.tobytes() for n, v in flatten(fitted.variables).items() if 'bias' in n}
  for name, value in tensors.items():
    assert not name.endswith('/bias') or value.tobytes() in biases, name


def test_norms_folded_into_biases_are_norms_again():
  of = source('TFLite', 'mobilenet_v2')
  weights = of_source(of, width=0.35)
  tensors = folded(weights, of)
  fitted = recognise(WeightFile(pathlib.Path('v2.tflite'), 'tflite', tensors))
  assert zoo.create(**fitted.model) == zoo.create(**weights.model)
  params, statistics = fitted.variables['params'], fitted.variables['batch_stats']
  ours = params['backbone']['stem']
  np.testing.assert_array_equal(ours['conv']['kernel'], tensors['0:conv/kernel'])
  norm, running = ours['norm'], statistics['backbone']['stem']['norm']
  factor = norm['scale'] / np.sqrt(running['var'] + np.float32(of.norm_epsilon))
  np.testing.assert_allclose(factor, 1, rtol=1e-6)
  np.testing.assert_array_equal(norm['bias'], tensors['0:conv/bias'])
  assert not running['mean'].any()
  assert params['head']['classifier']['bias'].shape == (7,)
