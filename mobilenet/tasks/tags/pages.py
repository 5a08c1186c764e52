"""The report of tags: files of numbers, and the page's sections."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mobilenet.reports import amounts, canvas, csv_file, page, pictures, terminal
from mobilenet.tasks import Evaluated, Written
from mobilenet.tasks.tags import figures, judgement, mistakes, scoring, threshold_file
from mobilenet.tasks.tags.scoring import Score
from mobilenet.training.errors import require
from mobilenet.weights.class_names import display_name

_MOST_ROWS = 100  # tags in a table; all are in tags.csv
_UNITS = 'AP, AUC, precision, recall and F1 in %, thresholds as probabilities'
_SIDE = 240  # px of a picture


def write_report(evaluated: Evaluated) -> Written:
  """Writes tags.csv, precision_recall.png and predictions.csv.

  The report of a training chooses the thresholds; another takes those of its run.

  Raises:
    TrainingError: a file cannot be written, or the logits are no numbers.
  """
  kept, names = evaluated.evaluation.predictions, evaluated.outputs
  require(
    bool(np.isfinite(kept['logits']).all()),
    'some logits are no finite numbers: the weights are broken, or want photos on '
    'another scale',
  )
  thresholds, chosen_here = _thresholds(evaluated, kept)
  scores = [
    scoring.score(kept['logits'][:, n], kept['tags'][:, n], thresholds[n])
    for n in range(len(names))
  ]
  rows = [_row(name, own) for name, own in zip(names, scores, strict=True)]
  csv_file.write_records(evaluated.folder / 'tags.csv', rows)
  _write_predictions(evaluated, kept, thresholds)
  sections = [
    _in_short(evaluated, scores, chosen_here),
    ('Each tag', [_table(rows)]),
    ('Precision and recall', _curves(evaluated.folder, kept, scores, names)),
    ('Where it is wrong', _worst(evaluated, kept, scores)),
  ]
  _print(rows)
  return Written(_means(scores), sections)


def _thresholds(evaluated: Evaluated, kept) -> tuple[list[float], bool]:
  """One of each tag, and whether they are chosen here or were before."""
  names, run = evaluated.outputs, evaluated.run or evaluated.card
  if not (evaluated.decide and evaluated.run is not None) and run is not None:
    # Measured as predictions are made, not at thresholds of its own.
    known = threshold_file.read(run.folder, run.step, names)
    if known is not None:
      return known, False
  found = [
    scoring.best_threshold(kept['logits'][:, n], kept['tags'][:, n])
    for n in range(len(names))
  ]
  if evaluated.decide and evaluated.run is not None:
    threshold_file.write(run.folder, names, found, split=evaluated.split, step=run.step)
  return found, True


def _row(name: str, own: Score) -> dict:
  """A record of tags.csv; shares in percent, the threshold a probability."""
  return {
    'tag': str(name),
    'positives': own.positives,
    'known': own.known,
    'AP': _in_percent(own.average_precision),
    'AUC': _in_percent(own.auc),
    'threshold': own.threshold,
    'precision': _in_percent(own.precision),
    'recall': _in_percent(own.recall),
    'F1': _in_percent(own.f1),
  }


def _in_percent(share: float | None) -> float | None:
  return None if share is None else 100 * share


def _means(scores: Sequence[Score]) -> dict[str, float]:
  """Over the tags that have the number, in percent."""
  found = {
    'mean_AUC': [own.auc for own in scores if own.auc is not None],
    'mean_F1': [own.f1 for own in scores if own.f1 is not None],
  }
  return {name: 100 * float(np.mean(each)) for name, each in found.items() if each}


def _in_short(evaluated: Evaluated, scores: Sequence[Score], chosen_here: bool):
  mean = evaluated.evaluation.metrics.get('mAP', math.nan)
  means = _means(scores)
  said = dict(zip(map(display_name, evaluated.outputs), scores, strict=True))
  trained = (evaluated.counts or {}).get('training', {})
  facts = judgement.Facts(
    said,
    {display_name(name): n for name, n in trained.items()},
    evaluated.chose,
    chosen_here or evaluated.chose,
  )
  headline = [
    (amounts.percent(mean), 'mean average precision'),
    (amounts.percent(means.get('mean_F1')), 'mean F1'),
    (
      amounts.percent(evaluated.evaluation.metrics.get('accuracy')),
      'of the answers are right at 50 %',
    ),
    (f'{len(scores):,}', f'tags of {evaluated.evaluation.count:,} photos'),
  ]
  return 'In short', [
    page.headline(headline),
    *(page.notice(*line) for line in judgement.lines(facts)),
    page.text(
      'Average precision: let the network sort all photos, those that it is most sure '
      'have the tag first. At each photo that has it, count how many of the photos up '
      'to there have it, too; this is the mean of these shares. An order by chance '
      'gets the share of all photos that have the tag.'
    ),
  ]


def _table(rows: Sequence[Mapping]):
  columns = tuple(rows[0])
  shown = [[_shown(row[c], c) for c in columns] for row in rows[:_MOST_ROWS]]
  said = f'{_UNITS[:1].upper()}{_UNITS[1:]}.'
  if len(rows) > _MOST_ROWS:
    said += f' The first {_MOST_ROWS} of {len(rows):,}: see tags.csv.'
  return page.table(columns, shown) + page.text(said)


def _shown(value, column: str = '') -> str:
  if value is None or isinstance(value, float):
    return amounts.number(value, 3 if column == 'threshold' else 1)
  return f'{value:,}' if isinstance(value, int) else str(value)


def _curves(folder, kept, scores: Sequence[Score], names: Sequence[str]):
  curves = {
    n: scoring.curve(kept['logits'][:, n], kept['tags'][:, n])
    for n, own in enumerate(scores)
    if own.average_precision is not None
  }
  if not curves:
    return [page.text('No tag holds of some of these photos and not of others.')]
  shown = canvas.drawable([display_name(name) for name in names])
  drawn = figures.precision_recall(curves, scores, shown)
  canvas.save_png(drawn, folder / 'precision_recall.png')
  caption = 'Precision over recall; dots are where the thresholds are.'
  return [page.figure(drawn, caption)]


def _worst(evaluated: Evaluated, kept, scores: Sequence[Score]):
  """Photos that are wrong by the most, tag by tag, the worst tags first."""
  found = mistakes.find(kept, scores)
  if not found:
    return [page.text('Nowhere: every tag is told rightly at its threshold.')]
  places = sorted({place for each in found.values() for place, _ in each})
  indexes = kept['index'][places]
  of_index = dict(zip(indexes.tolist(), places, strict=True))
  small = {
    of_index[int(index)]: page.thumbnail(pictures.smaller(photo, _SIDE), _SIDE)
    for index, photo in evaluated.examples.pictures(indexes)
  }
  parts = []
  for tag, each in found.items():
    parts.append(page.heading(display_name(evaluated.outputs[tag])))
    shown = []
    for place, share in each:
      kind = 'missed' if kept['tags'][place, tag] > 0 else 'not there'
      name = evaluated.examples.describe(int(kept['index'][place]))
      shown.append(page.jpeg(small[place], f'{kind}, {100 * share:.1f} %: {name}'))
    parts.append(page.gallery(shown))
  legend = (
    'Photos that have a tag and got the lowest probabilities of it (missed), and '
    'photos that have it not and got the highest. Look whether it is the tag in the '
    'file that is wrong.'
  )
  return [page.text(legend), *parts]


def _write_predictions(evaluated: Evaluated, kept, thresholds) -> None:
  """predictions.csv: of each photo the tags it has and is said to have."""
  shares = scoring.probabilities(kept['logits'])
  names = [str(name) for name in evaluated.outputs]
  rows = []
  for n, index in enumerate(kept['index'].tolist()):
    has = [name for name, tag in zip(names, kept['tags'][n], strict=True) if tag > 0]
    said = [
      name
      for name, share, threshold in zip(names, shares[n], thresholds, strict=True)
      if share >= threshold
    ]
    own = [f'{share:.5f}' for share in shares[n]]
    rows.append(
      [evaluated.examples.describe(index), '|'.join(has), '|'.join(said), *own]
    )
  columns = ['photo', 'has', 'said to have', *names]
  csv_file.write(evaluated.folder / 'predictions.csv', columns, rows)


def _print(rows: Sequence[Mapping]) -> None:
  columns = [(name, 'right' if n else 'left') for n, name in enumerate(rows[0])]
  table = terminal.make_table(f'Each tag; {_UNITS}', columns)
  for row in rows[:_MOST_ROWS]:
    terminal.add_row(table, *(_shown(row[name], name) for name in row))
  terminal.show(table)
