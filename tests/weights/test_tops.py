"""What is on top of a network: its own head, another, a part of it, or nothing."""

import pathlib

import numpy as np
import pytest

from mobilenet.models import zoo
from mobilenet.weights import dialects
from mobilenet.weights.recognition import recognise
from mobilenet.weights.weight_file import WeightFile, WeightsError
from tests.weights.made_weights import of_source, source, their_file

V2 = ('torchvision', 'mobilenet_v2', {'width': 0.35})
V3 = ('torchvision', 'mobilenet_v3_small', {})
TIMM_V3 = ('timm', 'mobilenet_v3_small', {'width': 0.5, 'stem_width': 16})
TIMM_V4 = ('timm', 'mobilenet_v4_conv_small', {'width': 0.35, 'stem_width': 32})
FEATURES = {V2[1]: 1280, V3[1]: 576}


def file_of(which, layers, *, drop=None, **metadata):
  """A state dict with dense layers {name: (inputs, outputs)} for the head, or a part.

  drop: names of the head's layers that are left out; None for all.
  """
  framework, network, options = which
  of = source(framework, network)
  file = their_file(of_source(of, **options), of, 'mine.pth', **metadata)
  gone = of.body_and_head()[1] if drop is None else drop
  tensors = {
    name: value
    for name, value in file.tensors.items()
    if dialects.split('torch', name)[0] not in gone
  }
  for seed, (name, (inputs, outputs)) in enumerate(layers.items()):
    rng = np.random.default_rng(seed)
    tensors[f'{name}.weight'] = rng.random((outputs, inputs), np.float32)
    tensors[f'{name}.bias'] = rng.random(outputs, np.float32)
  return WeightFile(pathlib.Path('mine.pth'), 'torch', tensors, file.metadata)


def check(fitted, file, *names):
  """The head's dense layers, the last of which is the classifier, are these."""
  head = fitted.variables['params']['head']
  ours = ['hidden', 'classifier'][-len(names) :]
  assert [key for key in ('hidden', 'classifier') if key in head] == ours
  for key, name in zip(ours, names, strict=True):
    kernel = file.tensors[f'{name}.weight']
    kernel = kernel[:, :, 0, 0] if kernel.ndim == 4 else kernel
    np.testing.assert_array_equal(head[key]['kernel'], kernel.T)
    np.testing.assert_array_equal(head[key]['bias'], file.tensors[f'{name}.bias'])
  assert fitted.has_head


@pytest.mark.parametrize(
  ('which', 'name'),
  [
    (V2, 'classifier'),  # model.classifier = nn.Linear(...)
    (V2, 'classifier.1.1'),  # model.classifier[1] = nn.Sequential(nn.Dropout(), ...)
    (V2, 'fc'),
    (V2, 'head.2'),
    (V3, 'classifier'),
    (V3, 'classifier.0'),  # model.classifier = nn.Sequential(nn.Linear(...))
    (V3, 'classifier.1'),
    (V3, 'fc'),
  ],
)
def test_one_dense_layer_on_the_features(which, name):
  file = file_of(which, {name: (FEATURES[which[1]], 5)})
  fitted = recognise(file)
  check(fitted, file, name)
  assert zoo.create(**fitted.model).network.head.hidden == 0
  assert fitted.model['num_classes'] == 5
  own = source(*which[:2]).body_and_head()[1]
  told = () if [name] == own else (f'taken for the classifier: {name}',)
  assert (fitted.notes, fitted.assumed) == (told, ())


@pytest.mark.parametrize(
  ('which', 'hidden', 'name'),
  [
    (V3, 'classifier.0', 'classifier.3'),
    (V3, 'classifier.0', 'classifier.3.1'),
    (V3, 'classifier.0', 'fc'),
    (TIMM_V3, 'conv_head', 'classifier.1'),
    (TIMM_V3, 'conv_head', 'head'),
  ],
)
def test_a_classifier_on_v3s_own_hidden_layer(which, hidden, name):
  own = source(*which[:2]).body_and_head()[1]
  file = file_of(which, {name: (1024, 5)}, drop=own[1:])
  fitted = recognise(file)
  check(fitted, file, hidden, name)
  network = zoo.create(**fitted.model).network
  assert (network.head.hidden, network.head.act) == (1024, 'hard_swish')
  assert fitted.assumed == ()


def test_a_classifier_on_v4s_own_hidden_layer_and_norm():
  file = file_of(TIMM_V4, {'fc': (1280, 5)}, drop=['classifier'])
  fitted = recognise(file)
  head = fitted.variables['params']['head']
  assert set(head) == {'hidden', 'norm', 'classifier'}
  np.testing.assert_array_equal(
    head['classifier']['kernel'], file.tensors['fc.weight'].T
  )


@pytest.mark.parametrize(
  ('which', 'one', 'two'),
  [
    (V2, 'classifier.1', 'classifier.4'),
    (V2, 'classifier.4', 'classifier.10'),  # as numbers, not as text
    (V2, 'fc1', 'fc2'),
    (V2, 'zebra', 'ape'),  # told by their shapes
    (V3, 'classifier.1', 'classifier.4'),
    (V3, 'head.0', 'head.3'),
  ],
)
def test_a_hidden_layer_of_somebodys_own(which, one, two):
  file = file_of(which, {one: (FEATURES[which[1]], 24), two: (24, 5)})
  fitted = recognise(file)
  check(fitted, file, one, two)
  assert (fitted.model['hidden_width'], fitted.model['hidden_act']) == (24, 'relu')
  assert fitted.assumed == ('model.hidden_act',)
  assert fitted.notes == (f'taken for a hidden layer and the classifier: {one}, {two}',)


def test_a_hidden_layer_of_another_width_under_torchvisions_names():
  layers = {'classifier.0': (576, 40), 'classifier.3': (40, 5)}
  file = file_of(V3, layers)
  fitted = recognise(file)
  check(fitted, file, *layers)
  assert (fitted.model['hidden_width'], fitted.model['hidden_act']) == (
    40,
    'hard_swish',
  )
  assert fitted.assumed == ('model.hidden_act',)
  assert recognise(file_of(V3, {}, drop=[])).assumed == ()


def test_a_layer_on_imagenets_classifier_sees_its_logits():
  layers = {'classifier.1': (1280, 1000), 'fc': (1000, 5)}
  fitted = recognise(file_of(V2, layers))
  assert (fitted.model['hidden_width'], fitted.model['hidden_act']) == (1000, 'linear')
  assert fitted.assumed == ('model.hidden_act',)


@pytest.mark.parametrize(
  ('which', 'hidden'), [(V3, 'classifier.0'), (TIMM_V3, 'conv_head')]
)
def test_v3_without_its_classifier_keeps_its_hidden_layer(which, hidden):
  """timm's num_classes=0; nn.Identity for torchvision's last layer."""
  own = source(*which[:2]).body_and_head()[1]
  file = file_of(which, {}, drop=own[1:])
  fitted = recognise(file)
  assert not fitted.has_head
  head = fitted.variables['params']['head']
  assert set(head) == {'hidden'}
  kernel = file.tensors[f'{hidden}.weight'].reshape(1024, -1)
  np.testing.assert_array_equal(head['hidden']['kernel'], kernel.T)


def test_v4_without_its_classifier_keeps_its_hidden_layer_and_norm():
  fitted = recognise(file_of(TIMM_V4, {}, drop=['classifier']))
  assert not fitted.has_head
  assert set(fitted.variables['params']['head']) == {'hidden', 'norm'}
  assert set(fitted.variables['batch_stats']['head']) == {'norm'}


def test_one_output_is_two_classes():
  file = file_of(V2, {'classifier.1': (1280, 1)})
  fitted = recognise(file)
  assert fitted.model['num_classes'] == 2
  classifier = fitted.variables['params']['head']['classifier']
  assert not classifier['kernel'][:, 0].any()
  np.testing.assert_array_equal(
    classifier['kernel'][:, 1], file.tensors['classifier.1.weight'][0]
  )
  assert classifier['bias'][0] == 0
  (note,) = fitted.notes
  assert 'the probability of class 1' in note


def test_a_classifier_without_a_bias_has_zeros():
  file = file_of(V2, {'classifier.1': (1280, 5)})
  del file.tensors['classifier.1.bias']
  fitted = recognise(file)
  assert not fitted.variables['params']['head']['classifier']['bias'].any()
  assert fitted.notes == ('without a bias in the file, zeros here: classifier.1',)


def refused(file, match):
  with pytest.raises(WeightsError, match=match) as error:
    recognise(file)
  assert '\n' not in str(error.value)
  assert str(error.value).startswith('mine.pth has ')


def test_heads_that_cannot_be_taken_over():
  three = {'head.0': (1280, 32), 'head.2': (32, 16), 'head.4': (16, 5)}
  refused(file_of(V2, three), '3 dense layers on top, and one hidden layer')
  two = {'animals': (1280, 5), 'colours': (1280, 7)}
  refused(file_of(V2, two), r'2 classifiers \(animals, colours\), and a network')
  file = file_of(V2, {'head.0': (1280, 32), 'head.3': (32, 5)})
  for array in ('weight', 'bias', 'running_mean', 'running_var'):
    file.tensors[f'head.1.{array}'] = np.ones(32, np.float32)
  refused(file, r'layers on top that cannot be taken over: head\.1; a dense layer')
  file = file_of(V2, {'fc': (1280, 5)})
  file.tensors['temperature'] = np.ones((), np.float32)
  refused(file, 'cannot be taken over: a bare array;')


def test_the_classifiers_of_a_training_alone_are_left_out_and_told():
  of = source('torchvision', 'googlenet')
  file = their_file(of_source(of), of)
  aux = {f'aux{n}.{name}': np.ones((2, 3), np.float32) for n in (1, 2) for name in 'ab'}
  fitted = recognise(WeightFile(file.path, 'torch', file.tensors | aux))
  assert fitted.notes == (
    'left out: aux1, aux2, classifiers that only its training uses',
  )
  assert recognise(file).notes == ()
