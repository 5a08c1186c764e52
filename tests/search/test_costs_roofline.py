"""Rooflines of named hardware: the constants, and what they are worth."""

import pathlib

import numpy as np
import pytest

from mobilenet.models import zoo
from mobilenet.search import costs
from mobilenet.search.costs import parts, roofline
from mobilenet.search.costs.roofline import HARDWARE


@pytest.mark.parametrize('name', HARDWARE)
def test_constants_are_what_the_published_times_give(name):
  kept = HARDWARE[name]
  found = roofline.fitted(kept.column, kept.bits)
  assert found[:2] == kept[:2]
  np.testing.assert_allclose(kept[2:], found[2:], rtol=1e-3, atol=1e-9)


def test_only_what_is_clearly_better_is_offered():
  offered = {name for name, each in HARDWARE.items() if each.offered}
  assert offered == {'pixel6_cpu', 'pixel4_hexagon', 's23_cpu', 's23_gpu'}
  assert {f'roofline:{name}' for name in offered} <= set(costs.KINDS)
  for each in HARDWARE.values():
    assert each.offered == (
      each.mean_error <= 0.75 * each.line_error and each.max_error <= 33
    )


def test_the_page_has_their_errors():
  page = (pathlib.Path(__file__).parents[2] / 'docs' / 'search_costs.md').read_text()
  for name, each in HARDWARE.items():
    errors = (each.mean_error, each.max_error, each.line_error)
    line = ''.join(f' {error:.0f} % |' for error in errors)
    offered = 'yes' if each.offered else 'no'
    assert f'| `{name}` | {each.bits} bits |{line} {offered} |' in page


def test_a_layer_takes_the_longer_of_arithmetic_and_memory():
  """Computed by hand for a stem of 3x3, 3 to 8 channels, 8 px to 4 px."""
  line = roofline.Roofline('made', 16, 2e-3, 4e-3, 0.5, 9.0, *[0] * 5)
  network = zoo.create('mobilenet_v3_small', width=0.5).network
  stem = parts.of(network, 8, 5)[0]
  multiply_adds, values = 4 * 4 * 8 * 27, 8 * 8 * 3 + 4 * 4 * 8 + 8 * 27
  by_arithmetic, by_memory = multiply_adds / 2e3, 2 * values / 4e3
  assert by_arithmetic > by_memory
  assert line.part_ms(stem) == pytest.approx(by_arithmetic + 0.5)
  slower = line._replace(bandwidth=1e-4)
  assert slower.part_ms(stem) == pytest.approx(2 * values / 1e2 + 0.5)


def test_a_published_network_is_told_within_the_error():
  """MobileNetV4-Conv-M on a Pixel 6's CPU: 11.4 ms (2404.10518, Table 6)."""
  cost = costs.make('roofline:pixel6_cpu', 256, 1000)
  network = zoo.create('mobilenet_v4_conv_medium').network
  (found,) = cost.predict([network])
  assert found == cost.measure([network])[0]
  assert abs(found / 11.4 - 1) < 0.1
  assert cost.unit == 'ms'
  assert '9 % off' in cost.note
  assert cost.fit([network]).mean_error == HARDWARE['pixel6_cpu'].mean_error
