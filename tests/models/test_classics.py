"""AlexNet, GoogLeNet, VGG, ResNet-50, Xception: maps and the layers of their own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models import counting, zoo
from mobilenet.models.alexnet import LocalNorm, local_norm
from mobilenet.models.classifier import Classifier
from mobilenet.models.googlenet import Inception
from mobilenet.models.initial import init_variables
from mobilenet.models.layers import pool
from mobilenet.models.resnet import Bottleneck
from mobilenet.models.rows import Conv, FlatHead, Network, Pool, Style
from mobilenet.models.xception import Residual

# Name and resolution: side of the last map.
LAST_MAPS = {
  ('alexnet', 224): 6,
  ('alexnet_2012', 224): 6,
  ('googlenet', 224): 7,
  ('googlenet_2014', 224): 7,
  ('vgg16', 224): 7,
  ('vgg19', 224): 7,
  ('resnet50', 224): 7,
  ('xception', 299): 10,
}


@pytest.mark.parametrize(('name', 'resolution'), LAST_MAPS)
def test_last_map(name, resolution):
  convolutions = [
    layer
    for layer in counting.layers(zoo.create(name), resolution)
    if layer.name.startswith('backbone') and layer.kind != 'norm'
  ]
  side = convolutions[-1].output_shape[0]
  # The last pool of AlexNet and VGG comes after their last convolution.
  halved = side // 2 if name.startswith(('alexnet', 'vgg')) else side
  assert halved == LAST_MAPS[name, resolution]


def test_published_vgg_is_of_convolutions_alone():
  """15.3 G in the MobileNet and ShuffleNet papers, 19.6 G in ResNet's for VGG-19."""
  for name, published in (('vgg16', 15_346_630_656), ('vgg19', 19_508_428_800)):
    layers = counting.layers(zoo.create(name), 224)
    convolutions = [layer for layer in layers if layer.kind != 'dense']
    assert counting.totals(convolutions)[1] == published


def test_the_two_towers_are_three_grouped_convolutions():
  layers = counting.layers(zoo.create('alexnet_2012'), 224)
  assert [layer.kind for layer in layers[:5]] == [
    'conv 11x11 /4',
    'grouped 5x5, 2',
    'conv 3x3',
    'grouped 3x3, 2',
    'grouped 3x3, 2',
  ]


def test_local_norm_is_the_formula_of_2012():
  x = np.random.default_rng(0).normal(size=(2, 3, 3, 7)).astype(np.float32)
  row = LocalNorm(size=5, alpha=0.3, beta=0.75, k=2.0)
  expected = np.empty_like(x)
  for c in range(7):
    total = (x[..., max(0, c - 2) : min(6, c + 2) + 1] ** 2).sum(-1)
    expected[..., c] = x[..., c] / (2.0 + 0.3 * total) ** 0.75
  np.testing.assert_allclose(local_norm(jnp.asarray(x), row), expected, rtol=1e-5)
  assert local_norm(jnp.ones((1, 1, 1, 3), jnp.bfloat16), row).dtype == jnp.bfloat16


def plain_max_pool(x, kernel, stride, before, out):
  """Windows are cut off at the border, whatever the padding."""
  y = np.empty((x.shape[0], out, out, x.shape[3]), x.dtype)
  for i in range(out):
    for j in range(out):
      top, left = i * stride - before, j * stride - before
      window = x[:, max(top, 0) : top + kernel, max(left, 0) : left + kernel]
      y[:, i, j] = window.max(axis=(1, 2))
  return y


@pytest.mark.parametrize(
  ('size', 'kernel', 'stride', 'rule', 'before', 'out'),
  [
    (7, 3, 2, 'valid', 0, 3),  # AlexNet
    (8, 3, 2, 'valid', 0, 3),  # the last row is not seen
    (8, 3, 2, 'ceil', 0, 4),  # GoogLeNet
    (7, 2, 2, 'ceil', 0, 4),  # torchvision's before stage 5
    (7, 2, 2, 'valid', 0, 3),  # VGG
    (5, 3, 1, 'torch', 1, 5),  # inside an inception module
    (7, 3, 2, 'torch', 1, 4),  # ResNet
    (7, 3, 2, 'tf', 1, 4),  # Xception: centred on an odd map,
    (8, 3, 2, 'tf', 0, 4),  # padded behind an even one
  ],
)
def test_pools(size, kernel, stride, rule, before, out):
  # Below zero, so that a border padded with zeros would win.
  x = np.random.default_rng(1).uniform(-2, -1, (2, size, size, 3)).astype(np.float32)
  y = pool(jnp.asarray(x), kernel, stride, 'max', rule)
  np.testing.assert_array_equal(y, plain_max_pool(x, kernel, stride, before, out))


def test_every_row_learns():
  """One small network of all the rows: finite logits, a gradient in every kernel."""
  network = Network(
    rows=(
      Conv(3, 8, 2, padding='valid'),
      LocalNorm(),
      Pool(3, 2, padding='ceil'),
      Conv(3, 16, groups=2),
      Inception(8, 8, 8, 8, 8, 8),
      Bottleneck(8, 32),  # the shortcut is the input
      Bottleneck(8, 48, 2),  # and a projection
      Residual((48, 64), 2),
    ),
    head=FlatHead(2, (16,)),
    style=Style(padding='torch', init='fan_in', lowering='native'),
  )
  model = Classifier(network, num_classes=5)
  variables = init_variables(model, (33, 33, 3), 0)
  images = np.random.default_rng(2).normal(size=(4, 33, 33, 3)).astype(np.float32)

  def loss(params):
    logits, _ = model.apply(
      {**variables, 'params': params}, images, train=True, mutable=['batch_stats']
    )
    return jnp.mean(jnp.square(logits - jnp.arange(5.0))), logits

  step = jax.jit(jax.grad(loss, has_aux=True))
  gradients, logits = step(variables['params'])
  assert logits.shape == (4, 5)
  assert np.isfinite(logits).all()
  assert np.ptp(np.asarray(logits), axis=0).min() > 0  # images are told apart
  for path, gradient in jax.tree_util.tree_leaves_with_path(gradients):
    if path[-1].key == 'kernel':
      assert np.isfinite(gradient).all()
      assert np.any(gradient != 0), jax.tree_util.keystr(path)
