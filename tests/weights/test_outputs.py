"""What a classifier's outputs mean: one sigmoid is two classes; others are refused."""

import pathlib

import jax
import numpy as np
import pytest

from mobilenet.weights import outputs
from mobilenet.weights.outputs import as_softmax
from mobilenet.weights.weight_file import WeightFile, WeightsError

# Dialect -> arrays of a classifier of 3 features and n outputs, by its layout.
CLASSIFIERS = {
  'torch': lambda w, b: {'fc.weight': w.T, 'fc.bias': b},
  'keras': lambda w, b: {'fc/kernel': w, 'fc/bias': b},
  'slim': lambda w, b: {'fc/weights': w[None, None], 'fc/biases': b},
  'tflite': lambda w, b: {'fc/kernel': w, 'fc/bias': b},
}
KERNEL = np.float32([[1.5], [-2.0], [0.25]])
BIAS = np.float32([0.3])


def classifier(dialect, kernel, bias, **metadata):
  tensors = CLASSIFIERS[dialect](kernel, bias) | {'other': np.ones(2)}
  return WeightFile(pathlib.Path('mine.file'), dialect, tensors, metadata)


def read(file):
  return as_softmax(file, file.tensors, 'fc')


@pytest.mark.parametrize('dialect', CLASSIFIERS)
def test_one_output_is_two_classes_exactly(dialect):
  made = read(classifier(dialect, KERNEL, BIAS))
  assert (made.count, made.left_out) == (2, 0)
  wide = np.concatenate([0 * KERNEL, KERNEL], axis=1)
  expected = CLASSIFIERS[dialect](wide, np.float32([0, 0.3])) | {'other': np.ones(2)}
  assert made.tensors.keys() == expected.keys()
  for name, value in expected.items():
    np.testing.assert_array_equal(made.tensors[name], value)
    assert made.tensors[name].dtype == value.dtype
  features = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
  logit = features @ KERNEL + BIAS
  softmax = jax.nn.softmax(features @ wide + np.float32([0, 0.3]))
  np.testing.assert_allclose(softmax[:, 1:], jax.nn.sigmoid(logit), rtol=1e-6)


@pytest.mark.parametrize(
  ('dialect', 'metadata', 'note'),
  [
    ('torch', {}, 'its one output is taken for the logit of a sigmoid'),
    ('keras', {'output': 'sigmoid'}, 'its one output, a sigmoid, is the probability'),
    ('keras', {'output': 'linear'}, 'is taken for the logit'),
    ('keras', {'output': 'linear', 'loss': 'BinaryCrossentropy'}, 'is taken for the'),
    ('keras', {'output': 'linear', 'loss': 'binary_crossentropy'}, 'is taken for the'),
    ('keras', {'output': 'sigmoid', 'loss': 'mse'}, 'a sigmoid, is the probability'),
    ('tflite', {'output': 'sigmoid'}, 'a sigmoid, is the probability'),
    ('tflite', {'output': 'logits'}, 'is taken for the logit'),
  ],
)
def test_it_is_told_which_class_is_which(dialect, metadata, note):
  (told,) = read(classifier(dialect, KERNEL, BIAS, **metadata)).notes
  assert note in told
  assert 'the probability of class 1, and the rest that of class 0' in told
  folders = 'of two folders Keras has the one that is second by name as class 1'
  assert (folders in told) == (dialect == 'keras')
  assert '\n' not in told


@pytest.mark.parametrize(
  ('count', 'metadata', 'message'),
  [
    (1, {'output': 'softmax'}, 'one output with the activation softmax, which is no'),
    (1, {'output': 'tanh'}, 'one output with the activation tanh, which is no'),
    (1, {'output': 'linear', 'loss': 'mse'}, 'activation linear, trained with mse'),
    (1, {'output': 'logits', 'layers': [{'activation': 'RELU'}]}, 'activation relu'),
    (3, {'output': 'sigmoid'}, r'has 3 sigmoid outputs, one for each label \(multi-l'),
    (
      3,
      {'output': 'linear', 'loss': 'BinaryCrossentropy'},
      r'has 3 sigmoid outputs, one for each label \(multi-l',
    ),
    (3, {'output': 'relu'}, '3 outputs with the activation relu, which are no'),
    (3, {'output': 'relu and softmax'}, 'the activation relu and softmax'),
  ],
)
def test_other_outputs_are_refused_in_one_line(count, metadata, message):
  kernel, bias = KERNEL.repeat(count, axis=1), BIAS.repeat(count)
  with pytest.raises(WeightsError, match=message) as error:
    read(classifier('keras', kernel, bias, **metadata))
  assert str(error.value).startswith('mine.file has ')
  assert '\n' not in str(error.value)


def test_the_activation_of_the_networks_own_classifier_is_no_surprise():
  """SqueezeNet's ReLU, before it averages."""
  metadata = {'output': 'softmax', 'layers': [{'activation': 'RELU'}]}
  file = classifier('keras', KERNEL.repeat(3, axis=1), BIAS.repeat(3), **metadata)
  made = as_softmax(file, file.tensors, 'fc', 'relu')
  assert (made.count, made.notes) == (3, ())


@pytest.mark.parametrize(
  'metadata',
  [
    {},
    {'output': 'softmax', 'loss': 'categorical_crossentropy'},
    {'output': 'linear', 'loss': 'SparseCategoricalCrossentropy'},
    {'output': 'softmax', 'loss': 'binary_crossentropy'},  # wrong, and works
    {'output': 'logits', 'layers': [{'activation': 'NONE'}]},
  ],
)
def test_classes_stay_as_they_are(metadata):
  file = classifier('keras', KERNEL.repeat(3, axis=1), BIAS.repeat(3), **metadata)
  made = read(file)
  assert (made.count, made.left_out, made.notes) == (3, 0, ())
  assert made.tensors == file.tensors


def test_imagenets_background_is_left_out():
  count = outputs.WITH_BACKGROUND
  kernel = np.arange(3 * count, dtype=np.float32).reshape(3, count)
  for dialect in CLASSIFIERS:
    made = read(classifier(dialect, kernel, np.arange(count)))
    assert (made.count, made.left_out) == (1000, 1)
    wanted = CLASSIFIERS[dialect](kernel[:, 1:], np.arange(1, count))
    for name, value in wanted.items():
      np.testing.assert_array_equal(made.tensors[name], value)
