"""The one interpreter of tables: backbone, head, and the classifier made of both."""

from typing import NamedTuple

import flax.linen as nn
import jax
from jax import lax

from mobilenet.models import (
  alexnet,
  blocks,
  freezing,
  googlenet,
  heads,
  mobile_face_net,
  resnet,
  rows,
  shufflenet,
  squeezenet,
  xception,
)
from mobilenet.models.rows import Network
from mobilenet.models.trunks import Tap

BLOCKS = {
  rows.Conv: blocks.ConvBlock,
  rows.Pool: blocks.PoolBlock,
  rows.Separable: blocks.SeparableBlock,
  rows.Inverted: blocks.InvertedBlock,
  rows.Fused: blocks.FusedBlock,
  rows.Universal: blocks.UniversalBlock,
  rows.Attention: blocks.AttentionBlock,
  shufflenet.Unit: shufflenet.UnitBlock,
  shufflenet.UnitV2: shufflenet.UnitV2Block,
  mobile_face_net.Depthwise: mobile_face_net.DepthwiseBlock,
  squeezenet.Fire: squeezenet.FireBlock,
  alexnet.LocalNorm: alexnet.LocalNormBlock,
  googlenet.Inception: googlenet.InceptionBlock,
  resnet.Bottleneck: resnet.BottleneckBlock,
  xception.Residual: xception.ResidualBlock,
}
HEADS = {
  rows.Head: heads.HeadModule,
  rows.ConvHead: heads.ConvHeadModule,
  rows.FlatHead: heads.FlatHeadModule,
}


class Backbone(nn.Module):
  """Interprets a network's rows: `stem`, then `block_00`, `block_01`, ...

  Returns the last map and the endpoints, a dict from stride to the last map at that
  stride, and from each of `taps` to its map. `stochastic_depth` is the drop rate of the
  last row; rows before it have less, linearly (1603.09382). The first `frozen` rows do
  not train: they normalise with their running statistics, and no gradient enters them.
  """

  network: Network
  stochastic_depth: float = 0.0
  frozen: int = 0
  taps: tuple[Tap, ...] = ()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, dict[int | Tap, jax.Array]]:
    stride, endpoints = 1, {}
    last = max(len(self.network.rows) - 1, 1)
    inside = {tap.row: tap for tap in self.taps if tap.part}
    for n, row in enumerate(self.network.rows):
      tapped = {'tap': inside[n].part} if n in inside else {}
      block = BLOCKS[type(row)](
        row,
        self.network,
        drop_rate=self.stochastic_depth * n / last,
        name='stem' if n == 0 else f'block_{n - 1:02d}',
        **tapped,
      )
      learns = train and n >= self.frozen
      if learns and self.network.style.remat:
        x = nn.remat(lambda row, x: row(x, train=True))(block, x)
      else:
        x = block(x, train=learns)
      if tapped:
        x, endpoints[inside[n]] = x
      if n + 1 == self.frozen:
        x = lax.stop_gradient(x)
      stride *= row.stride
      endpoints[stride] = x
      if Tap(n) in self.taps:
        endpoints[Tap(n)] = x
    return x, endpoints


class Answer(NamedTuple):
  """What a network says of images, and what its classifier was given to say so.

  logits: (N, num_classes), float32. embedding: (N, D) for most heads, see
  `Classifier.embed`.
  """

  logits: jax.Array
  embedding: jax.Array


class Classifier(nn.Module):
  """A network with its head: images (N, H, W, 3) to logits (N, num_classes), float32.

  Static and hashable; `apply` is pure. Images are NHWC in the value range that the
  recipe or the imported weights declare. `train=True` needs the rng 'dropout' if any
  rate is above zero, and mutable 'batch_stats'. The first `frozen` parts do not train
  (see `freezing`).
  """

  network: Network
  num_classes: int
  dropout: float = 0.0
  stochastic_depth: float = 0.0
  frozen: int = 0

  def setup(self):
    self.backbone = Backbone(self.network, self.stochastic_depth, self.frozen)
    head = HEADS[type(self.network.head)]
    self.head = head(self.network, self.num_classes, self.dropout)

  def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array:
    if self.frozen > len(self.network.rows):
      return self.classify(lax.stop_gradient(self.embed(images)), train=train)
    features, _ = self.features(images, train=train)
    return self.head(features, train=train)

  def embed(self, images: jax.Array) -> jax.Array:
    """What the classifier is given of images, without dropout: (N, D) for most heads.

    Of SqueezeNet it is the last feature map.
    """
    return self._embed(images, train=False)

  def answer(self, images: jax.Array, *, train: bool = False) -> Answer:
    """Logits and embedding of one pass, with dropout as in any training."""
    if self.frozen > len(self.network.rows):
      embedding = lax.stop_gradient(self.embed(images))
    else:
      embedding = self._embed(images, train=train)
    return Answer(self.classify(embedding, train=train), embedding)

  def _embed(self, images, *, train):
    features, _ = self.features(images, train=train)
    return self.head(features, train=train, part='embedding')

  def classify(self, embeddings: jax.Array, *, train: bool = False) -> jax.Array:
    """Logits of what `embed` gives."""
    return self.head(embeddings, train=train, part='classifier')

  @property
  def embedding_learns(self) -> bool:
    """Whether anything before the classifier does."""
    hidden = getattr(self.network.head, 'hidden', None)
    return self.frozen < len(self.network.rows) + bool(hidden)

  @nn.nowrap
  def learns(self, path: tuple[str, ...]) -> bool:
    """Whether the variable below modules of these names learns."""
    return freezing.learns(self.network, self.frozen, path)

  def features(
    self, images: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, dict[int, jax.Array]]:
    """The last feature map and the endpoints by stride.

    Raises:
      ModelError: the images are no batch.
    """
    if images.ndim != 4:
      raise rows.ModelError(
        f'images must be (N, height, width, channels), not {images.shape}'
      )
    return self.backbone(images.astype(self.network.style.dtype), train=train)


class OnEmbeddings(Classifier):
  """A `Classifier`, and its variables, for what `embed` gave of images."""

  def __call__(self, embeddings: jax.Array, *, train: bool = False) -> jax.Array:
    return self.classify(embeddings, train=train)

  @classmethod
  def like(cls, model: Classifier) -> 'OnEmbeddings':
    return cls(*(getattr(model, name) for name in _FIELDS))


class WithEmbedding(Classifier):
  """A `Classifier`, and its variables, that gives an `Answer` while it trains."""

  def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array | Answer:
    return self.answer(images, train=True) if train else super().__call__(images)

  @classmethod
  def like(cls, model: Classifier) -> 'WithEmbedding':
    return cls(*(getattr(model, name) for name in _FIELDS))


_FIELDS = ('network', 'num_classes', 'dropout', 'stochastic_depth', 'frozen')
