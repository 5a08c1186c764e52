"""ResNet-50 (https://arxiv.org/abs/1512.03385), Table 1.

Stride 2 is on the 3x3 convolution of a bottleneck, as torchvision and everybody after
it has it ('v1.5'); the paper has it on the first 1x1, which is why its table prints
3.8 G multiply-adds (3,858 M) where 4,089 M are counted here. Parameters are the same.
"""

import dataclasses

import flax.linen as nn
import jax

from mobilenet.models.blocks import add_shortcut
from mobilenet.models.layers import ConvNorm
from mobilenet.models.rows import Conv, Network, Pool, Style


@dataclasses.dataclass(frozen=True)
class Bottleneck:
  """A bottleneck: 1x1, 3x3, linear 1x1, ReLU after the sum. Columns: inner, out."""

  inner: int
  out: int
  stride: int = 1


# Table 1, 50 layers: inner width, output width, bottlenecks, stride of the first.
STAGES = (
  ( 64,  256, 3, 1),  # 56 at 224 px
  (128,  512, 4, 2),  # 28
  (256, 1024, 6, 2),  # 14
  (512, 2048, 3, 2),  # 7
)  # fmt: skip

NETWORKS = {
  'resnet50': Network(
    rows=(
      Conv(7, 64, 2),  # 112
      Pool(3, 2),  # 56
      *(
        Bottleneck(inner, out, 1 if n else stride)
        for inner, out, number, stride in STAGES
        for n in range(number)
      ),
    ),
    style=Style(padding='torch', norm_momentum=0.9, norm_epsilon=1e-5),
  )
}


class BottleneckBlock(nn.Module):
  """A `Bottleneck` row (1512.03385, figure 5); the shortcut is projected if it must.

  It must where the stride or the widths differ (the paper's option B).
  """

  row: Bottleneck
  network: Network
  drop_rate: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, style, shortcut = self.row, self.network.style, x
    inner, out = self.network.scale(row.inner), self.network.scale(row.out)
    x = ConvNorm(inner, 1, style, 'relu', name='reduce')(x, train=train)
    x = ConvNorm(inner, 3, style, 'relu', stride=row.stride, name='middle')(
      x, train=train
    )
    x = ConvNorm(out, 1, style, 'linear', name='expand')(x, train=train)
    if shortcut.shape != x.shape:
      shortcut = ConvNorm(out, 1, style, 'linear', stride=row.stride, name='shortcut')(
        shortcut, train=train
      )
    return nn.relu(add_shortcut(shortcut, x, self.drop_rate, train=train))
