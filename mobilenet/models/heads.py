"""What each kind of head is interpreted as: a feature map to logits.

`part` computes a part of it alone: 'embedding' is what the classifier, its last layer,
is given (before its dropout); 'classifier' takes that for the feature map.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.models.activations import ACTIVATIONS
from mobilenet.models.initializers import SCHEMES
from mobilenet.models.layers import Conv, make_norm
from mobilenet.models.rows import Network, Style


class HeadModule(nn.Module):
  """A `Head` row: all MobileNets, ShuffleNets, GoogLeNet, ResNet and Xception."""

  network: Network
  num_classes: int
  dropout: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False, part: str = '') -> jax.Array:
    head, style = self.network.head, self.network.style
    dense = _dense(style)
    if part != 'classifier':
      x = jnp.mean(x.astype(jnp.float32), axis=(1, 2)).astype(style.dtype)
      if head.hidden:
        width = head.exact or self.network.scale(head.hidden, shrink=False)
        x = dense(width, use_bias=not head.norm, name='hidden')(x)
        if head.norm:
          x = make_norm(style, head.act)(x, train=train)
        else:
          x = ACTIVATIONS[head.act](x)
    if part == 'embedding':
      return x
    x = nn.Dropout(self.dropout)(x, deterministic=not train)
    return dense(self.num_classes, name='classifier')(x).astype(jnp.float32)


class ConvHeadModule(nn.Module):
  """A `ConvHead` row.

  The ReLU that the paper has on the logits can die for every class at once, and then
  the loss stays at that of chance. The kernel starts small, as in the authors' solver
  (0.01), and the bias, which is ours, where every class is alive.
  """

  network: Network
  num_classes: int
  dropout: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False, part: str = '') -> jax.Array:
    if part == 'embedding':
      return x
    x = nn.Dropout(self.dropout)(x, deterministic=not train)
    x = Conv(
      self.num_classes,
      1,
      self.network.style,
      use_bias=True,
      stddev=0.01,
      bias_start=1.0,
      name='classifier',
    )(x)
    return jnp.mean(nn.relu(x.astype(jnp.float32)), axis=(1, 2))


class FlatHeadModule(nn.Module):
  """A `FlatHead` row."""

  network: Network
  num_classes: int
  dropout: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False, part: str = '') -> jax.Array:
    head, style = self.network.head, self.network.style
    dense = _dense(style)

    def dropped(x, n):  # after hidden layer n
      # Named, since the name decides what is drawn, whatever the part.
      layer = nn.Dropout(self.dropout, name=f'Dropout_{n}')
      return layer(x, deterministic=not train)

    if part != 'classifier':
      x = pool_to(x, head.size).reshape(x.shape[0], -1)
      for n, width in enumerate(head.hidden):
        x = x if n == 0 else dropped(x, n - 1)
        x = nn.relu(dense(self.network.scale(width), name=f'hidden_{n}')(x))
    if part == 'embedding':
      return x
    if head.hidden:
      x = dropped(x, len(head.hidden) - 1)
    return dense(self.num_classes, name='classifier')(x).astype(jnp.float32)


def _dense(style: Style):
  return functools.partial(
    nn.Dense, kernel_init=SCHEMES[style.init][1], dtype=style.dtype
  )


def pool_to(x: jax.Array, size: int) -> jax.Array:
  """Averages (N, H, W, C) to (N, size, size, C), any input size, as PyTorch does.

  Cell i covers rows floor(i * H / size) to ceil((i + 1) * H / size).
  """
  if x.shape[1:3] == (size, size):
    return x
  rows, columns = (_cells(n, size) for n in x.shape[1:3])
  pooled = jnp.einsum(
    'nhwc,ih,jw->nijc', x, rows, columns, preferred_element_type='float32'
  )
  return pooled.astype(x.dtype)


def _cells(n: int, size: int) -> np.ndarray:
  weights = np.zeros((size, n), np.float32)
  for i in range(size):
    begin, end = i * n // size, -(-(i + 1) * n // size)
    weights[i, begin:end] = 1 / (end - begin)
  return weights
