"""TF-slim's files, written here by TensorFlow under slim's names, and slim's scopes."""

import numpy as np
import pytest

from mobilenet.models import counting, zoo
from mobilenet.weights import slim_file, slim_names
from mobilenet.weights.weight_file import WeightsError
from tests.weights.refusals import complaint

tf = pytest.importorskip('tensorflow')

RNG = np.random.default_rng(0)
NORM = ('gamma', 'beta', 'moving_mean', 'moving_variance')


def layers(scope, norm=True):
  """Arrays of two layers of a network, and of a third for its classifier."""
  shapes = {
    f'{scope}/Conv2d_0/weights': (3, 3, 3, 8),
    f'{scope}/Conv2d_1_depthwise/depthwise_weights': (3, 3, 8, 1),
    f'{scope}/Logits/Conv2d_1c_1x1/weights': (1, 1, 8, 5),
    f'{scope}/Logits/Conv2d_1c_1x1/biases': (5,),
  }
  for unit in ('Conv2d_0', 'Conv2d_1_depthwise') if norm else ():
    shapes |= {f'{scope}/{unit}/BatchNorm/{part}': (8,) for part in NORM}
  return {name: RNG.normal(size=s).astype(np.float32) for name, s in shapes.items()}


def save(prefix, arrays):
  """Writes a checkpoint as `tf.compat.v1.train.Saver` does, without its graph."""
  tf.raw_ops.SaveV2(
    prefix=str(prefix),
    tensor_names=list(arrays),
    shape_and_slices=[''] * len(arrays),
    tensors=[tf.constant(array) for array in arrays.values()],
  )


def assert_same(tensors, arrays):
  assert set(tensors) == set(arrays)
  for name, array in arrays.items():
    assert tensors[name].dtype == np.float32
    np.testing.assert_array_equal(tensors[name], array)


@pytest.fixture
def trained(tmp_path):
  """A checkpoint as training leaves it: (prefix, raw arrays, averages)."""
  raw = layers('MobilenetV1')
  averages = {name: array + 1 for name, array in raw.items() if 'biases' not in name}
  stored = dict(raw)
  stored |= {f'{n}/ExponentialMovingAverage': array for n, array in averages.items()}
  for name, array in raw.items():
    stored |= {f'{name}/{slot}': array for slot in ('RMSProp', 'RMSProp_1', 'Momentum')}
  stored |= {'global_step': np.int64(540000), 'beta1_power': np.float32(0.9)}
  stored['MobilenetV1/Conv2d_0/weights_quant/min'] = np.float32(0)
  prefix = tmp_path / 'model.ckpt-540000'
  save(prefix, stored)
  return prefix, raw, averages


def test_averages_are_preferred_and_slots_passed_over(trained):
  prefix, raw, averages = trained
  file = slim_file.read_checkpoint(prefix)
  assert file.dialect == 'slim'
  assert file.metadata == {'averages': True}
  assert_same(file.tensors, {**raw, **averages})


def test_every_way_to_name_a_checkpoint(trained):
  prefix, raw, _ = trained
  for path in (
    prefix.with_name(f'{prefix.name}.index'),
    prefix.with_name(f'{prefix.name}.data-00000-of-00001'),
    prefix.parent,
  ):
    assert set(slim_file.read_checkpoint(path).tensors) == set(raw), path


def test_a_saver_of_tensorflow_1(tmp_path):
  arrays = layers('MobilenetV1')
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    for name, array in arrays.items():
      tf.compat.v1.get_variable(name, initializer=array, use_resource=False)
    tf.compat.v1.train.get_or_create_global_step()
    session.run(tf.compat.v1.global_variables_initializer())
    tf.compat.v1.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  file = slim_file.read_checkpoint(tmp_path / 'model.ckpt')
  assert file.metadata == {'averages': False}
  assert_same(file.tensors, arrays)


def test_archive_of_v3_holds_its_averages_in_a_folder(tmp_path):
  arrays = layers('MobilenetV3')
  for folder, change in (('pristine', 1), ('ema', 0)):
    (tmp_path / folder).mkdir()
    save(tmp_path / folder / 'model-1', {n: a + change for n, a in arrays.items()})
  assert_same(slim_file.read_checkpoint(tmp_path).tensors, arrays)


def test_scope_around_the_network_is_taken_off(tmp_path):
  arrays = layers('MobilenetV2')
  stored = {f'FeatureExtractor/{name}': array for name, array in arrays.items()}
  save(tmp_path / 'ssd.ckpt', {**stored, 'BoxPredictor_0/weights': np.ones(3)})
  assert_same(slim_file.read_checkpoint(tmp_path / 'ssd.ckpt').tensors, arrays)


def test_checkpoints_that_cannot_be_used(trained, tmp_path):
  prefix, raw, _ = trained
  read = slim_file.read_checkpoint
  data = prefix.with_name(f'{prefix.name}.data-00000-of-00001')
  data.write_bytes(data.read_bytes()[: data.stat().st_size // 4])
  assert 'truncated' in complaint(read, prefix)
  data.unlink()
  assert 'fetch it again' in complaint(read, prefix)
  index = prefix.with_name(f'{prefix.name}.index')
  index.write_bytes(index.read_bytes()[:100])
  assert 'truncated' in complaint(read, prefix)

  photo = tmp_path / 'photo.jpg'
  photo.write_bytes(b'\xff\xd8' + bytes(500))
  assert 'no checkpoint' in complaint(read, photo)
  assert '.index is not there' in complaint(read, tmp_path / 'nothing.ckpt')
  (tmp_path / 'empty').mkdir()
  assert 'no .index file' in complaint(read, tmp_path / 'empty')

  save(tmp_path / 'resnet.ckpt', {'resnet_v1_50/conv1/weights': np.ones(3)})
  message = complaint(read, tmp_path / 'resnet.ckpt')
  assert 'no MobileNet' in message
  assert 'resnet_v1_50/conv1/weights' in message
  save(tmp_path / 'other.ckpt', raw)
  message = complaint(read, tmp_path)
  assert 'holds 3 checkpoints (model.ckpt-540000, other.ckpt, resnet.ckpt)' in message


def frozen_graph(arrays, *, epsilon=0.001, moving=True, identity=True):
  """A GraphDef as freezing leaves it: constants, read by identities, and ops."""
  graph = tf.Graph()
  with graph.as_default():
    x = tf.compat.v1.placeholder(tf.float32, (None, 96, 64, 3), 'input')
    read = {}
    for name, array in arrays.items():
      if moving or 'BatchNorm' not in name:
        read[name] = tf.constant(array, name=name)
        if identity:
          read[name] = tf.identity(read[name], name=f'{name}/read')
    scope = 'MobilenetV1/Conv2d_0'
    x = tf.nn.conv2d(
      x, read[f'{scope}/weights'], 2, 'SAME', name=f'MobilenetV1/{scope}'
    )
    if moving:
      norm = [read[f'{scope}/BatchNorm/{part}'] for part in NORM]
      tf.compat.v1.nn.fused_batch_norm(
        x, *norm, epsilon=epsilon, is_training=False, name=f'MobilenetV1/{scope}/norm'
      )
  return graph.as_graph_def()


@pytest.mark.parametrize('identity', [True, False])
def test_frozen_graph(tmp_path, identity):
  arrays = layers('MobilenetV1')
  path = tmp_path / 'frozen.pb'
  path.write_bytes(frozen_graph(arrays, identity=identity).SerializeToString())
  file = slim_file.read_frozen(path)
  assert file.dialect == 'slim'
  assert_same(file.tensors, arrays)
  assert list(file.tensors) == list(arrays)
  assert file.metadata == {'input_size': (96, 64), 'norm_epsilon': 0.001}


def test_graphs_that_cannot_be_used(tmp_path):
  arrays = layers('MobilenetV1')
  path = tmp_path / 'graph.pb'
  read = slim_file.read_frozen
  assert 'No such file' in complaint(read, path)

  path.write_bytes(frozen_graph(arrays, moving=False).SerializeToString())
  assert complaint(read, path).endswith('has BatchNorm folded; give the checkpoint')

  data = frozen_graph(arrays).SerializeToString()
  path.write_bytes(data[: len(data) // 2])
  assert 'truncated' in complaint(read, path)
  path.write_bytes(b'')
  assert 'no MobileNet' in complaint(read, path)

  with tf.Graph().as_default() as graph:
    tf.compat.v1.get_variable(
      'MobilenetV1/Conv2d_0/weights', (3, 3, 3, 8), use_resource=False
    )
  path.write_bytes(graph.as_graph_def().SerializeToString())
  assert 'not frozen' in complaint(read, path)

  with tf.Graph().as_default() as graph:
    tf.constant(np.ones(3), name='InceptionV3/Conv2d_1a_3x3/weights')
  path.write_bytes(graph.as_graph_def().SerializeToString())
  assert 'no MobileNet' in complaint(read, path)


def expected_kind(name):
  if name.endswith('/BatchNorm'):
    return 'norm'
  if name.endswith('depthwise'):
    return 'depthwise'
  # 1x1 convolutions of slim's on pooled maps, dense layers here.
  pooled = ('Logits/Conv2d_1c_1x1', 'V3/Conv_2', 'excite/Conv', 'excite/Conv_1')
  return 'dense' if name.endswith(pooled) else 'conv'


@pytest.mark.parametrize('name', slim_names.SCOPES)
def test_names_follow_the_layers(name):
  model = zoo.create(name, width=0.75)
  names = slim_names.names(name, model.network)
  assert len(set(names)) == len(names)
  counted = counting.layers(model, 64)
  ours = [layer.kind.split()[0].replace('pointwise', 'conv') for layer in counted]
  assert [expected_kind(n) for n in names] == ours


def names_of(name):
  names = slim_names.names(name, zoo.create(name).network)
  return [n for n in names if not n.endswith('/BatchNorm')]


def test_scopes_of_v1():
  names = names_of('mobilenet_v1')
  assert names[:3] == [
    'MobilenetV1/Conv2d_0',
    'MobilenetV1/Conv2d_1_depthwise',
    'MobilenetV1/Conv2d_1_pointwise',
  ]
  assert names[-2:] == [
    'MobilenetV1/Conv2d_13_pointwise',
    'MobilenetV1/Logits/Conv2d_1c_1x1',
  ]


def test_scopes_of_v2():
  names = names_of('mobilenet_v2')
  assert names[:6] == [
    'MobilenetV2/Conv',
    'MobilenetV2/expanded_conv/depthwise',
    'MobilenetV2/expanded_conv/project',
    'MobilenetV2/expanded_conv_1/expand',
    'MobilenetV2/expanded_conv_1/depthwise',
    'MobilenetV2/expanded_conv_1/project',
  ]
  assert names[-3:] == [
    'MobilenetV2/expanded_conv_16/project',
    'MobilenetV2/Conv_1',
    'MobilenetV2/Logits/Conv2d_1c_1x1',
  ]


def test_scopes_of_v3_small():
  names = names_of('mobilenet_v3_small')
  assert names[:5] == [
    'MobilenetV3/Conv',
    'MobilenetV3/expanded_conv/depthwise',
    'MobilenetV3/expanded_conv/squeeze_excite/Conv',
    'MobilenetV3/expanded_conv/squeeze_excite/Conv_1',
    'MobilenetV3/expanded_conv/project',
  ]
  assert names[-4:] == [
    'MobilenetV3/expanded_conv_10/project',
    'MobilenetV3/Conv_1',
    'MobilenetV3/Conv_2',
    'MobilenetV3/Logits/Conv2d_1c_1x1',
  ]
  plain = names_of('mobilenet_v3_small_minimalistic')
  assert plain == [n for n in names if 'squeeze_excite' not in n]


def test_scopes_of_edgetpu():
  names = names_of('mobilenet_edgetpu')
  assert names[:4] == [
    'MobilenetEdgeTPU/Conv',
    'MobilenetEdgeTPU/expanded_conv/project',
    'MobilenetEdgeTPU/expanded_conv_1/expand',
    'MobilenetEdgeTPU/expanded_conv_1/project',
  ]
  assert names[-3:] == [
    'MobilenetEdgeTPU/expanded_conv_21/project',
    'MobilenetEdgeTPU/Conv_1',
    'MobilenetEdgeTPU/Logits/Conv2d_1c_1x1',
  ]


def test_network_that_slim_has_not():
  with pytest.raises(WeightsError, match='did you mean mobilenet_v3_large'):
    slim_names.names('mobilenet_v4_large', zoo.create('mobilenet_v3_large').network)
