"""How each framework names and lays out the arrays of one layer, both ways.

A dialect: kind of layer -> our array -> (suffix of theirs, their axes in our order).
"""

from collections.abc import Mapping

import numpy as np

# Of files that hold a graph, as their readers lay arrays out: ours. Norms are folded
# into biases, which `fitting` makes norms again.
_GRAPH = {
  'norm': {
    'scale': ('/scale', None),
    'bias': ('/bias', None),
    'mean': ('/mean', None),
    'var': ('/var', None),
  },
  'conv': {'kernel': ('/kernel', None), 'bias': ('/bias', None)},
  'depthwise': {'kernel': ('/kernel', None), 'bias': ('/bias', None)},
  'dense': {'kernel': ('/kernel', None), 'bias': ('/bias', None)},
}
GRAPHS = ('tflite', 'onnx')  # dialects
# Ours: kernels are HWIO; depthwise (k, k, 1, C); dense (I, O).
DIALECTS = {
  # OIHW; depthwise (C, 1, k, k); dense (O, I).
  'torch': {
    'conv': {'kernel': ('.weight', (2, 3, 1, 0)), 'bias': ('.bias', None)},
    'depthwise': {'kernel': ('.weight', (2, 3, 1, 0)), 'bias': ('.bias', None)},
    'dense': {'kernel': ('.weight', (1, 0)), 'bias': ('.bias', None)},
    'norm': {
      'scale': ('.weight', None),
      'bias': ('.bias', None),
      'mean': ('.running_mean', None),
      'var': ('.running_var', None),
    },
    'layer scale': {'layer_scale': ('.gamma', None)},
  },
  # HWIO; depthwise (k, k, C, 1).
  'keras': {
    'conv': {'kernel': ('/kernel', None), 'bias': ('/bias', None)},
    'depthwise': {'kernel': ('/kernel', (0, 1, 3, 2)), 'bias': ('/bias', None)},
    'dense': {'kernel': ('/kernel', None), 'bias': ('/bias', None)},
    'norm': {
      'scale': ('/gamma', None),
      'bias': ('/beta', None),
      'mean': ('/mean', None),
      'var': ('/variance', None),
    },
  },
  'slim': {
    'conv': {'kernel': ('/weights', None), 'bias': ('/biases', None)},
    'depthwise': {
      'kernel': ('/depthwise_weights', (0, 1, 3, 2)),
      'bias': ('/biases', None),
    },
    'dense': {'kernel': ('/weights', None), 'bias': ('/biases', None)},
    'norm': {
      'scale': ('/gamma', None),
      'bias': ('/beta', None),
      'mean': ('/moving_mean', None),
      'var': ('/moving_variance', None),
    },
  },
  **dict.fromkeys(GRAPHS, _GRAPH),
}


def kind_of(layer_kind: str) -> str:
  """'depthwise 3x3 /2' of `counting.Layer` -> 'depthwise': a key of a dialect."""
  if layer_kind in ('dense', 'norm', 'layer scale'):
    return layer_kind
  return 'depthwise' if layer_kind.startswith('depthwise') else 'conv'


def theirs(dialect: str, kind: str, array: str, name: str) -> str:
  """The name of one of our arrays of the layer that they call `name`."""
  return name + DIALECTS[dialect][kind][array][0]


def to_ours(
  dialect: str, kind: str, array: str, value: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray | None:
  """Their array in our layout; None if it cannot have our `shape`.

  A 1x1 convolution of theirs may be a dense layer of ours.
  """
  axes = DIALECTS[dialect][kind][array][1]
  if kind == 'dense' and array == 'kernel' and value.ndim == 4:
    axes = DIALECTS[dialect]['conv'][array][1]
    value = value.transpose(axes) if axes else value
    value, axes = (value[0, 0] if value.shape[:2] == (1, 1) else value), None
  if axes and value.ndim == len(axes):
    value = value.transpose(axes)
  return np.ascontiguousarray(value) if value.shape == tuple(shape) else None


def to_theirs(
  dialect: str, kind: str, array: str, value: np.ndarray, *, as_conv: bool = False
) -> np.ndarray:
  """The inverse of `to_ours`; `as_conv` makes a dense layer a 1x1 convolution."""
  if as_conv and kind == 'dense' and array == 'kernel':
    kind, value = 'conv', value[None, None]
  axes = DIALECTS[dialect][kind][array][1]
  value = value.transpose(np.argsort(axes)) if axes else value
  return np.ascontiguousarray(value)


def channels_last(kernel: np.ndarray, side: int) -> np.ndarray:
  """A dense kernel (channels * side * side, O) on a flattened map, as ours has rows.

  PyTorch flattens channel by channel, we pixel by pixel.
  """
  rows = kernel.reshape(-1, side, side, kernel.shape[-1])
  return np.ascontiguousarray(rows.transpose(1, 2, 0, 3)).reshape(kernel.shape)


def channels_first(kernel: np.ndarray, side: int) -> np.ndarray:
  """The inverse of `channels_last`."""
  rows = kernel.reshape(side, side, -1, kernel.shape[-1])
  return np.ascontiguousarray(rows.transpose(2, 0, 1, 3)).reshape(kernel.shape)


def y_first(values: np.ndarray) -> np.ndarray:
  """(..., 4 n) of kernels and biases, by (x, y, width, height), as by (y, x, ...).

  Its own inverse.
  """
  boxes = values.reshape(*values.shape[:-1], -1, 4)[..., [1, 0, 3, 2]]
  return np.ascontiguousarray(boxes).reshape(values.shape)


def layer_names(dialect: str, tensors: Mapping[str, np.ndarray]) -> list[str]:
  """The layers that the arrays of a file belong to, in the order of the file."""
  return list(dict.fromkeys(split(dialect, name)[0] for name in tensors))


def split(dialect: str, name: str) -> tuple[str, str]:
  """'features.0.0.weight' -> ('features.0.0', 'weight')."""
  layer, _, array = name.rpartition('.' if dialect == 'torch' else '/')
  return layer, array


def outputs(dialect: str, tensors: Mapping[str, np.ndarray], layer: str) -> int | None:
  """Output channels of a convolution (not a depthwise one) or dense layer."""
  kernel = tensors.get(theirs(dialect, 'conv', 'kernel', layer))
  if kernel is None or not kernel.ndim:
    return None
  return kernel.shape[output_axis(dialect)]


def output_axis(dialect: str) -> int:
  """Of the kernel of a convolution (not a depthwise one) or dense layer."""
  return 0 if dialect == 'torch' else -1


def inputs(dialect: str, tensors: Mapping[str, np.ndarray], layer: str) -> int | None:
  """Inputs of a dense layer, which may be a 1x1 convolution; None of any other."""
  kernel = tensors.get(theirs(dialect, 'dense', 'kernel', layer))
  if kernel is None or kernel.ndim not in (2, 4):
    return None
  torch = dialect == 'torch'
  if kernel.ndim == 4 and (kernel.shape[2:] if torch else kernel.shape[:2]) != (1, 1):
    return None
  return kernel.shape[1 if torch else -2]
