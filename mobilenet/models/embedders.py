"""Embedding heads on any trunk: images to points on a sphere, near if they are alike.

MobileFaceNet (1804.07573) is one of them; V1's paper (1704.04861, section 4.7) has its
network embed faces as FaceNet (1503.03832) does.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from mobilenet.models import trunks, zoo
from mobilenet.models.classifier import Backbone
from mobilenet.models.initializers import Normal
from mobilenet.models.layers import ConvNorm
from mobilenet.models.rows import ModelError, Network, Style

# How a map becomes a vector: its mean, or a linear depthwise convolution of its size.
POOLINGS = ('gap', 'gdc')
MOST_SIZE = 2**14
_LEAST = 1e-12  # squared length below which a vector is not made longer


class Answer(NamedTuple):
  """What an embedder says of images in training.

  cosines: (N, K) float32, of the angles between an embedding and the vector of each
  class; None where there are no classes. embedding: (N, E) float32, of length 1.
  """

  cosines: jax.Array | None
  embedding: jax.Array


class Embedder(nn.Module):
  """Images (N, H, W, 3) to embeddings (N, E), float32, of length 1.

  Training gives an `Answer`. It alone looks at the vectors of the classes: whoever uses
  an embedder compares embeddings, of classes that it never saw. Static and hashable;
  `apply` is pure.

  network: the trunk. num_classes: K, of the training; 0 for none. size: E. pooling: one
  of `POOLINGS`. dropout: rate before the last layer. stochastic_depth, frozen: see
  `classifier.Backbone`. With `frozen_norms` the trunk keeps its running statistics, and
  normalises by them while it learns.
  """

  network: Network
  num_classes: int
  size: int = 128
  pooling: str = 'gap'
  dropout: float = 0.0
  stochastic_depth: float = 0.0
  frozen: int = 0
  frozen_norms: bool = False

  def setup(self):
    self.backbone = Backbone(self.network, self.stochastic_depth, self.frozen)
    self.embedding = EmbeddingHead(
      self.size, self.pooling, self.network.style, self.dropout
    )
    if self.num_classes:
      self.classes = Classes(self.num_classes)

  def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array | Answer:
    images = images.astype(self.network.style.dtype)
    last, _ = self.backbone(images, train=train and not self.frozen_norms)
    embedding = unit(self.embedding(last, train=train))
    if not train and not self.is_initializing():
      return embedding
    cosines = self.classes(embedding) if self.num_classes else None
    return Answer(cosines, embedding) if train else embedding

  @nn.nowrap
  def learns(self, path: tuple[str, ...]) -> bool:
    """Whether the variable below modules of these names learns."""
    return trunks.learns(self.network, self.frozen, path)


class EmbeddingHead(nn.Module):
  """A map (N, H, W, C) to vectors (N, E), float32, of any length."""

  size: int
  pooling: str
  style: Style
  dropout: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    if self.pooling == 'gdc':
      height, width, channels = x.shape[1:]
      if height != width:
        raise ModelError(
          f"a map of {height} x {width} is no square, which pooling 'gdc' needs: "
          'square images, or --config.model.pooling=gap'
        )
      unpadded = {'groups': channels, 'padding': 0, 'name': 'depthwise'}
      x = ConvNorm(channels, height, self.style, 'linear', **unpadded)(x, train=train)
    else:
      mean = jnp.mean(x.astype(jnp.float32), axis=(1, 2), keepdims=True)
      x = mean.astype(x.dtype)
    x = nn.Dropout(self.dropout)(x, deterministic=not train)
    x = ConvNorm(self.size, 1, self.style, 'linear', name='project')(x, train=train)
    return x.reshape(len(x), self.size).astype(jnp.float32)


class Classes(nn.Module):
  """A vector of each class in the kernel (E, K); embeddings (N, E) to cosines (N, K).

  A network is counted without it, as the papers do: it is for training alone.
  """

  num_classes: int

  @property
  def kernel_init(self):
    return Normal(0.01)  # as arcface_torch of insightface; the length is divided out

  @nn.compact
  def __call__(self, embedding: jax.Array) -> jax.Array:
    shape = (embedding.shape[-1], self.num_classes)
    kernel = self.param('kernel', self.kernel_init, shape, jnp.float32)
    highest = lax.Precision.HIGHEST  # a margin is lost in the digits of a bfloat16
    return jnp.matmul(embedding, unit(kernel, axis=0), precision=highest)


def unit(x: jax.Array, axis: int = -1) -> jax.Array:
  """Vectors made as long as 1; one of zeros stays so, with a gradient of numbers."""
  squares = jnp.sum(lax.square(x), axis=axis, keepdims=True)
  return x * lax.rsqrt(jnp.maximum(squares, _LEAST))


class Named(NamedTuple):
  """An embedder of the table: a key of `zoo.NETWORKS`, and one of `POOLINGS`."""

  trunk: str
  pooling: str = 'gap'


EMBEDDERS = {
  'mobile_face_net': Named('mobile_face_net_trunk', 'gdc'),
  'embed_mobilenet_v1': Named('mobilenet_v1'),
  'embed_mobilenet_v2': Named('mobilenet_v2'),
  'embed_mobilenet_v3_large': Named('mobilenet_v3_large'),
  'embed_mobilenet_v3_small': Named('mobilenet_v3_small'),
  'embed_mobilenet_v4_conv_small': Named('mobilenet_v4_conv_small'),
}


def create(
  name: str,
  *,
  num_classes: int,
  embedding: int = 128,
  pooling: str | None = None,
  frozen_norms: bool = False,
  **options,
) -> Embedder:
  """Makes a named embedder: `create('mobile_face_net', num_classes=0)`.

  Args:
    name: a key of `EMBEDDERS`.
    num_classes: of the training; 0 for a network without vectors of classes.
    embedding: numbers of an embedding.
    pooling: one of `POOLINGS`; None for the table's.
    frozen_norms: for small batches on a trunk that is loaded, see `Embedder`.
    **options: of the trunk, see `zoo.create`.

  Raises:
    ModelError: an unknown name (with the nearest ones), option or value.
  """
  if name not in EMBEDDERS:
    raise ModelError(
      f'embedder {name!r} does not exist; {zoo.nearest(name, EMBEDDERS)}'
    )
  row = EMBEDDERS[name]
  pooling = pooling or row.pooling
  if pooling not in POOLINGS:
    raise ModelError(
      f'model pooling is {pooling!r}: it must be one of {", ".join(POOLINGS)}'
    )
  if not 1 <= embedding <= MOST_SIZE:
    raise ModelError(
      f'model embedding is {embedding}: it must be from 1 to {MOST_SIZE:,}'
    )
  made = zoo.create(row.trunk, **options)
  network = made.network
  # Below the rows there is no classifier of its own to be frozen.
  frozen = min(made.frozen, len(network.rows))
  return Embedder(
    network,
    num_classes,
    embedding,
    pooling,
    made.dropout,
    made.stochastic_depth,
    frozen,
    frozen_norms,
  )
