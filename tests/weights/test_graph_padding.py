"""The padding rule of a graph, by what its strided convolutions have."""

import pathlib

import pytest

from mobilenet.weights.graph_padding import padding_of
from mobilenet.weights.weight_file import WeightFile

EVEN, MORE_AFTER, WIDER = ((1, 1), (1, 1)), ((0, 1), (0, 1)), ((1, 2), (1, 2))


def layer(pad, *, before=False, padding='VALID', stride=2):
  return {'stride': stride, 'pad': pad, 'padded_before': before, 'padding': padding}


def rule(layers, layout=None, network='mobilenet_v2'):
  dialect = 'onnx' if layout else 'tflite'
  metadata = {'layers': layers, **({'layout': layout} if layout else {})}
  return padding_of(WeightFile(pathlib.Path('file'), dialect, {}, metadata), network)


@pytest.mark.parametrize(
  ('layers', 'padding'),
  [
    # Part of the convolution, both sides alike, or none: PyTorch's.
    ([layer(EVEN), layer(EVEN)], 'torch'),
    ([layer(None), layer(EVEN)], 'torch'),
    # More at one side; or an op of its own; or the rule by its name.
    ([layer(EVEN), layer(MORE_AFTER)], 'tf'),
    ([layer(EVEN, before=True)], 'tf'),
    ([layer(None, before=True, padding='SAME')], 'tf'),
    ([layer(WIDER), layer(EVEN)], 'tf'),
    # What does not stride says nothing.
    ([layer(EVEN), layer(MORE_AFTER, stride=1)], 'torch'),
  ],
)
def test_of_what_pytorch_exported(layers, padding):
  assert rule(layers, 'NCHW') == padding


def test_of_what_tensorflow_exported():
  # At an odd size SAME is even, and is no less SAME.
  assert rule([layer(EVEN), layer(EVEN, before=True)], 'NHWC') == 'tf'
  own = [layer(MORE_AFTER), layer(MORE_AFTER, before=True)]
  assert rule(own, 'NHWC', 'mobilenet_v1') == 'keras_v1'
  assert rule(own, 'NHWC') == 'tf'
  # The stem's alone is of the convolution: SAME, which Keras's V1 is there too.
  assert rule(own[:1], 'NHWC', 'mobilenet_v1') == 'tf'


def test_of_tflite():
  assert rule([layer(EVEN, before=True)] * 2) == 'torch'
  assert rule([layer(None, padding='SAME')]) == 'tf'
  own = [layer(None, padding='SAME'), layer(MORE_AFTER, before=True)]
  assert rule(own, network='mobilenet_v1') == 'keras_v1'
  assert rule([]) == 'tf'
