"""Keras files in every layout that Keras has written."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from mobilenet.weights.keras_file import read_keras
from mobilenet.weights.weight_file import WeightsError
from tests.weights.keras_writer import (
  BASE,
  HEAD,
  OWN,
  V2,
  check,
  renamed,
  transfer_config,
  values,
  write_keras3,
  write_legacy,
)


@pytest.mark.parametrize('suffix', [':0', ''])
def test_legacy_weights(tmp_path, suffix):
  arrays = values(V2, OWN)
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, {**V2, **OWN}, arrays, suffix)
  read = read_keras(tmp_path / 'a.h5')
  check(read, arrays)
  assert list(read.tensors) == list(arrays)  # the order of the model
  assert read.dialect == 'keras'
  assert read.metadata == {'keras_version': '2.9.0'}


def test_names_with_slashes_of_keras_2(tmp_path):
  new = {
    'Conv': 'conv',
    'Conv/BatchNorm': 'conv_bn',
    'expanded_conv/depthwise': 'expanded_conv_depthwise',
    'expanded_conv/squeeze_excite/Conv': 'expanded_conv_squeeze_excite_conv',
    'Logits': 'logits',
  }
  kinds = [*V2.values(), V2['Conv1'], V2['Conv1']]
  layers = dict(zip(new, kinds, strict=True))
  arrays = values(layers)
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, layers, arrays)
  check(read_keras(tmp_path / 'a.h5'), renamed(arrays, new))
  # The same inside of another model, whose name may stand before theirs.
  for prefix in ('', 'MobilenetV3large/'):
    with h5py.File(tmp_path / 'b.h5', 'w') as file:
      nested = ('MobilenetV3large', layers)
      write_legacy(file, {}, arrays, nested=nested, prefix=prefix)
    read = read_keras(tmp_path / 'b.h5')
    check(read, renamed(arrays, new))
    assert read.metadata['application'] == 'MobilenetV3large'


def test_a_graph_s_names_of_arrays_give_way_to_the_layer_s(tmp_path):
  arrays = values(V2)
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, V2, arrays)
    stem = file['Conv1']
    stem['Conv1_3/kernel:0'] = arrays['Conv1/kernel'] + 1
    stem.attrs['weight_names'] = [b'Conv1_3/kernel:0']
  arrays['Conv1/kernel'] = arrays['Conv1/kernel'] + 1
  check(read_keras(tmp_path / 'a.h5'), arrays)


def test_a_whole_legacy_model_with_a_nested_mobilenet(tmp_path):
  arrays = values(V2, HEAD)
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    file.attrs['model_config'] = json.dumps(transfer_config())
    group = file.create_group('model_weights')
    write_legacy(group, HEAD, arrays, nested=(BASE, V2))
    file['optimizer_weights/Adam/m/kernel:0'] = np.ones(3)
  read = read_keras(tmp_path / 'a.h5')
  check(read, renamed(arrays, {'dense_7': 'head:0', 'dense_8': 'head:1'}))
  assert read.metadata == {
    'application': BASE,
    'keras_version': '2.9.0',
    'input_size': 96,
    'rescaling': (1 / 127.5, -1.0),
    'head_activations': ['relu', 'softmax'],
    'output': 'softmax',
  }


def test_a_head_on_the_layers_themselves(tmp_path):
  """`Model(base.input, Dense(...)(base.output))`: nothing is nested."""
  arrays = values(V2, HEAD)
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, {**V2, **HEAD}, arrays)
  expected = renamed(arrays, {'dense_7': 'head:0', 'dense_8': 'head:1'})
  check(read_keras(tmp_path / 'a.h5'), expected)


def test_a_new_layer_called_predictions_is_a_head(tmp_path):
  arrays = values(V2, OWN)
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, OWN, arrays, nested=(BASE, V2))
  check(read_keras(tmp_path / 'a.h5'), renamed(arrays, {'predictions': 'head:0'}))


def test_a_nested_mobilenet_keeps_its_own_classifier(tmp_path):
  arrays = values(V2, OWN)
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, {}, arrays, nested=(BASE, {**V2, **OWN}))
  check(read_keras(tmp_path / 'a.h5'), arrays)


def many(count):
  return {
    f'block_{n}_expand' if n else 'Conv1': ('Conv2D', {'kernel': (1, 1, 1, n + 1)})
    for n in range(count)
  } | {'bn_Conv1': V2['bn_Conv1']}


def test_keras_3_weights_have_names(tmp_path):
  layers = many(12)  # conv2d_10 comes before conv2d_2 in the file
  arrays = values(layers)
  with h5py.File(tmp_path / 'a.weights.h5', 'w') as file:
    write_keras3(file, layers, arrays)
    file.create_group('vars').attrs['name'] = BASE
  read = read_keras(tmp_path / 'a.weights.h5')
  check(read, arrays)
  assert read.metadata == {'application': BASE}


@pytest.mark.parametrize(
  ('at', 'step'), [('layers', 1), ('_layer_checkpoint_dependencies', 2)]
)
def test_keras_3_weights_without_names(tmp_path, at, step):
  layers = many(12) | OWN
  arrays = values(layers)
  with h5py.File(tmp_path / 'a.weights.h5', 'w') as file:
    write_keras3(file, layers, arrays, named=False, at=at, step=step)
  read = read_keras(tmp_path / 'a.weights.h5')
  convs = {name: f'conv2d:{n}' for n, name in enumerate(list(layers)[:12])}
  others = {'bn_Conv1': 'batch_normalization:0', 'predictions': 'dense:0'}
  check(read, renamed(arrays, {**convs, **others}))
  assert read.metadata == {'unnamed': True}


def test_nested_keras_3_weights(tmp_path):
  arrays = values(V2, HEAD)
  for named in (True, False):
    with h5py.File(tmp_path / 'a.weights.h5', 'w') as file:
      write_keras3(file, HEAD, arrays, named)
      write_keras3(file, V2, arrays, named, at='layers/functional/layers')
      # A random layer's state is no weight.
      flip = 'layers/sequential/layers/random_flip/seed_generator/vars/0'
      file[flip] = np.array([1, 2], np.uint32)
    names = {'dense_7': 'head:0', 'dense_8': 'head:1'}
    if not named:
      names |= {
        'Conv1': 'conv2d:0',
        'bn_Conv1': 'batch_normalization:0',
        'expanded_conv_depthwise': 'depthwise_conv2d:0',
      }
    check(read_keras(tmp_path / 'a.weights.h5'), renamed(arrays, names))


@pytest.mark.parametrize('named', [True, False])
def test_keras_archive(tmp_path, named):
  arrays, weights = values(V2, HEAD), io.BytesIO()
  with h5py.File(weights, 'w') as file:
    write_keras3(file, HEAD, arrays, named)
    write_keras3(file, V2, arrays, named, at='layers/functional/layers')
  with zipfile.ZipFile(tmp_path / 'a.keras', 'w') as archive:
    archive.writestr('config.json', json.dumps(transfer_config()))
    archive.writestr('metadata.json', json.dumps({'keras_version': '3.1.0'}))
    archive.writestr('model.weights.h5', weights.getvalue())
  read = read_keras(tmp_path / 'a.keras')
  expected = renamed(arrays, {'dense_7': 'head:0', 'dense_8': 'head:1'})
  check(read, expected)
  assert list(read.tensors) == list(expected)  # the configuration's order
  if named:
    assert read.metadata['application'] == BASE
  assert read.metadata['keras_version'] == '3.1.0'
  assert read.metadata['rescaling'] == (1 / 127.5, -1.0)
  assert 'unnamed' not in read.metadata


def test_a_normalization_before_the_network_is_reported(tmp_path):
  data = {'normalization': ('', {'mean': (3,), 'variance': (3,)})}
  arrays = values(V2, data)
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, {**data, **V2}, arrays)
    group = file['normalization']
    group['normalization/count:0'] = np.int64(9)
    names = [f'normalization/{name}:0' for name in ('mean', 'variance', 'count')]
    group.attrs['weight_names'] = [name.encode() for name in names]
  read = read_keras(tmp_path / 'a.h5')
  check(read, values(V2))
  assert read.metadata['unknown_preprocessing'] == ['normalization']


def test_a_head_of_two_models_in_a_row(tmp_path):
  """Groups by class don't tell the order of a nested head and a layer after it."""
  arrays = values(V2, HEAD)
  with h5py.File(tmp_path / 'a.weights.h5', 'w') as file:
    write_keras3(file, V2, arrays)
    write_keras3(file, {'dense_8': HEAD['dense_8']}, arrays)
    inner = 'layers/sequential/layers'
    write_keras3(file, {'dense_7': HEAD['dense_7']}, arrays, at=inner)
  one_line(tmp_path / 'a.weights.h5', 'do not follow one another')


def test_another_architecture_keeps_its_names(tmp_path):
  """ResNet's, which has one layer called as one of V1's is."""
  layers = {'conv1_conv': V2['Conv1'], 'conv1_bn': V2['bn_Conv1']} | OWN
  arrays = values(layers)
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, layers, arrays)
  check(read_keras(tmp_path / 'a.h5'), arrays)


def one_line(path, match):
  with pytest.raises(WeightsError, match=match) as caught:
    read_keras(path)
  assert '\n' not in str(caught.value)
  assert str(path) in str(caught.value)


def test_files_that_are_no_keras_files(tmp_path):
  one_line(tmp_path / 'none.h5', 'does not exist')
  one_line(tmp_path, 'folder')
  (tmp_path / 'a.h5').write_text('version https://git-lfs.github.com/spec/v1')
  one_line(tmp_path / 'a.h5', 'neither HDF5 nor')
  with zipfile.ZipFile(tmp_path / 'a.keras', 'w') as archive:
    archive.writestr('config.json', '{}')
  one_line(tmp_path / 'a.keras', r'no metadata.json in it')


@pytest.mark.parametrize('keep', [0.02, 0.5, 0.99])
def test_truncated_files(tmp_path, keep):
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, V2, values(V2))
  whole = (tmp_path / 'a.h5').read_bytes()
  (tmp_path / 'b.h5').write_bytes(whole[: int(len(whole) * keep)])
  one_line(tmp_path / 'b.h5', 'broken, or no Keras file.*again')


def test_a_file_without_layers(tmp_path):
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    file['photos'] = np.ones(3)
  one_line(tmp_path / 'a.h5', 'no layer with weights')


def test_layers_that_no_head_has(tmp_path):
  layers = V2 | {'batch_normalization': V2['bn_Conv1']} | OWN
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, layers, values(layers))
  one_line(tmp_path / 'a.h5', 'dense head: batch_normalization/gamma')


def test_arrays_that_no_layer_has(tmp_path):
  layers = V2 | {'block_1_expand': ('', {'recurrent_kernel': (2,)})}
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, layers, values(layers))
  one_line(tmp_path / 'a.h5', 'dense head: block_1_expand/recurrent_kernel')


def test_two_networks_in_one_file(tmp_path):
  arrays = values(V2)
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, V2, arrays, nested=(BASE, V2))
  one_line(tmp_path / 'a.h5', 'Conv1/kernel twice')


def test_arrays_of_other_files_are_not_read(tmp_path):
  with h5py.File(tmp_path / 'other.h5', 'w') as file:
    file['secret'] = np.ones((3, 3, 3, 8), np.float32)
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    write_legacy(file, V2, values(V2))
    del file['Conv1/Conv1/kernel:0']
    file['Conv1/Conv1/kernel:0'] = h5py.ExternalLink('other.h5', 'secret')
  one_line(tmp_path / 'a.h5', 'missing, or a link')
