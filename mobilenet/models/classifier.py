"""The one interpreter of tables: backbone, head, and the classifier made of both."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from mobilenet.models.blocks import BLOCKS
from mobilenet.models.initializers import SCHEMES
from mobilenet.models.layers import ACTIVATIONS
from mobilenet.models.rows import Network


class Backbone(nn.Module):
  """Interprets a network's rows: `stem`, then `block_00`, `block_01`, ...

  Returns the last map and the endpoints, a dict from stride to the last map at that
  stride. `stochastic_depth` is the drop rate of the last row; rows before it have less,
  linearly (1603.09382).
  """

  network: Network
  stochastic_depth: float = 0.0

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, dict[int, jax.Array]]:
    rows = self.network.rows
    stride, endpoints = 1, {}
    for n, row in enumerate(rows):
      x = BLOCKS[type(row)](
        row,
        self.network,
        drop_rate=self.stochastic_depth * n / max(len(rows) - 1, 1),
        name='stem' if n == 0 else f'block_{n - 1:02d}',
      )(x, train=train)
      stride *= row.stride
      endpoints[stride] = x
    return x, endpoints


class ClassificationHead(nn.Module):
  """Interprets a `Head` row over a feature map (N, H, W, C); logits are float32."""

  network: Network
  num_classes: int
  dropout: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    head, style = self.network.head, self.network.style
    dense = functools.partial(
      nn.Dense, kernel_init=SCHEMES[style.init][1], dtype=style.dtype
    )
    x = jnp.mean(x.astype(jnp.float32), axis=(1, 2)).astype(style.dtype)
    if head.hidden:
      width = self.network.scale(head.hidden, shrink=False)
      x = ACTIVATIONS[head.act](dense(width, name='hidden')(x))
    x = nn.Dropout(self.dropout)(x, deterministic=not train)
    return dense(self.num_classes, name='classifier')(x).astype(jnp.float32)


class Classifier(nn.Module):
  """A network with its head: images (N, H, W, 3) to logits (N, num_classes), float32.

  Static and hashable; `apply` is pure. Images are NHWC in the value range that the
  recipe or the imported weights declare. `train=True` needs the rng 'dropout' if any
  rate is above zero, and mutable 'batch_stats'.
  """

  network: Network
  num_classes: int
  dropout: float = 0.0
  stochastic_depth: float = 0.0

  def setup(self):
    self.backbone = Backbone(self.network, self.stochastic_depth)
    self.head = ClassificationHead(self.network, self.num_classes, self.dropout)

  def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array:
    features, _ = self.features(images, train=train)
    return self.head(features, train=train)

  def features(
    self, images: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, dict[int, jax.Array]]:
    """The last feature map and the endpoints by stride."""
    return self.backbone(images.astype(self.network.style.dtype), train=train)
