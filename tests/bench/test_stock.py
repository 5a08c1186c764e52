"""The twins in stock flax.linen compute what ours do, from the same variables."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.bench import stock
from mobilenet.models import zoo
from mobilenet.models.classifier import Classifier

TWINS = (
  'mobilenet_v1',
  'mobilenet_v2',
  'mobilenet_v3_large',
  'mobilenet_v3_small',
  'mobilenet_v4_conv_small',
  'mobilenet_v4_conv_medium',
  'mobilenet_edgetpu',
)


def short(name, **style):
  """A narrow network without the rows that repeat an earlier kind of row."""
  whole = zoo.create(name, width=0.25, num_classes=5, **style)
  rows, seen = [], set()
  for row in whole.network.rows:
    fields = dataclasses.asdict(row)
    start, middle = fields.get('start'), fields.get('middle')
    kind = (
      *(type(row), row.stride, fields['act'], bool(fields.get('se'))),
      *(start is not None and start > 0, middle is not None and middle > 0),
      fields.get('expand') == 1,
    )
    if kind not in seen:
      rows.append(row)
    seen.add(kind)
  network = dataclasses.replace(whole.network, rows=tuple(rows))
  return Classifier(network, whole.num_classes)


def random_variables(model):
  """Statistics, scales and shifts far from what they start as."""
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(
    lambda: model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), train=False)
  )

  def draw(path, leaf):
    name, values = path[-1].key, rng.standard_normal(leaf.shape, np.float32)
    if name in ('scale', 'var'):
      return 1 + 0.3 * np.abs(values)
    fan_in = max(leaf.size // leaf.shape[-1], 1)
    return values * np.float32(fan_in**-0.5 if name == 'kernel' else 0.3)

  return jax.tree_util.tree_map_with_path(draw, shapes)


def logits(model, variables, images):
  return np.asarray(jax.jit(lambda v, x: model.apply(v, x))(variables, images))


@pytest.mark.parametrize(
  ('name', 'padding'),
  [*((name, 'tf') for name in TWINS), ('mobilenet_v4_conv_small', 'torch')],
)
def test_the_twin_gives_the_same_logits(name, padding):
  model = short(name, padding=padding, lowering='native')
  twin = stock.StockClassifier(model.network, model.num_classes)
  variables = random_variables(model)
  images = np.random.default_rng(1).standard_normal((2, 31, 31, 3), np.float32)
  ours, theirs = (logits(m, variables, images) for m in (model, twin))
  assert np.abs(ours).max() > 0.01
  np.testing.assert_allclose(theirs, ours, atol=2e-5 * np.abs(ours).max())


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(name, marks=[] if 'small' in name else pytest.mark.heavy)
    for name in TWINS
  ],
)
def test_the_whole_twin_has_our_variables(name):
  model = zoo.create(name)
  assert stock.why_not(model.network) is None
  twin = stock.StockClassifier(model.network, model.num_classes)
  images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)

  def shapes(model):
    variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x), images)
    return jax.tree.map(lambda leaf: leaf.shape, variables)

  assert shapes(twin) == shapes(model)


def test_the_twin_computes_in_the_dtype_asked_for():
  model = short('mobilenet_v3_small', dtype='bfloat16', lowering='native')
  twin = stock.StockClassifier(model.network, model.num_classes)
  text = str(
    jax.make_jaxpr(twin.apply)(random_variables(model), np.zeros((1, 32, 32, 3)))
  )
  convolutions = [line for line in text.splitlines() if 'conv_general_dilated' in line]
  assert len(convolutions) > 3
  assert all(':bf16' in line for line in convolutions)


@pytest.mark.parametrize(
  ('name', 'what'),
  [
    ('mobilenet_v4_hybrid_medium', 'has no Universal rows of that kind here'),
    ('shufflenet_v2', 'has no Pool rows here'),
    ('squeezenet_1_1', 'has no padding of single layers here'),
    ('vgg16', 'has no Pool rows here'),
  ],
)
def test_what_has_no_twin_says_so(name, what):
  networks = zoo.NETWORKS[name]
  network = next(iter(networks.values())) if isinstance(networks, dict) else networks
  assert stock.why_not(network) == what
