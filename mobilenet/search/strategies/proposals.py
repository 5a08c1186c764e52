"""NetAdapt's proposals: each narrows one group of channels until enough is saved.

MobileNetV3 (1905.02244, section 4.2) proposes two kinds: to shrink the expansion of a
row, and to shrink the width that rows joined by residuals share. Both are groups of
`search.wiring`; the stem, the last convolution and a hidden layer before the classifier
are groups as well.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mobilenet.models.rows import ModelError, Network, make_divisible
from mobilenet.search import channels, wiring
from mobilenet.search.strategies.ladders import most_within
from mobilenet.search.wiring import EXPAND, SQUEEZE, Wiring

Predict = Callable[[Sequence[Network]], Sequence[float]]

STEP = 8  # widths that runtimes are fast at, and the fewest channels that are left
# Width multipliers of the uniform networks: in hundredths no network is passed over.
_WIDTHS = [n / 100 for n in range(5, 100)]


class Proposal(NamedTuple):
  """A network with fewer channels in one group.

  before, after: channels of the group. cost: as predicted.
  """

  group: str
  before: int
  after: int
  network: Network
  cost: float


def step_of(network: Network) -> int:
  """By how many channels widths differ: a multiple of the divisor."""
  return network.divisor * -(-STEP // network.divisor)


def smaller(network: Network, wires: Wiring) -> dict[str, range]:
  """Of each group the numbers of channels below its own, the least first.

  An expansion stays wider than what comes into it, or its row would have none. Squeezed
  widths are left out: they follow from the expanded ones.
  """
  step, found = step_of(network), {}
  entering = {at.group_inner: at.channels_in for at in wires.rows if at.inner}
  for group, size in wires.sizes.items():
    if not group.endswith(f'/{SQUEEZE}'):
      above = entering[group] if group.endswith(f'/{EXPAND}') else 0
      found[group] = range((above // step + 1) * step, size, step)
  return found


def narrowed(network: Network, sizes: Mapping[str, int]) -> Network:
  """The network with these sizes of groups, and the others as they are."""
  return channels.resized(network, {**wiring.of(network).sizes, **sizes})


def least(network: Network) -> Network:
  """The network with as few channels as proposals can come to."""
  for expansions in (False, True):  # last, when less comes into them
    found = smaller(network, wiring.of(network))
    network = narrowed(
      network,
      {
        group: sizes[0]
        for group, sizes in found.items()
        if sizes and group.endswith(f'/{EXPAND}') == expansions
      },
    )
  return network


def propose(network: Network, target: float, predict: Predict) -> list[Proposal]:
  """Of each group the most channels with which the network costs `target` at most.

  Args:
    network: of width 1, its residuals written out (`channels.resized`).
    target: in the unit of the cost.
    predict: networks -> their costs.

  Returns:
    A proposal for each group that can save so much, in the order of the groups.
  """
  wires = wiring.of(network)
  sizes = smaller(network, wires)

  def make(group: str, rung: int) -> Network:
    return narrowed(network, {group: sizes[group][rung]})

  ladders = {group: len(own) for group, own in sizes.items()}
  (now,) = predict([network])
  return [
    Proposal(group, wires.sizes[group], sizes[group][rung], make(group, rung), cost)
    for group, (rung, cost) in most_within(ladders, make, target, now, predict).items()
  ]


def uniform(start: Network, whole: Network) -> list[Network]:
  """The start's family at smaller widths: what a width multiplier makes of its table.

  Rounding makes jumps of a tenth of the cost and more. Between two widths come networks
  that have the larger one from the stem to some row, and the smaller one after it.

  Args:
    start: as the tables have it; what a multiplier leaves as it is stays so, such as
      V3's hidden layer.
    whole: the same of width 1 (`channels.resized`).

  Returns:
    Networks inside of `whole`, each once, from the narrowest on.
  """
  wires, step = wiring.of(whole), step_of(whole)
  ladder: list[dict[str, int]] = []
  for width in _WIDTHS:
    family = wiring.of(dataclasses.replace(start, width=start.width * width))
    sizes = dict(family.sizes)
    for at, its in zip(wires.rows, family.rows, strict=True):
      # Not by name: at this width a residual may join what it does not in `whole`.
      if at.group_out:
        sizes[at.group_out] = its.out
      if at.inner is not None:
        sizes[at.group_inner] = its.inner or 0
    rounded = {
      group: min(make_divisible(sizes[group], step), size)
      for group, size in wires.sizes.items()
      if not group.endswith(f'/{SQUEEZE}')
    }
    for group, size in rounded.items() if ladder else ():
      if ladder[-1][group] != size:
        ladder.append({**ladder[-1], group: size})
    ladder = ladder or [rounded]
  found = []
  for sizes in [*ladder, wires.sizes]:
    with contextlib.suppress(ModelError):  # an expansion would vanish
      found.append(narrowed(whole, sizes))
  return found


def scattered(network: Network, count: int, seed: int) -> list[Network]:
  """Drawn networks between `least` and the whole one, to fit a correction to."""
  rng, found = np.random.default_rng(seed), []
  for share in np.linspace(0.15, 0.9, count):
    narrow = network
    for expansions in (False, True):
      sizes = smaller(narrow, wiring.of(narrow))
      chosen = {
        group: own[min(int(len(own) * share * rng.uniform(0.6, 1.4)), len(own) - 1)]
        for group, own in sizes.items()
        if own and group.endswith(f'/{EXPAND}') == expansions
      }
      narrow = narrowed(narrow, chosen)
    found.append(narrow)
  return found
