"""Detectors have the published sizes, and boxes where they should be."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models import anchors, counting, detectors, trunks, zoo
from mobilenet.models.classifier import Backbone
from mobilenet.models.initial import init_variables
from mobilenet.models.rows import Conv, Inverted, ModelError, Network, Style
from mobilenet.models.trunks import Tap

# Derived by hand from TensorFlow's Object Detection API, all at 91 or 81 outputs. The
# papers' digits are those of V3's Table 6, which leaves the norms out, of V2's Table 6
# and of V1's Table 13. Multiply-adds are of the convolutions.
SIZES = [
  # name, px, outputs, width: with norms, without, multiply-adds
  ('ssd_mobilenet_v1', 300, 91, 1.0, 6_819_839, 6_794_495, 1_237_129_408),
  ('ssdlite_mobilenet_v1', 320, 81, 1.0, 5_100_661, None, 1_309_162_944),
  ('ssdlite_mobilenet_v1', 320, 91, 1.0, 5_246_911, None, 1_322_426_304),
  ('ssdlite_mobilenet_v2', 320, 81, 1.0, 4_337_013, None, 788_830_144),
  ('ssdlite_mobilenet_v2', 320, 91, 1.0, 4_500_543, None, 804_397_504),
  ('ssdlite_mobilenet_v2', 300, 91, 1.0, 4_500_543, None, 749_503_856),
  ('ssdlite_mobilenet_v2', 320, 91, 0.5, 1_562_111, 1_536_527, 272_348_896),
  ('ssdlite_mobilenet_v2', 320, 91, 0.35, 947_709, 929_531, 166_713_786),
  ('ssd_mobilenet_v2', 300, 91, 1.0, 6_066_431, None, 772_779_056),
  # V3's Table 6 has 4.88 M, 1.68 M and 1.02 M, and does not say which MnasNet.
  ('ssdlite_mnasnet_a1', 320, 91, 1.0, 4_912_181, 4_861_669, 837_819_232),
  ('ssdlite_mnasnet_a1', 320, 91, 0.5, 1_690_173, 1_664_541, 290_408_224),
  ('ssdlite_mnasnet_a1', 320, 91, 0.35, 1_032_335, 1_014_029, 177_387_738),
  ('ssdlite_mobilenet_v3_large', 320, 91, 1.0, 5_006_735, 4_966_591, 613_143_104),
  (
    *('ssdlite_mobilenet_v3_large_reduced', 320, 91, 1.0),
    *(3_248_255, 3_215_311, 506_563_904),
  ),
  (
    *('ssdlite_mobilenet_v3_large_torchvision', 320, 91, 1.0),  # as it is published
    *(3_440_060, None, 583_171_904),
  ),
  (
    *('ssdlite_mobilenet_v3_large_torchvision', 320, 21, 1.0),
    *(2_469_860, None, 443_288_384),
  ),
  ('ssdlite_mobilenet_v3_small', 320, 91, 1.0, 2_518_271, 2_493_487, 210_417_856),
  (
    *('ssdlite_mobilenet_v3_small_reduced', 320, 91, 1.0),
    *(1_785_743, 1_765_279, 162_303_424),
  ),
]


@functools.cache
def layers_of(name, px, outputs, width):
  return counting.layers(
    detectors.create(name, num_classes=outputs - 1, width=width), px
  )


@pytest.mark.parametrize(
  ('name', 'px', 'outputs', 'width', 'parameters', 'without_norms', 'multiply_adds'),
  SIZES,
)
def test_published_sizes(
  name, px, outputs, width, parameters, without_norms, multiply_adds
):
  layers = layers_of(name, px, outputs, width)
  assert counting.totals(layers) == (parameters, multiply_adds)
  norms = sum(layer.parameters for layer in layers if layer.kind == 'norm')
  assert without_norms in (None, parameters - norms)


def test_trunks_alone():
  """The sums of the trunks' parameters, up to and with the last map."""
  for (name, px), expected in {
    ('ssd_mobilenet_v1', 300): 3_206_976,
    ('ssdlite_mobilenet_v2', 320): 2_223_872,
    ('ssdlite_mobilenet_v3_large', 320): 2_971_952,
    ('ssdlite_mobilenet_v3_large_reduced', 320): 1_620_512,
    ('ssdlite_mobilenet_v3_small', 320): 927_008,
    ('ssdlite_mobilenet_v3_small_reduced', 320): 438_704,
  }.items():
    layers = layers_of(name, px, 91, 1.0)
    own = [layer for layer in layers if layer.name.startswith('backbone/')]
    assert counting.totals(own)[0] == expected, name


MAPS = {300: (19, 10, 5, 3, 2, 1), 320: (20, 10, 5, 3, 2, 1)}


@pytest.mark.parametrize(
  ('px', 'kind', 'count'),
  [(300, 'tensorflow', 1917), (320, 'tensorflow', 2034), (320, 'torchvision', 3234)],
)
def test_anchors_are_as_many_as_published(px, kind, count):
  found = anchors.ANCHORS[kind]([(n, n) for n in MAPS[px]])
  assert found.shape == (count, 4)
  per_cell = anchors.PER_CELL[kind]
  cells = zip(per_cell, MAPS[px], strict=True)
  assert sum(a * n * n for a, n in cells) == count


def test_the_first_anchors_by_hand():
  found = anchors.tensorflow([(20, 20), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)])
  half = 0.5 / 20
  np.testing.assert_allclose(
    found[:4],
    [
      [half, half, 0.1, 0.1],
      [half, half, 0.2 / 2**0.5, 0.2 * 2**0.5],
      [half, half, 0.2 * 2**0.5, 0.2 / 2**0.5],
      [half, 3 * half, 0.1, 0.1],  # the cell to the right
    ],
    rtol=1e-6,
  )
  np.testing.assert_allclose(found[-1], [0.5, 0.5, 0.95**0.5, 0.95**0.5], rtol=1e-6)


TRUNK = Network(
  rows=(
    Conv(3, 8, 2),
    Inverted(3, 2, 8, 2),
    Inverted(3, 2, 8, 2),
    Inverted(3, 2, 16, 2),
    Inverted(3, 2, 16, 2),
    Inverted(3, 3, 16, 1),
    Conv(1, 24, 1),
  )
)


def test_maps_are_what_the_taps_say():
  model = detectors.Detector(TRUNK, num_classes=3)
  assert detectors.default_taps(TRUNK) == (Tap(4, 'expand'), Tap(6))
  images = jnp.zeros((2, 64, 64, 3))
  variables = jax.eval_shape(model.init, jax.random.key(0), images)
  maps = jax.eval_shape(
    lambda v, x: model.apply(v, x, method='maps'), variables, images
  )
  assert [m.shape[1:] for m in maps] == [
    (4, 4, 32),  # before stride 32, with the width of the expansion
    (2, 2, 24),
    (1, 1, 512),
    (1, 1, 256),
    (1, 1, 256),
    (1, 1, 128),
  ]
  found = jax.eval_shape(model.apply, variables, images)
  count = 16 * 3 + (4 + 4) * 6
  assert found.codes.shape == (2, count, 4)
  assert found.logits.shape == (2, count, 4)


def test_dilation_takes_the_place_of_stride():
  rows = trunks.dilated(TRUNK, 16).rows
  assert [row.stride for row in rows] == [2, 2, 2, 2, 1, 1, 1]
  dilations = [getattr(row, 'dilation', 1) for row in rows]
  assert dilations == [1, 1, 1, 1, 1, 2, 1]
  at_once = trunks.dilated(TRUNK, 8, at_once=True).rows
  assert [getattr(row, 'dilation', 1) for row in at_once] == [1, 1, 1, 2, 4, 4, 1]
  with pytest.raises(ModelError, match='no map of stride 64'):
    trunks.dilated(TRUNK, 64)


def test_dilated_rows_see_what_strided_rows_see():
  """At every second pixel the dilated network has the strided network's numbers."""
  network = zoo.create('mobilenet_v2').network
  # Widths change where the stride is, else a residual would join.
  rows = (Conv(3, 8, 2), Inverted(3, 2, 16, 2), Inverted(3, 2, 16, 1))
  strided = Network(rows=rows, style=network.style)
  whole = trunks.dilated(strided, 2)
  images = np.random.default_rng(0).standard_normal((1, 33, 33, 3)).astype(np.float32)
  one, other = (Backbone(net) for net in (strided, whole))
  key = jax.random.key(0, impl='unsafe_rbg')  # its draws compile fast
  variables = jax.jit(one.init)(key, images)
  small, _ = jax.jit(one.apply)(variables, images)
  large, _ = jax.jit(other.apply)(variables, images)
  assert large.shape[1:3] == (17, 17)
  np.testing.assert_allclose(large[:, ::2, ::2], small, rtol=1e-4, atol=1e-5)


def test_the_style_of_torchvision():
  """A caller's options go before the table's; None leaves them."""
  name = 'ssdlite_mobilenet_v3_large_torchvision'
  model = detectors.create(name, num_classes=3, norm_epsilon=None, dtype='bfloat16')
  style = model.network.style
  assert (style.norm_momentum, style.norm_epsilon) == (0.97, 1e-3)
  assert (style.padding, style.init, style.dtype) == ('torch', 'ssdlite', 'bfloat16')
  other = detectors.create(name, num_classes=3, norm_epsilon=0.1).network.style
  assert other.norm_epsilon == 0.1
  # The paper's network, and what it has of it, differ in anchors and style alone.
  paper = detectors.create('ssdlite_mobilenet_v3_large_reduced', num_classes=3)
  assert detectors.default_taps(model.network) == (Tap(13, 'expand'), Tap(16))
  assert model.network.rows == paper.network.rows
  assert model.clone(network=paper.network, ssd=paper.ssd) == paper


def test_kernels_of_ssdlite_start_as_in_torchvision():
  network = dataclasses.replace(TRUNK, style=Style(init='ssdlite'))
  model = detectors.Detector(network, num_classes=9)
  variables = init_variables(model, (64, 64, 3), 0)
  kernel = variables['params']['classes_1']['predict']['kernel']
  assert kernel.shape == (1, 1, 24, 60)
  np.testing.assert_allclose([kernel.mean(), kernel.std()], [0, 0.03], atol=0.003)
  assert np.abs(kernel).max() > 0.066  # it is not cut at two deviations


def test_mistakes():
  with pytest.raises(ModelError, match='did you mean ssdlite_mobilenet_v2'):
    detectors.create('ssdlite_mobilnet_v2', num_classes=3)
  with pytest.raises(ModelError, match='tail that can be reduced'):
    trunks.reduced(zoo.create('mobilenet_v1').network)
