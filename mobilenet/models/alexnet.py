"""AlexNet, the one of 2014 and the one of 2012: two networks of one name.

`alexnet` is torchvision's: the single tower of https://arxiv.org/abs/1404.5997 without
normalisation. `alexnet_2012` is the network of Krizhevsky, Sutskever and Hinton
(NeurIPS 2012), which Table 9 of the MobileNet paper means: two towers, which are
convolutions in two groups, and local response normalisation. Its paper says 224 px and
55 x 55 outputs of the first layer; padding 2 gives that, 227 px without padding is
Caffe's reading, with the same counts. Both start from He's weights (1502.01852) in the
place of the paper's 0.01 and biases of 1. torchvision drops before the hidden layers;
here it is after them, as in the paper.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models.rows import Conv, FlatHead, Network, Pool, Style


@dataclasses.dataclass(frozen=True)
class LocalNorm:
  """Local response normalisation across channels, with the constants of 2012.

  x / (k + alpha * sum of squares over `size` neighbouring channels) ** beta: a sum as
  in the paper (section 3.3); Caffe and PyTorch write its alpha times `size`.
  """

  size: int = 5
  alpha: float = 1e-4
  beta: float = 0.75
  k: float = 2.0
  stride: int = 1


STYLE = Style(padding='torch', norm=False, init='fan_in')

ONE_TOWER = Network(
  rows=(
    Conv(11,  64, 4, padding=2),  # 55 at 224 px
    Pool(3, 2, padding='valid'),  # 27
    Conv(5, 192),
    Pool(3, 2, padding='valid'),  # 13
    Conv(3, 384),
    Conv(3, 256),
    Conv(3, 256),
    Pool(3, 2, padding='valid'),  # 6
  ),
  head=FlatHead(6),
  style=STYLE,
)  # fmt: skip

TWO_TOWERS = Network(
  rows=(
    Conv(11,  96, 4, padding=2),  # 55 at 224 px
    LocalNorm(),
    Pool(3, 2, padding='valid'),  # 27
    Conv(5, 256, groups=2),
    LocalNorm(),
    Pool(3, 2, padding='valid'),  # 13
    Conv(3, 384),  # sees both towers
    Conv(3, 384, groups=2),
    Conv(3, 256, groups=2),
    Pool(3, 2, padding='valid'),  # 6
  ),
  head=FlatHead(6),
  style=STYLE,
)  # fmt: skip

NETWORKS = {'alexnet': ONE_TOWER, 'alexnet_2012': TWO_TOWERS}


class LocalNormBlock(nn.Module):
  """A `LocalNorm` row."""

  row: LocalNorm
  network: Network
  drop_rate: float = 0.0  # no residual: nothing to drop

  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    return local_norm(x, self.row)


def local_norm(x: jax.Array, row: LocalNorm) -> jax.Array:
  """Normalises (..., C); past the first and the last channel there is nothing."""
  x32, half, channels = x.astype(jnp.float32), row.size // 2, x.shape[-1]
  border = [(0, 0)] * (x.ndim - 1) + [(half, row.size - 1 - half)]
  squares = jnp.pad(jnp.square(x32), border)
  total = sum(squares[..., n : n + channels] for n in range(row.size))
  return (x32 * (row.k + row.alpha * total) ** -row.beta).astype(x.dtype)
