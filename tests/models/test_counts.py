"""Exact parameter and multiply-add counts of the named networks.

Parameters are those of the definition with 1,000 classes, BatchNorm scale and shift
counted, running statistics not. 3,504,872 (V2), 5,483,032 and 2,542,856 (V3) are what
torchvision publishes with its models; the published tables print millions, rounded, and
where one contradicts its own definition, the row says so and the definition wins.
"""

import pytest

from mobilenet.models import blocks, counting, zoo

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
  ('fd_mobilenet', 1.0): (2_901_288, 144.49),  # 1802.03750: 2.9 M, 144 M
  ('fd_mobilenet', 0.5): (993_928, 40.13),  # 1.0 M, 40 M
  ('fd_mobilenet', 0.25): (383_160, 12.04),  # 0.4 M, 12 M
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

# Counted in timm's definitions (semnasnet_100, mnasnet_100, mnasnet_small, made at each
# width), parameters to the integer, multiply-adds of convolutions and dense layers. B1
# at 0.5, 0.75, 1.0 and 1.3 is torchvision's mnasnet0_5 to mnasnet1_3, with the same
# counts. Of A1 the authors' page prints 3.9 M and 312 M; of Small 2.0 M and 68 M.
MNASNET = {
  ('mnasnet_a1', 0.35): (1_747_018, 61.68),
  ('mnasnet_a1', 0.5): (2_082_006, 103.16),
  ('mnasnet_a1', 0.75): (2_912_278, 223.45),
  ('mnasnet_a1', 1.0): (3_887_038, 311.58),
  ('mnasnet_a1', 1.4): (6_105_992, 586.32),
  ('mnasnet_b1', 0.35): (1_788_232, 58.88),
  ('mnasnet_b1', 0.5): (2_218_512, 104.46),
  ('mnasnet_b1', 0.75): (3_170_208, 215.49),
  ('mnasnet_b1', 1.0): (4_383_312, 314.42),
  ('mnasnet_b1', 1.3): (6_282_256, 526.36),
  ('mnasnet_b1', 1.4): (7_115_728, 588.80),
  ('mnasnet_small', 0.35): (1_456_334, 24.49),
  ('mnasnet_small', 0.5): (1_553_350, 28.80),
  ('mnasnet_small', 0.75): (1_753_518, 50.51),
  ('mnasnet_small', 1.0): (2_030_264, 68.34),
  ('mnasnet_small', 1.4): (2_603_374, 138.10),
}

# timm's and torchvision's parameters, to the integer; multiply-adds in millions at the
# native resolution. What was published beside it where it differs by more than 1 %:
# V4 (2404.10518 Table 6) counts without norms and in 2^20 and 2^30, but for Conv-S;
# SqueezeNet's README counts Caffe's padded last layer at 227 px; 0.25x of ShuffleNet V1
# is published as 13 M and 0.5x as 38 M for every number of groups, and none of the
# channel counts that can be grouped gives that.
NATIVE = {
  ('mobilenet_v4_conv_small', 1.0, 224): (3_774_024, 186.01),  # 3.8 M, 0.2 G
  ('mobilenet_v4_conv_small', 0.5, 224): (2_236_184, 52.10),  # timm keeps the stem
  ('mobilenet_v4_conv_medium', 1.0, 256): (9_715_512, 1080.24),  # 9.2 M, 1.0 G
  ('mobilenet_v4_conv_large', 1.0, 384): (32_590_864, 6376.22),  # 31.0 M, 5.9 G
  ('mobilenet_v4_hybrid_medium', 1.0, 256): (11_074_648, 1271.18),  # 10.5 M, 1.2 G
  ('mobilenet_v4_hybrid_large', 1.0, 384): (37_764_624, 7711.88),  # 35.9 M, 7.2 G
  # As a classifier; the embedder is in test_embedders.py.
  ('mobile_face_net_trunk', 1.0, 112): (1_424_232, 221.39),
  ('mobilenet_edgetpu', 1.0, 224): (4_091_432, 990.67),  # slim README: 4.0 M, 990 M
  ('mobilenet_edgetpu', 0.75, 224): (2_988_160, 624.49),  # 2.9 M, 624 M
  ('squeezenet_1_0', 1.0, 224): (1_248_424, 818.92),  # torchvision: 819 M
  ('squeezenet_1_1', 1.0, 224): (1_235_496, 349.15),  # torchvision: 349 M
  ('squeezenet_1_0_simple_bypass', 1.0, 224): (1_248_424, 818.92),
  # Published as 7.7 MB; this definition of section 6 makes 6.4 MB of float32.
  ('squeezenet_1_0_complex_bypass', 1.0, 224): (1_589_672, 1165.30),
  ('shufflenet_v1_g1', 0.25, 224): (209_908, 13.16),  # 1707.01083 Table 2: 13 M
  ('shufflenet_v1_g1', 0.5, 224): (534_484, 38.52),  # 38 M
  ('shufflenet_v1_g1', 1.0, 224): (1_531_936, 143.08),  # 143 M
  ('shufflenet_v1_g2', 0.25, 224): (267_690, 13.78),
  ('shufflenet_v1_g2', 0.5, 224): (643_932, 38.57),
  ('shufflenet_v1_g2', 1.0, 224): (1_733_848, 140.84),  # 140 M
  # The authors' code has no bias in the classifier: 1,000 fewer.
  ('shufflenet_v1_g3', 0.25, 224): (306_124, 13.30),
  ('shufflenet_v1_g3', 0.5, 224): (718_324, 37.59),  # 0.7 M, 38 M
  ('shufflenet_v1_g3', 1.0, 224): (1_865_728, 137.46),  # 1.9 M, 137 M
  ('shufflenet_v1_g3', 1.5, 224): (3_442_168, 292.44),  # 3.4 M, 292 M
  ('shufflenet_v1_g3', 2.0, 224): (5_450_776, 524.05),  # 5.4 M, 524 M
  ('shufflenet_v1_g4', 0.25, 224): (339_420, 13.98),
  ('shufflenet_v1_g4', 0.5, 224): (778_040, 37.47),
  ('shufflenet_v1_g4', 1.0, 224): (1_968_344, 134.34),  # 133 M
  ('shufflenet_v1_g8', 0.25, 224): (454_504, 12.43),
  ('shufflenet_v1_g8', 0.5, 224): (1_011_448, 40.47),  # 1.0 M, 40 M (authors' code)
  ('shufflenet_v1_g8', 1.0, 224): (2_434_768, 138.37),  # 2.4 M, 137 M
  ('shufflenet_v1_g8', 1.5, 224): (4_269_952, 290.19),  # 4.3 M, 290 M
  ('shufflenet_v1_g8', 2.0, 224): (6_522_232, 521.94),  # 6.5 M, 522 M
  ('shufflenet_v2', 0.5, 224): (1_366_792, 40.48),  # torchvision: 40 M
  ('shufflenet_v2', 1.0, 224): (2_278_604, 144.91),  # 145 M
  ('shufflenet_v2', 1.5, 224): (3_503_624, 295.76),  # 296 M
  ('shufflenet_v2', 2.0, 224): (7_393_996, 583.25),  # 583 M
  # What the files of these say of 1704.04861's tables 8 and 9 is in their docstrings.
  ('alexnet', 1.0, 224): (61_100_840, 714.19),  # torchvision: 0.714 G
  ('alexnet_2012', 1.0, 224): (60_965_224, 724.41),  # Caffe's; 60 M, 720 M
  ('googlenet', 1.0, 224): (6_624_904, 1498.38),  # torchvision: 1.498 G
  ('googlenet_2014', 1.0, 224): (6_998_552, 1582.67),  # 6.8 M, 1,550 M
  ('vgg16', 1.0, 224): (138_357_544, 15470.26),  # torchvision: 15.47 G
  ('vgg19', 1.0, 224): (143_667_240, 19632.06),  # torchvision: 19.632 G
  ('resnet50', 1.0, 224): (25_557_032, 4089.18),  # torchvision: 4.089 G
  ('xception', 1.0, 299): (22_855_952, 8357.40),  # 1610.02357 Table 3, Keras
}


def counts(name, width, resolution):
  parameters, multiply_adds = counting.count(zoo.create(name, width=width), resolution)
  return parameters, round(multiply_adds / 1e6, 2)


def cells(table):
  """One row and one column of a table; `heavy` has all of it."""
  return [
    pytest.param(w, r, marks=[] if w == 1 or r == 224 else pytest.mark.heavy)
    for w, r in table
  ]


@pytest.mark.parametrize(('width', 'resolution'), cells(V1_MULTIPLY_ADDS))
def test_v1(width, resolution):
  expected = V1_PARAMETERS[width], V1_MULTIPLY_ADDS[width, resolution]
  assert counts('mobilenet_v1', width, resolution) == expected


@pytest.mark.parametrize(('width', 'resolution'), cells(V2_MULTIPLY_ADDS))
def test_v2(width, resolution):
  expected = V2_PARAMETERS[width], V2_MULTIPLY_ADDS[width, resolution]
  assert counts('mobilenet_v2', width, resolution) == expected


@pytest.mark.parametrize(('name', 'width'), OTHERS)
def test_others_at_224(name, width):
  assert counts(name, width, 224) == OTHERS[name, width]


@pytest.mark.parametrize(('name', 'width'), MNASNET)
def test_mnasnet(name, width):
  assert counts(name, width, 224) == MNASNET[name, width]


def test_mnasnet_squeezes_to_a_quarter_of_what_enters_the_block():
  layers = counting.layers(zoo.create('mnasnet_a1'), 224)
  reduced = [n.output_shape[-1] for n in layers if n.name.endswith('se/reduce')]
  assert reduced == [6, 10, 10, 20, 28, 28, 40, 40]


# ShuffleNet V1's other widths, of each number of groups: `heavy` has them.
@pytest.mark.parametrize(
  ('name', 'width', 'resolution'),
  [
    pytest.param(*cell, marks=pytest.mark.heavy)
    if cell[0].startswith('shufflenet_v1') and cell[1] != 1
    else cell
    for cell in NATIVE
  ],
)
def test_at_native_resolution(name, width, resolution):
  assert counts(name, width, resolution) == NATIVE[name, width, resolution]


def test_no_network_is_without_a_count():
  counted = {name for name, *_ in (*OTHERS, *MNASNET, *NATIVE)}
  assert counted | {'mobilenet_v1', 'mobilenet_v2'} == set(zoo.NETWORKS)


def test_attention_is_counted():
  """Of 4 queries of 6 numbers in 2 heads to 3 keys: two products of 4 * 2 * 3 * 6."""
  assert blocks.MultiQuery.multiply_adds((1, 4, 2, 6), (1, 3, 6)) == 2 * 4 * 2 * 3 * 6
  layers = counting.layers(zoo.create('mobilenet_v4_hybrid_medium'), 256)
  products = [layer for layer in layers if layer.kind == 'attention']
  assert len(products) == 8
  assert products[0].multiply_adds == 2 * 16 * 16 * 4 * 64 * 8 * 8
  assert products[0].parameters == 0


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
