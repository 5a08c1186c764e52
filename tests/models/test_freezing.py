"""Which parts of a network are frozen, and what it computes in parts."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models import freezing, zoo
from mobilenet.models.classifier import Classifier, OnEmbeddings, WithEmbedding
from mobilenet.models.initial import init_variables
from mobilenet.models.rows import ConvHead, FlatHead, Head, ModelError
from tests.tiny import NETWORK


@pytest.mark.parametrize(
  ('trained', 'learning'),
  [
    ('all', ['backbone/stem', 'backbone/block_00', 'backbone/block_01', 'head/hidden']),
    ('last 2', ['backbone/block_00', 'backbone/block_01', 'head/hidden']),
    ('last 1', ['backbone/block_01', 'head/hidden']),
    ('head', ['head/hidden']),
    ('classifier', []),
  ],
)
def test_what_learns(trained, learning):
  frozen = freezing.frozen_parts(NETWORK, trained)
  model = Classifier(NETWORK, 4, frozen=frozen)
  names = ['backbone/stem', 'backbone/block_00', 'backbone/block_01', 'head/hidden']
  assert [name for name in names if model.learns(tuple(name.split('/')))] == learning
  assert model.learns(('head', 'classifier', 'kernel'))
  assert model.embedding_learns == bool(learning)


@pytest.mark.parametrize(
  ('name', 'trained', 'frozen'),
  [
    ('mobilenet_v2', 'stride 2', 1),
    ('mobilenet_v2', 'stride 4', 3),
    ('mobilenet_v2', 'stride 8', 5),
    ('mobilenet_v2', 'stride 32', 15),
    ('mobilenet_v1', 'stride 8', 5),
    ('mobilenet_v3_small', 'stride 8', 3),
  ],
)
def test_rows_of_small_maps(name, trained, frozen):
  network = zoo.create(name, num_classes=3).network
  assert freezing.frozen_parts(network, trained) == frozen


@pytest.mark.parametrize('trained', ['stride 0', 'stride 1', 'stride 64', 'stride x'])
def test_a_stride_that_is_none(trained):
  with pytest.raises(ModelError, match='model trained is'):
    freezing.frozen_parts(zoo.create('mobilenet_v2').network, trained)


@pytest.mark.parametrize('trained', ['none', 'last', 'last 0', 'last 3', 'last 99', ''])
def test_other_words_are_refused(trained):
  with pytest.raises(ModelError, match='model trained is'):
    freezing.frozen_parts(NETWORK, trained)


@pytest.mark.parametrize(
  ('name', 'pixels'),
  [('mobilenet_v3_small', 32), ('squeezenet_1_1', 32), ('vgg16', 32), ('alexnet', 63)],
)
def test_a_network_is_its_embedding_and_its_classifier(name, pixels):
  """Every kind of head; shapes alone, but for the smallest."""
  model = zoo.create(name, num_classes=3, trained='classifier')
  image = jax.ShapeDtypeStruct((2, pixels, pixels, 3), jnp.float32)

  def both(key, image):
    logits, variables = model.init_with_output(key, image)
    embedding = model.apply(variables, image, method='embed')
    return logits, OnEmbeddings.like(model).apply(variables, embedding)

  whole, parts = jax.eval_shape(both, jax.random.key(0), image)
  assert whole.shape == parts.shape == (2, 3)


def test_the_parts_give_the_numbers_of_the_whole():
  model = Classifier(NETWORK, 4)
  variables = init_variables(model, (12, 12, 3), 0)
  images = np.random.default_rng(0).standard_normal((2, 12, 12, 3), np.float32)
  embed = jax.jit(functools.partial(model.apply, method='embed'))
  embedding = embed(variables, images)
  assert embedding.shape == (2, 8)
  np.testing.assert_array_equal(
    jax.jit(OnEmbeddings.like(model).apply)(variables, embedding),
    jax.jit(model.apply)(variables, images),
  )


@pytest.mark.parametrize('name', ['mobilenet_v1', 'squeezenet_1_1', 'alexnet'])
def test_without_a_hidden_layer_the_head_gives_embeddings_that_learn_nothing(name):
  """SqueezeNet and V1 have none, AlexNet has two."""
  for trained, learns in (('last 1', True), ('head', name == 'alexnet')):
    model = zoo.create(name, num_classes=3, trained=trained)
    assert model.embedding_learns == learns


# A hidden layer with dropout and none behind the pool; V4's with a norm; one of each.
ALL_DROPPED = dataclasses.replace(NETWORK, head=FlatHead(1, (8, 8)))
NORMED = dataclasses.replace(NETWORK, head=Head(8, 'relu', norm=True))
MAPPED = dataclasses.replace(NETWORK, head=ConvHead())


@pytest.mark.parametrize(
  ('network', 'frozen'),
  [(NETWORK, 0), (NETWORK, 4), (NORMED, 0), (ALL_DROPPED, 1), (MAPPED, 0)],
)
def test_an_answer_in_training_is_one_pass_of_the_same_training(network, frozen):
  """The same logits with the same dropout, the same statistics, to the bit."""
  model = Classifier(network, 4, dropout=0.5, stochastic_depth=0.5, frozen=frozen)
  variables = init_variables(model, (12, 12, 3), 0)
  images = np.random.default_rng(0).standard_normal((4, 12, 12, 3), np.float32)

  def trained(model):
    return model.apply(
      variables,
      images,
      train=True,
      mutable=['batch_stats'],
      rngs={'dropout': jax.random.key(3)},
    )

  logits, statistics = trained(model)
  both = WithEmbedding.like(model)
  answer, statistics_too = trained(both)
  np.testing.assert_array_equal(answer.logits, logits)
  jax.tree.map(np.testing.assert_array_equal, statistics_too, statistics)
  # The logits are those of this embedding; it is the one before their dropout.
  assert answer.embedding.shape[0] == 4
  plain = model.apply(variables, images)
  assert np.any(plain != logits)
  np.testing.assert_array_equal(both.apply(variables, images), plain)
  if frozen == 4:
    np.testing.assert_array_equal(
      answer.embedding, model.apply(variables, images, method='embed')
    )


def test_frozen_rows_normalise_by_their_running_statistics():
  model = Classifier(NETWORK, 4, frozen=freezing.frozen_parts(NETWORK, 'last 1'))
  variables = init_variables(model, (12, 12, 3), 0)
  images = np.random.default_rng(0).standard_normal((2, 12, 12, 3), np.float32)

  def loss(params):
    variables_ = {**variables, 'params': params}
    logits, updates = model.apply(
      variables_, images, train=True, mutable=['batch_stats']
    )
    return jnp.sum(logits**2), updates['batch_stats']

  found = jax.jit(jax.grad(loss, has_aux=True))(variables['params'])
  gradients, statistics = jax.device_get(found)
  for tree, same in ((gradients, 0), (statistics, variables['batch_stats'])):
    for part, values in tree['backbone'].items():
      started = same['backbone'][part] if same else jax.tree.map(np.zeros_like, values)
      unchanged = [
        np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(values), jax.tree.leaves(started), strict=True)
      ]
      if part == 'block_01':
        assert not any(unchanged), part
      else:
        assert all(unchanged), part
