"""The padding rule of a network that a file holds as a graph.

Convolutions of stride 1 are padded alike by all rules; those that stride tell.
"""

from typing import Any

from mobilenet.weights.weight_file import WeightFile

# Of Keras's V1 before each strided convolution, at even sizes and at odd ones.
KERAS_V1 = ((0, 1), (0, 1))


def padding_of(file: WeightFile, network: str) -> str:
  """The field `padding` of a model.

  Args:
    file: of a dialect of `dialects.GRAPHS`.
    network: of `zoo.NETWORKS`, if it is known.
  """
  strided = [layer for layer in file.metadata['layers'] if layer['stride'] > 1]
  # A converter makes SAME of Keras's padding only where the two agree, at even sizes.
  before = [layer['pad'] for layer in strided if layer['padded_before']]
  if network == 'mobilenet_v1' and KERAS_V1 in before:
    return 'keras_v1'
  if file.dialect == 'onnx':
    exported = file.metadata['layout'] == 'NCHW'  # by PyTorch; TensorFlow has NHWC
    return 'torch' if exported and not any(map(_is_sames, strided)) else 'tf'
  even = [layer['pad'] and not _is_uneven(layer) for layer in strided]
  return 'torch' if even and all(even) else 'tf'


def _is_sames(layer: dict[str, Any]) -> bool:
  """Whether a convolution that PyTorch exported is padded as TensorFlow pads.

  PyTorch's own padding is part of the convolution, and the same on both sides.
  """
  return layer['padding'] == 'SAME' or layer['padded_before'] or _is_uneven(layer)


def _is_uneven(layer: dict[str, Any]) -> bool:
  return any(before != after for before, after in layer['pad'] or ())
