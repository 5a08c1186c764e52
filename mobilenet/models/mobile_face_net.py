"""MobileFaceNet (1804.07573): V2's rows for faces, with PReLU, by the paper's table.

The paper's images have 112 pixels. What follows its rows is the head 'gdc' of
`embedders`: a global depthwise convolution, which weighs the places of the last map,
since a face's centre says more than its corners.
"""

import dataclasses

import flax.linen as nn
import jax

from mobilenet.models.layers import depthwise
from mobilenet.models.rows import PRELU, Conv, Head, Inverted, Network, Style


@dataclasses.dataclass(frozen=True)
class Depthwise:
  """A depthwise convolution with norm and activation, of all channels that come in."""

  kernel: int
  stride: int = 1
  act: str = PRELU


class DepthwiseBlock(nn.Module):
  """A `Depthwise` row."""

  row: Depthwise
  network: Network
  drop_rate: float = 0.0  # no residual: nothing to drop

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row = self.row
    how = {'stride': row.stride, 'train': train}
    return depthwise(x, row.kernel, self.network.style, row.act, **how)


def _bottlenecks(expand: float, out: int, repeats: int, stride: int) -> tuple:
  """A line of the paper's table: t, c, n, s. The stride is the first row's."""
  return tuple(
    Inverted(3, expand, out, stride if n == 0 else 1, act=PRELU) for n in range(repeats)
  )


# 1804.07573, Table 1, to its 1x1 convolution.
_ROWS = (
  # 112 x 112
  Conv(3, 64, 2, PRELU),
  # 56 x 56
  Depthwise(3),
  # t, c, n, s
  *_bottlenecks(2, 64, 5, 2),
  # 28 x 28
  *_bottlenecks(4, 128, 1, 2),
  # 14 x 14
  *_bottlenecks(2, 128, 6, 1),
  *_bottlenecks(4, 128, 1, 2),
  # 7 x 7
  *_bottlenecks(2, 128, 2, 1),
  Conv(1, 512, act=PRELU),
)

# The trunk as a classifier; `embedders` has the network of the paper. Padding and norm
# are those of the PyTorch codes, whose face photos it is trained on.
NETWORKS = {
  'mobile_face_net_trunk': Network(
    _ROWS,
    Head(),
    style=Style(padding='torch', norm_momentum=0.9, norm_epsilon=1e-5),
  ),
}
