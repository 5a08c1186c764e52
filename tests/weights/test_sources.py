"""Names of other frameworks' layers: one for each of ours, and those that are known."""

import re

import numpy as np
import pytest

from mobilenet.models import counting, zoo
from mobilenet.weights import dialects, exporting
from mobilenet.weights.sources import SOURCES
from tests.weights.made_weights import made, source

# What a norm is called where the name tells.
NORMS = {
  'timm': r'(.*\.)?(bn\d?|norm|norm_head)$',
  'timm (tf_)': r'(.*\.)?bn\d?$',
  'keras.applications': r'bn_Conv1$|.*_(BN|bn)$|batch_normalization:\d+$',
  'TF-slim': r'.*/BatchNorm$',
}
OF_A_GRAPH = r'\d+/norm$'


def ours(network):
  layers = counting.layers(zoo.create(network), 224)
  return [layer for layer in layers if layer.kind != 'attention']


@pytest.mark.parametrize('source', SOURCES, ids=lambda source: source.label)
def test_one_name_for_each_layer_of_ours(source):
  body, head = source.body_and_head()
  names, layers = body + head, ours(source.network)
  assert len(names) == len(layers)
  assert len(set(names)) == len(names)
  assert len(head) == sum(layer.name.startswith('head/') for layer in layers)
  graph = source.dialect in dialects.GRAPHS
  if graph or source.framework in NORMS:
    norms = OF_A_GRAPH if graph else NORMS[source.framework]
    for name, layer in zip(names, layers, strict=True):
      is_norm = bool(re.match(norms, name))
      assert is_norm == (layer.kind == 'norm'), (name, layer.name)


def test_branches_are_numbered_as_they_run_in_a_graph():
  """GoogLeNet's are listed here reductions first; exporters go branch by branch."""

  def names(dialect, network):
    (of,) = (
      s
      for s in SOURCES
      if (s.framework, s.dialect, s.network) == ('torchvision', dialect, network)
    )
    return [name for part in of.body_and_head() for name in part]

  google = dict(
    zip(names('torch', 'googlenet'), names('onnx', 'googlenet'), strict=True)
  )
  branches = ('1', '2.0', '2.1', '3.0', '3.1', '4.1')
  at = [google[f'inception3a.branch{branch}.conv'] for branch in branches]
  assert at == ['3', '4', '5', '6', '7', '8']
  assert google['inception3a.branch2.1.bn'] == '5/norm'
  assert (google['conv1.conv'], google['fc']) == ('0', '57')
  res = dict(zip(names('torch', 'resnet50'), names('onnx', 'resnet50'), strict=True))
  assert res['layer1.0.conv3'] == '3'
  assert res['layer1.0.downsample.0'] == '4'
  assert res['layer1.0.downsample.1'] == '4/norm'
  assert res['layer1.1.conv1'] == '5'


def test_no_two_sources_are_one():
  labels = [(s.label, s.dialect, tuple(s.body_and_head()[0])) for s in SOURCES]
  assert len(set(labels)) == len(SOURCES)


# Of the frameworks' own files: first and last layers in forward order.
ORDER = {
  ('torchvision', 'mobilenet_v2'): (
    'features.0.0 features.0.1 features.1.conv.0.0 features.1.conv.0.1 '
    'features.1.conv.1 features.1.conv.2 features.2.conv.0.0 features.2.conv.0.1 '
    'features.2.conv.1.0 features.2.conv.1.1 features.2.conv.2 features.2.conv.3',
    'features.18.0 features.18.1 classifier.1',
  ),
  ('torchvision', 'mobilenet_v3_small'): (
    'features.0.0 features.0.1 features.1.block.0.0 features.1.block.0.1 '
    'features.1.block.1.fc1 features.1.block.1.fc2 features.1.block.2.0 '
    'features.1.block.2.1 features.2.block.0.0',
    'features.12.0 features.12.1 classifier.0 classifier.3',
  ),
  ('torchvision', 'squeezenet_1_1'): (
    'features.0 features.3.squeeze features.3.expand1x1 features.3.expand3x3',
    'features.12.expand3x3 classifier.1',
  ),
  ('torchvision', 'shufflenet_v2'): (
    'conv1.0 conv1.1 stage2.0.branch1.0 stage2.0.branch1.1',
    'stage4.3.branch2.6 conv5.0 conv5.1 fc',
  ),
  ('torchvision', 'alexnet'): (
    'features.0 features.3 features.6 features.8 features.10 classifier.1',
    'classifier.4 classifier.6',
  ),
  ('torchvision', 'vgg16'): (
    'features.0 features.2 features.5 features.7 features.10',
    'features.28 classifier.0 classifier.3 classifier.6',
  ),
  ('torchvision', 'vgg19'): ('features.0 features.2', 'features.34 classifier.0'),
  ('timm', 'mobilenet_v1'): (
    'conv_stem bn1 blocks.0.0.conv_dw blocks.0.0.bn1 blocks.0.0.conv_pw blocks.0.0.bn2 '
    'blocks.1.0.conv_dw',
    'blocks.4.1.conv_pw blocks.4.1.bn2 classifier',
  ),
  ('timm', 'mobilenet_v2'): (
    'conv_stem bn1 blocks.0.0.conv_dw blocks.0.0.bn1 blocks.0.0.conv_pw blocks.0.0.bn2 '
    'blocks.1.0.conv_pw blocks.1.0.bn1 blocks.1.0.conv_dw blocks.1.0.bn2 '
    'blocks.1.0.conv_pwl blocks.1.0.bn3 blocks.1.1.conv_pw',
    'blocks.6.0.conv_pwl blocks.6.0.bn3 conv_head bn2 classifier',
  ),
  ('keras.applications', 'mobilenet_v1'): (
    'conv1 conv1_bn conv_dw_1 conv_dw_1_bn conv_pw_1 conv_pw_1_bn conv_dw_2',
    'conv_pw_13 conv_pw_13_bn conv_preds',
  ),
  ('keras.applications', 'mobilenet_v2'): (
    'Conv1 bn_Conv1 expanded_conv_depthwise expanded_conv_depthwise_BN '
    'expanded_conv_project expanded_conv_project_BN block_1_expand block_1_expand_BN',
    'block_16_project_BN Conv_1 Conv_1_bn predictions',
  ),
  ('keras.applications', 'mobilenet_v3_large'): (
    'conv conv_bn expanded_conv_depthwise expanded_conv_depthwise_bn '
    'expanded_conv_project expanded_conv_project_bn expanded_conv_1_expand',
    'expanded_conv_14_project_bn conv_1 conv_1_bn conv_2 logits',
  ),
  ('TF-slim', 'mobilenet_v1'): (
    'MobilenetV1/Conv2d_0 MobilenetV1/Conv2d_0/BatchNorm '
    'MobilenetV1/Conv2d_1_depthwise MobilenetV1/Conv2d_1_depthwise/BatchNorm '
    'MobilenetV1/Conv2d_1_pointwise',
    'MobilenetV1/Conv2d_13_pointwise/BatchNorm MobilenetV1/Logits/Conv2d_1c_1x1',
  ),
  ('TF-slim', 'mobilenet_v2'): (
    'MobilenetV2/Conv MobilenetV2/Conv/BatchNorm MobilenetV2/expanded_conv/depthwise '
    'MobilenetV2/expanded_conv/depthwise/BatchNorm MobilenetV2/expanded_conv/project '
    'MobilenetV2/expanded_conv/project/BatchNorm MobilenetV2/expanded_conv_1/expand',
    'MobilenetV2/Conv_1 MobilenetV2/Conv_1/BatchNorm MobilenetV2/Logits/Conv2d_1c_1x1',
  ),
}


@pytest.mark.parametrize('key', ORDER, ids=' '.join)
def test_names_in_forward_order(key):
  first, last = (names.split() for names in ORDER[key])
  body, head = source(*key).body_and_head()
  names = body + head
  assert names[: len(first)] == first
  # VGG19's row stops after the first dense layer.
  end = names.index(last[-1]) + 1
  assert names[end - len(last) : end] == last


# Arrays of the frameworks' own files at width 1, in their layout.
SHAPES = {
  ('torchvision', 'mobilenet_v2'): {
    'features.0.0.weight': (32, 3, 3, 3),
    'features.0.1.running_var': (32,),
    'features.1.conv.0.0.weight': (32, 1, 3, 3),
    'features.2.conv.0.0.weight': (96, 16, 1, 1),
    'features.18.0.weight': (1280, 320, 1, 1),
    'classifier.1.weight': (1000, 1280),
    'classifier.1.bias': (1000,),
  },
  ('torchvision', 'mobilenet_v3_large'): {
    'features.4.block.2.fc1.weight': (24, 72, 1, 1),
    'features.4.block.2.fc2.bias': (72,),
    'features.16.0.weight': (960, 160, 1, 1),
    'classifier.0.weight': (1280, 960),
    'classifier.3.weight': (1000, 1280),
  },
  ('torchvision', 'squeezenet_1_0'): {
    'features.0.weight': (96, 3, 7, 7),
    'features.3.squeeze.bias': (16,),
    'features.12.expand3x3.weight': (256, 64, 3, 3),
    'classifier.1.weight': (1000, 512, 1, 1),
  },
  ('torchvision', 'shufflenet_v2'): {
    'stage2.0.branch1.0.weight': (24, 1, 3, 3),
    'stage2.0.branch2.0.weight': (58, 24, 1, 1),
    'conv5.0.weight': (1024, 464, 1, 1),
    'fc.weight': (1000, 1024),
  },
  ('torchvision', 'resnet50'): {
    'conv1.weight': (64, 3, 7, 7),
    'layer1.0.downsample.0.weight': (256, 64, 1, 1),
    'layer4.2.conv3.weight': (2048, 512, 1, 1),
    'layer4.2.bn3.running_mean': (2048,),
  },
  ('torchvision', 'googlenet'): {
    'inception3a.branch2.1.conv.weight': (128, 96, 3, 3),
    # Where the paper has 5x5.
    'inception3a.branch3.1.conv.weight': (32, 16, 3, 3),
    'inception5b.branch4.1.conv.weight': (128, 832, 1, 1),
  },
  ('timm', 'mobilenet_v3_large'): {
    'blocks.2.0.se.conv_reduce.weight': (24, 72, 1, 1),
    'blocks.6.0.conv.weight': (960, 160, 1, 1),
    'conv_head.weight': (1280, 960, 1, 1),
    'conv_head.bias': (1280,),
    'classifier.weight': (1000, 1280),
  },
  ('timm', 'mobilenet_v4_conv_small'): {
    'conv_stem.weight': (32, 3, 3, 3),
    'blocks.0.0.conv.weight': (32, 32, 3, 3),
    'blocks.2.0.dw_start.conv.weight': (64, 1, 5, 5),
    'blocks.4.0.conv.weight': (960, 128, 1, 1),
    'conv_head.weight': (1280, 960, 1, 1),
    'norm_head.running_mean': (1280,),
  },
  ('timm', 'mobilenet_v4_hybrid_medium'): {
    'blocks.2.4.attn.query.proj.weight': (256, 160, 1, 1),
    'blocks.2.4.attn.key.down_conv.weight': (160, 1, 3, 3),
    'blocks.2.4.attn.value.norm.weight': (160,),
    'blocks.2.4.layer_scale.gamma': (160,),
  },
  ('keras.applications', 'mobilenet_v2'): {
    'Conv1/kernel': (3, 3, 3, 32),
    'bn_Conv1/variance': (32,),
    'expanded_conv_depthwise/kernel': (3, 3, 32, 1),
    'predictions/kernel': (1280, 1000),
  },
  ('keras.applications', 'mobilenet_v3_large'): {
    'expanded_conv_3_squeeze_excite_conv/kernel': (1, 1, 72, 24),
    'conv_2/kernel': (1, 1, 960, 1280),
    'conv_2/bias': (1280,),
    'logits/kernel': (1, 1, 1280, 1000),
  },
  ('keras.applications', 'mobilenet_v1'): {
    'conv_dw_13/kernel': (3, 3, 1024, 1),
    'conv_preds/kernel': (1, 1, 1024, 1000),
  },
  ('TF-slim', 'mobilenet_v2'): {
    'MobilenetV2/Conv/weights': (3, 3, 3, 32),
    'MobilenetV2/Conv/BatchNorm/moving_variance': (32,),
    'MobilenetV2/expanded_conv/depthwise/depthwise_weights': (3, 3, 32, 1),
    'MobilenetV2/expanded_conv_16/project/weights': (1, 1, 960, 320),
    'MobilenetV2/Logits/Conv2d_1c_1x1/weights': (1, 1, 1280, 1000),
    'MobilenetV2/Logits/Conv2d_1c_1x1/biases': (1000,),
  },
}


@pytest.mark.parametrize('key', SHAPES, ids=' '.join)
def test_arrays_in_their_layout(key):
  weights = made(key[1], num_classes=1000)
  tensors = exporting._tensors(weights, source(*key))
  for name, shape in SHAPES[key].items():
    assert tensors[name].shape == shape, name


@pytest.mark.parametrize('dialect', dialects.DIALECTS)
def test_a_layout_and_back(dialect):
  shapes = {'conv': (3, 3, 4, 8), 'depthwise': (5, 5, 1, 8), 'dense': (6, 3)}
  rng = np.random.default_rng(0)
  for kind, arrays in dialects.DIALECTS[dialect].items():
    for array in arrays:
      shape = shapes[kind] if array == 'kernel' else (8,)
      value = rng.random(shape, np.float32)
      for as_conv in (False, True):
        theirs = dialects.to_theirs(dialect, kind, array, value, as_conv=as_conv)
        ours = dialects.to_ours(dialect, kind, array, theirs, shape)
        np.testing.assert_array_equal(ours, value)
        assert dialects.to_ours(dialect, kind, array, theirs, (9, *shape)) is None


def test_where_a_value_goes():
  """One element of each kernel of PyTorch, which is laid out OIHW."""
  conv = np.zeros((8, 4, 3, 3), np.float32)
  conv[7, 2, 0, 1] = 1
  assert dialects.to_ours('torch', 'conv', 'kernel', conv, (3, 3, 4, 8))[0, 1, 2, 7]
  dense = np.zeros((5, 6), np.float32)
  dense[4, 1] = 1
  assert dialects.to_ours('torch', 'dense', 'kernel', dense, (6, 5))[1, 4]
  keras = np.zeros((3, 3, 8, 1), np.float32)
  keras[2, 0, 7, 0] = 1
  ours = dialects.to_ours('keras', 'depthwise', 'kernel', keras, (3, 3, 1, 8))
  assert ours[2, 0, 0, 7]
