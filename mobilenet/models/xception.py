"""Xception (https://arxiv.org/abs/1610.02357), figure 5; 299 px.

Details that the figure leaves open are those of the author's Keras code: no padding in
the first two convolutions, batch norm after every convolution but the depthwise ones,
epsilon 1e-3. `padding='torch'` gives the variant of PyTorch ports. The paper's Table 3
has the 22,855,952 parameters; 8,357 M multiply-adds are done at 299 px.
"""

import dataclasses

import flax.linen as nn
import jax

from mobilenet.models.blocks import SeparableBlock, add_shortcut
from mobilenet.models.layers import ConvNorm, pool
from mobilenet.models.rows import Conv, Network, Separable, Style


@dataclasses.dataclass(frozen=True)
class Residual:
  """Separable convolutions of `outs` channels, each after a ReLU, with a residual.

  Stride 2 is a 3x3 max pool after the last of them, a strided 1x1 in the shortcut.
  """

  outs: tuple[int, ...]
  stride: int = 1


NETWORKS = {
  'xception': Network(
    rows=(
      Conv(3, 32, 2, padding='valid'),  # 149 at 299 px
      Conv(3, 64, padding='valid'),  # 147
      # The first has no ReLU before it in the figure: its input comes out of one.
      Residual((128, 128), 2),  # 74
      Residual((256, 256), 2),  # 37
      Residual((728, 728), 2),  # 19
      *(Residual((728, 728, 728)),) * 8,
      Residual((728, 1024), 2),  # 10
      Separable(3, 1536, act='relu', between=False),
      Separable(3, 2048, act='relu', between=False),
    ),
    style=Style(padding='tf', norm_momentum=0.99, norm_epsilon=1e-3),
  )
}


class ResidualBlock(nn.Module):
  """A `Residual` row."""

  row: Residual
  network: Network
  drop_rate: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, style, shortcut = self.row, self.network.style, x
    x = nn.relu(x)
    for n, out in enumerate(row.outs):
      # A ReLU after one is the ReLU before the next; the last stays linear.
      act = 'linear' if n == len(row.outs) - 1 else 'relu'
      separable = Separable(3, out, act=act, between=False)
      x = SeparableBlock(separable, self.network, name=f'separable_{n}')(x, train=train)
    if row.stride > 1:
      x = pool(x, 3, row.stride, 'max', style.padding)
    if shortcut.shape != x.shape:
      shortcut = ConvNorm(
        x.shape[-1], 1, style, 'linear', stride=row.stride, name='shortcut'
      )(shortcut, train=train)
    return add_shortcut(shortcut, x, self.drop_rate, train=train)
