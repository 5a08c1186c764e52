"""Activation maps against what they are defined as, and the pictures made of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models.classifier import Classifier
from mobilenet.models.initial import init_variables
from mobilenet.models.rows import Conv, ConvHead, FlatHead, Head, Network, Style
from mobilenet.tasks.classification import activation_map

CLASSES = 3


def classifier(head, **style):
  rows = (Conv(3, 8, 4, 'relu'), Conv(3, 8, 2, 'relu'))
  return Classifier(Network(rows, head, style=Style(**style)), CLASSES)


def made_variables(model):
  """Variables in which every value matters: none is zero, biases are not alike."""
  variables = init_variables(model, (32, 32, 3), 0)
  leaves, tree = jax.tree.flatten(variables)
  rng = np.random.default_rng(5)
  leaves = [x + 0.1 * rng.uniform(0.2, 1, x.shape).astype(x.dtype) for x in leaves]
  return jax.tree.unflatten(tree, leaves)


def images(count=4):
  rng = np.random.default_rng(1)
  return rng.standard_normal((count, 32, 32, 3)).astype(np.float32)


@pytest.mark.parametrize(
  'head', [Head(), Head(8), Head(8, norm=True), ConvHead(), FlatHead(2, (6,))], ids=str
)
def test_every_head_gives_maps_from_zero_to_one(head):
  model = classifier(head)
  asked = np.array([0, 1, 2, 1])
  maps = activation_map.activation_maps(model, made_variables(model), images(), asked)
  assert maps.shape == (4, 4, 4)
  assert maps.dtype == np.float32
  assert maps.min() >= 0
  largest = maps.max(axis=(1, 2))
  assert set(largest.tolist()) <= {0.0, 1.0}
  assert (largest == 1).any(), 'no map at all'


def test_a_linear_head_gives_the_class_activation_map():
  """1512.04150: the sum of the channels, weighted as the classifier weights them."""
  model = classifier(Head())
  variables = made_variables(model)
  asked = np.array([0, 1, 1, 0])
  maps = activation_map.activation_maps(model, variables, images(), asked)
  features, _ = model.apply(variables, images(), method='features')
  kernel = variables['params']['head']['classifier']['kernel']
  cam = np.einsum('nhwc,cn->nhw', features, np.asarray(kernel)[:, asked])
  cam = np.maximum(cam, 0)
  assert (cam.max(axis=(1, 2)) > 0).all()
  expected = cam / cam.max(axis=(1, 2), keepdims=True)
  np.testing.assert_allclose(maps, expected, atol=1e-5)


def test_a_hidden_layer_weights_channels_by_the_gradient():
  """Against slopes measured by moving each channel of the map as a whole."""
  model = classifier(Head(8, 'hard_swish'))
  variables = made_variables(model)
  features, _ = model.apply(variables, images(1), method='features')

  @jax.jit
  def logits(moved):
    return model.apply(variables, moved, method=lambda module, x: module.head(x))[0]

  step = 1e-2
  slopes = np.stack(
    [
      (logits(features + step * one) - logits(features - step * one)) / (2 * step)
      for one in np.eye(features.shape[-1], dtype=np.float32)
    ]
  )
  expected = np.maximum(np.einsum('hwc,cn->nhw', features[0], slopes), 0)
  largest = expected.max(axis=(1, 2), keepdims=True)
  assert largest.any()
  same = np.repeat(images(1), CLASSES, axis=0)
  maps = activation_map.activation_maps(model, variables, same, np.arange(CLASSES))
  np.testing.assert_allclose(maps, expected / np.maximum(largest, 1e-9), atol=2e-3)


def test_images_do_not_mix():
  model = classifier(Head(8))
  variables = made_variables(model)
  together = activation_map.activation_maps(model, variables, images(), [0, 1, 2, 0])
  alone = activation_map.activation_maps(model, variables, images()[2:3], [2])
  np.testing.assert_allclose(together[2:3], alone, atol=1e-5)


def test_a_dead_class_has_an_empty_map_and_no_nan():
  model = classifier(ConvHead())
  variables = made_variables(model)
  bias = variables['params']['head']['classifier']['bias']
  variables['params']['head']['classifier']['bias'] = jnp.full_like(bias, -1e3)
  maps = activation_map.activation_maps(model, variables, images(1), [0])
  np.testing.assert_array_equal(maps, np.zeros((1, 4, 4)))


def test_bfloat16_gives_nearly_the_same_map():
  model = classifier(Head())
  variables = made_variables(model)
  maps = activation_map.activation_maps(model, variables, images(1), [0])
  rough = activation_map.activation_maps(
    classifier(Head(), dtype='bfloat16'), variables, images(1), [0]
  )
  assert rough.dtype == np.float32
  np.testing.assert_allclose(rough, maps, atol=0.05)


@pytest.mark.parametrize(
  ('asked', 'expected'),
  [([0], 'one class for each of 2 images'), ([0, 3], 'class 3 is not one of 3')],
)
def test_classes_that_do_not_fit(asked, expected):
  model = classifier(Head())
  with pytest.raises(ValueError, match=expected):
    activation_map.activation_maps(model, made_variables(model), images(2), asked)


@pytest.mark.parametrize('shape', [(90, 120), (240, 60), (50, 2500)])
def test_the_heat_lies_on_the_part_that_was_seen(shape):
  photo = np.full((*shape, 3), 128, np.uint8)
  window = (10.0, 20.0, 25.0, 30.0)
  heat = np.eye(4, dtype=np.float32)
  figure = activation_map.draw_activation(photo, window, heat, 'a $class_, 87.3 %')
  left, right, bar = figure.axes
  assert max(left.images[0].get_array().shape) <= 1200
  assert len(left.patches) == 2
  assert left.patches[-1].get_bbox().bounds == (20, 10, 30, 25)
  whole, over = right.images
  assert whole.get_extent() == [0, shape[1], shape[0], 0]
  assert over.get_extent() == [20, 50, 35, 10]
  assert right.get_xlim() == (0, shape[1])
  assert right.get_ylim() == (shape[0], 0)
  np.testing.assert_array_equal(over.get_array(), heat)
  assert [label.get_text() for label in bar.get_yticklabels()] == ['low', 'high']


def test_a_photo_seen_whole_has_no_frame():
  photo = np.zeros((20, 30, 3), np.uint8)
  figure = activation_map.draw_activation(photo, (0, 0, 20, 30), np.ones((2, 2)), 'x')
  assert not figure.axes[0].patches


def test_the_hot_corner_is_red_in_the_file(tmp_path):
  """The map's first row is the top of the photo, its first column the left."""
  from PIL import Image

  photo = np.full((200, 200, 3), 128, np.uint8)
  heat = np.zeros((4, 4), np.float32)
  heat[0, 3] = 1  # top right
  path = activation_map.activation_picture(
    tmp_path / 'deep' / 'map.png', photo, (0, 0, 200, 200), heat, 'cat, 100.0 %'
  )
  pixels = np.asarray(Image.open(path).convert('RGB')).astype(int)
  red = pixels[..., 0] - pixels[..., 2] > 60
  y, x = (axis.mean() for axis in np.nonzero(red))
  height, width = red.shape
  # Of the right picture, which begins at half of the width.
  assert 0.1 < y / height < 0.4
  assert 0.85 < x / width < 1
