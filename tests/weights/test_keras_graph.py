"""What is read from a model's configuration: preprocessing, size, head."""

import json

import pytest

from mobilenet.weights import keras_graph


def layer(kind, name='', **config):
  return {'class_name': kind, 'config': {'name': name or kind.lower(), **config}}


def operation(kind, *operands):
  """An operation of Keras 3: the image and numbers, in their order."""
  node = {'args': list(operands), 'kwargs': {}}
  return {**layer(kind), 'inbound_nodes': [node]}


def tf_lambda(function, **numbers):
  """tf.keras 2.4 to 2.15."""
  config = layer('TFOpLambda', f'tf.{function}', function=function)
  return {**config, 'inbound_nodes': [['input_1', 0, 0, numbers]]}


def tf_layer(operation, constants):
  """tf.keras before 2.4."""
  node = json.dumps({'name': operation, 'op': operation})
  return layer('TensorFlowOpLayer', operation, node_def=node, constants=constants)


IMAGE = {'class_name': '__keras_tensor__', 'config': {'shape': [None, 96, 96, 3]}}
STEM = [layer('Conv2D', 'Conv1'), layer('BatchNormalization'), layer('ReLU')]
POOL = layer('GlobalAveragePooling2D')
DENSE = layer('Dense', 'dense', activation='softmax')


def described(before=(), after=(), head=0):
  layers = [*before, *STEM, *after]
  config = {'class_name': 'Functional', 'config': {'name': 'model', 'layers': layers}}
  return keras_graph.describe(config, head)


def test_nothing_is_said_of_what_is_not_there():
  assert described() == {}


@pytest.mark.parametrize(
  ('before', 'rescaling'),
  [
    ([layer('Rescaling', scale=1 / 255, offset=0.0)], (1 / 255, 0.0)),
    ([layer('Rescaling', scale=1 / 255)], (1 / 255, 0.0)),
    (
      [operation('TrueDivide', IMAGE, 127.5), operation('Subtract', IMAGE, 1)],
      (1 / 127.5, -1.0),
    ),
    (
      [tf_lambda('math.truediv', y=127.5), tf_lambda('math.subtract', y=1.0)],
      (1 / 127.5, -1.0),
    ),
    (
      [tf_layer('RealDiv', {'1': 127.5}), tf_layer('Sub', {'1': 1.0})],
      (1 / 127.5, -1.0),
    ),
    # Pixels / 255 first, then a network that has its own rescaling.
    (
      [
        layer('Rescaling', scale=0.5, offset=2.0),
        layer('RandomFlip'),
        layer('Rescaling', scale=4.0, offset=-1.0),
      ],
      (2.0, 7.0),
    ),
    ([operation('Multiply', IMAGE, 2), operation('Add', IMAGE, 3)], (2.0, 3.0)),
  ],
)
def test_rescaling(before, rescaling):
  assert described(before) == {'rescaling': pytest.approx(rescaling)}


@pytest.mark.parametrize(
  'unknown',
  [
    layer('Lambda', 'odd', function=['4wAAAA==', None, None]),
    layer('Normalization', 'odd', mean=[1.0, 2.0, 3.0], variance=[1.0, 1.0, 1.0]),
    layer('Rescaling', 'odd', scale=[1.0, 2.0, 3.0], offset=0.0),
    {**operation('Subtract', 1.0, IMAGE), 'config': {'name': 'odd'}},  # 1 - x
    {**operation('TrueDivide', IMAGE, 0), 'config': {'name': 'odd'}},
    {**tf_lambda('reverse', y=3), 'config': {'name': 'odd', 'function': 'reverse'}},
    layer('TensorFlowOpLayer', 'odd', node_def='{broken', constants={}),
    layer('SlicingOpLambda', 'odd', function='__operators__.getitem'),
  ],
)
def test_other_preprocessing_is_named(unknown):
  before = [layer('Rescaling', scale=2.0), unknown]
  assert described(before) == {'unknown_preprocessing': ['odd']}


@pytest.mark.parametrize(
  ('before', 'size'),
  [
    ([layer('InputLayer', batch_shape=[None, 96, 96, 3])], 96),
    ([layer('InputLayer', batch_input_shape=[None, 160, 160, 3])], 160),
    ([layer('InputLayer', batch_shape=[None, 96, 128, 3])], None),
    ([layer('InputLayer', batch_shape=[None, None, None, 3])], None),
    (
      [
        layer('InputLayer', batch_shape=[None, 500, 400, 3]),
        layer('Resizing', height=192, width=192),
        layer('InputLayer', 'inner', batch_shape=[None, None, None, 3]),
      ],
      192,
    ),
  ],
)
def test_input_size(before, size):
  assert described(before).get('input_size') == size


def test_a_sequential_s_own_input_size():
  config = {'name': 's', 'layers': STEM, 'build_input_shape': [None, 64, 64, 3]}
  config = {'class_name': 'Sequential', 'config': config}
  assert keras_graph.describe(config, 0) == {'input_size': 64}


def test_a_list_of_layers_as_old_keras_had_it():
  config = {'class_name': 'Sequential', 'config': [layer('Rescaling', scale=2), *STEM]}
  assert keras_graph.describe(config, 0) == {'rescaling': (2.0, 0.0)}


@pytest.mark.parametrize(
  ('layers', 'activations'),
  [
    ([DENSE], ['softmax']),
    ([layer('Dense', 'dense')], ['linear']),
    ([layer('Dense', 'dense', activation='linear'), layer('Softmax')], ['softmax']),
    (
      [layer('Dense', 'dense'), layer('Activation', activation='sigmoid')],
      ['sigmoid'],
    ),
    (
      [
        layer('Dense', 'hidden'),
        layer('ReLU'),
        layer('Dropout'),
        layer('Dense', 'dense', activation={'config': 'softmax'}),
      ],
      ['relu', 'softmax'],
    ),
  ],
)
def test_activations_of_the_head(layers, activations):
  read = described(after=[POOL, layer('Dropout'), *layers], head=len(activations))
  assert read == {'head_activations': activations, 'output': activations[-1]}


@pytest.mark.parametrize(
  ('after', 'unknown'),
  [
    ([layer('Flatten'), DENSE], ['flatten']),
    ([layer('GlobalMaxPooling2D', 'top'), DENSE], ['top']),
    ([POOL, layer('LayerNormalization', 'norm'), DENSE], ['norm']),
    ([DENSE, POOL], ['no global average pool']),
    ([layer('Conv2D', 'Conv_2'), POOL, DENSE], ['Conv_2 before the pool']),
  ],
)
def test_heads_that_no_mobilenet_has_are_named(after, unknown):
  assert described(after=after, head=1)['unknown_head'] == unknown


def test_a_flattening_of_pooled_features_is_harmless():
  read = described(after=[POOL, layer('Flatten'), DENSE], head=1)
  assert 'unknown_head' not in read


def test_a_pool_before_the_hidden_layer_is_as_it_should_be():
  after = [POOL, layer('Conv2D', 'conv_2'), layer('Conv2D', 'logits')]
  assert described(after=after) == {'output': 'linear'}


@pytest.mark.parametrize(
  ('after', 'output'),
  [
    # keras.applications' own heads: V1's and V3's are convolutions.
    ([POOL, DENSE], 'softmax'),
    (
      [
        POOL,
        layer('Conv2D', 'conv_preds'),
        layer('Reshape'),
        layer('Activation', activation='sigmoid'),
      ],
      'sigmoid',
    ),
    ([POOL, layer('Dense', 'dense', activation={'config': 'tanh'})], 'tanh'),
    ([POOL, layer('Dense'), layer('Sigmoid')], 'sigmoid'),
    ([POOL, layer('Dense'), layer('ReLU', max_value=6.0)], 'relu6'),
    ([POOL, layer('Dense'), layer('ReLU', max_value=1.0)], 'an unusual ReLU'),
    ([POOL, layer('Dense'), layer('ReLU', negative_slope=0.1)], 'an unusual ReLU'),
    ([POOL, DENSE, layer('Activation', activation='linear')], 'softmax'),
    ([POOL, layer('Dense', activation='relu'), layer('Softmax')], 'relu and softmax'),
    ([POOL, layer('Dense'), layer('Lambda')], 'lambda'),
    ([POOL], None),
  ],
)
def test_what_the_outputs_go_through(after, output):
  assert described(after=after).get('output') == output


@pytest.mark.parametrize(
  ('loss', 'name'),
  [
    ('binary_crossentropy', 'binary_crossentropy'),
    ({'class_name': 'Huber', 'config': {'delta': 1.0}}, 'Huber'),
    ({'class_name': 'function', 'config': 'mse'}, 'mse'),
    ([{'class_name': 'Huber'}, 'mse'], None),
    (None, None),
  ],
)
def test_the_loss_that_a_model_was_compiled_with(loss, name):
  config = {'class_name': 'Functional', 'config': {'name': 'm', 'layers': STEM}}
  said = keras_graph.describe(config | {'compile_config': {'loss': loss}}, 0)
  assert said.get('loss') == name


@pytest.mark.parametrize(
  ('pool', 'size', 'unknown'),
  [
    ([7, 7], 224, None),
    (3, 96, None),
    ([2, 2], 96, ['pool']),
    ([7, 7], None, ['pool']),
  ],
)
def test_an_average_of_the_whole_map_is_a_global_one(pool, size, unknown):
  before = [layer('InputLayer', batch_shape=[None, size, size, 3])]
  after = [layer('AveragePooling2D', 'pool', pool_size=pool), layer('Flatten'), DENSE]
  read = described(before, after, head=1)
  assert read.get('unknown_head') == (unknown and [*unknown, 'flatten'])
