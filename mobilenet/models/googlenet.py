"""GoogLeNet (https://arxiv.org/abs/1409.4842), Table 1, and torchvision's variant.

`googlenet_2014` is the paper's network, which Table 8 of the MobileNet paper means.
`googlenet` is torchvision's: batch norm in the place of biases and local response
normalisation, 3x3 in the place of 5x5, a 2x2 pool before stage 5. Neither has the two
auxiliary classifiers: they help training, are thrown away after it and are not counted.

Publications contradict the definition, which has 6,990,272 weights and 8,280 biases
and does 1,583 M multiply-adds. MobileNet's 6.8 M is the sum of Table 1's column
(6,797.7 K), but its K are 1,024 (module 3a has 163,328 weights and is printed as 159 K)
and its first row says 2.7 K where 7 x 7 x 3 x 64 are 9.2 K. The table's operations add
up to 1,502 M, since the same row says 34 M where 118 M are done. MobileNet's 1,550 M,
2 % below the definition, is neither; we know of no reading that gives it.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models.alexnet import LocalNorm
from mobilenet.models.layers import ConvNorm, pool
from mobilenet.models.rows import Conv, Network, Pool, Style


@dataclasses.dataclass(frozen=True)
class Inception:
  """An inception module. Columns: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool."""

  out_1: int
  reduce_3: int
  out_3: int
  reduce_5: int
  out_5: int
  pool: int
  kernel: int = 5  # of the branch that is called 5x5
  stride: int = 1


# The paper gives no constants; Caffe's (its alpha is divided by the size).
NORM = LocalNorm(size=5, alpha=1e-4 / 5, beta=0.75, k=1.0)

V2014 = Network(
  rows=(
    #         1x1  r3   3x3  r5  5x5  pool    224 px
    Conv(7, 64, 2),  # 112
    Pool(3, 2, padding='ceil'),  # 56
    NORM,
    Conv(1, 64),
    Conv(3, 192),
    NORM,
    Pool(3, 2, padding='ceil'),  # 28
    Inception( 64,  96, 128, 16,  32,  32),  # 3a
    Inception(128, 128, 192, 32,  96,  64),
    Pool(3, 2, padding='ceil'),  # 14
    Inception(192,  96, 208, 16,  48,  64),  # 4a
    Inception(160, 112, 224, 24,  64,  64),
    Inception(128, 128, 256, 24,  64,  64),
    Inception(112, 144, 288, 32,  64,  64),
    Inception(256, 160, 320, 32, 128, 128),
    Pool(3, 2, padding='ceil'),  # 7
    Inception(256, 160, 320, 32, 128, 128),  # 5a
    Inception(384, 192, 384, 48, 128, 128),
  ),
  style=Style(padding='torch', norm=False, init='fan_in'),
)  # fmt: skip


def torchvision(network: Network) -> Network:
  """Batch norm for biases and local norm, 3x3 for 5x5, the last pool 2x2."""
  rows = [row for row in network.rows if not isinstance(row, LocalNorm)]
  for n, row in enumerate(rows):
    if isinstance(row, Inception):
      rows[n] = dataclasses.replace(row, kernel=3)
  last_pool = max(n for n, row in enumerate(rows) if isinstance(row, Pool))
  rows[last_pool] = dataclasses.replace(rows[last_pool], kernel=2)
  style = Style(padding='torch', norm_momentum=0.9, norm_epsilon=1e-3)
  return dataclasses.replace(network, rows=tuple(rows), style=style)


NETWORKS = {'googlenet': torchvision(V2014), 'googlenet_2014': V2014}


class InceptionBlock(nn.Module):
  """An `Inception` row (1409.4842, figure 2b): four branches, concatenated."""

  row: Inception
  network: Network
  drop_rate: float = 0.0  # no residual: nothing to drop

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, style = self.row, self.network.style

    def unit(y, width, kernel, name):
      width = self.network.scale(width)
      return ConvNorm(width, kernel, style, 'relu', name=name)(y, train=train)

    reduced_3 = unit(x, row.reduce_3, 1, 'reduce_3')
    reduced_5 = unit(x, row.reduce_5, 1, 'reduce_5')
    pooled = pool(x, 3, 1, 'max', style.padding)
    return jnp.concatenate(
      [
        unit(x, row.out_1, 1, 'out_1'),
        unit(reduced_3, row.out_3, 3, 'out_3'),
        unit(reduced_5, row.out_5, row.kernel, 'out_5'),
        unit(pooled, row.pool, 1, 'pool'),
      ],
      axis=-1,
    )
