"""Networks as trunks of detectors and segmenters: transformations of their tables."""

import dataclasses
from typing import NamedTuple

from mobilenet.models import freezing
from mobilenet.models.rows import Conv, Inverted, ModelError, Network


class Tap(NamedTuple):
  """A map that a detector or a segmenter takes out of a network.

  row: its number, the stem's is 0. part: '' is the row's output; 'expand' is what goes
  into its depthwise convolution, 'depthwise' what comes out of it (both after norm and
  activation, before squeeze-and-excite).
  """

  row: int
  part: str = ''


def strides(network: Network) -> list[int]:
  """The stride of each row's output."""
  total, found = 1, []
  for row in network.rows:
    total *= row.stride
    found.append(total)
  return found


def first_row(network: Network, stride: int) -> int:
  """The number of the row that brings the map to a stride.

  Raises:
    ModelError: none does.
  """
  found = strides(network)
  if stride not in found:
    raise ModelError(
      f'this network has no map of stride {stride}: there are '
      f'{", ".join(map(str, sorted(set(found))))}'
    )
  return found.index(stride)


def last_row(network: Network, stride: int) -> int:
  """The number of the last row whose output has a stride.

  Raises:
    ModelError: none has.
  """
  first = first_row(network, stride)
  return first + strides(network).count(stride) - 1


def reduced(network: Network, *, from_expansion: bool = False) -> Network:
  """V3's section 6.3: half of the channels after the last map of stride 16.

  The outputs of the blocks of stride 32 and the last 1x1 convolution halve. The first
  block keeps its expansion, which is of what comes in; those after it expand what is
  halved. `from_expansion` halves the first expansion too, as the segmentation trunks
  have it (DeepLab's `reduce` of the last block; section 6.4).

  Raises:
    ModelError: it isn't a network of inverted residuals that ends with a convolution.
  """
  first = first_row(network, 32)
  rows = list(network.rows)
  for n in range(first, len(rows)):
    row = rows[n]
    if not isinstance(row, Inverted | Conv):
      raise ModelError('only MobileNetV2 and V3 have a tail that can be reduced')
    row = dataclasses.replace(row, out=row.out // 2)
    if n == first and from_expansion:
      row = dataclasses.replace(row, expand=row.expand / 2)
    rows[n] = row
  return dataclasses.replace(network, rows=tuple(rows))


def without_least_width(network: Network) -> Network:
  """The last convolution is as narrow as the multiplier says: V2's and MnasNet's too.

  Its 1,280 channels below multiplier 1 are the classifier's; the published detectors
  and segmenters have fewer (1905.02244, Table 6, fits only so).
  """
  stem, *others = network.rows  # whose width may be given
  rows = [
    dataclasses.replace(row, shrink=True, exact=None) if isinstance(row, Conv) else row
    for row in others
  ]
  return dataclasses.replace(network, rows=(stem, *rows))


def dilated(network: Network, output_stride: int, *, at_once: bool = False) -> Network:
  """No map has more than a stride: later rows dilate instead (DeepLab, 1606.00915).

  The row whose stride is removed keeps its rate and the rows after it get twice as much
  (slim's mobilenet.py). With `at_once` that row has the new rate already (torchvision).

  Raises:
    ModelError: the network has no such stride, or a row that would have to dilate
      cannot.
  """
  first_row(network, output_stride)
  total, rate, rows = 1, 1, []
  for n, row in enumerate(network.rows):
    before = rate
    if total * row.stride > output_stride:
      rate *= row.stride
      row = dataclasses.replace(row, stride=1)
    total *= row.stride
    own = rate if at_once else before
    if own > 1 and getattr(row, 'kernel', 3) > 1:
      if not hasattr(row, 'dilation'):
        kind = type(row).__name__
        raise ModelError(f'row {n} is a {kind}, which has no dilation')
      row = dataclasses.replace(row, dilation=own)
    rows.append(row)
  return dataclasses.replace(network, rows=tuple(rows))


def learns(network: Network, frozen: int, path: tuple[str, ...]) -> bool:
  """Whether the variable below modules of these names learns: all but frozen rows."""
  return path[0] != 'backbone' or freezing.learns(network, frozen, path)
