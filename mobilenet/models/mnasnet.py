"""MnasNet (https://arxiv.org/abs/1807.11626): what MobileNetV3-Large began as.

A1, B1 and Small as the authors' code has them (tensorflow/tpu, mnasnet_models.py). Its
squeeze-and-excite is not V3's: see `layers.SqueezeExcite`. The last convolution has
1,280 channels at every width, above 1 too; the stem is scaled.
"""

from mobilenet.models.rows import Conv, Head, Inverted, Network, Style

RE = 'relu'
SE = 0.25

# The first block is a separable convolution whose 1x1 is linear: of expansion 1. It has
# no residual but in Small.
A1 = Network(
  rows=(
    #        k  e  out stride SE NL    224 px
    Conv(    3,     32, 2,       RE),  # 112
    Inverted(3, 1,  16, 1, 0,    RE, residual=False),
    Inverted(3, 6,  24, 2, 0,    RE),  # 56
    Inverted(3, 6,  24, 1, 0,    RE),
    Inverted(5, 3,  40, 2, SE,   RE),  # 28
    Inverted(5, 3,  40, 1, SE,   RE),
    Inverted(5, 3,  40, 1, SE,   RE),
    Inverted(3, 6,  80, 2, 0,    RE),  # 14
    Inverted(3, 6,  80, 1, 0,    RE),
    Inverted(3, 6,  80, 1, 0,    RE),
    Inverted(3, 6,  80, 1, 0,    RE),
    Inverted(3, 6, 112, 1, SE,   RE),
    Inverted(3, 6, 112, 1, SE,   RE),
    Inverted(5, 6, 160, 2, SE,   RE),  # 7
    Inverted(5, 6, 160, 1, SE,   RE),
    Inverted(5, 6, 160, 1, SE,   RE),
    Inverted(3, 6, 320, 1, 0,    RE),
    Conv(    1,   1280, 1,       RE, exact=1280),
  ),
  head=Head(),
  style=Style(squeeze='mnasnet'),
)  # fmt: skip

# The one without squeeze-and-excite: torchvision's.
B1 = Network(
  rows=(
    #        k  e  out stride SE NL    224 px
    Conv(    3,     32, 2,       RE),  # 112
    Inverted(3, 1,  16, 1, 0,    RE, residual=False),
    Inverted(3, 3,  24, 2, 0,    RE),  # 56
    Inverted(3, 3,  24, 1, 0,    RE),
    Inverted(3, 3,  24, 1, 0,    RE),
    Inverted(5, 3,  40, 2, 0,    RE),  # 28
    Inverted(5, 3,  40, 1, 0,    RE),
    Inverted(5, 3,  40, 1, 0,    RE),
    Inverted(5, 6,  80, 2, 0,    RE),  # 14
    Inverted(5, 6,  80, 1, 0,    RE),
    Inverted(5, 6,  80, 1, 0,    RE),
    Inverted(3, 6,  96, 1, 0,    RE),
    Inverted(3, 6,  96, 1, 0,    RE),
    Inverted(5, 6, 192, 2, 0,    RE),  # 7
    Inverted(5, 6, 192, 1, 0,    RE),
    Inverted(5, 6, 192, 1, 0,    RE),
    Inverted(5, 6, 192, 1, 0,    RE),
    Inverted(3, 6, 320, 1, 0,    RE, residual=False),
    Conv(    1,   1280, 1,       RE, exact=1280),
  ),
  head=Head(),
)  # fmt: skip

SMALL = Network(
  rows=(
    #        k  e  out stride SE NL    224 px
    Conv(    3,      8, 2,       RE),  # 112
    Inverted(3, 1,   8, 1, 0,    RE),
    Inverted(3, 3,  16, 2, 0,    RE),  # 56
    Inverted(3, 6,  16, 2, 0,    RE),  # 28
    Inverted(3, 6,  16, 1, 0,    RE),
    Inverted(5, 6,  32, 2, SE,   RE),  # 14
    Inverted(5, 6,  32, 1, SE,   RE),
    Inverted(5, 6,  32, 1, SE,   RE),
    Inverted(5, 6,  32, 1, SE,   RE),
    Inverted(3, 6,  32, 1, SE,   RE),
    Inverted(3, 6,  32, 1, SE,   RE),
    Inverted(3, 6,  32, 1, SE,   RE),
    Inverted(5, 6,  88, 2, SE,   RE),  # 7
    Inverted(5, 6,  88, 1, SE,   RE),
    Inverted(5, 6,  88, 1, SE,   RE),
    Inverted(3, 6, 144, 1, 0,    RE),
    Conv(    1,   1280, 1,       RE, exact=1280),
  ),
  head=Head(),
  style=Style(squeeze='mnasnet'),
)  # fmt: skip

NETWORKS = {'mnasnet_a1': A1, 'mnasnet_b1': B1, 'mnasnet_small': SMALL}
