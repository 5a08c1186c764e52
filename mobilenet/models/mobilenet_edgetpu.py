"""MobileNetEdgeTPU, as TF-slim's mobilenet_v3.py defines it (V3_EDGETPU).

For accelerators on which a full convolution with few channels is faster than a
depthwise one: fused rows first, ReLU, no squeeze-and-excite. The published width 0.75
keeps the last 1,280 channels.
"""

from mobilenet.models.rows import Conv, Fused, Head, Inverted, Network

RE = 'relu'

EDGETPU = Network(
  rows=(
    #        k  e   out stride          224 px
    Conv(    3,      32, 2, RE),      # 112
    # A fused row at expansion 1 has no k x k convolution: only this, linear in slim,
    # with ReLU in timm, whose weights want it so.
    Conv(    1,      16, 1, 'linear'),
    Fused(   3, 8,   32, 2, RE),      # 56
    Fused(   3, 4,   32, 1, RE),
    Fused(   3, 4,   32, 1, RE),
    Fused(   3, 4,   32, 1, RE),
    Fused(   3, 8,   48, 2, RE),      # 28
    Fused(   3, 4,   48, 1, RE),
    Fused(   3, 4,   48, 1, RE),
    Fused(   3, 4,   48, 1, RE),
    Inverted(3, 8,   96, 2, act=RE),  # 14
    Inverted(3, 4,   96, 1, act=RE),
    Inverted(3, 4,   96, 1, act=RE),
    Inverted(3, 4,   96, 1, act=RE),
    Inverted(3, 8,   96, 1, act=RE, residual=False),
    Inverted(3, 4,   96, 1, act=RE),
    Inverted(3, 4,   96, 1, act=RE),
    Inverted(3, 4,   96, 1, act=RE),
    Inverted(5, 8,  160, 2, act=RE),  # 7
    Inverted(5, 4,  160, 1, act=RE),
    Inverted(5, 4,  160, 1, act=RE),
    Inverted(5, 4,  160, 1, act=RE),
    Inverted(3, 8,  192, 1, act=RE),
    Conv(    1,    1280, 1, RE, shrink=False),
  ),
  head=Head(),
)  # fmt: skip

NETWORKS = {'mobilenet_edgetpu': EDGETPU}
