"""MobileNetV2 (https://arxiv.org/abs/1801.04381), Table 2."""

from mobilenet.models.rows import Conv, Head, Inverted, Network, Style

# The paper's text counts 19 bottleneck layers; its Table 2 and all code have 17.
# The last layer keeps 1,280 channels below multiplier 1, as the published counts do.
V2 = Network(
  rows=(
    #        k  e  out stride    224 px
    Conv(    3,     32, 2, 'relu6'),  # 112
    Inverted(3, 1,  16, 1),
    Inverted(3, 6,  24, 2),           # 56
    Inverted(3, 6,  24, 1),
    Inverted(3, 6,  32, 2),           # 28
    Inverted(3, 6,  32, 1),
    Inverted(3, 6,  32, 1),
    Inverted(3, 6,  64, 2),           # 14
    Inverted(3, 6,  64, 1),
    Inverted(3, 6,  64, 1),
    Inverted(3, 6,  64, 1),
    Inverted(3, 6,  96, 1),
    Inverted(3, 6,  96, 1),
    Inverted(3, 6,  96, 1),
    Inverted(3, 6, 160, 2),           # 7
    Inverted(3, 6, 160, 1),
    Inverted(3, 6, 160, 1),
    Inverted(3, 6, 320, 1),
    Conv(    1,   1280, 1, 'relu6', shrink=False),
  ),
  head=Head(),
  style=Style(norm_momentum=0.997, init='slim'),
)  # fmt: skip

NETWORKS = {'mobilenet_v2': V2}
