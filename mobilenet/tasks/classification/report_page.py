"""The sections of a report that are about classes, made of numbers that are written."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mobilenet.reports import amounts, canvas, page, terminal
from mobilenet.tasks.classification import (
  calibration,
  decision,
  diagrams,
  figures,
  judgement,
  mistakes,
  thresholds,
)

_MOST_ROWS = 100  # classes in the table; all are in classes.csv
_FOLDED = 30  # from so many rows on, a table is folded away
_MOST_CONFUSIONS = 12


class Flagging(NamedTuple):
  """Two classes. table: of `thresholds`. curve: of `thresholds`. area: of the ROC.

  positive: the name. share: of the positive photos among all.
  """

  table: Sequence[thresholds.Row]
  curve: Mapping[str, np.ndarray]
  area: float
  positive: str
  share: float


class Sureness(NamedTuple):
  """What `pages` found of the calibration, and wrote as calibration.json.

  numbers: that file's. before, after: bins; after is None without a temperature.
  """

  numbers: Mapping[str, Any]
  before: Sequence[calibration.Bin]
  after: Sequence[calibration.Bin] | None


def in_short(facts: judgement.Facts) -> tuple[str, list]:
  """The first section: the numbers, what they mean, what to do next."""
  overall, lines = facts.overall, judgement.judge(facts)
  right = int(np.trace(facts.matrix))
  headline = [
    (amounts.share(overall['accuracy']), f'right: {_ends(overall, "accuracy")}'),
    (
      amounts.share(overall['balanced_accuracy']),
      f'mean recall of the classes: {_ends(overall, "balanced_accuracy")}',
    ),
    (f'{overall["num_examples"] - right:,}', 'mistakes'),
    (f'{overall["num_examples"]:,}', 'photos evaluated'),
  ]
  steps = list(dict.fromkeys(line.next_step for line in lines if line.next_step))
  parts = [page.headline(headline)]
  parts += [page.notice(line.kind, line.said) for line in lines]
  if steps:
    parts += [page.text('What to do next:'), page.items(steps)]
  parts.append(
    page.details(
      'How the intervals are computed',
      page.text(
        'In 95 of 100 cases such an interval holds the value that very many photos of '
        'the same kind would show. It covers chance only: photos of another kind can '
        "show any value. Shares of photos have Wilson's interval. That of the balanced "
        'accuracy is made of those of the recalls: their distances from the recalls '
        'are joined by squares (Zou, Huang and Zhang, 2009).'
      ),
    )
  )
  return 'In short', parts


def where_it_fails(
  facts: judgement.Facts, worst: Sequence[tuple[mistakes.Mistake, str]]
) -> tuple[str, list]:
  """Confusions, and the worst mistakes with their captions."""
  drawn = canvas.drawable(facts.names)
  parts = [
    page.figure(
      figures.draw_confusion(facts.matrix, drawn, compact=True),
      'Rows are the true classes, columns the answers. The darker a cell, the larger '
      'the share of the true class.',
    )
  ]
  confusions = figures.confusions(facts.matrix, _MOST_CONFUSIONS)
  if confusions:
    names = [terminal.shorten(str(name), 60) for name in facts.names]
    rows = [
      (names[row], names[column], f'{count:,}', amounts.share(share))
      for row, column, count, share in confusions
    ]
    parts.append(
      page.table(('true class', 'answer', 'photos', 'share of the class'), rows)
    )
  if not worst:
    return 'Where it fails', [*parts, page.notice('good', 'There is no mistake.')]
  with_heat = worst[0][0].heat is not None
  said = 'The mistakes of which the network was most certain.'
  if with_heat:
    said += (
      ' On the right: where it sees the wrong class, from blue (little) to red (most). '
      'If that is not the thing itself but its background or an edge, the network has '
      'learned the wrong thing. If the answer looks right to you, check the label.'
    )
  pictures = [
    page.picture(mistakes.beside(mistake), caption, side=420)
    for mistake, caption in worst
  ]
  parts += [page.text(said), page.gallery(pictures, size='large' if with_heat else '')]
  return 'Where it fails', parts


def each_class(facts: judgement.Facts) -> tuple[str, list]:
  """The table of classes; of many those with the lowest F1."""
  rows = list(facts.rows)
  parts = []
  if len(rows) > _MOST_ROWS:
    rows = sorted((row for row in rows if row['support']), key=lambda row: row['f1'])[
      :_MOST_ROWS
    ]
    parts.append(
      page.text(
        f'The {len(rows)} classes of {len(facts.rows):,} with the lowest F1; all rows '
        'are in classes.csv.'
      )
    )
  shown = page.table(
    ('class', 'photos', 'recall', 'precision', 'specificity', 'F1'),
    [
      (
        terminal.shorten(str(row['name']), 60),
        f'{row["support"]:,}',
        *(
          _with_ends(row, name) for name in ('recall', 'precision', 'specificity', 'f1')
        ),
      )
      for row in rows
    ],
  )
  parts.append(shown if len(rows) <= _FOLDED else page.details('The table', shown))
  parts.append(
    page.text(
      'Recall (sensitivity): of the photos of the class, the share that is named so. '
      'Precision: of the photos named so, the share that is of the class; it depends '
      'on how frequent the class is. Specificity: of all other photos, the share that '
      'is not named so. F1: the harmonic mean of recall and precision. In brackets: '
      '95 % intervals.'
    )
  )
  return 'Each class', parts


def flagging(found: Flagging) -> tuple[str, list]:
  """Two classes: the curves, and what each threshold gives."""
  marked = [row for row in found.table if row.mark]
  rows = [
    (
      amounts.share(row.threshold),
      amounts.share(row.sensitivity),
      amounts.share(row.specificity),
      amounts.share(row.precision),
      amounts.share(row.flagged),
      row.mark,
    )
    for row in found.table
  ]
  columns = ('threshold', 'sensitivity', 'specificity', 'precision', 'flagged', '')
  return f'The threshold for calling a photo {terminal.shorten(found.positive, 40)}', [
    page.text(
      f'A photo is flagged if the network gives {found.positive} at least this '
      'probability. A low threshold misses few and raises many false alarms; which '
      'mistake is worse, you decide. Marked thresholds were chosen on these photos and '
      'look somewhat better here than elsewhere. Precision holds where '
      f'{amounts.share(found.share)} of the photos are {found.positive}, as here; it '
      'falls where it is rarer.'
    ),
    page.table(columns, rows),
    page.beside(
      page.figure(
        diagrams.draw_roc(found.curve, marked, found.area),
        'Orange: the marked thresholds. Dashed: guessing.',
      ),
      page.figure(
        diagrams.draw_precision_recall(found.curve, marked, found.share),
        'Dashed: the precision of flagging at random.',
      ),
    ),
  ]


def how_sure(
  sureness: Sureness, decided: decision.Decision | str | None
) -> tuple[str, list]:
  """Calibration, the temperature and 'none of these'."""
  numbers = sureness.numbers
  said = [
    f'Confidence and accuracy are {_points(numbers["calibration_error"])} apart on '
    'average (expected calibration error, 15 bins). A perfectly calibrated network '
    f'would show {_points(numbers["calibration_error_by_chance"])} on as many photos.'
  ]
  parts = [
    page.figure(
      diagrams.draw_reliability(sureness.before, sureness.after),
      'Below the dashed line the network is too sure of itself, above it too modest.',
    )
  ]
  if isinstance(decided, decision.Decision):
    softer = 'less sure' if decided.temperature > 1 else 'surer'
    said.append(
      f'At a temperature of {decided.temperature:.3f}, which makes it {softer} and '
      f'changes no class, it is {_points(numbers["calibration_error_scaled"])}'
      f'{_held_out(numbers)}. {decision.FILE} keeps the temperature, and prediction '
      'uses it.'
    )
    said.append(
      f'Prediction answers "{decision.NONE}" below a confidence of '
      f'{amounts.share(decided.accept)} (at that temperature). Of these photos, '
      f'{amounts.share(numbers["accepted"])} are above it, and '
      f'{amounts.share(numbers["accuracy_of_accepted"])} of those are classified '
      'correctly. This catches photos that puzzle the network. A photo of something '
      'else can still get a high confidence: try it with such photos.'
    )
  return 'How sure it is', [page.text(*said), *parts]


def _held_out(numbers: Mapping[str, Any]) -> str:
  held_out = numbers.get('calibration_error_held_out')
  if held_out is None:
    return ''
  return f' (each half with the temperature of the other half: {_points(held_out)})'


def _with_ends(row: Mapping[str, Any], name: str) -> str:
  if row[name] is None or row[f'{name}_low'] is None:
    return amounts.NOTHING  # nothing is there to divide by
  low, high = (100 * row[f'{name}_{end}'] for end in ('low', 'high'))
  return f'{100 * row[name]:.1f} ({low:.0f}–{high:.0f})'


def _ends(overall: Mapping[str, Any], name: str) -> str:
  low, high = (overall[f'{name}_{end}'] for end in ('low', 'high'))
  return f'{100 * low:.1f} to {100 * high:.1f} %'


def _points(share: float) -> str:
  return f'{100 * share:.1f} points'
