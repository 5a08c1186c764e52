"""Each network is traced once for all tests of weights: shapes alone, half a second."""

import functools

import pytest

from mobilenet.models import counting
from mobilenet.weights import tflite_file


@pytest.fixture(scope='session', autouse=True)
def traced_once():
  with pytest.MonkeyPatch.context() as patch:
    traced = functools.cache(counting.layers_and_variables)
    patch.setattr(counting, 'layers_and_variables', traced)
    yield


@pytest.fixture
def read_tflite(tmp_path):
  """Bytes -> what is read of a file that holds them."""

  def write_and_read(data):
    path = tmp_path / 'model.tflite'
    path.write_bytes(data)
    return tflite_file.read_tflite(path)

  return write_and_read
