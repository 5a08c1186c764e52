"""Heads that people put on networks: the probabilities are those of the framework."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from mobilenet.weights import loading
from tests.parity import frameworks, keras_models, measuring, torch_models

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings(frameworks.KERAS_WARNING),
]

SIZE = 96
TOLERANCE = 1e-4  # of a probability: logits may differ by as much of the largest


def ours(weights) -> np.ndarray:
  images = measuring.images(SIZE)
  return np.asarray(jax.nn.softmax(measuring.logits(weights, images, 'native')))


def two_classes(probability: np.ndarray) -> np.ndarray:
  return np.concatenate([1 - probability, probability], axis=1)


@dataclasses.dataclass(frozen=True)
class Parts:
  """PyTorch's networks and layers, to build with."""

  torch: Any
  models: Any
  create: Callable

  def v2(self, classes=5):
    return self.models.mobilenet_v2(num_classes=classes, width_mult=0.35)

  def v3(self, classes=5):
    return self.models.mobilenet_v3_small(num_classes=classes, width_mult=0.5)

  def timm(self, classes=5):
    return self.create('mobilenetv3_small_050', num_classes=classes)

  def dense(self, *sizes):
    """Dropout and a dense layer; or two, with a ReLU between them."""
    nn = self.torch.nn
    layers = [nn.Dropout(0.2), nn.Linear(*sizes[:2])]
    if len(sizes) == 3:
      layers += [nn.ReLU(), nn.Dropout(0.2), nn.Linear(*sizes[1:])]
    return nn.Sequential(*layers)

  def chain(self, **parts):
    """Modules under these names, one after another."""
    nn, names = self.torch.nn, list(parts)

    class Chain(nn.Module):
      def forward(self, x):
        for name in names:
          x = getattr(self, name)(x)
        return x

    made = Chain()
    for name, part in parts.items():
      setattr(made, name, part)
    return made

  def pool(self):
    nn = self.torch.nn
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def replaced(model, name, new):
  """`model.classifier[-1] = new` is name 'classifier.-1'."""
  name, _, place = name.partition('.')
  if place:
    getattr(model, name)[int(place)] = new
  else:
    setattr(model, name, new)
  return model


# Of torchvision's V3 x0.5 the features have 288 channels, its hidden layer 512 units;
# timm's has 1,024.
TORCH = {
  'one output': lambda p: p.v2(1),
  'a dense layer': lambda p: replaced(p.v2(), 'classifier', p.torch.nn.Linear(1280, 3)),
  'inside the last': lambda p: replaced(p.v2(), 'classifier.-1', p.dense(1280, 3)),
  'a hidden layer': lambda p: replaced(p.v2(), 'classifier', p.dense(1280, 16, 3)),
  'V3, inside the last': lambda p: replaced(p.v3(), 'classifier.-1', p.dense(512, 1)),
  'V3, no hidden layer': lambda p: replaced(p.v3(), 'classifier', p.dense(288, 3)),
  'V3, a hidden layer': lambda p: replaced(p.v3(), 'classifier', p.dense(288, 16, 3)),
  'timm, inside the last': lambda p: replaced(p.timm(), 'classifier', p.dense(1024, 3)),
  'timm, wrapped': lambda p: p.chain(backbone=p.timm(0), head=p.dense(1024, 3)),
  'features, wrapped': lambda p: p.chain(
    backbone=p.v2().features, pool=p.pool(), fc=p.torch.nn.Linear(1280, 1)
  ),
  'features, in a row': lambda p: p.torch.nn.Sequential(
    p.v2().features, p.pool(), p.torch.nn.Linear(1280, 3)
  ),
  'on its logits': lambda p: p.chain(model=p.v2(1000), fc=p.torch.nn.Linear(1000, 3)),
  'compiled': lambda p: p.chain(model=p.chain(_orig_mod=p.chain(module=p.v2(3)))),
}


@pytest.mark.parametrize('name', TORCH)
def test_heads_of_pytorch(name, tmp_path):
  for framework in ('torchvision', 'timm'):
    if reason := frameworks.missing(framework):
      pytest.skip(reason)
  torch, models = frameworks.load('torch'), frameworks.load('torchvision').models
  model = TORCH[name](Parts(torch, models, frameworks.load('timm').create_model))
  torch_models.fill(model, SIZE, np.random.default_rng(0))
  path = tmp_path / 'mine.pth'
  torch.save({'epoch': 3, 'model_state_dict': model.state_dict()}, path)
  logits = torch_models.run(model, measuring.images(SIZE))
  theirs = np.asarray(jax.nn.softmax(logits))
  if logits.shape[1] == 1:
    theirs = two_classes(np.asarray(jax.nn.sigmoid(logits)))
  np.testing.assert_allclose(ours(loading.load(path)), theirs, atol=TOLERANCE)


def on_a_body(keras, *layers, constructor='MobileNetV2'):
  """What the tutorials make: rescaling is left out, the images are in -1..1."""
  body = getattr(keras.applications, constructor)(
    weights=None,
    include_top=False,
    alpha=0.5,
    input_shape=(SIZE, SIZE, 3),
    pooling='avg',
  )
  return keras.Sequential([keras.Input((SIZE, SIZE, 3)), body, *layers])


def own_head(keras, constructor, **more):
  return getattr(keras.applications, constructor)(
    weights=None,
    alpha=0.5 if 'V3' not in constructor else 0.75,
    input_shape=(SIZE, SIZE, 3),
    classes=1,
    classifier_activation='sigmoid',
    **more,
  )


def written(keras, activation='relu', bias=True, classes=3, epsilon=1e-3):
  """MobileNet V1 x0.25, layer by layer, with Keras's default names."""
  layers = keras.layers
  image = x = keras.Input((SIZE, SIZE, 3))

  def unit(x, convolution):
    x = layers.BatchNormalization(epsilon=epsilon)(convolution(x))
    return layers.ReLU(6.0)(x) if activation == 'relu6' else layers.ReLU()(x)

  same = {'padding': 'same', 'use_bias': bias}
  x = unit(x, layers.Conv2D(8, 3, strides=2, **same))
  rows = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
  for out, stride in [*rows, *[(512, 1)] * 5, (1024, 2), (1024, 1)]:
    x = unit(x, layers.DepthwiseConv2D(3, strides=stride, **same))
    x = unit(x, layers.Conv2D(out // 4, 1, **same))
  x = layers.GlobalAveragePooling2D()(x)
  last = 'sigmoid' if classes == 1 else 'softmax'
  return keras.Model(image, layers.Dense(classes, activation=last)(x))


KERAS = {
  'a sigmoid': lambda k: on_a_body(k, k.layers.Dense(1, activation='sigmoid')),
  'a logit': lambda k: on_a_body(k, k.layers.Dense(1)),
  'a hidden layer': lambda k: on_a_body(
    k, k.layers.Dense(16, activation='gelu'), k.layers.Dense(1, activation='sigmoid')
  ),
  'V1': lambda k: on_a_body(
    k, k.layers.Dense(1), k.layers.Activation('sigmoid'), constructor='MobileNet'
  ),
  "V1's own": lambda k: own_head(k, 'MobileNet'),
  "V2's own": lambda k: own_head(k, 'MobileNetV2'),
  "V3's own": lambda k: own_head(k, 'MobileNetV3Small', include_preprocessing=False),
  'written': written,
  'written with ReLU6': lambda k: written(k, 'relu6', bias=False),
  'written, another epsilon': lambda k: written(k, classes=1, epsilon=1e-2),
}


def keras_probabilities(model, name) -> np.ndarray:
  theirs = keras_models.run(model, measuring.images(SIZE))
  if name == 'a logit':
    theirs = np.asarray(jax.nn.sigmoid(theirs))
  return two_classes(theirs) if theirs.shape[1] == 1 else theirs


def centre(model, name) -> None:
  """Moves one output to where a sigmoid is steep, between those of the images."""
  if model.output_shape[-1] == 1:
    bias = model.trainable_variables[-1]
    rest, one = keras_probabilities(model, name).T
    bias.assign(bias.numpy() - np.mean(np.log(one) - np.log(rest)))


@pytest.mark.parametrize('name', KERAS)
def test_heads_of_keras(name, tmp_path):
  if reason := frameworks.missing('keras'):
    pytest.skip(reason)
  model = KERAS[name](frameworks.load('keras'))
  keras_models.fill(model, SIZE, np.random.default_rng(0), raw=False)
  centre(model, name)
  theirs = keras_probabilities(model, name)
  assert np.ptp(theirs, axis=0).max() > 0.01, 'hardly anything would be compared'
  for path in (tmp_path / 'mine.keras', tmp_path / 'mine.h5'):
    model.save(path)
    np.testing.assert_allclose(ours(loading.load(path)), theirs, atol=TOLERANCE)
