"""Networks of the shipped spaces: masked they are what they are cut out.

    pytest -m heavy tests/search/test_shipped_spaces.py

The tests of masks try every kind of choice; here all kinds meet in whole networks.
"""

import jax
import numpy as np
import pytest

from configs import search_v3_small, search_v4
from mobilenet import experiment
from mobilenet.search import masks, wiring
from mobilenet.search import space as spaces
from tests.search.conftest import model_of, variables_of

IMAGES = np.random.default_rng(1).standard_normal((2, 48, 48, 3), np.float32)


def logits(network, variables):
  return jax.jit(lambda: model_of(network).apply(variables, IMAGES, train=False))()


@pytest.mark.heavy
@pytest.mark.parametrize('module', [search_v3_small, search_v4])
def test_masked_is_cut_out(module):
  config = module.get_config()
  base = experiment.make_model(config, ('',)).network
  space = spaces.make(base, **config.search.space)
  network, variables = space.network, variables_of(space.network)
  wires, model = wiring.of(network), model_of(network)

  @jax.jit
  def masked(choice):
    return model.apply(masks.masked(wires, variables, choice), IMAGES, train=False)

  drawn = [spaces.smallest(space), *spaces.sample(space, (0,), 5)]
  found = []
  for arch in drawn:
    rows, head = spaces.rows_of(space, arch)
    alone = spaces.network_of(space, arch)
    own = masks.cut(network, rows, variables, head)
    expected = np.asarray(logits(alone, own))
    found.append(np.asarray(masked(masks.choose(network, rows, head))))
    scale = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(found[-1] / scale, expected / scale, atol=1e-5)
  assert masked._cache_size() == 1
  assert len({each.tobytes() for each in found}) == len(drawn), 'they differ'
