"""The numbers of a convolution, and the shapes of the three arrays that meet in it."""

import dataclasses
from collections.abc import Iterable

import jax
from jax.core import ShapedArray
from jax.sharding import NamedSharding, PartitionSpec

Pads = tuple[tuple[int, int], tuple[int, int]]

# A convolution is a form of three arrays, linear in each: the sum over all of an output
# times what images and kernel make of it. Any two give the third: the output, or the
# gradient of images or kernel.
ROLES = ('images', 'kernel', 'output')


def others(wanted: str) -> list[str]:
  """The two that give the third, in the order in which functions take them."""
  return [role for role in ROLES if role != wanted]


def is_smaller(sizes: Iterable[int], than: int) -> bool:
  """Whether a size is smaller; one that an exported program leaves open is not."""
  return any(isinstance(size, int) and size < than for size in sizes)


@dataclasses.dataclass(frozen=True)
class Window:
  """How a kernel goes over an image; sizes are (height, width)."""

  image: tuple[int, int]
  channels: int
  kernel: tuple[int, int]
  features: int
  stride: int = 1
  padding: Pads = ((0, 0), (0, 0))
  dilation: int = 1
  groups: int = 1

  @classmethod
  def of(cls, x: jax.Array, kernel: jax.Array, **window) -> 'Window':
    """That of images (N, H, W, C) and a kernel (k, k, C / groups, O)."""
    sizes = {'image': x.shape[1:3], 'channels': x.shape[3]}
    sizes |= {'kernel': kernel.shape[:2], 'features': kernel.shape[3]}
    return cls(**sizes, **window)

  @property
  def output(self) -> tuple[int, int]:
    rows, columns = (
      (size + sum(pad) - (kernel - 1) * self.dilation - 1) // self.stride + 1
      for size, kernel, pad in zip(self.image, self.kernel, self.padding, strict=True)
    )
    return rows, columns

  @property
  def is_depthwise(self) -> bool:
    return self.groups == self.channels == self.features

  @property
  def is_pointwise(self) -> bool:
    return self.kernel == (1, 1) and self.padding == ((0, 0), (0, 0))

  def shape(self, role: str, images: int) -> tuple[int, ...]:
    """Of the array in a role, with a batch of so many images."""
    if role == 'kernel':
      return (*self.kernel, self.channels // self.groups, self.features)
    if role == 'images':
      return (images, *self.image, self.channels)
    return (images, *self.output, self.features)

  def type(self, role: str, beside: jax.Array) -> ShapedArray:
    """The type of the array in a role; `beside` is one of a batch, sharded as it is."""
    known = jax.typeof(beside)
    axes = () if role == 'kernel' else known.sharding.spec[:1]
    return known.update(
      shape=self.shape(role, known.shape[0]),
      sharding=NamedSharding(known.sharding.mesh, PartitionSpec(*axes)),
    )
