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
  """A measurement with its spread and its ratio to that of another contender.

  ratio: the other's number divided by this one's, round by round; below 1, the other
    needs less.
  notes: what a reader has to know for the comparison.
  against: the other.
  """

  measurement: Measurement
  spread: Spread | None
  ratio: Spread | None = None
  notes: tuple[str, ...] = ()
  against: str = OURS

  @property
  def images_per_second(self) -> float | None:
    m = self.measurement
    # The time of several processors says nothing of how many images leave in a second.
    if self.spread is None or m.unit != 'ms' or m.mode == 'processor':
      return None
    return 1e3 * m.images / self.spread.median


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


def compare(measurements: Sequence[Measurement], against: str = OURS) -> list[Line]:
  """Each measurement next to one contender's of the same mode and model.

  The ratio is the median of the rounds' ratios, since both numbers of a round have the
  same noisy neighbours on the machine. There is none between different kinds of
  devices.
  """
  others = {(m.mode, m.model): m for m in measurements if m.contender == against}
  lines = []
  for m in measurements:
    other, notes = others.get((m.mode, m.model)), list(m.prepared.get('notes', ()))
    ratio = None
    if m.contender != against and other is not None and m.values and other.values:
      if other.prepared['platform'] == m.prepared['platform']:
        pairs = zip(other.values, m.values, strict=True)
        ratio = spread([a / b for a, b in pairs])
      else:
        notes.append(f'ran on the {m.prepared["platform"]}: no ratio')
      here, there = m.prepared['parameters'], other.prepared['parameters']
      if abs(here - there) > SAME_PARAMETERS * there:
        who = CONTENDERS[against].title
        notes.append(f'another network: {here:,} parameters, {who} has {there:,}')
    lines.append(Line(m, spread(m.values), ratio, tuple(notes), against))
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
