"""Channels sorted, dropped and written out as rows."""

import jax
import numpy as np
import pytest

from mobilenet.models import counting, table, zoo
from mobilenet.models.rows import ModelError
from mobilenet.search import channels, wiring
from tests.search.conftest import IMAGES, NETWORKS, model_of, named, variables_of


def shapes_of(network):
  return jax.eval_shape(
    lambda: model_of(network).init(jax.random.key(0), IMAGES[:1], train=False)
  )


@pytest.mark.parametrize('kind', NETWORKS)
def test_sorting_leaves_the_logits(kind):
  network = NETWORKS[kind]
  model, wires, variables = model_of(network), wiring.of(network), variables_of(network)
  order = channels.by_norm(model, wires, variables)
  assert any(np.any(np.diff(each) < 0) for each in order.values())
  permuted = channels.take(wires, variables, order)
  run = jax.jit(
    lambda variables: model.apply(variables, IMAGES, train=False),
    compiler_options={'xla_backend_optimization_level': 0},
  )
  expected, found = run(variables), run(permuted)
  scale = np.abs(expected).max()
  np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)
  again = channels.by_norm(model, wires, permuted)
  for each in again.values():
    assert list(each) == sorted(each)


def test_the_largest_filters_come_first():
  network = NETWORKS['inverted']
  variables = channels.copied(variables_of(network))
  expand = variables['params']['backbone']['block_02']['expand']
  expand['conv'] = {'kernel': expand['conv']['kernel'].copy()}
  expand['conv']['kernel'][..., 7] = 100
  order = channels.by_norm(model_of(network), wiring.of(network), variables)
  assert order['block_02/expand'][0] == 7


@pytest.mark.parametrize(
  'name',
  [
    'mobilenet_v1',
    'mobilenet_v2',
    'mobilenet_v3_large',
    'mobilenet_v3_small',
    'mobilenet_v4_conv_small',
    'mobilenet_v4_conv_medium',
    'mobilenet_edgetpu',
    'mnasnet_a1',
  ],
)
def test_written_out_it_is_the_same_network(name):
  """At a width that rounds, as rows of width 1: the same arrays, name by name."""
  if name not in zoo.NETWORKS:
    name = next(known for known in zoo.NETWORKS if 'edgetpu' in known)
  network = named(name, width=0.75)
  wires = wiring.of(network)
  written = channels.resized(network, wires.sizes)
  assert written.width == 1
  assert shapes_of(written) == shapes_of(network)
  assert wiring.of(written).sizes == wires.sizes


@pytest.mark.parametrize('name', ['mobilenet_v2', 'mobilenet_v3_small'])
def test_every_channel_is_in_one_group(name):
  """All arrays shrink to what a network with half of every group declares."""
  network = channels.resized(named(name), wiring.of(named(name)).sizes)
  wires = wiring.of(network)
  half = {group: max(8, size // 16 * 8) for group, size in wires.sizes.items()}
  smaller = channels.resized(network, half)
  variables = jax.tree.map(
    lambda leaf: np.zeros(leaf.shape, np.float32), dict(shapes_of(network))
  )
  kept = channels.first(wires, variables, wiring.of(smaller).sizes)
  assert jax.tree.map(np.shape, kept) == jax.tree.map(
    lambda leaf: leaf.shape, dict(shapes_of(smaller))
  )


def test_equal_widths_that_meet_by_chance_get_no_residual():
  network = NETWORKS['inverted']
  sizes = wiring.of(network).sizes | {'block_03': 24}
  assert not channels.resized(network, sizes).rows[4].residual
  assert channels.resized(network, sizes).rows[3].residual


def test_an_expansion_cannot_vanish():
  network = NETWORKS['inverted']
  sizes = wiring.of(network).sizes | {'block_02/expand': 24}
  with pytest.raises(ModelError, match='block_02 cannot expand 24 channels to 24: at'):
    channels.resized(network, sizes)


@pytest.mark.parametrize('name', ['shufflenet_v2', 'squeezenet', 'vgg16', 'googlenet'])
def test_what_cannot_be_changed_is_named(name):
  name = next(known for known in sorted(zoo.NETWORKS) if known.startswith(name))
  with pytest.raises(ModelError, match='a search cannot change'):
    wiring.of(named(name))


def test_a_network_of_rows_counts_as_the_named_one():
  network = named('mobilenet_v2', width=0.5)
  written = table.from_text(
    table.to_text(channels.resized(network, wiring.of(network).sizes))
  )
  assert counting.count(model_of(written), 96) == counting.count(model_of(network), 96)
