"""ONNX files: what is in them, and their logits by the onnx package's own evaluator."""

import collections
import dataclasses
import json
import sys

import numpy as np
import pytest

from mobilenet.export import onnx as onnx_export
from mobilenet.export.errors import ExportError
from tests.export import programs

onnx = pytest.importorskip('onnx', reason='onnx is not installed: pip install onnx')


@pytest.fixture
def path(tmp_path):
  return tmp_path / 'network.onnx'


def written(path, name, precision='float32', **options):
  return onnx.load(
    onnx_export.write(programs.program(name, **options), path, precision)
  )


def kinds(model):
  return collections.Counter(node.op_type for node in model.graph.node)


def run(model, images):
  from onnx.reference import ReferenceEvaluator

  given = {'images': images.transpose(0, 3, 1, 2)}
  return ReferenceEvaluator(model).run(['logits'], given)[0]


@pytest.mark.parametrize(
  ('precision', 'tolerance'), [('float32', 1e-5), ('float16', 3e-3)]
)
@pytest.mark.parametrize('name', ['tiny', 'mixed'])
def test_logits_are_those_of_the_network(path, name, precision, tolerance):
  model = written(path, name, precision)
  wanted = programs.logits(name)
  programs.assert_same(run(model, programs.images()), wanted, tolerance)


def test_a_network_has_as_few_nodes_as_its_ops_allow(path):
  model = written(path, 'tiny')
  assert kinds(model) == {
    'Conv': 7,
    'Relu': 3,
    'HardSwish': 3,
    'HardSigmoid': 1,
    'Mul': 1,
    'Add': 1,
    'GlobalAveragePool': 1,
    'ReduceMean': 1,
    'Gemm': 2,
  }
  (given,), (made,) = model.graph.input, model.graph.output
  assert (given.name, made.name) == ('images', 'logits')
  shapes = [value.type.tensor_type.shape.dim for value in (given, made)]
  assert [size.dim_param or size.dim_value for size in shapes[0]] == [
    'batch',
    3,
    32,
    32,
  ]
  assert [size.dim_param or size.dim_value for size in shapes[1]] == ['batch', 3]
  assert [opset.version for opset in model.opset_import] == [17]
  sigmoid = next(n for n in model.graph.node if n.op_type == 'HardSigmoid')
  (alpha, beta) = (attribute.f for attribute in sigmoid.attribute)
  assert alpha == pytest.approx(1 / 6)
  assert beta == 0.5


def test_tensorflows_padding_is_in_the_convolution(path):
  stem = written(path, 'tiny').graph.node[0]
  said = {a.name: onnx.helper.get_attribute_value(a) for a in stem.attribute}
  assert said['pads'] == [0, 0, 1, 1]
  assert said['strides'] == [2, 2]


@pytest.mark.parametrize(
  ('name', 'options', 'wanted'),
  [
    ('mobilenet_v3_small', {}, 121),
    ('shufflenet_v1_g3', {'width': 0.25}, 152),
    ('shufflenet_v2', {'width': 0.5}, 173),
    ('squeezenet_1_1', {}, 64),
    ('mobilenet_v4_hybrid_medium', {'width': 0.25}, 292),
  ],
)
def test_nodes_of_whole_networks(path, name, options, wanted):
  found = kinds(written(path, name, **options))
  assert found.total() == wanted
  if name.startswith('shufflenet_v2'):
    assert (found['Split'], found['Slice']) == (13, 0)
  if name.startswith(('mobilenet_v3', 'squeezenet')):
    assert not found['Transpose'] + found['Reshape']


def test_arrays_are_called_as_our_variables(path):
  program, model = programs.program('tiny'), written(path, 'tiny')
  arrays = {
    tensor.name: onnx.numpy_helper.to_array(tensor)
    for tensor in model.graph.initializer
  }
  kernel = program.variables['params']['backbone']['stem']['conv']['kernel']
  stored = arrays['params/backbone/stem/conv/kernel']
  np.testing.assert_array_equal(stored, kernel.transpose(3, 2, 0, 1))
  dense = program.variables['params']['head']['classifier']['kernel']
  np.testing.assert_array_equal(arrays['params/head/classifier/kernel'], dense)
  assert all(name.startswith('params/') for name in arrays)


def test_kernels_alone_are_stored_as_halves(path):
  model = written(path, 'tiny', 'float16')
  types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
  float32, half = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
  assert types['params/head/classifier/bias'] == float32
  assert types['params/head/classifier/kernel/float16'] == half
  assert kinds(model)['Cast'] == list(types.values()).count(half) == 9


def test_the_file_says_what_its_use_needs(path):
  program = programs.program('tiny')
  model = written(path, 'tiny')
  said = {entry.key: entry.value for entry in model.metadata_props}
  assert json.loads(said['mobilenet-jax']) == program.said()
  assert said['task'] == 'classify'
  assert said['names'] == "{0: 'apple', 1: \"bird's nest\", 2: 'cup'}"


def test_the_file_has_names_for_people_where_there_are_others():
  program = programs.program('tiny')
  assert 'display_names' not in onnx_export.metadata(program)
  program = dataclasses.replace(program, class_names=('n02123045', 'owl', 'cup'))
  said = onnx_export.metadata(program)
  assert json.loads(said['display_names']) == ['tabby', 'owl', 'cup']
  assert json.loads(said['mobilenet-jax'])['class_names'] == ['n02123045', 'owl', 'cup']


def message(call, *arguments):
  with pytest.raises(ExportError) as error:
    call(*arguments)
  assert '\n' not in str(error.value)
  return str(error.value)


def test_a_precision_that_there_is_not(path):
  said = message(onnx_export.write, programs.program('tiny'), path, 'float8')
  assert said == "ONNX files are written as float32 or float16, not 'float8'"


def test_a_value_too_large_for_halves(path):
  program = programs.program('tiny')
  variables = {**program.variables, 'params': {**program.variables['params']}}
  head = variables['params']['head']
  kernel = np.full_like(head['classifier']['kernel'], 1e5)
  classifier = {**head['classifier'], 'kernel': kernel}
  variables['params']['head'] = {**head, 'classifier': classifier}
  program = dataclasses.replace(program, variables=variables)
  said = message(onnx_export.write, program, path, 'float16')
  assert 'params/head/classifier/kernel' in said
  assert 'export it as float32' in said
  assert not path.exists()


def test_without_onnx(path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'onnx', None)
  said = message(onnx_export.write, programs.program('tiny'), path)
  assert 'pip install -r requirements-export.txt' in said


def test_a_place_that_cannot_be_written(tmp_path):
  folder = tmp_path / 'network.onnx'
  folder.mkdir()
  said = message(onnx_export.write, programs.program('tiny'), folder)
  assert str(folder) in said
