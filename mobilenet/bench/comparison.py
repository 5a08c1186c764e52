"""Medians, spreads and ratios of the rounds' numbers."""

import dataclasses
import statistics
from collections.abc import Sequence

from mobilenet.bench.contenders import CONTENDERS, OURS
from mobilenet.bench.measure import Measurement

# Networks of one name may differ a little between frameworks; more gets a note.
SAME_PARAMETERS = 0.002


@dataclasses.dataclass(frozen=True)
class Spread:
  """Median, quartiles and extremes."""

  median: float
  low: float
  high: float
  least: float
  most: float


@dataclasses.dataclass(frozen=True)
class Line:
  """A measurement with its spread and its ratio to ours.

  ratio: ours divided by this one's number, round by round; below 1, ours needs less.
  notes: what a reader has to know for the comparison.
  """

  measurement: Measurement
  spread: Spread | None
  ratio: Spread | None = None
  notes: tuple[str, ...] = ()

  @property
  def images_per_second(self) -> float | None:
    if self.spread is None or self.measurement.unit != 'ms':
      return None
    return 1e3 * self.measurement.images / self.spread.median


def spread(values: Sequence[float]) -> Spread | None:
  """The spread of values; None if there are none."""
  if not values:
    return None
  low, middle, high = (
    statistics.quantiles(values, n=4, method='inclusive')
    if len(values) > 1
    else (values[0],) * 3
  )
  return Spread(middle, low, high, min(values), max(values))


def compare(measurements: Sequence[Measurement]) -> list[Line]:
  """Each measurement next to ours of the same mode and model.

  The ratio is the median of the rounds' ratios, since both numbers of a round have the
  same noisy neighbours on the machine. There is none between different kinds of
  devices.
  """
  ours = {(m.mode, m.model): m for m in measurements if m.contender == OURS}
  lines = []
  for m in measurements:
    own, notes = ours.get((m.mode, m.model)), list(m.prepared.get('notes', ()))
    ratio = None
    if m.contender != OURS and own is not None and m.values and own.values:
      if own.prepared['platform'] == m.prepared['platform']:
        pairs = zip(own.values, m.values, strict=True)
        ratio = spread([a / b for a, b in pairs])
      else:
        notes.append(f'ran on the {m.prepared["platform"]}: no ratio')
      theirs, here = m.prepared['parameters'], own.prepared['parameters']
      if abs(theirs - here) > SAME_PARAMETERS * here:
        notes.append(f'another network: {theirs:,} parameters, ours has {here:,}')
    lines.append(Line(m, spread(m.values), ratio, tuple(notes)))
  return lines


def remarks(lines: Sequence[Line], left_out: Sequence[str]) -> list[str]:
  """The remarks below the tables, each once: failures, differences, absences.

  Args:
    left_out: what was not tried, in words.
  """
  found = []
  for line in lines:
    m = line.measurement
    title, where = CONTENDERS[m.contender].title, f'{m.model}, {m.mode}'
    if m.missing:
      found.append(f'{title}: {m.error}')
    elif m.error:
      found.append(f'{title} ({where}): failed: {m.error}')
    for note in line.notes:
      general = note in m.prepared.get('notes', ())
      found.append(f'{title}: {note}' if general else f'{title} ({m.model}): {note}')
  return list(dict.fromkeys([*found, *left_out]))
