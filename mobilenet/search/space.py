"""A space of networks: what may differ from a base network, row by row.

    space = make(zoo.create('mobilenet_v3_small').network, kernel=(3, 5), expand=(3, 6))
    arch = sample(space, seed=0, n=1)[0]      # (0, 1, 1, ...): a place for each choice
    network = network_of(space, arch)         # an ordinary one, of width 1
    choice = masks.choose(space.network, *rows_of(space, arch))

All networks of a space lie inside of its largest one, `space.network`. Residuals are
those of the base network, written out: widths of a smaller network may be equal by
chance where no residual is meant.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mobilenet.models import rows as row_kinds
from mobilenet.models.choices import carries_stride
from mobilenet.models.rows import Head, Network, make_divisible
from mobilenet.models.zoo import MAX_WIDTH
from mobilenet.search import channels, masks, wiring
from mobilenet.training.errors import require, unknown_name

Arch = tuple[int, ...]  # of each choice the place of its value

# What a choice is for, the last part of its name. These are fields of rows:
KERNEL, START, MIDDLE, SE, EXPAND = 'kernel', 'start', 'middle', 'se', 'expand'
# These are not: channels of a stage, its rows that are kept, whether a row is kept.
WIDTH, DEPTH, KEPT = 'width', 'depth', 'kept'
DEPTHS = ('none', 'first', 'any')

FEWEST_CHANNELS = 8  # as `Network.scale` has it
LEAST_EXPANSION = 1.5  # a smaller one could vanish where channels are rounded
# More is a slip of the pen: the largest network is trained, and must fit into memory.
MOST = {KERNEL: 31, START: 31, MIDDLE: 31, EXPAND: 64, 'width_of_stage': MAX_WIDTH}
TILT = (
  3.0  # of `draw`: the largest value is e^-3 to e^3 times as likely as the smallest
)
SAMPLE = 1  # of what a seed is folded with
_DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz'


@dataclasses.dataclass(frozen=True)
class Choice:
  """row: 'block_03'. what: 'kernel'. values: two or more, ascending."""

  row: str
  what: str
  values: tuple

  @property
  def name(self) -> str:
    return f'{self.row}/{self.what}'


@dataclasses.dataclass(frozen=True)
class Space:
  """network: the largest, of width 1. choices: in the order of its rows."""

  network: Network
  choices: tuple[Choice, ...]


# ---- making one ----------------------------------------------------------------------


def make(
  base: Network,
  *,
  kernel: Sequence[int] = (),
  expand: Sequence[float] = (),
  se: Sequence[float] = (),
  start: Sequence[int] = (),
  middle: Sequence[int] = (),
  width_of_stage: Sequence[float] = (),
  depth: str = 'none',
  **unknown,
) -> Space:
  """The networks that differ from a base network in these choices.

  What is empty stays as the base has it. Every row chooses by itself, but rows that
  residuals join share a width.

  Args:
    base: of any width.
    kernel: of depthwise convolutions, of V1's, V2's and V3's rows.
    expand: ratios to the channels that come in, of rows that expand in the base.
    se: ratios of squeeze-and-excite, 0 for none, of V2's and V3's rows.
    start, middle: kernels of V4's two depthwise convolutions, 0 for none.
    width_of_stage: ratios to the base's channels.
    depth: which of the rows that a residual passes may go: 'any'; or 'first', by which
      a stage keeps the first ones, as in Once-for-All (1908.09791).

  Raises:
    TrainingError, ModelError: a value cannot be, or nothing is left to be chosen.
  """
  for name in unknown:
    raise unknown_name('the field of search.space', name, [*MOST, SE, DEPTH])
  given = {
    KERNEL: _checked(KERNEL, kernel, _is_kernel),
    START: _checked(START, start, lambda value: value == 0 or _is_kernel(value)),
    MIDDLE: _checked(MIDDLE, middle, lambda value: value == 0 or _is_kernel(value)),
    SE: _checked(SE, se, lambda value: 0 <= value <= 1),
    EXPAND: _checked(EXPAND, expand, lambda value: value >= LEAST_EXPANSION),
  }
  ratios = _checked('width_of_stage', width_of_stage, lambda value: value > 0)
  require(
    depth in DEPTHS,
    f'the space has depth={depth!r}: it is one of {", ".join(DEPTHS)}',
  )
  base_sizes = wiring.of(base).sizes
  widths = {
    at.name: _widths(base, base_sizes[at.name], ratios)
    for at in wiring.of(base).rows
    if at.group_out == at.name
  }
  network = _largest(base, given, {name: each[-1] for name, each in widths.items()})
  stages = _stages(network)
  choices = []
  for at in wiring.of(network).rows:
    if at.name in stages:
      choices.append(Choice(at.name, WIDTH, widths[at.name]))
      passed = len([row for row in stages[at.name] if row.joins])
      if depth == 'first':
        choices.append(Choice(at.name, DEPTH, tuple(range(passed + 1))))
    if at.joins and depth == 'any':
      choices.append(Choice(at.name, KEPT, (0, 1)))
    for what, values in given.items():
      if values and _has(at, what):
        choices.append(Choice(at.name, what, _possible(at.row, what, values)))
  choices = [choice for choice in choices if len(choice.values) > 1]
  require(bool(choices), 'the space has one network alone: give it choices')
  return Space(network, tuple(choices))


def _checked(name: str, values: Sequence, can_be: Callable[[Any], bool]) -> tuple:
  """Distinct values, ascending."""
  require(
    isinstance(values, tuple | list),
    f'the space has {name}={values!r}: it takes several values, such as (3, 5)',
  )
  for value in values:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    require(
      is_number and value <= MOST.get(name, 1) and can_be(value),
      f'the space has {name}={tuple(values)}: {name} cannot be {value!r}',
    )
  distinct = tuple(sorted(set(values)))
  require(
    len(distinct) <= len(_DIGITS),
    f'the space has {len(distinct)} values of {name}: at most {len(_DIGITS)} are told '
    'apart',
  )
  return distinct


def _is_kernel(value) -> bool:
  return isinstance(value, int) and value > 0 and value % 2 == 1


def _has(at: wiring.Row, what: str) -> bool:
  """Whether a row has a field that can be chosen."""
  if what == EXPAND:
    return at.inner is not None
  if what == SE:
    return isinstance(at.row, row_kinds.Inverted)
  return what in masks.KERNELS.get(type(at.row), ())


def _possible(row, what: str, values: tuple) -> tuple:
  """Without 0 where the convolution carries the stride."""
  needed = type(row) is row_kinds.Universal and what in (START, MIDDLE)
  needed = needed and what not in masks.may_go(row)
  return tuple(value for value in values if value or not needed)


def _widths(base: Network, channels_out: int, ratios: tuple) -> tuple[int, ...]:
  return tuple(
    sorted(
      {
        make_divisible(channels_out * ratio, base.divisor, minimum=FEWEST_CHANNELS)
        for ratio in ratios
      }
    )
  ) or (channels_out,)


def _largest(base: Network, given: Mapping[str, tuple], widths) -> Network:
  """The network with the largest choice everywhere, of width 1."""
  rows = tuple(
    dataclasses.replace(
      at.row,
      **{
        what: values[-1] for what, values in given.items() if values and _has(at, what)
      },
    )
    for at in wiring.of(base).rows
  )
  network = dataclasses.replace(base, rows=rows)
  for at in wiring.of(network).rows:
    require(
      carries_stride(at.row),
      f'the space leaves {at.name} neither start nor middle, one of which carries its '
      f'stride of {getattr(at.row, "stride", 1)}: give one of them more than 0',
    )
    require(
      type(at.row) is not row_kinds.Inverted
      or at.inner is None
      or at.row.expand >= LEAST_EXPANSION,
      f'{at.name} expands {getattr(at.row, EXPAND, 0):g} times, too little for '
      f'narrower networks: give the space expand=, at least {LEAST_EXPANSION}',
    )
  return channels.resized(network, _sizes(network, widths, {}))


def _sizes(network: Network, widths, expansions) -> dict[str, int]:
  """Channels of all groups; what `expansions` lacks has the network's own ratio."""
  wires = wiring.of(network)
  sizes = {**wires.sizes, **widths}
  for at in wires.rows:
    if at.inner is not None:
      ratio = expansions.get(at.name, at.row.expand)
      inner = make_divisible(sizes[at.group_in] * ratio, network.divisor)
      sizes[at.group_inner] = inner
  return sizes


# ---- its networks --------------------------------------------------------------------


def rows_of(space: Space, arch: Arch) -> tuple[tuple, Head]:
  """(rows, head) as `masks.choose` takes them: None for each row that is skipped."""
  value = values_of(space, arch)
  widths, expansions, fields = {}, {}, {}
  for choice in space.choices:
    chosen = value[choice.name]
    if choice.what == WIDTH:
      widths[choice.row] = chosen
    elif choice.what == EXPAND:
      expansions[choice.row] = chosen
    elif choice.what not in (DEPTH, KEPT):
      fields.setdefault(choice.row, {})[choice.what] = chosen
  smaller = channels.resized(space.network, _sizes(space.network, widths, expansions))
  gone = skipped(space, arch)
  rows = []
  for number, row in enumerate(smaller.rows):
    name = wiring.module_name(number)
    own = fields.get(name, {})
    rows.append(None if name in gone else dataclasses.replace(row, **own))
  return tuple(rows), smaller.head


def network_of(space: Space, arch: Arch) -> Network:
  """The network alone."""
  return masks.without_skipped(space.network, *rows_of(space, arch))


def values_of(space: Space, arch: Arch) -> dict[str, Any]:
  """Choice -> value, by name."""
  return {
    choice.name: choice.values[place]
    for choice, place in zip(space.choices, arch, strict=True)
  }


def skipped(space: Space, arch: Arch) -> set[str]:
  """The names of the rows that a network has not."""
  gone = set()
  for choice, place in zip(space.choices, arch, strict=True):
    if choice.what == KEPT and not choice.values[place]:
      gone.add(choice.row)
    elif choice.what == DEPTH:
      passed = [at.name for at in _stages(space.network)[choice.row] if at.joins]
      gone |= set(passed[choice.values[place] :])
  return gone


@functools.cache
def _stages(network: Network) -> dict[str, list[wiring.Row]]:
  """Rows that share a width, by the name of the first of them."""
  stages = {}
  for at in wiring.of(network).rows:
    stages.setdefault(at.group_out, []).append(at)
  return stages


def canonical(space: Space, arch: Arch) -> Arch:
  """The same network with the first value where a choice changes nothing.

  Kernel, expansion and the like of a row that is skipped do not.
  """
  return tuple(
    place * tells for place, tells in zip(arch, tells_apart(space, arch), strict=True)
  )


def tells_apart(space: Space, arch: Arch) -> tuple[bool, ...]:
  """Of each choice whether another value would be another network."""
  gone = skipped(space, arch)
  return tuple(
    choice.what == KEPT or choice.row not in gone for choice in space.choices
  )


def largest(space: Space) -> Arch:
  return tuple(len(choice.values) - 1 for choice in space.choices)


def smallest(space: Space) -> Arch:
  return (0,) * len(space.choices)


def size(space: Space) -> int:
  """How many networks differ in a choice."""
  chosen = {(choice.row, choice.what): len(choice.values) for choice in space.choices}
  of_row = {}  # how many rows there may be in its place
  for (row, what), count in chosen.items():
    if what not in (WIDTH, DEPTH, KEPT):
      of_row[row] = of_row.get(row, 1) * count
  total = 1
  for name, stage in _stages(space.network).items():
    passed = [of_row.get(at.name, 1) for at in stage if at.joins]
    total *= chosen.get((name, WIDTH), 1)
    total *= math.prod(of_row.get(at.name, 1) for at in stage if not at.joins)
    if (name, DEPTH) in chosen:
      total *= sum(math.prod(passed[:kept]) for kept in range(len(passed) + 1))
    elif any((at.name, KEPT) in chosen for at in stage):
      total *= math.prod(1 + each for each in passed)
    else:
      total *= math.prod(passed)
  return total


# ---- drawing them --------------------------------------------------------------------


def sample(space: Space, seed: int | Sequence[int], n: int) -> list[Arch]:
  """`n` networks that differ, small and large ones; the same for the same seed.

  Raises:
    TrainingError: there are not so many.
  """
  require(
    n <= size(space), f'the space has {size(space):,} networks, and {n:,} are asked for'
  )
  rng = np.random.default_rng((*np.atleast_1d(seed).tolist(), SAMPLE))
  drawn = {}
  while len(drawn) < n:
    drawn[draw(space, rng)] = None
  return list(drawn)


def spread(space: Space, seed: int | Sequence[int], n: int) -> list[Arch]:
  """At most `n` networks: the smallest, the largest, and some of every size between.

  Drawn without order, a first generation may miss half of the sizes, and evolution does
  not find them again.
  """
  rng = np.random.default_rng((*np.atleast_1d(seed).tolist(), SAMPLE))
  pulls = np.linspace(-TILT, TILT, max(n - 2, 0))
  drawn = [draw(space, rng, pull) for pull in pulls]
  return list(dict.fromkeys([smallest(space), largest(space), *drawn]))[:n]


def draw(space: Space, rng: np.random.Generator, pull: float | None = None) -> Arch:
  """A network whose choices are independent, but for a common pull to small or large.

  Without the pull nearly all networks of a large space would be of medium size. The
  odds of a value grow exponentially with its place; how strongly is drawn as well,
  unless it is given.
  """
  pull = rng.uniform(-TILT, TILT) if pull is None else pull
  places = []
  for choice in space.choices:
    odds = np.exp(pull * np.linspace(0, 1, len(choice.values)))
    places.append(int(rng.choice(len(odds), p=odds / odds.sum())))
  return canonical(space, tuple(places))


def mutate(
  space: Space, arch: Arch, rng: np.random.Generator, rate: float | None = None
) -> Arch:
  """Another network, in which each choice has changed with a probability of `rate`.

  Args:
    space: of it.
    arch: to begin with.
    rng: what is drawn from.
    rate: None for one change on average.
  """
  rate = 1 / len(arch) if rate is None else rate
  while True:
    places = list(_filled(space, arch, rng))
    for n in np.flatnonzero(rng.random(len(places)) < rate):
      count = len(space.choices[n].values)
      places[n] = int((places[n] + rng.integers(1, count)) % count)
    mutated = canonical(space, tuple(places))
    if mutated != arch:
      return mutated


def crossover(space: Space, one: Arch, other: Arch, rng: np.random.Generator) -> Arch:
  """A network each of whose choices is that of one of two."""
  parents = np.array([_filled(space, one, rng), _filled(space, other, rng)])
  whose = rng.integers(0, 2, len(one))
  return canonical(space, tuple(parents[whose, np.arange(len(one))].tolist()))


def _filled(space: Space, arch: Arch, rng: np.random.Generator) -> Arch:
  """The same network, with random values where a choice changes nothing.

  Or a row that comes back would always begin with its first values.
  """
  return tuple(
    place if tells else int(rng.integers(len(choice.values)))
    for place, tells, choice in zip(
      arch, tells_apart(space, arch), space.choices, strict=True
    )
  )


# ---- as text -------------------------------------------------------------------------


def encode(arch: Arch) -> str:
  """A letter for each choice: fit for the name of a file."""
  return ''.join(_DIGITS[place] for place in arch)


def decode(space: Space, text: str) -> Arch:
  """The network that a text of `encode` is.

  Raises:
    TrainingError: it is none of this space.
  """
  arch = tuple(_DIGITS.find(letter) for letter in text)
  fits = len(arch) == len(space.choices) and all(
    0 <= place < len(choice.values)
    for place, choice in zip(arch, space.choices, strict=True)
  )
  require(fits, f'{text!r} is no network of this space')
  return arch
