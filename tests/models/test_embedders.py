"""Embedders have the published sizes, points on a sphere, and no classes in use."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models import counting, embedders, folding, mobile_face_net, zoo
from mobilenet.models.initial import init_variables
from mobilenet.models.layers import PRelu
from mobilenet.models.rows import PRELU, Conv, Inverted, ModelError, Network
from mobilenet.tasks.embeddings.task import Embeddings

# 1804.07573: 0.99 M parameters, 221 M multiply-adds at 112 px, of 128 numbers; those of
# 512 are insightface's. The others are counted with 128, at the size of their paper.
SIZES = [
  ('mobile_face_net', 128, 112, 1_003_136, 220_965_376),
  ('mobile_face_net', 512, 112, 1_200_512, 221_161_984),
  ('embed_mobilenet_v1', 128, 224, 3_338_304, 567_847_424),
  ('embed_mobilenet_v2', 128, 224, 2_387_968, 299_658_112),
  ('embed_mobilenet_v3_large', 128, 224, 3_095_088, 214_203_840),
  ('embed_mobilenet_v3_small', 128, 224, 1_000_992, 54_970_304),
  ('embed_mobilenet_v4_conv_small', 128, 224, 1_384_800, 183_619_648),
]


@pytest.mark.parametrize(
  ('name', 'size', 'px', 'parameters', 'multiply_adds'), SIZES, ids=str
)
def test_published_sizes(name, size, px, parameters, multiply_adds):
  model = embedders.create(name, num_classes=0, embedding=size)
  assert counting.count(model, px) == (parameters, multiply_adds)


def test_no_embedder_is_without_a_count():
  assert {name for name, *_ in SIZES} == set(embedders.EMBEDDERS)


def test_what_the_paper_counts_of_a_norm_is_its_shift():
  """0.99 M are without the norms' scales, which a convolution after them can have."""
  layers = counting.layers(embedders.create('mobile_face_net', num_classes=7), 112)
  sizes = {
    kind: sum(layer.parameters for layer in layers if layer.kind == kind)
    for kind in ('norm', 'prelu')
  }
  assert sizes == {'norm': 19_584, 'prelu': 7_552}
  total, _ = counting.totals(layers)
  assert total - sizes['norm'] // 2 == 993_344


TRUNK = Network(
  rows=(
    Conv(3, 8, 2, PRELU),
    mobile_face_net.Depthwise(3),
    Inverted(3, 2, 8, 1, act=PRELU),
    Conv(1, 16, 1, PRELU),
  ),
  # XLA's own convolutions compile fastest.
  style=dataclasses.replace(
    zoo.NETWORKS['mobile_face_net_trunk'].style, lowering='native'
  ),
)
QUICKLY = {
  'xla_backend_optimization_level': 0,
  'xla_llvm_disable_expensive_passes': True,
}
IMAGES = np.random.default_rng(0).standard_normal((4, 16, 16, 3)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0])


def made(**options):
  model = embedders.Embedder(TRUNK, 3, size=6, **options)
  return model, init_variables(model, IMAGES.shape[1:], 0)


def test_a_step_makes_the_loss_smaller():
  model, variables = made(pooling='gdc', dropout=0.1)
  task, batch = Embeddings(scale=8.0), {'label': LABELS}

  def loss(params):
    answer, _ = model.apply(
      {**variables, 'params': params},
      IMAGES,
      train=True,
      mutable=['batch_stats'],
      rngs={'dropout': jax.random.key(0)},
    )
    return task.loss(params, answer, batch), answer

  step = jax.jit(jax.value_and_grad(loss, has_aux=True))
  step = step.lower(variables['params']).compile(compiler_options=QUICKLY)
  (before, answer), gradients = jax.device_get(step(variables['params']))
  assert answer.cosines.shape == (4, 3)
  for path, gradient in jax.tree_util.tree_leaves_with_path(gradients):
    assert np.isfinite(gradient).all()
    assert np.any(gradient), jax.tree_util.keystr(path)
  # A step so short that the loss must follow the slope.
  slope = sum(float(np.sum(np.square(g))) for g in jax.tree.leaves(gradients))
  rate = np.float32(0.01 * float(before) / slope)
  params = jax.tree.map(lambda p, g: p - rate * g, variables['params'], gradients)
  (after, _), _ = step(params)
  assert float(after) < float(before)


def test_classes_are_for_training_alone():
  model, variables = made()
  assert variables['params']['classes']['kernel'].shape == (6, 3)
  del variables['params']['classes']
  found = jax.jit(model.apply)(variables, IMAGES)
  assert (found.shape, found.dtype) == ((4, 6), jnp.float32)
  np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, rtol=1e-5)
  without = embedders.Embedder(TRUNK, 0, size=6)
  answer, _ = jax.eval_shape(
    lambda v: without.apply(v, IMAGES, train=True, mutable=['batch_stats']), variables
  )
  assert answer.cosines is None


def test_cosines_are_those_of_the_angles():
  kernel = np.array([[3.0, 0.0], [0.0, -2.0]], np.float32)  # two classes, in columns
  found = jax.jit(embedders.Classes(2).apply)(
    {'params': {'kernel': kernel}}, np.array([[0.6, 0.8]], np.float32)
  )
  np.testing.assert_allclose(found, [[0.6, -0.8]], rtol=1e-6)


def test_a_vector_of_zeros_has_a_gradient_of_numbers():
  zeros = np.zeros((1, 3), np.float32)
  gradient = jax.jit(jax.grad(lambda x: embedders.unit(x).sum()))(zeros)
  assert np.isfinite(gradient).all()
  assert not np.any(jax.jit(embedders.unit)(zeros))


def test_prelu_is_a_line_on_each_side_of_zero():
  variables = {'params': {'slope': np.array([0.5, -1.0], np.float32)}}
  x = np.array([[-2.0, -2.0], [4.0, 4.0]], np.float32)
  np.testing.assert_allclose(PRelu().apply(variables, x), [[-1, 2], [4, 4]])


def test_folding_keeps_what_is_said():
  model, variables = made(pooling='gdc')
  rng = np.random.default_rng(1)
  variables = jax.tree.map(
    lambda leaf: rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32), variables
  )
  folded, new = folding.fold(model, variables)
  assert not jax.tree.leaves(new['batch_stats'])
  assert set(new['params']['backbone']['stem']) == {'conv', 'prelu'}
  np.testing.assert_allclose(
    *(jax.jit(m.apply)(v, IMAGES) for m, v in ((folded, new), (model, variables))),
    rtol=1e-4,
    atol=1e-5,
  )


def test_what_is_frozen_and_what_learns():
  model = embedders.create('embed_mobilenet_v2', num_classes=3, trained='last 2')
  assert not model.learns(('backbone', 'stem', 'conv', 'kernel'))
  assert model.learns(('embedding', 'project', 'conv', 'kernel'))
  assert model.learns(('classes', 'kernel'))
  whole = embedders.create('embed_mobilenet_v2', num_classes=3, trained='classifier')
  assert whole.frozen == len(whole.network.rows)


@pytest.mark.parametrize(
  ('options', 'line'),
  [
    ({'name': 'embed_mobilenet_v3'}, 'did you mean embed_mobilenet_v'),
    ({'pooling': 'max'}, "pooling is 'max': it must be one of gap, gdc"),
    ({'embedding': 0}, 'embedding is 0: it must be from 1 to 16,384'),
  ],
)
def test_what_does_not_exist(options, line):
  with pytest.raises(ModelError, match=line):
    embedders.create(**{'name': 'mobile_face_net', 'num_classes': 2, **options})


def test_a_map_that_is_no_square():
  model = embedders.Embedder(TRUNK, 0, pooling='gdc')
  with pytest.raises(ModelError, match='a map of 8 x 12 is no square'):
    counting.count(model, (16, 24))
