"""ShuffleNet V1 (https://arxiv.org/abs/1707.01083) and V2 (1807.11164)."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models.layers import ConvNorm, StochasticDepth, depthwise, pool
from mobilenet.models.rows import Conv, ModelError, Network, Pool, Style


@dataclasses.dataclass(frozen=True)
class Unit:
  """V1's unit. Column order: groups, out, stride; `first`: the input is not grouped."""

  groups: int
  out: int
  stride: int = 1
  first: bool = False


@dataclasses.dataclass(frozen=True)
class UnitV2:
  """V2's unit. Column order: out, stride."""

  out: int
  stride: int = 1


STYLE = Style(padding='torch', norm_momentum=0.9, norm_epsilon=1e-5)

# V1, Table 1: output channels of stage 2 by groups, doubled in each stage after it.
STAGE_2 = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
# The stem does not follow the scale: only these channels give the multiply-adds of
# Table 2 (13 M at 0.25, 292 M at 1.5, 524 M at 2).
STEM = {0.25: 12, 0.5: 12, 1.0: 24, 1.5: 24, 2.0: 48}


def shufflenet_v1(groups: int, scale: float) -> Network:
  """V1 with a number of groups at a scale of its channels.

  The paper does not say what is done where channels cannot be grouped. With 8 groups
  the stem of 0.5x has 16 channels, as the authors' code has it, that of 0.25x 8 (12.4 M
  multiply-adds, the nearest there is to the published 13); the inner width of a unit is
  rounded up to a multiple of the groups. These two are ours.
  """
  stem = {0.25: 8, 0.5: 16}.get(scale) if groups == 8 else None
  rows = [Conv(3, stem or STEM[scale], 2), Pool(3, 2)]
  for stage, units in enumerate((4, 8, 4)):
    out = int(STAGE_2[groups] * scale) * 2**stage
    for unit in range(units):
      rows.append(Unit(groups, out, 1 if unit else 2, first=stage == unit == 0))
  return Network(rows=tuple(rows), divisor=1, style=STYLE)


# V2, Table 5: output channels of stages 2, 3, 4 and of the last convolution. The paper
# prints 1.5x's stage 2 as 176 and 2x as 244, 488, 976, 2048, as the released code has.
V2_WIDTHS = {
  0.5: (48, 96, 192, 1024),
  1.0: (116, 232, 464, 1024),
  1.5: (176, 352, 704, 1024),
  2.0: (244, 488, 976, 2048),
}


def shufflenet_v2(scale: float) -> Network:
  """V2 at one of the scales of its Table 5."""
  *stages, last = V2_WIDTHS[scale]
  rows = [Conv(3, 24, 2), Pool(3, 2)]
  for out, units in zip(stages, (4, 8, 4), strict=True):
    rows += [UnitV2(out, 1 if unit else 2) for unit in range(units)]
  return Network(rows=(*rows, Conv(1, last)), divisor=1, style=STYLE)


# Widths that are listed, not multiplied: width -> network.
NETWORKS = {
  **{
    f'shufflenet_v1_g{groups}': {s: shufflenet_v1(groups, s) for s in STEM}
    for groups in STAGE_2
  },
  'shufflenet_v2': {scale: shufflenet_v2(scale) for scale in V2_WIDTHS},
}


def shuffle(x: jax.Array, groups: int) -> jax.Array:
  """Channel shuffle of (..., C): channel (g, i) of groups x C/g moves to (i, g)."""
  *shape, channels = x.shape
  x = x.reshape(*shape, groups, channels // groups)
  return jnp.swapaxes(x, -1, -2).reshape(*shape, channels)


class UnitBlock(nn.Module):
  """A `Unit` row (1707.01083, figure 2): a bottleneck of grouped 1x1 convolutions.

  Stride 2 concatenates with the average-pooled input in place of adding.
  """

  row: Unit
  network: Network
  drop_rate: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, style, shortcut = self.row, self.network.style, x
    inner = -(-row.out // (4 * row.groups)) * row.groups
    grouped = 1 if row.first else row.groups
    branch = row.out - x.shape[-1] if row.stride == 2 else row.out
    if branch <= 0 or (row.stride == 1 and row.out != x.shape[-1]):
      raise ModelError(
        f'{row} is given {x.shape[-1]} channels: at stride 1 it gives as many, and at '
        'stride 2 more'
      )
    x = ConvNorm(inner, 1, style, 'relu', groups=grouped, name='reduce')(x, train=train)
    x = shuffle(x, row.groups)
    x = depthwise(x, 3, style, 'linear', stride=row.stride, train=train)
    x = ConvNorm(branch, 1, style, 'linear', groups=row.groups, name='expand')(
      x, train=train
    )
    if row.stride == 2:
      shortcut = pool(shortcut, 3, 2, 'average', style.padding)
      return nn.relu(jnp.concatenate([shortcut, x], axis=-1))
    return nn.relu(shortcut + StochasticDepth(self.drop_rate)(x, train=train))


class UnitV2Block(nn.Module):
  """A `UnitV2` row (1807.11164, figure 3): half the channels pass untouched."""

  row: UnitV2
  network: Network
  drop_rate: float = 0.0  # half of the channels always pass: nothing to drop

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    row, style, half = self.row, self.network.style, self.row.out // 2
    if row.out % 2 or (row.stride == 1 and row.out != x.shape[-1]):
      raise ModelError(
        f'{row} is given {x.shape[-1]} channels: it gives an even number, and as many '
        'at stride 1'
      )
    if row.stride == 1:
      shortcut, x = jnp.split(x, 2, axis=-1)
    else:
      name = 'shortcut_depthwise'
      shortcut = depthwise(
        x, 3, style, 'linear', stride=row.stride, name=name, train=train
      )
      shortcut = ConvNorm(half, 1, style, 'relu', name='shortcut_pointwise')(
        shortcut, train=train
      )
    x = ConvNorm(half, 1, style, 'relu', name='reduce')(x, train=train)
    x = depthwise(x, 3, style, 'linear', stride=row.stride, train=train)
    x = ConvNorm(half, 1, style, 'relu', name='expand')(x, train=train)
    return shuffle(jnp.concatenate([shortcut, x], axis=-1), 2)
