"""What networks of a space cost, and whether a budget can be reached in it."""

import pathlib

from mobilenet.search import costs
from mobilenet.search import space as spaces
from mobilenet.search.costs.cost import Cost
from mobilenet.search.strategies import shared
from mobilenet.search.strategies.shared import Setup
from mobilenet.training.errors import require

CSV = 'csv'  # the kind that is looked up
FITTED = 12  # networks measured whole, to fit predictions to
FIT = 4  # of what a seed is folded with
# Networks that a table of a device is tried with at the start: enough for all rows of
# the two shipped spaces, 622 and 698.
_LOOKED_UP = 2048


def make(
  folder: pathlib.Path, setup: Setup, kind: str, table: pathlib.Path | None
) -> Cost:
  """The cost of a search, fitted to whole networks where that is to be done.

  Args:
    folder: of the search, where what is measured is kept.
    setup: of the search.
    kind, table: as `costs.make` takes them.

  Raises:
    TrainingError: a mistake in what is asked, files cannot be used, or the table of a
      device lacks rows.
  """
  style, config = setup.space.network.style, setup.config
  classes = len(setup.photos.outputs)
  cost = costs.make(
    kind,
    config.resolution,
    classes,
    folder=folder,
    table=table,
    networks=[
      f'--network={config.model.name}',
      f'--width={config.model.width:g}',
      f'--resolution={config.resolution}',
      f'--num_classes={classes}',
    ],
    dtype=style.dtype,
  )
  if cost.known is None and cost.correction is None and kind != CSV:
    count = min(FITTED, spaces.size(setup.space))
    drawn = spaces.sample(setup.space, (setup.config.seed, FIT), count)
    print(f'measuring {count} whole networks and their rows')
    cost.fit([spaces.network_of(setup.space, arch) for arch in drawn])
  if kind == CSV:
    _look_up(cost, setup)
  if cost.known is None:
    print(f'cost: {cost.said()}')
  return cost


def _look_up(cost: Cost, setup: Setup) -> None:
  """Tells at once what a person has to measure, not in the middle of a search."""
  archs = spaces.spread(setup.space, setup.config.seed, _LOOKED_UP)
  networks = [spaces.network_of(setup.space, arch) for arch in archs]
  cost.predict([*networks, *shared.family(setup).values()])


def target(
  cost: Cost, setup: Setup, typed: str | None, *, is_exact: bool
) -> float | None:
  """The budget in the unit of the cost, if there is one.

  Args:
    cost, setup: of the search.
    typed: the budget as a person typed it.
    is_exact: whether a network of just this cost is looked for.

  Raises:
    TrainingError: no network of the space can cost so much.
  """
  if typed is None:
    return None
  space, unit = setup.space, cost.unit
  budget = costs.parse_budget(typed, unit)
  ends = [spaces.smallest(space), spaces.largest(space)]
  low, high = cost.predict([spaces.network_of(space, arch) for arch in ends])
  found = budget.of(cost.predict([setup.base.network])[0])
  require(
    low <= found,
    f'--budget={typed} cannot be reached: the smallest network of the space costs '
    f'{low:.4g} {unit}; ask for more, or give the space smaller choices',
  )
  require(
    not is_exact or found <= high,
    f'--budget={typed}: the largest network of the space costs {high:.4g} {unit}, '
    'which is less; ask for less, or give the space larger choices',
  )
  return found
