"""The rows that networks are written in: frozen, in the papers' columns, no modules."""

import dataclasses


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
  """A full convolution with norm and activation. Column order: k, out, stride."""

  kernel: int
  out: int
  stride: int = 1
  act: str = 'relu'
  # A last layer keeps its width below multiplier 1: V2's 1,280 channels.
  shrink: bool = True


@dataclasses.dataclass(frozen=True)
class Separable:
  """V1's depthwise separable convolution: depthwise k x k, then 1x1 to `out`."""

  kernel: int
  out: int
  stride: int = 1
  act: str = 'relu6'


@dataclasses.dataclass(frozen=True)
class Inverted:
  """V2's and V3's inverted residual with a linear bottleneck.

  `expand` is a ratio of the input width after scaling and rounding: only that gives
  the published counts at every width. `se` is the squeeze ratio of the expanded width.
  """

  kernel: int
  expand: float
  out: int
  stride: int = 1
  se: float = 0.0
  act: str = 'relu6'


@dataclasses.dataclass(frozen=True)
class Head:
  """Global average pool, an optional hidden layer, dropout, the classifier.

  A hidden layer is V3's 'efficient last stage': after the pool, with a bias and no
  norm. It is widened above multiplier 1 and never narrowed.
  """

  hidden: int = 0
  act: str = 'hard_swish'


@dataclasses.dataclass(frozen=True)
class Style:
  """What all layers of a network share; the defaults are V3's reference code's.

  padding: 'tf' or 'torch' (see `lowering.pads`). dtype: the compute type; parameters,
  norms and logits stay float32. lowering: how convolutions are asked of XLA.
  """

  padding: str = 'tf'
  norm_momentum: float = 0.99
  norm_epsilon: float = 1e-3
  init: str = 'fan_out'
  dtype: str = 'float32'
  lowering: str = 'auto'


@dataclasses.dataclass(frozen=True)
class Network:
  """A whole network: rows, the first of which is the stem, then a head."""

  rows: tuple
  head: Head = Head()
  width: float = 1.0
  divisor: int = 8
  style: Style = Style()

  def scale(self, channels: int, shrink: bool = True) -> int:
    """A width of the table under this network's multiplier."""
    width = self.width if shrink else max(1.0, self.width)
    return make_divisible(channels * width, self.divisor, minimum=8)
