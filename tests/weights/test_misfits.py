"""Weights that do not fit: one line, or a diff, that says where and what to do."""

import dataclasses
import pathlib

import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import finetune
from mobilenet import experiment
from mobilenet.models import zoo
from mobilenet.models.initial import init_variables
from mobilenet.training.errors import TrainingError
from mobilenet.weights import exporting, fitting, loading, own_file
from mobilenet.weights.keras_file import write_keras
from mobilenet.weights.recognition import recognise
from mobilenet.weights.starting import CLASSIFIER, start_from
from mobilenet.weights.torch_file import write_safetensors
from mobilenet.weights.weight_file import WeightFile, WeightsError
from tests.weights.made_weights import made, of_source, same_variables, source
from tests.weights.refusals import complaint
from tests.weights.torch_writer import FORMATS, whole

TIMM_V1 = source('timm', 'mobilenet_v1')


@pytest.fixture
def tensors():
  return exporting._tensors(of_source(TIMM_V1, width=0.25), TIMM_V1)


def differences(tensors):
  """(first line, the others) of the message."""
  with pytest.raises(WeightsError) as error:
    recognise(WeightFile(pathlib.Path('v1.pth'), 'torch', tensors))
  first, *others = str(error.value).splitlines()
  return first, others


def test_a_missing_tensor(tensors):
  del tensors['blocks.1.0.conv_pw.weight']
  first, lines = differences(tensors)
  legend = '(- missing, + unknown, ~ of another shape):'
  assert first == (
    f"v1.pth does not fit timm's mobilenet_v1 x0.25; 1 difference {legend}"
  )
  assert lines == [
    '  - blocks.1.0.conv_pw.weight, which is our '
    'backbone/block_01/pointwise/conv/kernel (1, 1, 16, 32)'
  ]


def test_an_unknown_tensor(tensors):
  tensors['blocks.1.0.extra.weight'] = np.zeros((3, 4))
  first, lines = differences(tensors)
  assert '1 difference ' in first
  assert lines == ['  + blocks.1.0.extra.weight (3, 4)']


def test_a_tensor_of_another_shape(tensors):
  tensors['blocks.1.0.conv_dw.weight'] = np.zeros((16, 1, 5, 5))
  _, lines = differences(tensors)
  assert lines == [
    '  ~ blocks.1.0.conv_dw.weight is (16, 1, 5, 5), ours is (3, 3, 1, 16)'
  ]


def test_many_differences_are_counted(tensors):
  for name in [n for n in tensors if n.endswith(('running_mean', 'bias'))][:40]:
    del tensors[name]
  first, lines = differences(tensors)
  assert '40 differences' in first
  assert len(lines) == fitting.MOST_LINES + 1
  assert lines[-1] == f'  ... and {40 - fitting.MOST_LINES} more'


def test_a_network_of_another_depth(tensors):
  """Fewer blocks, of which one has other channels: at no width it is ours."""
  for name in list(tensors):
    if name.startswith(('blocks.4.1.', 'blocks.3.5.')):
      del tensors[name]
  tensors['blocks.3.4.conv_pw.weight'] = np.zeros((256, 128, 1, 1), np.float32)
  first, lines = differences(tensors)
  assert lines == []
  assert first == (
    "v1.pth does not fit timm's mobilenet_v1 at any width (x0.25 is the nearest): it "
    'has nothing of block_10, block_12; it is a network of another depth, which cannot '
    'be taken over, or a part of one'
  )


def test_channels_of_no_width_are_held_against_the_nearest(tensors):
  tensors['blocks.3.4.conv_pw.weight'] = np.zeros((256, 128, 1, 1), np.float32)
  first, lines = differences(tensors)
  assert first.startswith(
    "v1.pth does not fit timm's mobilenet_v1 at any width (x0.25 is the nearest); 1 "
    'difference '
  )
  assert lines == [
    '  ~ blocks.3.4.conv_pw.weight is (256, 128, 1, 1), ours is (1, 1, 128, 128)'
  ]


def test_a_norm_without_its_statistics(tensors):
  """Of TensorFlow's and PyTorch's arrays the names differ: nothing is guessed."""
  tensors['bn1.moving_mean'] = tensors.pop('bn1.running_mean')
  _, lines = differences(tensors)
  assert lines[0].startswith(
    '  - bn1.running_mean, which is our backbone/stem/norm/mean'
  )
  assert lines[1] == '  + bn1.moving_mean (8,)'


@pytest.mark.parametrize('dialect', ['torch', 'keras', 'slim', 'tflite', 'onnx'])
def test_no_network_known_here(dialect):
  tensors = {'layer/kernel': np.zeros(2), 'layer/bias': np.zeros(2)}
  with pytest.raises(WeightsError, match='holds no network known here') as error:
    recognise(WeightFile(pathlib.Path('mine'), dialect, tensors))
  message = str(error.value)
  assert '\n' not in message
  assert '2 arrays such as layer/kernel' in message
  assert 'mobilenet_v2' in message


def cut(path):
  data = path.read_bytes()
  path.write_bytes(data[: len(data) * 2 // 3])


@pytest.mark.parametrize('layout', FORMATS)
def test_a_pth_file_that_was_cut_short(tensors, tmp_path, layout):
  saved = {name: whole(str(n), v) for n, (name, v) in enumerate(tensors.items())}
  path = tmp_path / 'v1.pth'
  path.write_bytes(FORMATS[layout](saved))
  assert loading.load(path).model['width'] == 0.25
  cut(path)
  assert 'cut short' in complaint(loading.load, path)


def test_other_files_that_were_cut_short(tensors, tmp_path):
  path = tmp_path / 'v1.safetensors'
  write_safetensors(path, tensors)
  cut(path)
  assert 'cut short' in complaint(loading.load, path)
  of = source('keras.applications', 'mobilenet_v1')
  tensors = exporting._tensors(of_source(of, width=0.25), of)
  path = tmp_path / 'v1.h5'
  write_keras(path, tensors, dict.fromkeys(n.split('/')[0] for n in tensors))
  assert loading.load(path).model['width'] == 0.25
  cut(path)
  assert 'broken' in complaint(loading.load, path)


def test_what_is_no_weight_file(tmp_path):
  path = tmp_path / 'cat.jpg'
  path.write_bytes(b'\xff\xd8\xff\xe0 a photo, and no weights at all')
  assert 'is no weight file known here; Keras' in complaint(loading.load, path)
  assert 'does not exist' in complaint(loading.load, tmp_path / 'nowhere.pth')
  path = tmp_path / 'empty.h5'
  path.write_bytes(b'')
  complaint(loading.load, path)


def drawn(name='mobilenet_v1', **options):
  model = zoo.create(name, **{'width': 0.25, 'num_classes': 7, **options})
  return init_variables(model, (224, 224, 3), seed=0)


def test_a_new_head_is_drawn_and_the_rest_is_loaded():
  weights, initial = made('mobilenet_v1', width=0.25), drawn(num_classes=3)
  started = start_from(weights, initial, new_head=True)
  one, two = own_file.flatten(started), own_file.flatten(weights.variables)
  for name, value in one.items():
    expected = own_file.flatten(initial) if name.startswith(CLASSIFIER) else two
    np.testing.assert_array_equal(value, expected[name], err_msg=name)
  assert len(one) == len(two)


def test_a_new_head_of_the_same_size_is_drawn_too():
  weights, initial = made('mobilenet_v1', width=0.25), drawn()
  started = start_from(weights, initial, new_head=True)
  np.testing.assert_array_equal(
    started['params']['head']['classifier']['kernel'],
    initial['params']['head']['classifier']['kernel'],
  )
  started = start_from(weights, initial, new_head=False)
  assert same_variables(started, weights.variables)


def test_of_v3_the_hidden_layer_is_loaded_where_it_is_there():
  options = {'width': 0.35, 'num_classes': 7}
  weights = made('mobilenet_v3_small_minimalistic', **options)
  initial = drawn('mobilenet_v3_small_minimalistic', width=0.35, num_classes=3)
  started = start_from(weights, initial, new_head=True)['params']['head']
  np.testing.assert_array_equal(
    started['hidden']['kernel'], weights.variables['params']['head']['hidden']['kernel']
  )
  body = {k: v for k, v in weights.variables['params'].items() if k != 'head'}
  headless = own_file.Weights(
    'a body',
    weights.model,
    {**weights.variables, 'params': body},
    None,
    None,
    has_head=False,
  )
  started = start_from(headless, initial, new_head=True)['params']['head']
  np.testing.assert_array_equal(
    started['hidden']['kernel'], initial['params']['head']['hidden']['kernel']
  )
  with pytest.raises(WeightsError, match='- params/head/hidden/kernel'):
    start_from(headless, initial, new_head=False)


@pytest.mark.parametrize('has', [(), ('hidden',), ('hidden', 'norm')])
def test_what_a_head_has_is_loaded_and_the_rest_is_drawn(has):
  """V4's head has a norm, with statistics."""
  network, options = 'mobilenet_v4_conv_small', {'width': 0.35, 'stem_width': 32}
  whole, initial = made(network, **options), drawn(network, num_classes=3, **options)
  variables = {
    room: {**part, 'head': {k: v for k, v in part['head'].items() if k in has}}
    for room, part in whole.variables.items()
  }
  body = dataclasses.replace(whole, variables=variables, has_head=False)
  started = own_file.flatten(start_from(body, initial, new_head=True))
  loaded, fresh = own_file.flatten(whole.variables), own_file.flatten(initial)
  assert started.keys() == fresh.keys()
  for name, value in started.items():
    place, *part = name.split('/')[1:]
    known = place == 'backbone' or part[0] in has
    np.testing.assert_array_equal(value, (loaded if known else fresh)[name])


@pytest.mark.parametrize('network', ['mobilenet_v1', 'squeezenet_1_1'])
def test_a_head_of_another_size_without_asking_for_a_new_one(network):
  width = 0.25 if network == 'mobilenet_v1' else 1.0
  initial = drawn(network, width=width, num_classes=3)
  with pytest.raises(WeightsError) as error:
    start_from(made(network, width=width), initial, new_head=False)
  assert str(error.value) == (
    'the weights (made weights) have 7 classes, the data 3; '
    '--config.new_head=true trains a new classifier on them'
  )


def test_another_network_reads_like_a_diff():
  """Never by config, which takes the network of the weights; by hand."""
  weights = made('mobilenet_v1', width=0.25)
  with pytest.raises(WeightsError) as error:
    start_from(weights, drawn(width=0.5), new_head=True)
  first, *lines = str(error.value).splitlines()
  assert first.startswith('made weights does not fit the network of the config; ')
  assert lines[0] == (
    '  ~ batch_stats/backbone/block_00/depthwise/norm/mean is (8,), ours is (16,)'
  )
  del weights.variables['batch_stats']['backbone']['stem']['norm']['mean']
  weights.variables['params']['head']['zzz'] = np.zeros((2,))
  weights.variables['params']['head']['aaa'] = np.zeros((2,))
  with pytest.raises(WeightsError) as error:
    start_from(weights, drawn(), new_head=True)
  assert str(error.value).splitlines()[1:] == [
    '  - batch_stats/backbone/stem/norm/mean (8,)',
    '  + params/head/aaa (2,)',
    '  + params/head/zzz (2,)',
  ]


def config(**model) -> ConfigDict:
  config = finetune.get_config()
  config.model.update(model)
  return config


@pytest.mark.parametrize(
  ('model', 'asked'),
  [
    ({'name': 'mobilenet_v2', 'width': 0.25}, 'mobilenet_v2 x0.25'),
    ({'name': 'mobilenet_v1', 'width': 0.5}, 'mobilenet_v1 x0.5'),
    ({'name': 'mobilenet_v1'}, 'mobilenet_v1 x1'),
  ],
)
def test_a_config_that_asks_for_another_network(model, asked):
  weights = made('mobilenet_v1', width=0.25)
  with pytest.raises(TrainingError) as error:
    experiment.with_weights(config(**model), weights)
  assert str(error.value) == (
    f'the config asks for {asked}, made weights is mobilenet_v1 x0.25'
  )


def test_a_config_takes_what_it_does_not_set_from_the_weights():
  weights = made('mobilenet_v1', width=0.25, padding='torch', norm_epsilon=1e-5)
  asked = config(name='mobilenet_v1', width=0.25, padding='tf')
  asked.contract.crop_fraction = 1.0
  found = experiment.with_weights(asked, weights)
  assert (found.model.padding, found.model.norm_epsilon) == ('tf', 1e-5)
  assert found.resolution == 224
  assert experiment.ops(found, 'eval_ops') == 'resize(224)|value_range(-1, 1)'
  assert asked.model.norm_epsilon is None, 'the config itself stays as it is'
  asked.resolution = 96
  assert experiment.with_weights(asked, weights).resolution == 96
  asked.contract.resize = 'crop'
  with pytest.raises(WeightsError, match='short_side, squash'):
    experiment.with_weights(asked, weights)
