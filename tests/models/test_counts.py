"""Exact parameter and multiply-add counts of the named networks.

Parameters are those of the definition with 1,000 classes, BatchNorm scale and shift
counted, running statistics not. 3,504,872 (V2), 5,483,032 and 2,542,856 (V3) are what
torchvision publishes with its models; the published tables print millions, rounded, and
where one contradicts its own definition, the row says so and the definition wins.
"""

import pytest

from mobilenet.models import counting, zoo

# Parameters depend on the width, multiply-adds on both (1704.04861, Tables 6 and 7;
# TF-slim mobilenet_v1.md). TF-slim's README prints 317, 233, 162 and 104 M for width
# 0.75, 2.6 % below its own definition, and 34 M for 0.25 at 192 px instead of 30.2.
V1_PARAMETERS = {1.0: 4_231_976, 0.75: 2_585_560, 0.5: 1_331_592, 0.25: 470_072}
V1_MULTIPLY_ADDS = {
  (1.0, 224): 568.74,
  (1.0, 192): 418.12,
  (1.0, 160): 290.68,
  (1.0, 128): 186.40,
  (0.75, 224): 325.40,
  (0.75, 192): 239.27,
  (0.75, 160): 166.40,
  (0.75, 128): 106.77,
  (0.5, 224): 149.50,
  (0.5, 192): 109.97,
  (0.5, 160): 76.52,
  (0.5, 128): 49.16,
  (0.25, 224): 41.03,
  (0.25, 192): 30.21,
  (0.25, 160): 21.06,
  (0.25, 128): 13.57,
}

# TF-slim mobilenet/README.md; its parameters leave BatchNorm out (3.47 M for 1.0), and
# the paper's 6.9 M and 585 M for width 1.4 contradict the definition.
V2_PARAMETERS = {
  1.4: 6_108_776,
  1.3: 5_386_792,
  1.0: 3_504_872,
  0.75: 2_636_424,
  0.5: 1_968_680,
  0.35: 1_677_128,
}
V2_MULTIPLY_ADDS = {
  (1.4, 224): 582.20,
  (1.3, 224): 509.37,
  (1.0, 224): 300.77,
  (1.0, 192): 221.32,
  (1.0, 160): 154.08,
  (1.0, 128): 99.07,
  (1.0, 96): 56.29,
  (0.75, 224): 209.07,
  (0.75, 192): 153.94,
  (0.75, 160): 107.30,
  (0.75, 128): 69.13,
  (0.75, 96): 39.45,
  (0.5, 224): 97.13,
  (0.5, 192): 71.70,
  (0.5, 160): 50.18,
  (0.5, 128): 32.58,
  (0.5, 96): 18.89,
  (0.35, 224): 59.29,
  (0.35, 192): 43.90,
  (0.35, 160): 30.87,
  (0.35, 128): 20.22,
  (0.35, 96): 11.93,
}

# 1905.02244v5 Tables 3 and 9; TF-slim mobilenet/README.md. Small's 2.9 M and 66 M there
# are those of an older network, as are 65 M for the minimalistic Small.
OTHERS = {
  ('mobilenet_v1_full_conv', 1.0): (29_294_088, 4867.29),  # Table 4: 29.3 M, 4866 M
  ('mobilenet_v1_shallow', 1.0): (2_887_976, 307.32),  # Table 5: 2.9 M, 307 M
  ('mobilenet_v3_large', 1.25): (8_256_296, 355.93),  # Table 9 prints 7.5 M, 356 M
  ('mobilenet_v3_large', 1.0): (5_483_032, 216.59),  # 5.4 M, 217 M (Table 3: 219 M)
  ('mobilenet_v3_large', 0.75): (3_993_528, 154.56),  # 4.0 M, 155 M
  ('mobilenet_v3_large', 0.5): (2_689_520, 69.25),  # 2.6 M, 69 M
  ('mobilenet_v3_large', 0.35): (2_131_832, 39.47),  # 2.2 M, 40 M
  ('mobilenet_v3_small', 1.25): (3_645_960, 91.24),  # 3.6 M, 91 M
  ('mobilenet_v3_small', 1.0): (2_542_856, 56.51),  # 2.5 M, 57 M (Table 3: 56 M)
  ('mobilenet_v3_small', 0.75): (2_041_872, 43.40),  # 2.0 M, 44 M
  ('mobilenet_v3_small', 0.5): (1_592_704, 21.05),  # 1.6 M, 21 M
  ('mobilenet_v3_small', 0.35): (1_358_288, 12.82),  # 1.4 M, 12 M
  ('mobilenet_v3_large_minimalistic', 1.0): (3_924_288, 209.14),  # 3.9 M, 209 M
  ('mobilenet_v3_small_minimalistic', 1.0): (2_044_736, 52.29),  # 2.0 M
}


def counts(name, width, resolution):
  parameters, multiply_adds = counting.count(zoo.create(name, width=width), resolution)
  return parameters, round(multiply_adds / 1e6, 2)


@pytest.mark.parametrize(('width', 'resolution'), V1_MULTIPLY_ADDS)
def test_v1(width, resolution):
  expected = V1_PARAMETERS[width], V1_MULTIPLY_ADDS[width, resolution]
  assert counts('mobilenet_v1', width, resolution) == expected


@pytest.mark.parametrize(('width', 'resolution'), V2_MULTIPLY_ADDS)
def test_v2(width, resolution):
  expected = V2_PARAMETERS[width], V2_MULTIPLY_ADDS[width, resolution]
  assert counts('mobilenet_v2', width, resolution) == expected


@pytest.mark.parametrize(('name', 'width'), OTHERS)
def test_others_at_224(name, width):
  assert counts(name, width, 224) == OTHERS[name, width]


def test_no_network_is_without_a_count():
  counted = {'mobilenet_v1', 'mobilenet_v2', *(name for name, _ in OTHERS)}
  assert counted == set(zoo.NETWORKS)


def test_layers_add_up_to_the_parameters_of_the_model():
  model = zoo.create('mobilenet_v3_small', width=0.35, num_classes=7)
  layers = counting.layers(model, (64, 96))
  by_name = {layer.name: layer for layer in layers}
  stem = by_name['backbone/stem/conv']
  assert (stem.kind, stem.output_shape) == ('conv 3x3 /2', (32, 48, 8))
  assert stem.multiply_adds == 32 * 48 * 8 * 27
  classifier = by_name['head/classifier']
  assert (classifier.parameters, classifier.multiply_adds) == (1024 * 7 + 7, 1024 * 7)
  parameters, multiply_adds = counting.totals(layers)
  assert parameters == sum(layer.parameters for layer in layers)
  assert multiply_adds == sum(layer.multiply_adds for layer in layers)
