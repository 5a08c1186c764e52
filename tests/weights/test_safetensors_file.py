"""Safetensors files, read and written, and the config.json that timm puts beside."""

import json
import struct

import ml_dtypes
import numpy as np
import pytest

from mobilenet.weights.torch_file import read_safetensors, write_safetensors
from mobilenet.weights.weight_file import WeightsError


def error(path):
  with pytest.raises(WeightsError) as caught:
    read_safetensors(path)
  text = str(caught.value)
  assert '\n' not in text
  assert path.name in text
  return text


def test_what_is_written_is_read_again(tmp_path):
  kernel = np.arange(24, dtype=np.float32).reshape(2, 3, 4) + 0.1
  tensors = {
    'b.weight': kernel,
    'transposed': kernel.transpose(2, 0, 1),
    'scalar': np.float32(3.5),
    'empty': np.zeros((0, 3), np.float32),
    'count': np.arange(5),
    'mask': np.array([True, False]),
  }
  path = tmp_path / 'new' / 'model.safetensors'
  write_safetensors(path, tensors, {'contract': '{"mean": 0.5}'})
  file = read_safetensors(path)
  assert file.dialect == 'torch'
  assert file.metadata == {
    'safetensors': {'format': 'pt', 'contract': '{"mean": 0.5}'},
  }
  assert file.tensors.keys() == tensors.keys()
  for name, array in tensors.items():
    assert file.tensors[name].dtype == np.asarray(array).dtype
    assert file.tensors[name].shape == np.shape(array)
    np.testing.assert_array_equal(file.tensors[name], array)
  assert [p.name for p in path.parent.iterdir()] == ['model.safetensors']


def test_half_and_bfloat16_widen_exactly(tmp_path):
  bits = np.arange(2**16, dtype=np.uint16)
  half, brain = bits.view(np.float16), bits.view(ml_dtypes.bfloat16)
  path = tmp_path / 'a.safetensors'
  write_safetensors(path, {'h': half, 'b': brain, 'd': np.array([np.pi])})
  tensors = read_safetensors(path).tensors
  np.testing.assert_array_equal(tensors['h'], half.astype(np.float32))
  upper = tensors['b'].view(np.uint32)
  nan = np.isnan(tensors['b'])
  np.testing.assert_array_equal(upper[~nan], bits[~nan].astype(np.uint32) << 16)
  np.testing.assert_array_equal(nan, np.isnan(brain.astype(np.float32)))
  assert tensors['d'] == np.float32(np.pi)
  assert {v.dtype for v in tensors.values()} == {np.dtype(np.float32)}


def test_prefixes_and_counters_are_taken_off(tmp_path):
  path = tmp_path / 'a.safetensors'
  write_safetensors(
    path,
    {'module.a': np.ones(1), 'bn.num_batches_tracked': np.array(4), 'b': np.ones(1)},
  )
  assert set(read_safetensors(path).tensors) == {'a', 'b'}


def test_the_config_of_timm_lies_beside(tmp_path):
  path = tmp_path / 'model.safetensors'
  write_safetensors(path, {'a': np.ones(1)})
  config = {
    'architecture': 'mobilenetv3_large_100',
    'num_classes': 2,
    'label_names': ['cat', 'dog'],
    'pretrained_cfg': {'mean': [0.5, 0.5, 0.5], 'crop_pct': 0.875},
  }
  (tmp_path / 'config.json').write_text(json.dumps(config))
  assert read_safetensors(path).metadata['timm'] == config
  (tmp_path / 'config.json').write_text('{"model": {"name": "mobilenet_v3_large"}}')
  assert 'timm' not in read_safetensors(path).metadata
  (tmp_path / 'config.json').write_text('{"architecture": ')
  with pytest.raises(WeightsError, match=r'config.json, which describes model'):
    read_safetensors(path)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
  path = tmp_path / 'model.safetensors'
  write_safetensors(path, {'a': np.ones(1, np.float32)})
  with pytest.raises(WeightsError, match=r'cannot write .*; choose another place'):
    write_safetensors(path / 'below.safetensors', {'a': np.zeros(1, np.float32)})
  assert read_safetensors(path).tensors['a'] == 1


def test_wrong_files_give_one_line(tmp_path):
  path = tmp_path / 'model.safetensors'
  write_safetensors(path, {'a': np.ones(100, np.float32)})
  data = path.read_bytes()
  for length in (0, 4, 8, 20, len(data) - 1):
    path.write_bytes(data[:length])
    assert 'cut short' in error(path)
  path.write_bytes(b'<!DOCTYPE html>' * 10)
  assert 'no safetensors file' in error(path)
  header = b'{"a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}'
  path.write_bytes(struct.pack('<q', len(header)) + header + b'ab')
  assert "tensor 'a' has a type that numpy cannot hold" in error(path)
  write_safetensors(path, {'bn.num_batches_tracked': np.array(4)})
  assert 'has no tensors' in error(path)
  assert 'cannot be read: No such file' in error(tmp_path / 'nowhere')
  assert 'cannot be read' in error(tmp_path)
