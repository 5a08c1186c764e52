"""MobileNetV1 (https://arxiv.org/abs/1704.04861), Table 1, and FD-MobileNet."""

import dataclasses

from mobilenet.models.rows import Conv, Head, Network, Separable, Style

# The paper's text says ReLU; the released code, its weights and everybody's ports
# have ReLU6. Table 1 prints stride 2 for the last depthwise layer on a 7 x 7 map: a
# misprint, since only stride 1 gives the 569 M multiply-adds of the same paper.
V1 = Network(
  rows=(
    #         k   out stride      224 px
    Conv(     3,   32, 2, 'relu6'),  # 112
    Separable(3,   64, 1),
    Separable(3,  128, 2),           # 56
    Separable(3,  128, 1),
    Separable(3,  256, 2),           # 28
    Separable(3,  256, 1),
    Separable(3,  512, 2),           # 14
    Separable(3,  512, 1),
    Separable(3,  512, 1),
    Separable(3,  512, 1),
    Separable(3,  512, 1),
    Separable(3,  512, 1),
    Separable(3, 1024, 2),           # 7
    Separable(3, 1024, 1),
  ),
  head=Head(),
  divisor=1,  # slim truncates; all published multipliers give multiples of 8
  style=Style(norm_momentum=0.9997, init='slim'),
)  # fmt: skip

# FD-MobileNet (https://arxiv.org/abs/1802.03750), Table 1: the same layers, brought down
# to 7 x 7 within six of them, for devices of 10 to 150 M multiply-adds.
FD = dataclasses.replace(
  V1,
  rows=(
    #         k   out stride      224 px
    Conv(     3,   32, 2, 'relu6'),  # 112
    Separable(3,   64, 2),           # 56
    Separable(3,  128, 2),           # 28
    Separable(3,  128, 1),
    Separable(3,  256, 2),           # 14
    Separable(3,  256, 1),
    Separable(3,  512, 2),           # 7
    Separable(3,  512, 1),
    Separable(3,  512, 1),
    Separable(3,  512, 1),
    Separable(3,  512, 1),
    Separable(3, 1024, 1),
  ),
)  # fmt: skip


def full_conv(network: Network) -> Network:
  """Table 4's 'Conv MobileNet': a full convolution for each separable one."""
  rows = tuple(
    Conv(row.kernel, row.out, row.stride, row.act)
    if isinstance(row, Separable)
    else row
    for row in network.rows
  )
  return dataclasses.replace(network, rows=rows)


def shallow(network: Network) -> Network:
  """Table 5's 'Shallow MobileNet': without the five 14 x 14 x 512 layers."""
  repeated = Separable(3, 512, 1)
  rows = tuple(row for row in network.rows if row != repeated)
  return dataclasses.replace(network, rows=rows)


NETWORKS = {
  'fd_mobilenet': FD,
  'mobilenet_v1': V1,
  'mobilenet_v1_full_conv': full_conv(V1),
  'mobilenet_v1_shallow': shallow(V1),
}
