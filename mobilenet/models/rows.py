"""The rows that networks are written in: frozen, in the papers' columns, no modules."""

import dataclasses

PRELU = 'prelu'  # an activation of rows that has parameters: see `layers.PRelu`


class ModelError(ValueError):
  """A model that cannot be made as asked; the message is one line for a person."""


def make_divisible(value: float, divisor: int = 8, minimum: int | None = None) -> int:
  """Rounds a channel count to a multiple of `divisor`, never more than 10 % down.

  The one rounding rule of all the families (slim's, which Keras, timm and torchvision
  share): 18 becomes 24, since 16 would lose more than a tenth. With divisor 1 it
  truncates, as V1 does.
  """
  rounded = max(minimum or divisor, int(value + divisor // 2) // divisor * divisor)
  return rounded + divisor if rounded < 0.9 * value else rounded


@dataclasses.dataclass(frozen=True)
class Conv:
  """A convolution with norm and activation. Column order: k, out, stride.

  `padding` differs from the style's where a paper says so: a rule of `lowering.pads`.
  """

  kernel: int
  out: int
  stride: int = 1
  act: str = 'relu'
  # A last layer keeps its width below multiplier 1: V2's 1,280 channels.
  shrink: bool = True
  padding: str | int | None = None
  groups: int = 1
  exact: int | None = None  # channels, whatever the width multiplier says


@dataclasses.dataclass(frozen=True)
class Pool:
  """Pooling by 'max' or 'average'; padded pixels count for neither."""

  kernel: int
  stride: int
  kind: str = 'max'
  padding: str | int | None = None


@dataclasses.dataclass(frozen=True)
class Separable:
  """V1's depthwise separable convolution: depthwise k x k, then 1x1 to `out`.

  `between`: norm and activation after the depthwise convolution too, which V1 has and
  Xception has not. `dilation` is the depthwise convolution's, here and below.
  """

  kernel: int
  out: int
  stride: int = 1
  act: str = 'relu6'
  between: bool = True
  dilation: int = 1


@dataclasses.dataclass(frozen=True)
class Inverted:
  """V2's and V3's inverted residual with a linear bottleneck.

  `expand` is a ratio of the input width after scaling and rounding: only that gives
  the published counts at every width. `se` is the squeeze ratio, of the expanded width
  where the style doesn't say otherwise.
  """

  kernel: int
  expand: float
  out: int
  stride: int = 1
  se: float = 0.0
  act: str = 'relu6'
  residual: bool = True  # where stride 1 and equal widths allow it
  dilation: int = 1


@dataclasses.dataclass(frozen=True)
class Fused:
  """An inverted residual whose expansion is a full k x k convolution (EdgeTPU, V4)."""

  kernel: int
  expand: float
  out: int
  stride: int = 1
  act: str = 'relu'
  residual: bool = True  # where stride 1 and equal widths allow it


@dataclasses.dataclass(frozen=True)
class Universal:
  """V4's universal inverted bottleneck. Column order: start, middle, e, out, stride.

  `start` and `middle` are the kernels of the depthwise convolutions before and after
  the expansion, 0 for none: both are the paper's ExtraDW, the middle one alone the
  inverted bottleneck, the first alone ConvNext-like, none a feed-forward network.
  """

  start: int
  middle: int
  expand: float
  out: int
  stride: int = 1
  act: str = 'relu'
  layer_scale: bool = False
  dilation: int = 1
  residual: bool = True  # where stride 1 and equal widths allow it


@dataclasses.dataclass(frozen=True)
class Attention:
  """V4's mobile multi-query attention: `heads` queries, one key and value of `width`.

  `kv_stride` is the stride of the depthwise convolution that shrinks the map for keys
  and values; 1 for none.
  """

  heads: int
  width: int
  kv_stride: int = 1
  layer_scale: bool = True
  stride: int = 1


@dataclasses.dataclass(frozen=True)
class Head:
  """Global average pool, an optional hidden layer, dropout, the classifier.

  A hidden layer is V3's 'efficient last stage': after the pool, with a bias and no
  norm, or V4's with a norm and no bias. It is widened above multiplier 1 and never
  narrowed.
  """

  hidden: int = 0
  act: str = 'hard_swish'
  norm: bool = False
  exact: int | None = None  # width of the hidden layer, whatever the multiplier says


@dataclasses.dataclass(frozen=True)
class ConvHead:
  """SqueezeNet's: dropout, a 1x1 convolution to the classes, ReLU, then the pool."""


@dataclasses.dataclass(frozen=True)
class FlatHead:
  """AlexNet's and VGG's: pool to `size` x `size`, hidden dense layers, classifier.

  Every dense layer but the classifier is followed by ReLU and dropout, as VGG has it.
  """

  size: int
  hidden: tuple[int, ...] = (4096, 4096)


@dataclasses.dataclass(frozen=True)
class Style:
  """What all layers of a network share; the defaults are V3's reference code's.

  padding: 'tf', 'torch' or 'keras_v1' (see `lowering.pads`). norm: whether convolutions
  have batch norm, or else a bias. norm_group: images that training normalises together,
  0 for all of a batch (see `norm.BatchNorm`). squeeze: whose squeeze-and-excite it is,
  'v3' or 'mnasnet' (see `layers.SqueezeExcite`). dtype: the compute type; parameters,
  norms and logits stay float32. lowering: how convolutions are asked of XLA. remat:
  training keeps what enters a row, and computes the rest again for its gradients.
  """

  padding: str = 'tf'
  norm: bool = True
  norm_momentum: float = 0.99
  norm_epsilon: float = 1e-3
  norm_group: int = 0
  squeeze: str = 'v3'
  init: str = 'fan_out'
  dtype: str = 'float32'
  lowering: str = 'auto'
  remat: bool = False


@dataclasses.dataclass(frozen=True)
class Network:
  """A whole network: rows, the first of which is the stem, then a head."""

  rows: tuple
  head: Head | ConvHead | FlatHead = Head()
  width: float = 1.0
  divisor: int = 8
  style: Style = Style()

  def scale(self, channels: int, shrink: bool = True) -> int:
    """A width of the table under this network's multiplier."""
    width = self.width if shrink else max(1.0, self.width)
    return make_divisible(channels * width, self.divisor, minimum=8)
