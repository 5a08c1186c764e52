"""Legacy HDF5 weights that are written for Keras."""

import h5py
import numpy as np
import pytest

from mobilenet.weights.keras_file import read_keras, write_keras
from mobilenet.weights.weight_file import WeightsError
from tests.weights.keras_writer import NORM, OWN, V2, check, values


def test_written_files_are_read_back(tmp_path):
  arrays = values(V2, OWN)
  path = tmp_path / 'a.h5'
  write_keras(path, arrays, [*V2, *OWN])
  check(read_keras(path), arrays)
  with h5py.File(path) as file:
    assert list(file.attrs['layer_names']) == [name.encode() for name in [*V2, *OWN]]
    # Keras pairs by the order in which it has the arrays of a layer.
    names = [name.decode() for name in file['bn_Conv1'].attrs['weight_names']]
    assert names == [f'bn_Conv1/{variable}:0' for variable in NORM]
    assert file.attrs['keras_version'] == '3.0.0'
  assert [entry.name for entry in tmp_path.iterdir()] == ['a.h5']


def test_the_order_of_arrays_does_not_depend_on_the_caller(tmp_path):
  arrays = dict(reversed(values(V2, OWN).items()))
  write_keras(tmp_path / 'a.h5', arrays, [*V2, *OWN])
  assert list(read_keras(tmp_path / 'a.h5').tensors) == list(values(V2, OWN))


def test_long_lists_of_names_are_split(tmp_path):
  arrays = {f'{n:0>200}/kernel': np.full(1, n, np.float32) for n in range(700)}
  write_keras(tmp_path / 'a.h5', arrays, [name.split('/')[0] for name in arrays])
  with h5py.File(tmp_path / 'a.h5') as file:
    assert 'layer_names' not in file.attrs
  check(read_keras(tmp_path / 'a.h5'), arrays)


@pytest.mark.parametrize(
  ('name', 'drop', 'layers', 'match'),
  [
    ('a.weights.h5', None, [*V2], 'must end in .h5'),
    ('a.keras', None, [*V2], 'must end in .h5'),
    ('a.h5', None, ['Conv1', 'bn_Conv1'], 'expanded_conv_depthwise/kernel belongs'),
    ('a.h5', 'Conv1/kernel', [*V2], 'no array for Conv1'),
  ],
)
def test_what_keras_would_not_load_is_not_written(tmp_path, name, drop, layers, match):
  arrays = values(V2)
  arrays.pop(drop, None)
  with pytest.raises(WeightsError, match=match):
    write_keras(tmp_path / name, arrays, layers)
  assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path):
  path = tmp_path / 'a.h5'
  write_keras(path, values(V2), V2)
  old = path.read_bytes()
  broken = values(V2) | {'bn_Conv1/beta': np.array([object()])}
  with pytest.raises(TypeError):
    write_keras(path, broken, V2)
  assert path.read_bytes() == old
  assert [entry.name for entry in tmp_path.iterdir()] == ['a.h5']
