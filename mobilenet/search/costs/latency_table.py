"""Tables of milliseconds as CSV: one line a row of a network at its input shape."""

import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mobilenet.models import table as rows
from mobilenet.reports import csv_file
from mobilenet.search.costs import parts
from mobilenet.search.costs.parts import Part
from mobilenet.search.costs.rounds import Timing
from mobilenet.training.errors import require

KEY = ('row', 'height', 'width', 'channels_in', 'channels_out')
MS = 'median_ms'
CONDITIONS = ('device', 'threads', 'lowering', 'style')
COLUMNS = (
  *KEY, MS, 'min_ms', 'reference_ms', *CONDITIONS, 'versions', 'date'
)  # fmt: skip
# How columns end that are measured in something else, and how it becomes milliseconds.
OTHER_UNITS = {
  '_us': 'divide by 1,000',
  '_ns': 'divide by 1,000,000',
  '_s': 'multiply by 1,000',
  '_seconds': 'multiply by 1,000',
  'seconds': 'multiply by 1,000',
}


class Key(NamedTuple):
  """What a line is of: the text of a row, a head or a network, and shapes."""

  row: str
  height: int
  width: int
  channels_in: int
  channels_out: int

  @classmethod
  def of(cls, part: Part) -> 'Key':
    out = part.num_classes or parts.count(part).output_shape[-1]
    return cls(part.text, *part.shape, out)

  def said(self) -> str:
    """For people."""
    return (
      f'{self.row} at {self.height} x {self.width} x {self.channels_in} to '
      f'{self.channels_out}'
    )


class Line(NamedTuple):
  """A line that was measured.

  reference_ms: of the reference, timed in the same rounds; 0 where there was none.
  record: all of the line's cells.
  """

  median_ms: float
  reference_ms: float
  record: Mapping[str, object]


@dataclasses.dataclass
class Table:
  """What was measured on one machine in one way.

  conditions: see CONDITIONS. lines: the first is the reference, a whole network.
  """

  path: pathlib.Path
  conditions: dict[str, str]
  lines: dict[Key, Line] = dataclasses.field(default_factory=dict)

  @property
  def reference(self) -> Key | None:
    return next(iter(self.lines), None)

  @property
  def pace_ms(self) -> float | None:
    """What the reference took when it was timed first: all else is told at that pace.

    None as long as there is none.
    """
    return next((line.median_ms for line in self.lines.values()), None)

  def at_pace(self, milliseconds: float, reference_ms: float) -> float:
    """A time beside which the reference took `reference_ms`, as of the first pace."""
    return milliseconds * (self.pace_ms / reference_ms)

  def ms(self, key: Key) -> float:
    line = self.lines[key]
    return self.at_pace(line.median_ms, line.reference_ms)

  def add(
    self,
    reference: Key,
    timings: Mapping[Key, Timing],
    reference_ms: float,
    conditions: Mapping[str, str],
    versions: str,
    date: str,
  ) -> None:
    """Adds lines that were timed beside the reference, and writes the file.

    Lines that another process has written since stay; where both have measured the
    same, the file's counts.

    Raises:
      TrainingError: it cannot be written, or another process has begun it with another
        reference.
    """
    if self.path.exists():
      self.lines |= load(self.path, self.conditions).lines
    require(
      self.reference in (None, reference),
      f'another process has begun {self.path} meanwhile, beside another network: run '
      'the same command again',
    )
    self.conditions |= conditions
    for key, timing in timings.items():
      values = (*key, *timing, reference_ms, *self.conditions.values(), versions, date)
      record = dict(zip(COLUMNS, values, strict=True))
      self.lines.setdefault(key, Line(timing.median_ms, reference_ms, record))
    csv_file.write_records(self.path, [line.record for line in self.lines.values()])


def load(path: pathlib.Path, conditions: Mapping[str, str]) -> Table:
  """The table at a path; an empty one where there is none.

  Args:
    path: of the CSV.
    conditions: this machine's, as far as they are known.

  Raises:
    TrainingError: it was measured in another way, or cannot be read.
  """
  table = Table(path, dict(conditions))
  if path.exists():
    table.lines = read(path, COLUMNS)
    for line in table.lines.values():
      theirs = {name: line.record[name] for name in CONDITIONS}
      check(path, theirs, table.conditions)
      table.conditions = theirs
    _check_reference(table)
  return table


def _check_reference(table: Table) -> None:
  """Checks that the first line is the reference: all others are told at its pace.

  Raises:
    TrainingError: it is not; lines were removed or edited.
  """
  for key, line in [*table.lines.items()][:1]:
    whole = rows.SEPARATOR in key.row and line.median_ms == line.reference_ms
    require(
      whole,
      f'{table.path}, line 2: {key.row[:40]!r} is no whole network whose median_ms is '
      'its reference_ms, as the first line is: give the file back as it was, or remove '
      'it, and all is measured anew',
    )


def check(
  path: pathlib.Path, theirs: Mapping[str, str], ours: Mapping[str, str]
) -> None:
  """Refuses a table that was measured on another machine or in another way.

  Raises:
    TrainingError: so it is.
  """
  for name, own in ours.items():
    require(
      theirs.get(name, own) == own,
      f'{path} was measured with {name} {theirs.get(name)!r}, and this is {own!r}: go '
      'on where it was measured, or give another folder, where all is measured anew',
    )


def read(path: pathlib.Path, columns: Sequence[str] = (*KEY, MS)) -> dict[Key, Line]:
  """The lines of a CSV; those whose cell of milliseconds is empty are left out.

  Args:
    path: of the CSV.
    columns: that it must have.

  Raises:
    TrainingError: it cannot be read, has no such columns, has them in another unit, or
      a cell is no number above zero.
  """
  found = {}
  for number, (key, record) in enumerate(records(path, columns).items(), 2):
    if not record[MS].strip():
      continue
    times = [
      _number(path, number, record, name)
      for name in (MS, 'reference_ms')
      if name in columns
    ]
    found[key] = Line(*times, *[0.0] * (2 - len(times)), record)
  return found


def records(
  path: pathlib.Path, columns: Sequence[str] = (*KEY, MS)
) -> dict[Key, dict[str, str]]:
  """All lines of a CSV, measured or not, as text by column.

  Raises:
    TrainingError: it cannot be read, or has no such columns.
  """
  lines = csv_file.read_records(path)
  require(bool(lines), f'{path} has no lines')
  for name in columns:
    require(name in lines[0], _missing(path, name, list(lines[0])))
  found = {}
  for number, record in enumerate(lines, 2):
    key = _key(path, number, record)
    require(key not in found, f'{path}, line {number}: {key.said()} is there twice')
    found[key] = record
  return found


def _missing(path: pathlib.Path, name: str, there: list[str]) -> str:
  line = f'{path} has no column {name}'
  for other in there if name == MS else ():
    for ending, how in OTHER_UNITS.items():
      if other.lower().endswith(ending):
        return f'{line}, but {other}: {how} and call the column {name}'
  return f'{line}; it has {", ".join(there)}'


def _key(path: pathlib.Path, number: int, record: Mapping[str, str]) -> Key:
  try:
    key = Key(record['row'], *(int(record[name]) for name in KEY[1:]))
  except ValueError:
    key = None
  require(
    key is not None and min(key[1:]) > 0,
    f'{path}, line {number}: {", ".join(KEY[1:])} must be whole numbers above zero',
  )
  return key


def _number(
  path: pathlib.Path, number: int, record: Mapping[str, str], name: str
) -> float:
  try:
    value = float(record[name])
  except ValueError:
    value = math.nan
  require(
    0 < value < math.inf,
    f'{path}, line {number}: {name} is {record[name]!r}, which is no number above zero '
    '(with a point, not a comma)',
  )
  return value
