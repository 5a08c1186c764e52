"""Frozen graphs with a classifier that TensorFlow's retrain put on: it is the one."""

import numpy as np
import pytest

from mobilenet.weights import slim_file
from mobilenet.weights.own_file import flatten
from mobilenet.weights.recognition import recognise
from mobilenet.weights.weight_file import WeightsError
from tests.weights.made_weights import of_source, source, their_file

tf = pytest.importorskip('tensorflow')

OF = source('TF-slim', 'mobilenet_v1')
SCOPE = 'MobilenetV1/Logits/Conv2d_1c_1x1'
CLASSES = 3
MAP = 'map'  # what the pooled features are of


@pytest.fixture(scope='module')
def arrays():
  """V1 x0.25 as slim releases it, with the background."""
  return their_file(of_source(OF, width=0.25, num_classes=1001), OF).tensors


def graph_of(arrays, on='logits', output=tf.nn.softmax, layers=1):
  """The graph that retrain leaves, from the last feature map on, as a GraphDef."""
  v1, rng = tf.compat.v1, np.random.default_rng(0)
  with tf.Graph().as_default() as graph:
    read = {}
    for name, array in arrays.items():
      constant = tf.constant(array, name=name)
      read[name] = tf.identity(constant, name=f'{name}/read')
    x = v1.placeholder(tf.float32, (None, 3, 3, 256), MAP)
    x = tf.nn.avg_pool2d(x, 3, 1, 'VALID', name='MobilenetV1/Logits/AvgPool_1a/AvgPool')
    if on == 'logits':
      x = tf.nn.conv2d(x, read[f'{SCOPE}/weights'], 1, 'SAME', name=f'{SCOPE}/Conv2D')
      x = tf.nn.bias_add(x, read[f'{SCOPE}/biases'], name=f'{SCOPE}/BiasAdd')
    x = tf.squeeze(x, [1, 2], name='MobilenetV1/Logits/SpatialSqueeze')
    width = 1001 if on == 'logits' else 256
    x = tf.reshape(x, [-1, width], name='MobilenetV1/Predictions/Reshape')
    x = v1.placeholder_with_default(
      x, (None, width), 'input/BottleneckInputPlaceholder'
    )
    for n in range(layers):
      scope = f'final_training_ops{n or ""}'
      shape = (x.shape[1], CLASSES)
      kernel = tf.constant(
        rng.normal(size=shape).astype(np.float32), name=f'{scope}/weights/final_weights'
      )
      bias = tf.constant(
        rng.normal(size=CLASSES).astype(np.float32), name=f'{scope}/biases/final_biases'
      )
      kernel, bias = tf.identity(kernel), tf.identity(bias)
      x = v1.add(tf.matmul(x, kernel), bias, name=f'{scope}/Wx_plus_b/add')
    output(x, name='final_result')
  return graph.as_graph_def()


def recognised(tmp_path, graph):
  path = tmp_path / 'retrained.pb'
  path.write_bytes(graph.SerializeToString())
  file = slim_file.read_frozen(path)
  return recognise(file), file


def run(graph, features):
  """What TensorFlow makes of feature maps (N, 3, 3, 256)."""
  with tf.Graph().as_default() as made, tf.compat.v1.Session() as session:
    tf.import_graph_def(graph, name='')
    result = made.get_tensor_by_name('final_result:0')
    return session.run(result, {f'{MAP}:0': features})


@pytest.mark.parametrize('on', ['logits', 'features'])
def test_the_classifier_on_top_is_the_one(on, arrays, tmp_path):
  graph = graph_of(arrays, on)
  fitted, file = recognised(tmp_path, graph)
  assert file.metadata['output'] == 'softmax'
  assert (fitted.model['num_classes'], fitted.label_offset) == (CLASSES, 0)
  assert fitted.model.get('hidden_act') == ('linear' if on == 'logits' else None)
  assert fitted.assumed == ()
  (note,) = fitted.notes
  assert note.startswith('taken for ')
  assert note.endswith('retrained')
  maps = np.random.default_rng(1).normal(size=(4, 3, 3, 256)).astype(np.float32)
  head, x = flatten(fitted.variables['params']['head']), maps.mean((1, 2))
  for layer in ('hidden', 'classifier') if on == 'logits' else ('classifier',):
    x = x @ head[f'{layer}/kernel'] + head[f'{layer}/bias']
  ours = np.exp(x - x.max(1, keepdims=True))
  ours /= ours.sum(1, keepdims=True)
  np.testing.assert_allclose(ours, run(graph, maps), atol=1e-5)


def test_sigmoids_on_top_are_labels(arrays, tmp_path):
  with pytest.raises(WeightsError, match=r'3 sigmoid outputs, one for each label'):
    recognised(tmp_path, graph_of(arrays, output=tf.nn.sigmoid))


def test_two_layers_on_top_are_refused(arrays, tmp_path):
  names = 'final_training_ops/weights/final_weights, final_training_ops1/weights/'
  with pytest.raises(WeightsError, match=f'cannot be taken over: {names}') as error:
    recognised(tmp_path, graph_of(arrays, layers=2))
  assert '\n' not in str(error.value)


def test_a_graph_with_slims_own_classifier_alone(arrays, tmp_path):
  fitted, _ = recognised(tmp_path, graph_of(arrays, layers=0))
  assert (fitted.model['num_classes'], fitted.label_offset) == (1000, 1)
  assert fitted.notes == ()


def test_the_epsilon_of_a_graph_is_used(arrays, tmp_path):
  graph = graph_of(arrays, layers=0)
  node = graph.node.add(name='MobilenetV1/norm', op='FusedBatchNormV3')
  node.attr['epsilon'].f = 1e-5
  fitted, _ = recognised(tmp_path, graph)
  assert fitted.model['norm_epsilon'] == 1e-5
