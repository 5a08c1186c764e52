"""MobileNetV4 (https://arxiv.org/abs/2404.10518v2), Tables 11 to 15.

The rows are those of the released code (TensorFlow Model Garden and timm), whose
parameters are the anchors of our counts. The paper's Table 13 prints another Hybrid-M
(11.17 M parameters, 1.297 G multiply-adds); the weights are of this one. The published
counts of all but Conv-S fit parameters without norms over 2^20 and multiply-adds over
2^30, and are therefore 5 to 7 % below the decimal millions counted here.

Native resolutions: Conv-S 224, Conv-M and Hybrid-M 256, Conv-L and Hybrid-L 384 px.
"""

import dataclasses

from mobilenet.models.rows import Attention, Conv, Fused, Head, Network, Universal

HEAD = Head(1280, 'relu', norm=True)

CONV_SMALL = Network(
  rows=(
    #         a  k  e    out stride  224 px
    Conv(        3,       32, 2),  # 112
    Conv(        3,       32, 2),  # 56
    Conv(        1,       32, 1),
    Conv(        3,       96, 2),  # 28
    Conv(        1,       64, 1),
    Universal(5, 5, 3,    96, 2),  # 14
    Universal(0, 3, 2,    96, 1),
    Universal(0, 3, 2,    96, 1),
    Universal(0, 3, 2,    96, 1),
    Universal(0, 3, 2,    96, 1),
    Universal(3, 0, 4,    96, 1),
    Universal(3, 3, 6,   128, 2),  # 7
    Universal(5, 5, 4,   128, 1),
    Universal(0, 5, 4,   128, 1),
    Universal(0, 5, 3,   128, 1),
    Universal(0, 3, 4,   128, 1),
    Universal(0, 3, 4,   128, 1),
    Conv(        1,      960, 1),
  ),
  head=HEAD,
)  # fmt: skip

CONV_MEDIUM = Network(
  rows=(
    #         a  k  e    out stride  256 px
    Conv(        3,       32, 2),  # 128
    Fused(       3, 4,    48, 2),  # 64
    Universal(3, 5, 4,    80, 2),  # 32
    Universal(3, 3, 2,    80, 1),
    Universal(3, 5, 6,   160, 2),  # 16
    Universal(3, 3, 4,   160, 1),
    Universal(3, 3, 4,   160, 1),
    Universal(3, 5, 4,   160, 1),
    Universal(3, 3, 4,   160, 1),
    Universal(3, 0, 4,   160, 1),
    Universal(0, 0, 2,   160, 1),
    Universal(3, 0, 4,   160, 1),
    Universal(5, 5, 6,   256, 2),  # 8
    Universal(5, 5, 4,   256, 1),
    Universal(3, 5, 4,   256, 1),
    Universal(3, 5, 4,   256, 1),
    Universal(0, 0, 4,   256, 1),
    Universal(3, 0, 4,   256, 1),
    Universal(3, 5, 2,   256, 1),
    Universal(5, 5, 4,   256, 1),
    Universal(0, 0, 4,   256, 1),
    Universal(0, 0, 4,   256, 1),
    Universal(5, 0, 2,   256, 1),
    Conv(        1,      960, 1),
  ),
  head=HEAD,
)  # fmt: skip

CONV_LARGE = Network(
  rows=(
    #         a  k  e    out stride  384 px
    Conv(        3,       24, 2),  # 192
    Fused(       3, 4,    48, 2),  # 96
    Universal(3, 5, 4,    96, 2),  # 48
    Universal(3, 3, 4,    96, 1),
    Universal(3, 5, 4,   192, 2),  # 24
    Universal(3, 3, 4,   192, 1),
    Universal(3, 3, 4,   192, 1),
    Universal(3, 3, 4,   192, 1),
    Universal(3, 5, 4,   192, 1),
    Universal(5, 3, 4,   192, 1),
    Universal(5, 3, 4,   192, 1),
    Universal(5, 3, 4,   192, 1),
    Universal(5, 3, 4,   192, 1),
    Universal(5, 3, 4,   192, 1),
    Universal(3, 0, 4,   192, 1),
    Universal(5, 5, 4,   512, 2),  # 12
    Universal(5, 5, 4,   512, 1),
    Universal(5, 5, 4,   512, 1),
    Universal(5, 5, 4,   512, 1),
    Universal(5, 0, 4,   512, 1),
    Universal(5, 3, 4,   512, 1),
    Universal(5, 0, 4,   512, 1),
    Universal(5, 0, 4,   512, 1),
    Universal(5, 3, 4,   512, 1),
    Universal(5, 5, 4,   512, 1),
    Universal(5, 0, 4,   512, 1),
    Universal(5, 0, 4,   512, 1),
    Universal(5, 0, 4,   512, 1),
    Conv(        1,      960, 1),
  ),
  head=HEAD,
)  # fmt: skip

_HYBRID_MEDIUM = Network(
  rows=(
    #         a  k  e    out stride  256 px
    Conv(        3,       32, 2),  # 128
    Fused(       3, 4,    48, 2),  # 64
    Universal(3, 5, 4,    80, 2),  # 32
    Universal(3, 3, 2,    80, 1),
    Universal(3, 5, 6,   160, 2),  # 16
    Universal(0, 0, 2,   160, 1),
    Universal(3, 3, 4,   160, 1),
    Universal(3, 5, 4,   160, 1),
    Attention(4, 64, 2),
    Universal(3, 3, 4,   160, 1),
    Attention(4, 64, 2),
    Universal(3, 0, 4,   160, 1),
    Attention(4, 64, 2),
    Universal(3, 3, 4,   160, 1),
    Attention(4, 64, 2),
    Universal(3, 0, 4,   160, 1),
    Universal(5, 5, 6,   256, 2),  # 8
    Universal(5, 5, 4,   256, 1),
    Universal(3, 5, 4,   256, 1),
    Universal(3, 5, 4,   256, 1),
    Universal(0, 0, 2,   256, 1),
    Universal(3, 5, 2,   256, 1),
    Universal(0, 0, 2,   256, 1),
    Universal(0, 0, 4,   256, 1),
    Attention(4, 64, 1),
    Universal(3, 0, 4,   256, 1),
    Attention(4, 64, 1),
    Universal(5, 5, 4,   256, 1),
    Attention(4, 64, 1),
    Universal(5, 0, 4,   256, 1),
    Attention(4, 64, 1),
    Universal(5, 0, 4,   256, 1),
    Conv(        1,      960, 1),
  ),
  head=HEAD,
)  # fmt: skip

_HYBRID_LARGE = Network(
  rows=(
    #         a  k  e    out stride  384 px
    Conv(        3,       24, 2),  # 192
    Fused(       3, 4,    48, 2),  # 96
    Universal(3, 5, 4,    96, 2),  # 48
    Universal(3, 3, 4,    96, 1),
    Universal(3, 5, 4,   192, 2),  # 24
    Universal(3, 3, 4,   192, 1),
    Universal(3, 3, 4,   192, 1),
    Universal(3, 3, 4,   192, 1),
    Universal(3, 5, 4,   192, 1),
    Universal(5, 3, 4,   192, 1),
    Universal(5, 3, 4,   192, 1),
    Attention(8, 48, 2),
    Universal(5, 3, 4,   192, 1),
    Attention(8, 48, 2),
    Universal(5, 3, 4,   192, 1),
    Attention(8, 48, 2),
    Universal(5, 3, 4,   192, 1),
    Attention(8, 48, 2),
    Universal(3, 0, 4,   192, 1),
    Universal(5, 5, 4,   512, 2),  # 12
    Universal(5, 5, 4,   512, 1),
    Universal(5, 5, 4,   512, 1),
    Universal(5, 5, 4,   512, 1),
    Universal(5, 0, 4,   512, 1),
    Universal(5, 3, 4,   512, 1),
    Universal(5, 0, 4,   512, 1),
    Universal(5, 0, 4,   512, 1),
    Universal(5, 3, 4,   512, 1),
    Universal(5, 5, 4,   512, 1),
    Attention(8, 64, 1),
    Universal(5, 0, 4,   512, 1),
    Attention(8, 64, 1),
    Universal(5, 0, 4,   512, 1),
    Attention(8, 64, 1),
    Universal(5, 0, 4,   512, 1),
    Attention(8, 64, 1),
    Universal(5, 0, 4,   512, 1),
    Conv(        1,      960, 1),
  ),
  head=HEAD,
)  # fmt: skip


def layer_scaled(network: Network) -> Network:
  """Layer scale in every bottleneck, which the hybrids have and the others have not."""
  rows = tuple(
    dataclasses.replace(row, layer_scale=True) if isinstance(row, Universal) else row
    for row in network.rows
  )
  return dataclasses.replace(network, rows=rows)


def activated(network: Network, act: str) -> Network:
  """Another activation wherever there is one."""
  rows = tuple(
    row if isinstance(row, Attention) else dataclasses.replace(row, act=act)
    for row in network.rows
  )
  head = dataclasses.replace(network.head, act=act)
  return dataclasses.replace(network, rows=rows, head=head)


NETWORKS = {
  'mobilenet_v4_conv_small': CONV_SMALL,
  'mobilenet_v4_conv_medium': CONV_MEDIUM,
  'mobilenet_v4_conv_large': CONV_LARGE,
  'mobilenet_v4_hybrid_medium': layer_scaled(_HYBRID_MEDIUM),
  'mobilenet_v4_hybrid_large': activated(layer_scaled(_HYBRID_LARGE), 'gelu'),
}
