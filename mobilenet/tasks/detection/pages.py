"""The report of a detector: files of numbers, and the page's sections."""

import json
import math
from collections.abc import Mapping, Sequence

import numpy as np

from mobilenet.reports import amounts, canvas, csv_file, page, pictures, terminal
from mobilenet.tasks import Evaluated, Written
from mobilenet.tasks.detection import (
  average_precision,
  drawing,
  figures,
  judgement,
  results_file,
  score_file,
)
from mobilenet.training import files, logs

WORST = 12  # pictures
_LEAST_WRITTEN = 0.01  # score of a detection in detections.json
_HARDLY = 0.3  # F1 below which nobody should use it
_MOST_ROWS = 100  # classes in the table; all are in classes.csv
_IN_WORDS = {
  'mAP': 'mean of IoU 0.50 to 0.95',
  'AP50': 'at IoU 0.50',
  'AP75': 'at IoU 0.75',
  'AP_small': 'below 32 x 32 pixels',
  'AP_medium': 'up to 96 x 96 pixels',
  'AP_large': 'above 96 x 96 pixels',
  'AR_1': 'recall with 1 detection a picture',
  'AR_10': 'recall with 10',
  'AR_100': 'recall with 100',
  'AR_small': 'recall below 32 x 32 pixels',
  'AR_medium': 'recall up to 96 x 96 pixels',
  'AR_large': 'recall above 96 x 96 pixels',
}


def write_report(evaluated: Evaluated) -> Written:
  """Writes classes.csv, precision_recall.png, coco.json and detections.json.

  Raises:
    TrainingError: a file cannot be written.
  """
  folder, kept = evaluated.folder, evaluated.evaluation.predictions
  names = evaluated.outputs
  found = average_precision.of_examples(kept)
  judged, scores = judgement.judge(kept), kept['found_scores']
  points = judgement.curve(judged, scores)
  chosen = judgement.best(points)
  if evaluated.decide and evaluated.run is not None:
    if chosen is None:
      score_file.remove(evaluated.run.folder)
    else:
      score_file.write(
        evaluated.run.folder, chosen, split=evaluated.split, step=evaluated.run.step
      )
  elif evaluated.run is not None:
    # Measured at the threshold that predictions have, not at one of its own.
    known = score_file.read(evaluated.run.folder, evaluated.run.step)
    chosen = _at(points, known) if known is not None else chosen
  threshold = chosen.score if chosen else score_file.DEFAULT
  rows = _by_class(kept, judged, found.precision, names, threshold)
  csv_file.write_records(folder / 'classes.csv', rows)
  text = json.dumps(logs.to_json(found.numbers), indent=2) + '\n'
  files.replace_file(folder / 'coco.json', text.encode())
  _write_detections(evaluated, kept)
  sections = [
    _in_short(evaluated, found.numbers, judged, chosen, threshold),
    ('Each class', [_table(rows), page.text('AP, precision and recall in %.')]),
    ('How far the scores can be trusted', _curves(folder, found, rows, names)),
    ('Where it fails', _worst(evaluated, kept, judged, threshold)),
  ]
  _print(rows)
  return Written({}, sections)


def _at(points: Sequence[judgement.Point], score: float) -> judgement.Point | None:
  """What a threshold comes to: the point of the lowest score that reaches it."""
  above = [point for point in points if point.score >= score]
  return above[-1]._replace(score=score) if above else None


def _by_class(kept, judged, precision, names, threshold) -> list[dict]:
  """A record for each class; None where it has no boxes."""
  rows = []
  for number, name in enumerate(names):
    boxes = int((judged.there & (kept['classes'] == number)).sum())
    own = precision[:, :, number] if number < precision.shape[2] else None
    known = own is not None and not np.isnan(own).all() and boxes
    own_detections = judged.counts & (kept['found_classes'] == number)
    shown = own_detections & (kept['found_scores'] >= threshold)
    recall = judgement.recall_of_class(judged, kept['classes'], number, threshold)
    rows.append(
      {
        'class': str(name),
        'boxes': boxes,
        'AP': 100 * float(np.mean(own)) if known else None,
        'AP50': 100 * float(np.mean(own[0])) if known else None,
        'detections': int(shown.sum()),
        'precision': 100 * float(judged.right[shown].mean()) if shown.any() else None,
        'recall': None if math.isnan(recall) else 100 * recall,
      }
    )
  return rows


def _in_short(evaluated, numbers: Mapping[str, float], judged, chosen, threshold):
  count, boxes = len(judged.there), int(judged.there.sum())
  headline = [
    (amounts.percent(numbers.get('mAP')), 'mAP, IoU 0.50 to 0.95'),
    (amounts.percent(numbers.get('AP50')), 'AP50'),
    (f'{boxes:,}', f'boxes in {count:,} pictures'),
  ]
  parts = [page.headline(headline)]
  if chosen is None:
    parts.append(
      page.notice('warning', 'No detection is right: train longer, or see the data.')
    )
  else:
    right, found = (100 * share for share in (chosen.precision, chosen.recall))
    line = (
      f'From a score of {threshold:.3g} on, {right:.0f} % of the detections are right '
      f'(IoU {judgement.OVERLAP:g}), and {found:.0f} % of the boxes are found.'
    )
    if evaluated.decide:
      line += ' That score was chosen here, and --job=predict keeps to it.'
    parts.append(page.notice('note', line))
  if chosen is not None and chosen.f1 < _HARDLY:
    parts.append(
      page.notice(
        'warning',
        'It hardly finds anything yet, or much that is not there: train longer '
        '(epochs), start from weights (init), or see small objects at a higher '
        'resolution.',
      )
    )
  if evaluated.chose:
    parts.append(
      page.notice(
        'note',
        'These pictures chose the weights and the score: on new ones expect less.',
      )
    )
  said = [
    (name, _IN_WORDS[name], amounts.number(numbers.get(name))) for name in _IN_WORDS
  ]
  table = page.table(('COCO', 'what it is', '%'), said)
  parts.append(page.details("COCO's twelve numbers", table))
  return 'In short', parts


def _table(rows):
  columns = ('class', 'boxes', 'AP', 'AP50', 'detections', 'precision', 'recall')
  shown = [
    [
      amounts.number(row[c]) if isinstance(row[c], float | None) else row[c]
      for c in columns
    ]
    for row in rows[:_MOST_ROWS]
  ]
  return page.table(columns, shown)


def _curves(folder, found, rows, names):
  if not found.precision.size:
    return [page.text('There are no boxes to find.')]
  drawn = figures.precision_recall(found.precision, rows, canvas.drawable(names))
  canvas.save_png(drawn, folder / 'precision_recall.png')
  return [page.figure(drawn, 'Precision over recall at IoU 0.50, by class')]


def _worst(evaluated: Evaluated, kept, judged, threshold: float):
  """The pictures with the most errors, truth beside detections."""
  errors = judgement.errors(judged, kept['found_scores'], threshold)
  order = np.argsort(-errors.sum(axis=1), kind='stable')[:WORST]
  places = [int(n) for n in order if errors[n].sum()]
  if not places:
    return [page.text('Nowhere: no box was missed, and nothing was found for nothing.')]
  by_index = {int(kept['index'][n]): n for n in places}
  shown = {}
  for index, picture in evaluated.examples.pictures(kept['index'][places]):
    n = by_index[int(index)]
    shown[n] = _beside(
      pictures.smaller(picture, drawing.SIDE), n, kept, evaluated.outputs, threshold
    )
  drawings = []
  for n in places:
    missed, wrong = errors[n].tolist()
    name = evaluated.examples.describe(int(kept['index'][n]))
    caption = f'{missed} missed, {wrong} for nothing: {name}'
    drawings.append(page.picture(shown[n], caption, side=2 * drawing.SIDE))
  legend = 'Left what is there (crowds included), right what was found.'
  return [page.text(legend), page.gallery(drawings, size='large')]


def _beside(picture, n: int, kept, names, threshold: float) -> np.ndarray:
  true = kept['classes'][n] >= 0
  found = kept['found_scores'][n] >= threshold
  classes, said = kept['classes'][n][true], kept['found_classes'][n][found]
  scores = kept['found_scores'][n][found]
  few = len(classes) <= 20 and len(said) <= 20
  left = drawing.draw(
    picture,
    kept['boxes'][n][true],
    classes,
    [str(names[k]) for k in classes] if few else (),
  )
  right = drawing.draw(
    picture,
    kept['found_boxes'][n][found],
    said,
    [f'{names[k]} {s:.2f}' for k, s in zip(said, scores, strict=True)] if few else (),
  )
  return pictures.beside([left, right])


def _write_detections(evaluated: Evaluated, kept) -> None:
  examples, indexes = evaluated.examples, kept['index'].tolist()
  image_ids = examples.image_ids
  found = results_file.Detections(
    [examples.describe(index) for index in indexes],
    kept['size'],
    kept['found_boxes'],
    kept['found_scores'],
    kept['found_classes'],
    evaluated.outputs,
    image_ids=[image_ids[index] for index in indexes] if image_ids else (),
    category_ids=examples.category_ids,
  )
  results_file.write_json(
    evaluated.folder / 'detections.json', found.records(_LEAST_WRITTEN)
  )


def _print(rows) -> None:
  columns = [('class', 'left'), ('boxes', 'right'), ('AP', 'right'), ('AP50', 'right')]
  columns += [('precision', 'right'), ('recall', 'right')]
  table = terminal.make_table('Each class, in %', columns)
  for row in rows[:_MOST_ROWS]:
    cells = (amounts.number(row[c]) for c in ('AP', 'AP50', 'precision', 'recall'))
    terminal.add_row(table, row['class'], f'{row["boxes"]:,}', *cells)
  terminal.show(table)
