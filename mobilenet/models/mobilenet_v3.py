"""MobileNetV3 (https://arxiv.org/abs/1905.02244v5), Tables 1 and 2.

The first version on arXiv has another last stage of Large; this is v5's, the published
one. Expansions are ratios of the input width, as slim has them: 184 / 80 and the like.
"""

import dataclasses

from mobilenet.models.rows import Conv, Head, Inverted, Network

RE, HS = 'relu', 'hard_swish'
SE = 0.25

LARGE = Network(
  rows=(
    #        k  e       out stride SE NL    224 px
    Conv(    3,          16, 2,       HS),  # 112
    Inverted(3, 1,       16, 1, 0,    RE),
    Inverted(3, 4,       24, 2, 0,    RE),  # 56
    Inverted(3, 3,       24, 1, 0,    RE),
    Inverted(5, 3,       40, 2, SE,   RE),  # 28
    Inverted(5, 3,       40, 1, SE,   RE),
    Inverted(5, 3,       40, 1, SE,   RE),
    Inverted(3, 6,       80, 2, 0,    HS),  # 14
    Inverted(3, 2.5,     80, 1, 0,    HS),
    Inverted(3, 184/80,  80, 1, 0,    HS),
    Inverted(3, 184/80,  80, 1, 0,    HS),
    Inverted(3, 6,      112, 1, SE,   HS),
    Inverted(3, 6,      112, 1, SE,   HS),
    Inverted(5, 6,      160, 2, SE,   HS),  # 7
    Inverted(5, 6,      160, 1, SE,   HS),
    Inverted(5, 6,      160, 1, SE,   HS),
    Conv(    1,         960, 1,       HS),
  ),
  head=Head(1280, HS),
)  # fmt: skip

# Table 2 prints squeeze-and-excite on the last 1x1 convolution; no code has it, and the
# published 2.5 M parameters and 56 M multiply-adds fit only without.
SMALL = Network(
  rows=(
    #        k  e       out stride SE NL    224 px
    Conv(    3,          16, 2,       HS),  # 112
    Inverted(3, 1,       16, 2, SE,   RE),  # 56
    Inverted(3, 72/16,   24, 2, 0,    RE),  # 28
    Inverted(3, 88/24,   24, 1, 0,    RE),
    Inverted(5, 4,       40, 2, SE,   HS),  # 14
    Inverted(5, 6,       40, 1, SE,   HS),
    Inverted(5, 6,       40, 1, SE,   HS),
    Inverted(5, 3,       48, 1, SE,   HS),
    Inverted(5, 3,       48, 1, SE,   HS),
    Inverted(5, 6,       96, 2, SE,   HS),  # 7
    Inverted(5, 6,       96, 1, SE,   HS),
    Inverted(5, 6,       96, 1, SE,   HS),
    Conv(    1,         576, 1,       HS),
  ),
  head=Head(1024, HS),
)  # fmt: skip


def minimalistic(network: Network) -> Network:
  """No squeeze-and-excite, hard-swish or 5 x 5: for hardware without them (slim)."""
  rows = tuple(
    dataclasses.replace(row, kernel=min(row.kernel, 3), se=0.0, act=RE)
    if isinstance(row, Inverted)
    else dataclasses.replace(row, act=RE)
    for row in network.rows
  )
  head = dataclasses.replace(network.head, act=RE)
  return dataclasses.replace(network, rows=rows, head=head)


NETWORKS = {
  'mobilenet_v3_large': LARGE,
  'mobilenet_v3_small': SMALL,
  'mobilenet_v3_large_minimalistic': minimalistic(LARGE),
  'mobilenet_v3_small_minimalistic': minimalistic(SMALL),
}
