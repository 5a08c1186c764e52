"""TF-slim checkpoints and TFLite files, written from networks of Keras."""

import contextlib
import io
import pathlib
import re
import warnings

import numpy as np

from tests.parity import frameworks
from tests.parity.keras_models import KerasModel, layer_and_variable

# Keras's layer -> slim's scope. Written out here: ours is what is to be tested.
SCOPES = {
  'MobileNet': (
    ('conv1(_bn)?', 'Conv2d_0'),
    (r'conv_dw_(?P<n>\d+)(_bn)?', r'Conv2d_\g<n>_depthwise'),
    (r'conv_pw_(?P<n>\d+)(_bn)?', r'Conv2d_\g<n>_pointwise'),
    ('conv_preds', 'Logits/Conv2d_1c_1x1'),
  ),
  'MobileNetV2': (
    ('Conv1|bn_Conv1', 'Conv'),
    ('Conv_1(_bn)?', 'Conv_1'),
    (r'expanded_conv_(?P<part>[a-z]+)(_BN)?', r'expanded_conv/\g<part>'),
    (r'block_(?P<n>\d+)_(?P<part>[a-z]+)(_BN)?', r'expanded_conv_\g<n>/\g<part>'),
    ('predictions', 'Logits/Conv2d_1c_1x1'),
  ),
  'MobileNetV3': (
    ('conv(_bn)?', 'Conv'),
    ('conv_1(_bn)?', 'Conv_1'),
    ('conv_2', 'Conv_2'),
    (
      r'(?P<block>expanded_conv(_\d+)?)_squeeze_excite_conv(?P<n>(_1)?)',
      r'\g<block>/squeeze_excite/Conv\g<n>',
    ),
    (
      r'(?P<block>expanded_conv(_\d+)?)_(?P<part>[a-z]+)(_bn)?',
      r'\g<block>/\g<part>',
    ),
    ('logits', 'Logits/Conv2d_1c_1x1'),
  ),
}
ROOTS = {
  'MobileNet': 'MobilenetV1',
  'MobileNetV2': 'MobilenetV2',
  'MobileNetV3': 'MobilenetV3',
}


class SlimModel(KerasModel):
  """A network of Keras whose arrays are saved as TF-slim names them."""

  def save(self, path: pathlib.Path) -> None:
    tf = frameworks.load('tensorflow')
    arrays = {'global_step': np.int64(7)}
    for variable in self.model.weights:
      layer, _, name = layer_and_variable(variable).rpartition('/')
      arrays[slim_name(self.case.constructor, layer, name)] = _as_slim(variable)
    names = sorted(arrays)
    tf.raw_ops.SaveV2(
      prefix=str(path),
      tensor_names=names,
      shape_and_slices=[''] * len(names),
      tensors=[arrays[name] for name in names],
    )

  def logits(self, images: np.ndarray) -> np.ndarray:
    return super().logits(images)[:, 1:]  # the background is left out here


def slim_name(constructor: str, layer: str, variable: str) -> str:
  """('MobileNetV2', 'block_1_expand_BN', 'gamma') -> its name in a checkpoint."""
  family = constructor.removesuffix('Large').removesuffix('Small')
  scope = next(
    re.sub(f'^({pattern})$', replacement, layer)
    for pattern, replacement in SCOPES[family]
    if re.fullmatch(pattern, layer)
  )
  depthwise = scope.endswith('depthwise')
  end = {
    'kernel': 'depthwise_weights' if depthwise else 'weights',
    'bias': 'biases',
  }.get(variable, f'BatchNorm/{variable}')
  return f'{ROOTS[family]}/{scope}/{end}'


def _as_slim(variable) -> np.ndarray:
  value = variable.numpy()
  return value[None, None] if value.ndim == 2 else value  # its dense layer is a 1x1


class TFLiteModel(KerasModel):
  """A network of Keras that TensorFlow's converter saves and its interpreter runs."""

  def save(self, path: pathlib.Path) -> None:
    tf = frameworks.load('tensorflow')
    with contextlib.redirect_stdout(io.StringIO()):  # a line for each array
      converted = tf.lite.TFLiteConverter.from_keras_model(self.model).convert()
    path.write_bytes(converted)
    self.path = path

  def logits(self, images: np.ndarray) -> np.ndarray:
    tf = frameworks.load('tensorflow')
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')  # that the interpreter has moved
      interpreter = tf.lite.Interpreter(str(self.path))
    interpreter.allocate_tensors()
    (given,), (wanted,) = (
      interpreter.get_input_details(),
      interpreter.get_output_details(),
    )
    rows = []
    for image in images:  # files are of batch 1
      interpreter.set_tensor(given['index'], image[None])
      interpreter.invoke()
      rows.append(interpreter.get_tensor(wanted['index'])[0])
    return np.stack(rows)
