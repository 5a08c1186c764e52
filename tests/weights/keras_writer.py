"""Writes small Keras files with h5py, in every layout that Keras has written."""

import json

import h5py
import numpy as np

from mobilenet.weights.keras_file import write_keras

NORM = ('gamma', 'beta', 'moving_mean', 'moving_variance')
# A MobileNetV2 cut down to its stem and its first depthwise convolution.
V2 = {
  'Conv1': ('Conv2D', {'kernel': (3, 3, 3, 8)}),
  'bn_Conv1': ('BatchNormalization', dict.fromkeys(NORM, (8,))),
  'expanded_conv_depthwise': ('DepthwiseConv2D', {'depthwise_kernel': (3, 3, 8, 1)}),
}
OWN = {'predictions': ('Dense', {'kernel': (8, 5), 'bias': (5,)})}
HEAD = {
  'dense_7': ('Dense', {'kernel': (8, 4), 'bias': (4,)}),
  'dense_8': ('Dense', {'kernel': (4, 2), 'bias': (2,)}),
}
BASE = 'mobilenetv2_1.00_96'
GROUPS = {
  'Conv2D': 'conv2d',
  'DepthwiseConv2D': 'depthwise_conv2d',
  'BatchNormalization': 'batch_normalization',
  'Dense': 'dense',
}
READ = {'depthwise_kernel': 'kernel', 'moving_mean': 'mean'}
READ['moving_variance'] = 'variance'


def values(*layers):
  """'layer/variable' as it must be read -> array, different in every element."""
  arrays, start = {}, 0
  for group in layers:
    for name, (_, variables) in group.items():
      for variable, shape in variables.items():
        size = int(np.prod(shape))
        array = np.arange(start, start + size, dtype=np.float32).reshape(shape)
        arrays[f'{name}/{READ.get(variable, variable)}'] = array
        start += size
  return arrays


def renamed(arrays, names):
  split = [(*key.rsplit('/', 1), array) for key, array in arrays.items()]
  return {f'{names.get(layer, layer)}/{end}': array for layer, end, array in split}


def write_legacy(group, layers, arrays, suffix=':0', nested=(), prefix=''):
  """A legacy group; the layers of `nested` (name, layers) make one."""
  everything = [(name, {name: layer}) for name, layer in layers.items()]
  everything[:0] = [nested] if nested else []
  group.attrs['layer_names'] = [name.encode() for name, _ in everything]
  group.attrs['keras_version'] = b'2.9.0'
  for owner, parts in everything:
    member, paths = group.create_group(owner), []
    for name, (_, variables) in parts.items():
      for variable in variables:
        paths.append(f'{prefix}{name}/{variable}{suffix}')
        member[paths[-1]] = arrays[f'{name}/{READ.get(variable, variable)}']
    member.attrs['weight_names'] = [path.encode() for path in paths]


def write_keras3(root, layers, arrays, named=True, at='layers', step=1):
  """Keras 3's groups by class; `step` 2 leaves gaps in the numbers."""
  counts = {}
  for name, (kind, variables) in layers.items():
    number = counts.get(kind, 0)
    counts[kind] = number + step
    key = GROUPS[kind] + (f'_{number}' if number else '')
    member = root.create_group(f'{at}/{key}/vars')
    if named:
      member.attrs['name'] = name
    for n, variable in enumerate(variables):
      member[str(n)] = arrays[f'{name}/{READ.get(variable, variable)}']


def layer_config(name, kind, **config):
  return {'class_name': kind, 'config': {'name': name, **config}}


def model_config(name, layers, *, first=(), kind='Functional'):
  inner = [
    layer if isinstance(layer, dict) else layer_config(layer, layers[layer][0])
    for layer in layers
  ]
  return {'class_name': kind, 'config': {'name': name, 'layers': [*first, *inner]}}


def write_model(path, arrays, config=None):
  """A whole model of Keras 2: arrays by 'layer/variable', and what it computes."""
  write_keras(path, arrays, dict.fromkeys(name.rpartition('/')[0] for name in arrays))
  if config is not None:
    with h5py.File(path, 'a') as file:
      file.attrs['model_config'] = json.dumps(config)


def headed_config(*head, size=96):
  """A body, of which only the stem is told, pooled, with these layers on it."""
  stem = [
    layer_config('input', 'InputLayer', batch_shape=[None, size, size, 3]),
    layer_config('conv1', 'Conv2D'),
    layer_config('conv1_bn', 'BatchNormalization'),
    layer_config('pool', 'GlobalAveragePooling2D'),
  ]
  return model_config('mine', [*stem, *head])


def transfer_config():
  """What a tutorial makes: rescaling, MobileNetV2, pool, dropout, two dense layers."""
  image = layer_config('input_1', 'InputLayer', batch_input_shape=[None, 96, 96, 3])
  base = model_config(BASE, V2, first=[image])
  outer = [
    layer_config('input_2', 'InputLayer', batch_shape=[None, 96, 96, 3]),
    {**model_config('sequential', [layer_config('random_flip', 'RandomFlip')])},
    layer_config('rescaling', 'Rescaling', scale=1 / 127.5, offset=-1),
    base,
    layer_config('pool', 'GlobalAveragePooling2D'),
    layer_config('dropout', 'Dropout'),
    layer_config('dense_7', 'Dense', activation='relu'),
    layer_config('dense_8', 'Dense', activation='softmax'),
  ]
  return {'class_name': 'Sequential', 'config': {'name': 'mine', 'layers': outer}}


def check(read, expected):
  assert set(read.tensors) == set(expected)
  for name, array in expected.items():
    np.testing.assert_array_equal(read.tensors[name], array, err_msg=name)
