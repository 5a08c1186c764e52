"""SqueezeNet (https://arxiv.org/abs/1602.07360), Table 1, section 6 and release 1.1.

No norm anywhere: weights are drawn by He's rule, which keeps the size of activations
through the ReLUs, or the network does not begin to learn.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models.layers import ConvNorm
from mobilenet.models.rows import Conv, ConvHead, ModelError, Network, Pool, Style


@dataclasses.dataclass(frozen=True)
class Fire:
  """A fire module. Column order: squeeze 1x1, expand 1x1, expand 3x3.

  `bypass`: '' none, 'identity' around the module, 'conv' through a 1x1 convolution.
  """

  squeeze: int
  expand_1: int
  expand_3: int
  bypass: str = ''
  stride: int = 1


STYLE = Style(padding='torch', norm=False, init='fan_in')

V1_0 = Network(
  rows=(
    #    s1   e1   e3          224 px
    Conv(7, 96, 2, padding='valid'),  # 109
    Pool(3, 2, padding='ceil'),  # 54
    Fire(16,  64,  64),  # fire2
    Fire(16,  64,  64),
    Fire(32, 128, 128),
    Pool(3, 2, padding='ceil'),  # 27
    Fire(32, 128, 128),
    Fire(48, 192, 192),
    Fire(48, 192, 192),
    Fire(64, 256, 256),
    Pool(3, 2, padding='ceil'),  # 13
    Fire(64, 256, 256),  # fire9
  ),
  head=ConvHead(),
  style=STYLE,
)  # fmt: skip

V1_1 = Network(
  rows=(
    #    s1   e1   e3          224 px
    Conv(3, 64, 2, padding='valid'),  # 111
    Pool(3, 2, padding='ceil'),  # 55
    Fire(16,  64,  64),  # fire2
    Fire(16,  64,  64),
    Pool(3, 2, padding='ceil'),  # 27
    Fire(32, 128, 128),
    Fire(32, 128, 128),
    Pool(3, 2, padding='ceil'),  # 13
    Fire(48, 192, 192),
    Fire(48, 192, 192),
    Fire(64, 256, 256),
    Fire(64, 256, 256),  # fire9
  ),
  head=ConvHead(),
  style=STYLE,
)  # fmt: skip


def bypassed(network: Network, *, convolutions: bool) -> Network:
  """Section 6: a bypass around every second module, where widths are equal.

  Simple bypass has those alone; complex bypass a 1x1 convolution around the others.
  """
  rows, modules = [], 0
  for row in network.rows:
    if isinstance(row, Fire):
      other = 'conv' if convolutions else ''
      row = dataclasses.replace(row, bypass='identity' if modules % 2 else other)
      modules += 1
    rows.append(row)
  return dataclasses.replace(network, rows=tuple(rows))


NETWORKS = {
  'squeezenet_1_0': V1_0,
  'squeezenet_1_1': V1_1,
  'squeezenet_1_0_simple_bypass': bypassed(V1_0, convolutions=False),
  'squeezenet_1_0_complex_bypass': bypassed(V1_0, convolutions=True),
}


class FireBlock(nn.Module):
  """A `Fire` row: squeeze, then two expansions side by side, concatenated."""

  row: Fire
  network: Network
  drop_rate: float = 0.0  # the published bypasses are never dropped

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, style, shortcut = self.row, self.network.style, x
    squeeze, expand_1, expand_3 = (
      self.network.scale(width) for width in (row.squeeze, row.expand_1, row.expand_3)
    )
    x = ConvNorm(squeeze, 1, style, 'relu', name='squeeze')(x, train=train)
    x = jnp.concatenate(
      [
        ConvNorm(expand_1, 1, style, 'relu', name='expand_1')(x, train=train),
        ConvNorm(expand_3, 3, style, 'relu', name='expand_3')(x, train=train),
      ],
      axis=-1,
    )
    if row.bypass == 'conv':
      shortcut = ConvNorm(x.shape[-1], 1, style, 'linear', name='bypass')(
        shortcut, train=train
      )
    if row.bypass and x.shape != shortcut.shape:
      raise ModelError(
        f'{row} gives {x.shape[-1]} channels, and is given {shortcut.shape[-1]}, which '
        "cannot be added: bypass='conv'"
      )
    return x + shortcut if row.bypass else x
