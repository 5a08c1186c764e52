"""Networks inside of somebody's own module, under any names before theirs."""

import numpy as np
import pytest

from mobilenet.weights import loading
from mobilenet.weights.recognition import recognise
from mobilenet.weights.weight_file import WeightFile, WeightsError
from tests.weights.made_weights import of_source, same_variables, source, their_file
from tests.weights.torch_writer import whole, zip_bytes

V2 = source('torchvision', 'mobilenet_v2')
TIMM_V1 = source('timm', 'mobilenet_v1')


def renamed(file, change):
  tensors = {change(name): value for name, value in file.tensors.items()}
  return WeightFile(file.path, 'torch', tensors, file.metadata)


@pytest.fixture(scope='module', params=[V2, TIMM_V1], ids=lambda of: of.label)
def file_and_weights(request):
  weights = of_source(request.param, width=0.35)
  return their_file(weights, request.param), weights


@pytest.mark.parametrize(
  'prefix', ['model.', 'backbone.', 'net.encoder.', 'model._orig_mod.module.', '0.']
)
def test_names_before_those_of_the_network(prefix, file_and_weights):
  file, weights = file_and_weights
  fitted = recognise(renamed(file, lambda name: prefix + name))
  assert same_variables(fitted.variables, weights.variables)
  assert fitted.notes == ()


@pytest.mark.parametrize('prefix', ['backbone.', 'model.features_1.', '0.', ''])
def test_the_features_alone_under_another_name(prefix):
  """`self.backbone = mobilenet_v2().features`, with a layer of one's own."""
  weights = of_source(V2, width=0.35)

  def change(name):
    if name.startswith('features.'):
      return prefix + name.removeprefix('features.')
    return name.replace('classifier.1', 'fc')

  fitted = recognise(renamed(their_file(weights, V2), change))
  assert same_variables(fitted.variables, weights.variables)
  assert fitted.notes == ('taken for the classifier: fc',)


def test_a_classifier_beside_the_network(file_and_weights):
  file, weights = file_and_weights
  bias, kernel = list(file.tensors)[-2:]

  def change(name):
    end = {kernel: 'classifier.weight', bias: 'classifier.bias'}
    return end.get(name, f'backbone.{name}')

  fitted = recognise(renamed(file, change))
  assert same_variables(fitted.variables, weights.variables)


def test_two_networks_in_one_file(file_and_weights):
  file, _ = file_and_weights
  both = [renamed(file, lambda n, p=p: p + n).tensors for p in ('model.', 'ema.')]
  with pytest.raises(WeightsError, match='2 networks, whose names begin with') as error:
    recognise(WeightFile(file.path, 'torch', both[0] | both[1]))
  assert str(error.value).endswith('model., ema.; save the state dict of one')


def test_arrays_of_a_loss_are_no_part_of_a_network(file_and_weights):
  file, weights = file_and_weights
  tensors = renamed(file, lambda name: f'model.{name}').tensors
  for name in ('criterion.weight', 'loss_fn.weight', 'train_loss.total', 'loss'):
    tensors[name] = np.ones(7, np.float32)
  fitted = recognise(WeightFile(file.path, 'torch', tensors))
  assert same_variables(fitted.variables, weights.variables)


def test_other_arrays_beside_it_are_told(file_and_weights):
  file, _ = file_and_weights
  tensors = renamed(file, lambda name: f'model.{name}').tensors
  tensors['gate.weight'] = np.ones((2, 3), np.float32)
  with pytest.raises(WeightsError, match=r'1 difference .*\n  \+ gate\.weight'):
    recognise(WeightFile(file.path, 'torch', tensors))


@pytest.mark.parametrize(
  'keys',
  [
    ('state_dict',),
    ('model_state_dict',),
    ('ema', 'state_dict'),
    ('params_ema',),
    ('network',),
    ('mobilenet',),  # a name that nobody else has
  ],
)
def test_training_checkpoints(keys, file_and_weights, tmp_path):
  file, weights = file_and_weights
  arrays = enumerate(file.tensors.items())
  saved = {f'model.{name}': whole(str(n), value) for n, (name, value) in arrays}
  for key in reversed(keys):
    saved = {key: saved}
  state = {'exp_avg.weight': whole('moment', np.ones(3, np.float32))}
  saved = {'epoch': 3, 'optimizer': {'state': state}, **saved}
  path = tmp_path / 'mine.ckpt'
  path.write_bytes(zip_bytes(saved))
  loaded = loading.load(path)
  assert same_variables(loaded.variables, weights.variables)
