"""Files that this project exported are read back: logits, contract, class names."""

import json
from unittest import mock

import jax
import numpy as np
import pytest

from mobilenet.export import onnx as onnx_export
from mobilenet.models import zoo
from mobilenet.weights import loading, own_file
from tests.export import programs
from tests.weights.refusals import complaint

onnx = pytest.importorskip('onnx', reason='onnx is not installed: pip install onnx')


@pytest.fixture(autouse=True)
def small_networks():
  with mock.patch.dict(zoo.NETWORKS, programs.NETWORKS):
    yield


@pytest.fixture
def path(tmp_path):
  return tmp_path / 'network.onnx'


@pytest.mark.parametrize(
  ('name', 'precision', 'tolerance', 'notes'),
  [
    ('tiny', 'float32', 1e-5, 0),
    ('mixed', 'float32', 1e-5, 0),
    ('mixed', 'float16', 5e-3, 1),
  ],
)
def test_what_was_exported_comes_back(path, name, precision, tolerance, notes):
  program = programs.program(name)
  weights = loading.load(onnx_export.write(program, path, precision))
  model = zoo.create(**weights.model)
  found = np.asarray(jax.jit(model.apply)(weights.variables, programs.images()))
  programs.assert_same(found, programs.logits(name), tolerance)
  assert weights.contract == program.contract
  assert weights.class_names == program.class_names
  assert weights.origin == program.origin
  assert weights.model == program.architecture
  assert len(weights.notes) == notes
  assert weights.has_head


def test_groups_that_no_other_file_may_have_come_back(path):
  program = programs.program('shufflenet_v1_g3', width=0.25)
  weights = loading.load(onnx_export.write(program, path))
  unit = weights.variables['params']['backbone']['block_02']['reduce']['conv']['kernel']
  exported = program.variables['params']['backbone']['block_02']['reduce']['conv']
  np.testing.assert_array_equal(unit, exported['kernel'])


def changed(path, change):
  """A file of which something was changed afterwards."""
  model = onnx.load(onnx_export.write(programs.program('tiny'), path))
  change(model)
  onnx.save(model, path)
  return path


def set_text(model, text):
  (entry,) = (e for e in model.metadata_props if e.key == own_file.KEY)
  entry.value = text


@pytest.mark.parametrize('text', ['{', '{}', '[]', json.dumps({'origin': 'x'})])
def test_broken_metadata_is_said(path, text):
  broken = changed(path, lambda model: set_text(model, text))
  assert 'broken metadata' in complaint(loading.load, broken)


def test_a_missing_array_is_said(path):
  def rename(model):
    (tensor,) = (
      t for t in model.graph.initializer if t.name == 'params/head/classifier/bias'
    )
    tensor.name = 'bias'

  said = complaint(loading.load, changed(path, rename))
  assert 'it has no params/head/classifier/bias' in said


def test_an_array_of_another_size_is_said(path):
  def shrink(model):
    (tensor,) = (
      t for t in model.graph.initializer if t.name == 'params/head/classifier/bias'
    )
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros(2, 'f'), tensor.name))

  said = complaint(loading.load, changed(path, shrink))
  assert 'params/head/classifier/bias is (2,), not (3,)' in said
