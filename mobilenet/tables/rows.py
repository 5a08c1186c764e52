"""Published tables: rows as printed, and how a count compares with them."""

import dataclasses
import decimal
from collections.abc import Collection, Mapping

from mobilenet.tables.quality import IMAGENET, Quality

# A larger difference is marked and needs a reason.
TOLERANCE = 0.01

Size = int | tuple[int, int]  # px of a square, or height and width
Options = tuple[tuple[str, int], ...]


@dataclasses.dataclass(frozen=True)
class Row:
  """One system of a table, its numbers as printed: '4.20' says more than 4.2.

  Column order: label, model, width, resolution, parameters, multiply-adds, and how good
  it is by the table's metric. Parameters and multiply-adds are in millions, or with a
  'G' in thousands of millions; a metric is in percent; '' is a number that the
  publication does not print.
  """

  label: str
  model: str | None  # of `models.named`; None: a system that is not one of ours
  width: float = 1.0
  resolution: Size = 224  # px
  parameters: str = ''
  multiply_adds: str = ''
  quality: str = ''
  line: str = ''  # of the figure that this row is a point of; two as 'a | b'
  other: str = ''  # the table's other columns, separated by spaces; '-' not printed
  # How the system differs from the named network where that changes no count. It is
  # counted, but no run of the named network is its result.
  differs: str = ''
  # What else the network is made with, as options of `named.create`.
  options: Options = ()
  # Counted without its head, where a publication does not say what that is.
  trunk: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
  """A published table of results; `notes`: text -> labels of the rows it is about."""

  title: str
  source: str
  rows: tuple[Row, ...]
  other: tuple[str, ...] = ()  # headings of the columns that only this table has
  remark: str = ''  # true of all rows
  notes: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
  quality: Quality = IMAGENET
  published: str = 'published'  # heading below that of the metric
  ours: str = 'ours'
  norms: bool = True  # whether its parameters include those of BatchNorm
  legend: str = ''  # what the lines of the figure are
  # What accuracy is drawn over: these two, or headings of `other`.
  axes: tuple[str, ...] = ('multiply-adds', 'parameters')

  def notes_of(self, row: Row) -> list[str]:
    """The texts that are about a row."""
    return [text for text, labels in self.notes.items() if row.label in labels]


@dataclasses.dataclass(frozen=True)
class Architecture:
  """A published table of a network's layers, made here from our own network."""

  title: str
  source: str
  model: str
  # Of the whole network, as the same source prints them.
  parameters: str = ''
  multiply_adds: str = ''
  notes: tuple[str, ...] = ()


def millions(printed: str) -> float | None:
  """'569' -> 569.0, '1.0G' -> 1000.0, '' -> None."""
  if not printed:
    return None
  giga = printed.endswith('G')
  return float(printed.removesuffix('G')) * (1000.0 if giga else 1.0)


def last_digit(printed: str) -> float:
  """The value in millions of the last printed digit: '4.2' -> 0.1, '1.0G' -> 100."""
  number = decimal.Decimal(printed.removesuffix('G'))
  worth = float(decimal.Decimal(1).scaleb(number.as_tuple().exponent))
  return worth * (1000.0 if printed.endswith('G') else 1.0)


def compare(printed: str, counted: int | None) -> str:
  """How a count compares with what is printed.

  Returns:
    '' within 1 %, or if one of the two is missing;
    '≈' beyond 1 %, but the count rounded to the printed digits, or cut off after them,
    is the printed number;
    '≠' beyond 1 %, and no rounding explains it.
  """
  published = millions(printed)
  if published is None or counted is None:
    return ''
  count, digit = counted / 1e6, last_digit(printed)
  if abs(count - published) <= TOLERANCE * published:
    return ''
  rounded = abs(count - published) <= 0.5 * digit
  cut_off = published <= count < published + digit
  return '≈' if rounded or cut_off else '≠'


def legend(marks: Collection[str]) -> list[str]:
  """The meanings of the marks that are used."""
  meanings = {
    '≈': '≈ more than 1 % apart from the count, though the count rounded to the '
    'printed digits, or cut off after them, is the printed number.',
    '≠': '≠ more than 1 % apart, and not by rounding; the note says why.',
  }
  return [meaning for mark, meaning in meanings.items() if mark in marks]
