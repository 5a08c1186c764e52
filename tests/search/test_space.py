"""Spaces: what their networks are, and how they are told apart."""

import numpy as np
import pytest

from configs import search_v3_small, search_v4
from mobilenet import experiment
from mobilenet.models import counting
from mobilenet.models.rows import Conv, Head, Inverted, Network, Universal
from mobilenet.search import masks, wiring
from mobilenet.search import space as spaces
from mobilenet.training.errors import TrainingError
from tests.search.conftest import CLASSES, model_of

SMALL = Network(
  rows=(
    Conv(3, 16, 2),
    Inverted(5, 4, 24, 2, 0.25, residual=False),
    Inverted(5, 3, 24, 1, 0.25),
    Inverted(3, 3, 24, 1),
    Conv(1, 48),
  ),
  head=Head(32),
)
CHOICES = {
  'kernel': (3, 5),
  'expand': (2, 4),
  'se': (0, 0.25),
  'width_of_stage': (0.5, 1.0),
  'depth': 'first',
}


def shipped(config):
  base = experiment.make_model(config, ('',) * CLASSES).network
  return spaces.make(base, **config.search.space)


@pytest.fixture(scope='module', params=['v3_small', 'v4'])
def space(request):
  configs = {'v3_small': search_v3_small, 'v4': search_v4}
  return shipped(configs[request.param].get_config())


def test_every_network_lies_inside_of_the_largest(space):
  """`masks.choose` refuses what does not."""
  archs = spaces.sample(space, 0, 20)
  for arch in (*archs, spaces.smallest(space), spaces.largest(space)):
    rows, head = spaces.rows_of(space, arch)
    masks.choose(space.network, rows, head)
    network = spaces.network_of(space, arch)
    assert network.width == 1
    for group, channels in wiring.of(network).sizes.items():
      assert group.endswith('/se') or channels % network.divisor == 0
  whole = spaces.network_of(space, spaces.largest(space))
  assert whole.rows == space.network.rows


def test_an_arch_comes_back_from_its_text(space):
  for arch in spaces.sample(space, 1, 10):
    assert spaces.decode(space, spaces.encode(arch)) == arch


def test_a_sample_is_one_of_its_seed_and_its_networks_differ(space):
  one, same, other = (spaces.sample(space, seed, 15) for seed in (0, 0, 1))
  assert one == same != other
  assert len(set(one)) == 15
  assert len({spaces.network_of(space, arch) for arch in one}) == 15


def test_children_are_of_the_space_and_others(space):
  rng = np.random.default_rng(0)
  one, other = spaces.sample(space, 0, 2)
  for _ in range(5):
    assert spaces.mutate(space, one, rng) != one
    child = spaces.crossover(space, one, other, rng)
    masks.choose(space.network, *spaces.rows_of(space, child))


def test_a_first_generation_has_every_size():
  space = spaces.make(SMALL, **CHOICES)
  archs = spaces.spread(space, 0, 16)
  assert archs[:2] == [spaces.smallest(space), spaces.largest(space)]
  sizes = np.array(
    [counting.count(model_of(spaces.network_of(space, arch)), 32)[1] for arch in archs]
  )
  low, high = sizes.min(), sizes.max()
  assert (low, high) == (sizes[0], sizes[1])
  thirds = np.histogram(sizes, bins=3, range=(low, high))[0]
  assert all(thirds > 1), thirds


def test_every_network_of_a_small_space_is_counted():
  space = spaces.make(SMALL, kernel=(3, 5), depth='any')
  archs = spaces.sample(space, 0, spaces.size(space))
  assert len({spaces.network_of(space, arch) for arch in archs}) == spaces.size(space)
  with pytest.raises(TrainingError, match='networks, and'):
    spaces.sample(space, 0, spaces.size(space) + 1)


@pytest.mark.parametrize(
  ('choices', 'says'),
  [
    ({'kernel': (4,)}, 'kernel cannot be 4'),
    ({'expand': (1,)}, 'expand cannot be 1'),
    ({'se': (2,)}, 'se cannot be 2'),
    ({'width_of_stage': (0,)}, 'width_of_stage cannot be 0'),
    ({'kernel': (True,)}, 'kernel cannot be True'),
    ({'depth': 'last'}, "depth='last': it is one of none, first, any"),
    ({}, 'the space has one network alone'),
    ({'kernel': 3}, 'it takes several values'),
    ({'kernel': None}, 'it takes several values'),
    ({'kernel': (3, 10**9 + 1)}, 'kernel cannot be 1000000001'),
    ({'expand': (2, 1e9)}, 'expand cannot be'),
    ({'width_of_stage': (1, 1e9)}, 'width_of_stage cannot be'),
    ({'width_of_stage': (1, float('nan'))}, 'width_of_stage cannot be nan'),
    ({'width_of_stage': [n / 40 for n in range(1, 80)]}, '79 values of width_of_stage'),
    ({'kernels': (3, 5)}, "'kernels' is unknown; did you mean kernel"),
  ],
)
def test_a_mistake_is_one_line(choices, says):
  with pytest.raises(TrainingError, match=says) as error:
    spaces.make(SMALL, **choices)
  assert '\n' not in str(error.value)


def test_a_stride_is_not_left_without_a_convolution():
  base = Network(rows=(Conv(3, 16, 2), Universal(3, 3, 4, 24, 2)), head=Head())
  with pytest.raises(TrainingError, match='block_00 neither start nor middle') as error:
    spaces.make(base, start=(0,), middle=(0,), expand=(2, 4))
  assert '\n' not in str(error.value)
