"""How many examples or boxes of each class a run trains and is measured on.

counts = per_class(source, eval_source)  # {'daisy': Counts(train=512, evaluation=121)}
"""

import statistics
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import rich.console

from mobilenet.reports import terminal

MOST_ROWS = 15  # classes in the table; of more it says what matters
MOST_NAMES = 5  # classes that a line names
FEW = 10  # examples to train on
UNBALANCED = 5  # the largest class, in times the smallest


class Counts(NamedTuple):
  """Examples of one class in the two splits of a run."""

  train: int
  evaluation: int


def per_class(source, eval_source) -> dict[str, Counts]:
  """Class -> its counts, in the order of the labels.

  Of data with boxes it is these that are counted, of tags the photos that have them.
  Empty where a source does not know its labels without reading, as all but folders, and
  where each has its own classes.

  Args:
    source, eval_source: the two opened splits (`input_pipeline.Source`).
  """
  train, evaluation = _counts(source), _counts(eval_source)
  own_classes = source.class_names != eval_source.class_names
  if train is None or evaluation is None or own_classes:
    return {}
  return {
    name: Counts(train[label], evaluation[label])
    for label, name in enumerate(source.class_names)
  }


def noun(source) -> str:
  """What `per_class` counts: 'images' or 'boxes'."""
  return 'boxes' if 'boxes' in source.marks else 'images'


def _counts(source) -> Counter | None:
  if source.labels is not None:
    return Counter(source.labels)
  if source.class_counts is not None:
    return Counter(dict(enumerate(source.class_counts)))
  return None


def imbalance(counts: Mapping[str, Counts], what: str = 'images') -> str | None:
  """A line, where the largest class has many times the examples of the smallest."""
  smallest = min(counts, key=lambda name: counts[name].train)
  largest = max(counts, key=lambda name: counts[name].train)
  few, many = counts[smallest].train, counts[largest].train
  if many <= UNBALANCED * few:
    return None
  times = f'{many / few:.0f} times' if few else 'and'
  return (
    f'the classes are unbalanced: {largest} has {many:,} {what} for training, '
    f'{times} the {few:,} of {smallest}'
  )


def on_one_side(counts: Mapping[str, Counts], what: str = 'images') -> list[str]:
  """A line for each of the two splits that some classes are missing from."""
  lines = []
  for split, consequence in (
    ('training', 'the network cannot name what it never saw'),
    ('evaluation', 'nothing that is measured says how well they are found'),
  ):
    place = Counts._fields.index('train' if split == 'training' else split)
    if missing := [_printable(name) for name in counts if not counts[name][place]]:
      shown = ', '.join(missing[:MOST_NAMES]) + ', ...' * (len(missing) > MOST_NAMES)
      which = 'class has' if len(missing) == 1 else 'classes have'
      lines.append(
        f'{len(missing):,} {which} no {what} for {split} ({shown}): {consequence}'
      )
  return lines


def show(
  counts: Mapping[str, Counts], console: rich.console.Console | None = None
) -> None:
  """Prints a table: each class, or of many the smallest, the median and the largest."""
  table = terminal.make_table(
    '', [('class', 'left'), ('training', 'right'), ('evaluation', 'right')]
  )
  for row in _rows(counts):
    terminal.add_row(table, *row)
  terminal.show(table, console)


def _rows(counts):
  if len(counts) <= MOST_ROWS:
    return [
      (_printable(name), f'{n.train:,}', f'{n.evaluation:,}')
      for name, n in counts.items()
    ]
  by_size = sorted(counts, key=lambda name: counts[name])
  ends = [('smallest', by_size[0]), ('largest', by_size[-1])]
  rows = [
    (f'{what}: {_printable(name)}', *(f'{n:,}' for n in counts[name]))
    for what, name in ends
  ]
  columns = list(zip(*counts.values(), strict=True))
  median = [f'{statistics.median(column):g}' for column in columns]
  few = [f'{sum(n < FEW for n in column):,}' for column in columns]
  return [
    rows[0],
    (f'median of {len(counts):,} classes', *median),
    rows[1],
    (f'classes below {FEW}', *few),
  ]


def _printable(name: str) -> str:
  return name.encode('utf-8', 'backslashreplace').decode()
