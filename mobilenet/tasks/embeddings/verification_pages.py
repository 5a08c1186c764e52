"""What is written and shown of a verification, whoever measured it."""

import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mobilenet.reports import canvas, csv_file, page, terminal
from mobilenet.tasks.embeddings import drawing, figures
from mobilenet.tasks.embeddings.pairs import Pairs
from mobilenet.tasks.embeddings.verification import THRESHOLDS, Verified
from mobilenet.training import files, logs

WORST = 8  # pairs of each kind
_STEPS = 10  # of thresholds, over which most distances should be spread
NUMBERS, PAIRS = 'verification.json', 'pairs.csv'
ROC, DISTANCES = 'roc.png', 'distances.png'


def write(
  folder: pathlib.Path, verified: Verified, pairs: Pairs, names: Sequence[str]
) -> list[pathlib.Path]:
  """Writes numbers, figures and a row for each pair.

  pairs.csv can be given to `pairs.read` again.

  Args:
    folder: for the files.
    verified: what was measured.
    pairs: of what.
    names: of the photos, in the order of the embeddings.

  Raises:
    TrainingError: a file cannot be written.
  """
  numbers = {
    **verified.numbers(),
    'pairs': len(pairs.same),
    'same_pairs': int(pairs.same.sum()),
    'folds': verified.folds.tolist(),
    'thresholds': verified.thresholds.tolist(),
  }
  text = json.dumps(logs.to_json(numbers), indent=2) + '\n'
  rows = (
    (names[a], names[b], int(same), fold, round(distance, 6))
    for a, b, same, fold, distance in zip(
      *(values.tolist() for values in pairs), verified.distances.tolist(), strict=True
    )
  )
  columns = ('photo_a', 'photo_b', 'same', 'fold', 'squared_distance')
  return [
    files.replace_file(folder / NUMBERS, text.encode()),
    csv_file.write(folder / PAIRS, columns, rows),
    canvas.save_png(figures.roc(verified), folder / ROC),
    canvas.save_png(figures.distances(verified, pairs.same), folder / DISTANCES),
  ]


def rows(verified: Verified, pairs: Pairs) -> list[tuple[str, str]]:
  """(what, number) for a table."""
  same, total = int(pairs.same.sum()), len(pairs.same)
  accepted = [
    (f'same pairs accepted at {100 * far:g} % false accepts', _tar(far, value))
    for far, value in verified.true_accepts.items()
  ]
  return [
    ('accuracy', in_words(verified)),
    *accepted,
    ('area under the ROC (AUC)', f'{verified.area:.4f}'),
    ('threshold (squared distance)', f'{verified.threshold:.2f}'),
    (
      'pairs',
      f'{same:,} same, {total - same:,} different, {len(verified.folds)} folds',
    ),
  ]


def in_words(verified: Verified) -> str:
  """'93.41 % ± 2.10'."""
  return f'{verified.accuracy:.2f} % ± {verified.deviation:.2f}'


def doubt(verified: Verified) -> str:
  """A line where thresholds are too coarse for the distances, or ''."""
  low, high = np.percentile(verified.distances, (5, 95))
  step = float(THRESHOLDS[1] - THRESHOLDS[0])
  if high - low >= _STEPS * step:
    return ''
  return (
    f'Most pairs have squared distances of {low:.2g} to {high:.2g}, and thresholds are '
    f'{step:g} apart: the accuracy says little. The network hardly tells these photos '
    'apart; train it longer.'
  )


def _tar(far: float, value: float | None) -> str:
  if value is None:
    return f'not known: it takes {round(1 / far):,} different pairs'
  return f'{value:.2f} %'


def show(verified: Verified, pairs: Pairs, title: str) -> None:
  """Prints the table."""
  table = terminal.make_table(title, [('', 'left'), ('', 'left')])
  table.show_header = False
  for row in rows(verified, pairs):
    terminal.add_row(table, *row)
  terminal.show(table)
  if line := doubt(verified):
    print(f'warning: {line}')


def section(verified: Verified, pairs: Pairs) -> list[Any]:
  """The parts of a page: the table and both figures."""
  line = doubt(verified)
  return [
    *([page.notice('warning', line)] if line else []),
    page.text(
      'Each pair is judged by a threshold on the distance that was chosen on the other '
      'folds. A false accept is a different pair that is taken for the same: how many '
      'you can bear decides the threshold.'
    ),
    page.facts(rows(verified, pairs)),
    page.beside(
      page.figure(
        figures.roc(verified),
        'Up and to the left is better.',
      ),
      page.figure(
        figures.distances(verified, pairs.same),
        'Left of the line, pairs are accepted.',
      ),
    ),
  ]


def worst(verified: Verified, pairs: Pairs) -> tuple[list[int], list[int]]:
  """Places of the same pairs furthest apart, and of the different ones closest."""
  same = np.flatnonzero(pairs.same)
  different = np.flatnonzero(~pairs.same)
  apart = same[np.argsort(-verified.distances[same], kind='stable')]
  close = different[np.argsort(verified.distances[different], kind='stable')]
  return apart[:WORST].tolist(), close[:WORST].tolist()


def worst_section(
  verified: Verified,
  pairs: Pairs,
  tiles: Mapping[int, np.ndarray],
  name: Callable[[int], str],
) -> list[Any]:
  """The parts of a page with the worst pairs of both kinds.

  Args:
    verified, pairs: what was measured.
    tiles: row of the embeddings -> `drawing.tile`, of those of `worst`; a pair that
      lacks one is left out.
    name: of a row.
  """
  parts = []
  titles = ('The same, and furthest apart', 'Different, and closest')
  for title, chosen in zip(titles, worst(verified, pairs), strict=True):
    shown = []
    for n in chosen:
      two = int(pairs.first[n]), int(pairs.second[n])
      if all(each in tiles for each in two):
        caption = f'{verified.distances[n]:.2f}: {name(two[0])} and {name(two[1])}'
        drawn = drawing.row([tiles[each] for each in two])
        shown.append(page.picture(drawn, caption))
    if shown:
      parts += [page.heading(title), page.gallery(shown)]
  return parts
